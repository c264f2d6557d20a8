//! Pages of an answer that stay as they were when the first was made, and the searchset Bundle.

use chassis::crypto;
use chassis::http::Refusal;
use chassis::ports::keys::Secret;
use chassis::session::Session;
use fhir::search::SortKey;
use schemas::{Pid, Problem, ProblemCode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Items on a page unless `_count` says otherwise, and at the most.
pub(crate) const COUNT: usize = 50;
pub(crate) const COUNT_MAX: usize = 1000;

/// A place in the answer to one query about one shelf, sealed in links: it holds values of the person. `K` orders the answer.
#[derive(Serialize, Deserialize, Clone, Debug)]
struct PageToken<K> {
    /// Position of the shelf when the first page was made: what was written since is not seen.
    #[serde(with = "fixed_width")]
    sequence: u64,
    key: K,
    /// The page ends before `key` instead of beginning behind it.
    back: bool,
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

/// What a page token is good for: one reader, one shelf, one query. Another token of the same reader goes on with it.
pub(crate) struct Scope([u8; 48]);

impl Scope {
    /// `path` and `params` as asked; a page token among the parameters is not part of the query.
    pub(crate) fn of(session: &Session, pid: Pid, path: &str, params: &[(String, String)]) -> Self {
        let caller = &session.caller;
        let oneself = caller.person.filter(|_| caller.is_person).map(|pid| pid.to_string());
        let of = |id: &Option<schemas::PractitionerId>| id.as_ref().map_or_else(String::new, |id| id.0.clone());
        let (practitioner, delegate_of) = (of(&caller.practitioner), of(&caller.delegate_of));
        let reader = [
            caller.client.0.as_str(),
            caller.organisation.0.as_str(),
            &practitioner,
            &caller.role,
            &delegate_of,
            caller.purpose.as_str(),
            oneself.as_deref().unwrap_or_default(),
        ];
        let query = params.iter().filter(|(name, _)| name != "_page").flat_map(|(n, v)| [n.as_str(), v.as_str()]);
        let mut hash = openssl::sha::Sha256::new();
        for part in reader.into_iter().chain([path]).chain(query) {
            hash.update(&(part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        let mut scope = [0; 48];
        scope[..16].copy_from_slice(&pid.0);
        scope[16..].copy_from_slice(&hash.finish());
        Self(scope)
    }
}

impl<K: Serialize + DeserializeOwned> PageToken<K> {
    /// Sealed and base64url.
    fn seal(&self, key: &Secret, scope: &Scope) -> String {
        use base64::Engine;
        let plain = serde_json::to_vec(self).expect("a token serialises");
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(crypto::seal(key, &scope.0, &plain))
    }

    fn open(text: &str, key: &Secret, scope: &Scope) -> Option<Self> {
        use base64::Engine;
        let sealed = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).ok()?;
        let plain = crypto::open(key, &scope.0, &sealed).ok()?;
        serde_json::from_slice(&plain).ok()
    }
}

/// One way through the answers to one query: where this page begins, how long it is, and as of when.
pub(crate) struct Paging<'a, K = SortKey> {
    key: &'a Secret,
    scope: Scope,
    here: Option<PageToken<K>>,
    sequence: u64,
    count: usize,
}

impl<'a, K: Ord + Clone + Serialize + DeserializeOwned> Paging<'a, K> {
    /// `token` as it came; `position` of the shelf now; `count` items of a page.
    ///
    /// # Errors
    /// 400 for a token that is not of this reader, shelf and query.
    pub(crate) fn open(
        key: &'a Secret,
        scope: Scope,
        token: Option<&str>,
        (position, count): (u64, usize),
    ) -> Result<Self, Refusal> {
        let open = |text| PageToken::open(text, key, &scope).ok_or_else(bad_page);
        let here = token.map(open).transpose()?;
        let sequence = here.as_ref().map_or(position, |t| t.sequence);
        Ok(Self { key, scope, here, sequence, count })
    }

    /// Position of the shelf as of which every page is made.
    pub(crate) fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Cuts this page out of all that was found. No two keys are the same.
    pub(crate) fn cut<T>(&self, mut found: Vec<(K, T)>) -> Cut<T> {
        let by_key = |a: &(K, T), b: &(K, T)| a.0.cmp(&b.0);
        let total = found.len();
        // The first page needs only its own items in order.
        let sorted = if self.here.is_none() && (1..total).contains(&self.count) { self.count } else { total };
        if sorted < total {
            found.select_nth_unstable_by(sorted, by_key);
        }
        found[..sorted].sort_unstable_by(by_key);
        let (from, to) = match &self.here {
            None => (0, self.count.min(total)),
            Some(token) if token.back => {
                let end = found.partition_point(|(key, _)| *key < token.key);
                (end.saturating_sub(self.count), end)
            }
            Some(token) => {
                let start = found.partition_point(|(key, _)| *key <= token.key);
                (start, (start + self.count).min(total))
            }
        };
        let seal =
            |key: &K, back| PageToken { sequence: self.sequence, key: key.clone(), back }.seal(self.key, &self.scope);
        let next = (from < to && to < total).then(|| seal(&found[to - 1].0, false));
        let previous = (from < to && from > 0).then(|| seal(&found[from].0, true));
        Cut { page: found.drain(from..to).map(|(_, item)| item).collect(), total, next, previous }
    }
}

/// One page of all that was found.
pub(crate) struct Cut<T> {
    pub(crate) page: Vec<T>,
    /// Found on all pages together.
    pub(crate) total: usize,
    next: Option<String>,
    previous: Option<String>,
}

impl<T> Cut<T> {
    /// `Bundle.link`: `self`, and `next` and `previous` where there are such pages. `base` without a slash at its end.
    pub(crate) fn links(&self, base: &str, path: &str, params: &[(String, String)]) -> Vec<(&'static str, String)> {
        let own = params.iter().find(|(name, _)| name == "_page").map(|(_, token)| token.as_str());
        let mut links = vec![("self", link(base, path, params, own))];
        let others = [("next", &self.next), ("previous", &self.previous)];
        let others = others.into_iter().filter_map(|(relation, token)| token.as_ref().map(|token| (relation, token)));
        links.extend(others.map(|(relation, token)| (relation, link(base, path, params, Some(token)))));
        links
    }
}

fn link(base: &str, path: &str, params: &[(String, String)], token: Option<&str>) -> String {
    let mut url = if path.is_empty() { base.to_owned() } else { format!("{base}/{path}") };
    let pairs = params.iter().filter(|(n, _)| n != "_page").map(|(n, v)| (n.as_str(), v.as_str()));
    for (at, (name, value)) in pairs.chain(token.map(|t| ("_page", t))).enumerate() {
        url.push(if at == 0 { '?' } else { '&' });
        url.push_str(&format!("{}={}", urlencoding::encode(name), urlencoding::encode(value)));
    }
    url
}

fn bad_page() -> Refusal {
    let text = "this page link is not of this query; begin again without `_page`";
    Refusal::bad_request(vec![Problem::new(ProblemCode::Value, "_page", text)])
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
        let tail = match (full_url, resource) {
            ("", None) => tail.trim_start_matches(','),
            _ => tail,
        };
        let url = if full_url.is_empty() { [""; 3] } else { ["\"fullUrl\":\"", full_url, "\""] };
        let comma = if full_url.is_empty() || resource.is_none() { "" } else { "," };
        for part in url.into_iter().chain([comma]).chain(resource.map(|_| "\"resource\":")) {
            self.out.extend_from_slice(part.as_bytes());
        }
        self.out.extend_from_slice(resource.unwrap_or_default());
        self.out.extend_from_slice(tail.as_bytes());
        self.out.push(b'}');
    }

    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.out.extend_from_slice(if self.entries == 0 { b"}" } else { b"]}" });
        self.out
    }
}
