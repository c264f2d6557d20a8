//! Reads bearer tokens: a signature is checked once, then remembered until the token ends.

use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;

use super::caller::{AuthError, Caller};
use super::mint::{Mint, TOKEN_LIFETIME_S, Unread};
use super::thumbprint;
use crate::ports::keys::{Keys, KeysError};

/// A longer token is none of ours.
const MAX_TOKEN: usize = 16 * 1024;
const REMEMBERED: u64 = 50_000;

/// Checks tokens of one issuer.
pub struct Verifier {
    mint: Arc<Mint>,
    /// By SHA-256 of the signature, for a hash of the whole token would cost more than all the rest; a hit counts only if the
    /// whole token is the same. Only tokens that verified. The clock decides on the end, the cache only forgets.
    verified: Cache<[u8; 32], Arc<Known>>,
}

struct Known {
    token: Box<str>,
    caller: Arc<Caller>,
    certificate: Option<[u8; 32]>,
}

impl Verifier {
    pub fn new(mint: Arc<Mint>) -> Self {
        let lifetime = Duration::from_secs(TOKEN_LIFETIME_S.unsigned_abs());
        Self { mint, verified: Cache::builder().max_capacity(REMEMBERED).time_to_live(lifetime).build() }
    }

    /// A verifier by itself, for a role that issues nothing.
    pub async fn open(keys: &dyn Keys, clock: Arc<dyn crate::clock::Clock>, issuer: &str) -> Result<Self, KeysError> {
        Ok(Self::new(Mint::open(keys, clock, issuer).await?))
    }

    /// Who asks with `bearer` over a connection with `certificate` (SHA-256 of the client certificate in hex).
    ///
    /// The registry is asked by [`Caller::check_registry`], at each request.
    pub fn verify(&self, bearer: &str, certificate: Option<&str>) -> Result<Arc<Caller>, AuthError> {
        if bearer.is_empty() {
            return Err(AuthError::Missing);
        }
        if bearer.len() > MAX_TOKEN {
            return Err(AuthError::Malformed);
        }
        let (_, signature) = bearer.rsplit_once('.').ok_or(AuthError::Malformed)?;
        let hash = crate::crypto::sha256(signature.as_bytes());
        let known = match self.verified.get(&hash) {
            Some(known) if *known.token == *bearer => known,
            _ => self.read(bearer, hash)?,
        };
        if self.mint.clock.now() >= known.caller.expires_at {
            return Err(AuthError::Expired);
        }
        match known.certificate {
            Some(bound) if certificate.and_then(thumbprint) != Some(bound) => Err(AuthError::Binding),
            _ => Ok(known.caller.clone()),
        }
    }

    /// The token of an `Authorization` header's value.
    pub fn bearer_of(header: Option<&str>) -> Result<&str, AuthError> {
        let (scheme, token) = header.and_then(|h| h.split_once(' ')).ok_or(AuthError::Missing)?;
        if scheme.eq_ignore_ascii_case("bearer") { Ok(token.trim()) } else { Err(AuthError::Missing) }
    }

    fn read(&self, bearer: &str, hash: [u8; 32]) -> Result<Arc<Known>, AuthError> {
        let caller = self.mint.read(bearer).map_err(|unread| match unread {
            Unread::Malformed => AuthError::Malformed,
            Unread::Signature => AuthError::Signature,
            Unread::Audience => AuthError::Audience,
        })?;
        let certificate = match &caller.certificate_sha256 {
            Some(text) => Some(thumbprint(text).ok_or(AuthError::Malformed)?),
            None => None,
        };
        let known = Arc::new(Known { token: bearer.into(), caller: Arc::new(caller), certificate });
        if self.mint.clock.now() < known.caller.expires_at {
            self.verified.insert(hash, known.clone());
        }
        Ok(known)
    }
}
