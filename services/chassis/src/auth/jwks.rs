//! Public keys of clients: by value from the registry, or by URL with rotation.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::nid::Nid;
use openssl::pkey::{PKey, Public};
use openssl::rsa::Rsa;
use parking_lot::Mutex;
use serde::Deserialize;

use super::jose::Alg;

/// Largest key set that is read.
pub const MAX_BYTES: usize = 64 * 1024;
const FRESH_MS: i64 = 5 * 60_000;
const UNKNOWN_KID_MS: i64 = 60_000;
const AFTER_FAILURE_MS: i64 = 10_000;
const TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JwksError {
    #[error("the key set's address is neither https nor loopback http")]
    Address,
    #[error("the key set could not be fetched")]
    Fetch,
    #[error("the key set is larger than {MAX_BYTES} bytes")]
    TooLarge,
    #[error("the key set does not read")]
    Malformed,
}

/// Gets the text of a key set.
#[async_trait]
pub trait JwksFetcher: Send + Sync {
    /// At most [`MAX_BYTES`], within 5 s, without following redirects.
    async fn fetch(&self, url: &str) -> Result<Vec<u8>, JwksError>;
}

/// Fetches over https, or over http from this machine.
pub struct HttpFetcher(reqwest::Client);

impl HttpFetcher {
    pub fn new() -> Self {
        let client = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .expect("the TLS library initialises");
        Self(client)
    }
}

impl Default for HttpFetcher {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl JwksFetcher for HttpFetcher {
    async fn fetch(&self, url: &str) -> Result<Vec<u8>, JwksError> {
        let url = reqwest::Url::parse(url).map_err(|_| JwksError::Address)?;
        if !(url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url))) {
            return Err(JwksError::Address);
        }
        let request = self.0.get(url).header("accept", "application/json");
        let mut response = request.send().await.map_err(|_| JwksError::Fetch)?;
        if response.status() != reqwest::StatusCode::OK {
            return Err(JwksError::Fetch);
        }
        let mut out = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|_| JwksError::Fetch)? {
            if out.len() + chunk.len() > MAX_BYTES {
                return Err(JwksError::TooLarge);
            }
            out.extend_from_slice(&chunk);
        }
        Ok(out)
    }
}

fn is_loopback(url: &reqwest::Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|ip| ip.is_loopback())
}

/// One usable key of a set.
struct Key {
    kid: String,
    alg: Alg,
    key: PKey<Public>,
}

/// The usable keys of one client: ES384 and RS384, for signatures.
pub(crate) struct KeySet(Vec<Key>);

#[derive(Deserialize)]
struct RawSet {
    keys: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct RawKey {
    kty: String,
    kid: String,
    #[serde(rename = "use")]
    key_use: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
    d: Option<serde::de::IgnoredAny>,
}

impl KeySet {
    /// Keys of other kinds, for other uses, weak or with private members in them are left out.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, JwksError> {
        if bytes.len() > MAX_BYTES {
            return Err(JwksError::TooLarge);
        }
        let set: RawSet = serde_json::from_slice(bytes).map_err(|_| JwksError::Malformed)?;
        let keys = set.keys.into_iter().filter_map(|key| serde_json::from_value::<RawKey>(key).ok());
        Ok(Self(keys.filter_map(RawKey::read).collect()))
    }

    pub(crate) fn find(&self, alg: Alg, kid: &str) -> Option<&PKey<Public>> {
        self.0.iter().find(|k| k.alg == alg && k.kid == kid).map(|k| &k.key)
    }

    fn has(&self, kid: &str) -> bool {
        self.0.iter().any(|k| k.kid == kid)
    }
}

impl RawKey {
    fn read(self) -> Option<Key> {
        let signs = self.key_use.as_deref().is_none_or(|it| it == "sig")
            && self.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"));
        let (alg, key) = match self.kty.as_str() {
            "EC" if self.crv.as_deref() == Some("P-384") => (Alg::Es384, self.ec_key()?),
            "RSA" => (Alg::Rs384, self.rsa_key()?),
            _ => return None,
        };
        let usable = signs && self.d.is_none() && self.alg.as_deref().is_none_or(|it| it == alg.as_str());
        (usable && alg.fits(&key)).then_some(Key { kid: self.kid, alg, key })
    }

    fn ec_key(&self) -> Option<PKey<Public>> {
        let group = EcGroup::from_curve_name(Nid::SECP384R1).ok()?;
        let (x, y) = (number(self.x.as_ref()?)?, number(self.y.as_ref()?)?);
        // Refuses a point that is not on the curve.
        let key = EcKey::from_public_key_affine_coordinates(&group, &x, &y).ok()?;
        PKey::from_ec_key(key).ok()
    }

    fn rsa_key(&self) -> Option<PKey<Public>> {
        let (n, e) = (number(self.n.as_ref()?)?, number(self.e.as_ref()?)?);
        let odd_and_small = e.is_bit_set(0) && e.num_bits() > 1 && e.num_bits() <= 32;
        PKey::from_rsa(Rsa::from_public_components(n, e).ok().filter(|_| odd_and_small)?).ok()
    }
}

fn number(text: &str) -> Option<BigNum> {
    BigNum::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
}

/// Key sets by URL: kept 5 minutes; an unknown key id fetches again, at most once a minute, so that a client can rotate at once
/// and nobody can make us call a facility's server at will.
pub(crate) struct JwksCache {
    fetcher: Arc<dyn JwksFetcher>,
    entries: Mutex<HashMap<String, Arc<tokio::sync::Mutex<Entry>>>>,
}

#[derive(Default)]
struct Entry {
    keys: Option<Arc<KeySet>>,
    fetched_at: i64,
    /// The last attempt, and whether it failed.
    tried_at: i64,
    failed: bool,
}

impl JwksCache {
    pub(crate) fn new(fetcher: Arc<dyn JwksFetcher>) -> Self {
        Self { fetcher, entries: Mutex::default() }
    }

    /// The keys at `url`, fetched again where the rules above say so. `now` in milliseconds since 1970.
    pub(crate) async fn keys(&self, url: &str, kid: &str, now: i64) -> Result<Arc<KeySet>, JwksError> {
        let entry = self.entries.lock().entry(url.to_owned()).or_default().clone();
        // Held over the fetch: callers for one URL wait for one answer.
        let mut entry = entry.lock().await;
        let since_try = now.saturating_sub(entry.tried_at);
        let kept = entry.keys.clone().filter(|_| now.saturating_sub(entry.fetched_at) < FRESH_MS);
        match &kept {
            Some(keys) if keys.has(kid) || since_try < UNKNOWN_KID_MS => return Ok(keys.clone()),
            None if entry.failed && since_try < AFTER_FAILURE_MS => return Err(JwksError::Fetch),
            _ => {}
        }
        let fetched = self.fetcher.fetch(url).await.and_then(|bytes| KeySet::parse(&bytes));
        match fetched {
            Ok(keys) => {
                let keys = Arc::new(keys);
                *entry = Entry { keys: Some(keys.clone()), fetched_at: now, tried_at: now, failed: false };
                Ok(keys)
            }
            Err(error) => {
                (entry.tried_at, entry.failed) = (now, true);
                tracing::warn!(%error, "a client's key set could not be read");
                // A kept set stays good for its five minutes; the unknown key stays unknown.
                kept.ok_or(error)
            }
        }
    }
}
