//! The token endpoint (SMART Backend Services): client credentials with `private_key_jwt`, without any transport, so that the
//! edge mounts it.

use std::fmt;
use std::sync::Arc;

use openssl::sha::Sha256;
use schemas::ClientId;
use schemas::authority::{Client, Status};
use serde::{Deserialize, Serialize};

use super::assertion::{Acting, Claims};
use super::caller::{Assurance, AuthError, Caller};
use super::jose::{Alg, Jws};
use super::jwks::{HttpFetcher, JwksCache, JwksFetcher, KeySet};
use super::mint::Mint;
use super::scopes::{Context, Scopes};
use super::thumbprint;
pub use super::token_error::TokenError;
use crate::clock::Clock;
use crate::ports::keys::{Keys, KeysError};
use crate::ports::store::Store;
use crate::registry::{Registry, RegistryState};

/// Path of the token endpoint under the issuer's URL.
pub const TOKEN_PATH: &str = "/auth/token";
/// Path of the server's own public key set.
pub const JWKS_PATH: &str = "/auth/jwks";
/// Algorithms that an assertion may be signed with.
const ASSERTION_ALGS: [Alg; 2] = [Alg::Es384, Alg::Rs384];
/// Value of `client_assertion_type`.
pub const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const MAX_ASSERTION: usize = 16 * 1024;

/// The form that a client posts (`application/x-www-form-urlencoded`). A field given twice does not read.
#[derive(Deserialize, Default, Clone)]
#[serde(default)]
pub struct TokenForm {
    pub grant_type: String,
    pub client_assertion_type: String,
    pub client_assertion: String,
    pub scope: String,
}

/// The answer; to be sent with `Cache-Control: no-store`.
#[derive(Serialize)]
pub struct TokenResponse {
    pub access_token: String,
    pub token_type: &'static str,
    /// Seconds.
    pub expires_in: i64,
    pub scope: String,
}

impl fmt::Debug for TokenForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenForm(..)")
    }
}

impl fmt::Debug for TokenResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenResponse {{ scope: {:?}, .. }}", self.scope)
    }
}

/// Issues tokens to registered clients.
pub struct TokenService {
    registry: Arc<Registry>,
    store: Arc<dyn Store>,
    mint: Arc<Mint>,
    key_sets: JwksCache,
    endpoint: String,
}

impl TokenService {
    /// `issuer_url`: public base URL of the server; the endpoint is `<issuer_url>/auth/token`.
    pub async fn new(
        registry: Arc<Registry>,
        store: Arc<dyn Store>,
        keys: &dyn Keys,
        clock: Arc<dyn Clock>,
        issuer_url: &str,
    ) -> Result<Self, KeysError> {
        let mint = Mint::open(keys, clock, issuer_url).await?;
        Ok(Self::with_mint(registry, store, mint, Arc::new(HttpFetcher::new())))
    }

    /// From parts: a mint shared with [`super::verify::Verifier`] and another way to fetch key sets.
    pub fn with_mint(
        registry: Arc<Registry>,
        store: Arc<dyn Store>,
        mint: Arc<Mint>,
        fetcher: Arc<dyn JwksFetcher>,
    ) -> Self {
        let endpoint = format!("{}{TOKEN_PATH}", mint.issuer());
        Self { registry, store, mint, key_sets: JwksCache::new(fetcher), endpoint }
    }

    pub fn mint(&self) -> &Arc<Mint> {
        &self.mint
    }

    /// URL that assertions must name as audience.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// A token for the client that signed the assertion, good for what the assertion names.
    ///
    /// `client_certificate_sha256` (hex): of the TLS connection; the token is bound to it. The order of checks: what costs
    /// nothing, the signature, the times, then the single use of `jti` (durable), then the registry.
    pub async fn issue(
        &self,
        form: &TokenForm,
        client_certificate_sha256: Option<&str>,
    ) -> Result<TokenResponse, TokenError> {
        self.mint.clock.check().map_err(|_| TokenError::Unavailable)?;
        let now = self.mint.clock.now();
        let (claims, registry) = self.authenticate(form, now).await?;
        let client_id = ClientId(claims.iss.clone());
        self.use_once(&client_id, &claims, now).await?;
        let client = registry.client(&client_id).ok_or(AuthError::Client)?;
        let certificate = bind(client, client_certificate_sha256)?;
        let acting = claims.acting()?;
        if acting.organisation.as_ref().is_some_and(|named| *named != client.organisation) {
            return Err(TokenError::Organisation);
        }
        let person = claims.person(&acting)?;
        let registered = registry.client_scopes(&client_id).ok_or(AuthError::Client)?;
        let scopes = grant(&form.scope, registered, acting.practitioner.is_some(), person.is_some())?;
        let Acting { practitioner, role, purpose, delegate_of, .. } = acting;
        let human = practitioner.is_some();
        let caller = Caller {
            client: client_id,
            organisation: client.organisation.clone(),
            practitioner,
            role,
            purpose,
            delegate_of,
            scopes,
            person,
            is_person: false,
            assurance: if human { Assurance::Facility } else { Assurance::System },
            authenticated_at: if human { claims.authenticated_at(now) } else { now },
            token_id: String::new(),
            certificate_sha256: certificate,
            card: None,
            expires_at: 0,
        };
        caller.check_registry(&registry)?;
        self.mint.issue(caller).map_err(|_| TokenError::Unavailable)
    }

    /// Form, signature and times.
    async fn authenticate(&self, form: &TokenForm, now: i64) -> Result<(Claims, Arc<RegistryState>), TokenError> {
        if form.grant_type != "client_credentials" {
            return Err(TokenError::GrantType);
        }
        if form.client_assertion_type != ASSERTION_TYPE {
            return Err(TokenError::AssertionType);
        }
        if form.client_assertion.len() > MAX_ASSERTION {
            return Err(TokenError::Malformed);
        }
        let jws = Jws::parse(&form.client_assertion).ok_or(TokenError::Malformed)?;
        let alg = Alg::parse(&jws.header.alg).filter(|alg| ASSERTION_ALGS.contains(alg));
        let (Some(alg), Some(kid), true) = (alg, jws.header.kid.as_deref(), jws.is_typ("JWT")) else {
            return Err(TokenError::Algorithm);
        };
        let claims: Claims = serde_json::from_slice(&jws.payload).map_err(|_| TokenError::Malformed)?;
        if claims.iss != claims.sub {
            return Err(TokenError::Subject);
        }
        let registry = self.registry.state();
        let client = registry.client(&ClientId(claims.iss.clone())).filter(|c| c.status == Status::Active);
        let client = client.ok_or(TokenError::Registry(AuthError::Client))?;
        let keys = self.keys_of(client, kid, now).await?;
        let key = keys.find(alg, kid).ok_or(TokenError::UnknownKey)?;
        if !jws.verify(alg, key) {
            return Err(TokenError::Signature);
        }
        claims.check(&self.endpoint, now)?;
        Ok((claims, registry))
    }

    async fn keys_of(&self, client: &Client, kid: &str, now: i64) -> Result<Arc<KeySet>, TokenError> {
        let found = if client.jwks.is_empty() {
            self.key_sets.keys(&client.jwks_url, kid, now).await
        } else {
            KeySet::parse(client.jwks.as_bytes()).map(Arc::new)
        };
        found.map_err(|_| TokenError::KeySet)
    }

    async fn use_once(&self, client: &ClientId, claims: &Claims, now: i64) -> Result<(), TokenError> {
        let mut hash = Sha256::new();
        hash.update(b"client assertion\0");
        hash.update(&(client.0.len() as u64).to_be_bytes());
        hash.update(client.0.as_bytes());
        hash.update(claims.jti.as_bytes());
        match self.store.once(&hash.finish(), claims.remember_until(), now).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(TokenError::Replayed),
            Err(error) => {
                tracing::error!(%error, "the single use of an assertion could not be recorded");
                Err(TokenError::Unavailable)
            }
        }
    }
}

/// The `.well-known/smart-configuration` of a server at `issuer`.
pub fn smart_configuration(issuer: &str) -> serde_json::Value {
    let issuer = issuer.trim_end_matches('/');
    serde_json::json!({
        "issuer": issuer,
        "jwks_uri": format!("{issuer}{JWKS_PATH}"),
        "token_endpoint": format!("{issuer}{TOKEN_PATH}"),
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": ASSERTION_ALGS.map(Alg::as_str),
        "tls_client_certificate_bound_access_tokens": true,
        "scopes_supported": ["system/*.cruds", "user/*.cruds", "patient/*.cruds"],
        "capabilities": ["client-confidential-asymmetric", "permission-v2", "permission-patient", "permission-user"],
    })
}

/// The certificate that the token is bound to (hex): the connection's, which must be the registered one where one is.
fn bind(client: &Client, presented: Option<&str>) -> Result<Option<String>, TokenError> {
    let presented = match presented {
        Some(text) => Some(thumbprint(text).ok_or(TokenError::Certificate)?),
        None => None,
    };
    if !client.certificate_sha256.is_empty() {
        let registered = thumbprint(&client.certificate_sha256).ok_or(TokenError::Certificate)?;
        if presented != Some(registered) {
            return Err(TokenError::Certificate);
        }
    }
    Ok(presented.map(|hash| super::hex(&hash)))
}

/// Asked for and registered; `user/` only with a professional, `patient/` only with one person named.
fn grant(asked: &str, registered: &Scopes, human: bool, person: bool) -> Result<Scopes, TokenError> {
    let mut granted = Scopes::parse_lenient(asked).intersect(registered);
    if !human {
        granted = granted.without(Context::User);
    }
    if !person {
        granted = granted.without(Context::Patient);
    }
    if granted.is_empty() { Err(TokenError::Scope) } else { Ok(granted) }
}
