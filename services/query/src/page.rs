//! Pages of a search, and the searchset Bundle.

use chassis::crypto;
use chassis::ports::keys::Secret;
use fhir::search::SortKey;
use schemas::Pid;
use serde::{Deserialize, Serialize};

/// Items on a page unless `_count` says otherwise, and at the most.
pub(crate) const COUNT: usize = 50;
pub(crate) const COUNT_MAX: usize = 1000;

/// A place in the answer to one search of one person, sealed in links: it holds values of the person.
#[derive(Serialize, Deserialize, Clone, Debug)]
pub(crate) struct PageToken {
    /// Position of the shelf when the first page was made: what was written since is not seen.
    #[serde(with = "fixed_width")]
    pub(crate) sequence: u64,
    pub(crate) key: SortKey,
    /// The page ends before `key` instead of beginning behind it.
    pub(crate) back: bool,
}

/// A position in as many digits as any: the length of a sealed link must not follow what was written to the shelf.
mod fixed_width {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(value: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format!("{value:020}"))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl PageToken {
    /// Sealed and base64url. Good for this person and this query only.
    pub(crate) fn seal(&self, key: &Secret, pid: Pid, query_hash: &[u8; 32]) -> String {
        let plain = serde_json::to_vec(self).expect("a token serialises");
        base64_url(&crypto::seal(key, &aad(pid, query_hash), &plain))
    }

    pub(crate) fn open(text: &str, key: &Secret, pid: Pid, query_hash: &[u8; 32]) -> Option<Self> {
        use base64::Engine;
        let sealed = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).ok()?;
        let plain = crypto::open(key, &aad(pid, query_hash), &sealed).ok()?;
        serde_json::from_slice(&plain).ok()
    }
}

fn aad(pid: Pid, query_hash: &[u8; 32]) -> Vec<u8> {
    [&pid.0[..], query_hash].concat()
}

fn base64_url(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

/// Hash of a query without its page token.
pub(crate) fn query_hash(path: &str, params: &[(String, String)]) -> [u8; 32] {
    let mut hash = openssl::sha::Sha256::new();
    hash.update(path.as_bytes());
    for (name, value) in params.iter().filter(|(name, _)| name != "_page") {
        hash.update(&(name.len() as u64).to_be_bytes());
        hash.update(name.as_bytes());
        hash.update(&(value.len() as u64).to_be_bytes());
        hash.update(value.as_bytes());
    }
    hash.finish()
}

/// Where a page lies in the ordered matches: first and behind-last index.
pub(crate) fn slice(keys: &[SortKey], token: Option<&PageToken>, count: usize) -> (usize, usize) {
    match token {
        None => (0, count.min(keys.len())),
        Some(token) if token.back => {
            let end = keys.partition_point(|key| *key < token.key);
            (end.saturating_sub(count), end)
        }
        Some(token) => {
            let start = keys.partition_point(|key| *key <= token.key);
            (start, (start + count).min(keys.len()))
        }
    }
}

/// Writes a Bundle as text: entries are JSON already.
pub(crate) struct BundleWriter {
    out: Vec<u8>,
    entries: usize,
}

impl BundleWriter {
    pub(crate) fn new(bundle_type: &str, total: Option<usize>, links: &[(&str, String)]) -> Self {
        let mut out = format!("{{\"resourceType\":\"Bundle\",\"type\":\"{bundle_type}\"").into_bytes();
        if let Some(total) = total {
            out.extend_from_slice(format!(",\"total\":{total}").as_bytes());
        }
        if !links.is_empty() {
            let links: Vec<_> = links.iter().map(|(r, url)| serde_json::json!({"relation": r, "url": url})).collect();
            out.extend_from_slice(b",\"link\":");
            out.extend_from_slice(serde_json::Value::from(links).to_string().as_bytes());
        }
        Self { out, entries: 0 }
    }

    /// One entry. `tail` is further JSON members, beginning with a comma, or empty.
    pub(crate) fn entry(&mut self, full_url: &str, resource: Option<&[u8]>, tail: &str) {
        self.out.extend_from_slice(if self.entries == 0 { b",\"entry\":[{" } else { b",{" });
        self.entries += 1;
        let mut members = Vec::new();
        if !full_url.is_empty() {
            members.push(format!("\"fullUrl\":\"{full_url}\"").into_bytes());
        }
        if let Some(resource) = resource {
            members.push([b"\"resource\":", resource].concat());
        }
        self.out.extend_from_slice(&members.join(&b","[..]));
        self.out.extend_from_slice(if members.is_empty() { tail.trim_start_matches(',') } else { tail }.as_bytes());
        self.out.push(b'}');
    }

    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.out.extend_from_slice(if self.entries == 0 { b"}" } else { b"]}" });
        self.out
    }
}
