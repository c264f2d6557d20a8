//! Makes our access tokens: signed JWTs (RFC 9068) that hold all that a request needs.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcKey, EcPoint};
use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use schemas::{ClientId, OrganisationId, Pid, PractitionerId, Purpose};
use serde::{Deserialize, Serialize};

use super::caller::{Assurance, Caller};
use super::jose::{self, Alg, Jws};
use super::scopes::Scopes;
use super::tokens::TokenResponse;
use super::{hex, thumbprint};
use crate::clock::Clock;
use crate::crypto;
use crate::ports::keys::{Keys, KeysError, PlatformKey, Secret};

/// Life of an access token, seconds.
pub const TOKEN_LIFETIME_S: i64 = 300;
const TYP: &str = "at+jwt";

/// The server's signing key and clock. The key is derived from [`PlatformKey::Token`], so that every node of a platform makes
/// and reads the same tokens, also after a restart.
pub struct Mint {
    key: PKey<Private>,
    kid: String,
    jwk: serde_json::Value,
    seed: Secret,
    issuer: String,
    pub(crate) clock: Arc<dyn Clock>,
}

/// Wire form of a [`Caller`].
#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    client_id: ClientId,
    iat: i64,
    exp: i64,
    jti: String,
    scope: String,
    auth_time: i64,
    acr: Assurance,
    #[serde(skip_serializing_if = "Option::is_none")]
    cnf: Option<Confirmation>,
    /// The only person that the token is good for.
    #[serde(skip_serializing_if = "Option::is_none")]
    person: Option<Pid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    card: Option<String>,
    extensions: Extensions,
}

/// RFC 8705.
#[derive(Serialize, Deserialize)]
struct Confirmation {
    #[serde(rename = "x5t#S256")]
    x5t_s256: String,
}

#[derive(Serialize, Deserialize)]
struct Extensions {
    #[serde(rename = "hl7-b2b")]
    b2b: B2b,
}

#[derive(Serialize, Deserialize)]
struct B2b {
    version: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject_id: Option<PractitionerId>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    subject_role: String,
    organization_id: OrganisationId,
    purpose_of_use: [Purpose; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    delegate_of: Option<PractitionerId>,
}

/// Why an access token does not read; [`super::verify`] maps it.
pub(crate) enum Unread {
    Malformed,
    Signature,
    Audience,
}

impl Mint {
    /// `issuer`: the public base URL of the server, without a slash at the end.
    pub async fn open(keys: &dyn Keys, clock: Arc<dyn Clock>, issuer: &str) -> Result<Arc<Self>, KeysError> {
        let seed = keys.platform_key(PlatformKey::Token).await?;
        let key = signing_key(&seed).map_err(|_| KeysError::Damaged("no signing key follows from it".into()))?;
        let (jwk, kid) =
            jose::jwk_of(Alg::Es256, &key).map_err(|_| KeysError::Damaged("the signing key does not read".into()))?;
        Ok(Arc::new(Self { key, kid, jwk, seed, issuer: issuer.trim_end_matches('/').to_owned(), clock }))
    }

    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The public key as a JSON Web Key Set, for others that read our tokens.
    pub fn jwks(&self) -> serde_json::Value {
        serde_json::json!({"keys": [self.jwk]})
    }

    /// A key for another use that follows from the same seed.
    pub(crate) fn derive(&self, label: &[u8]) -> Secret {
        crypto::derive(&self.seed, label, b"")
    }

    pub(crate) fn key(&self) -> &PKey<Private> {
        &self.key
    }

    /// Signs a token for `caller`; its id and its end are set here.
    pub(crate) fn issue(&self, mut caller: Caller) -> Result<TokenResponse, ErrorStack> {
        let iat = self.clock.now().div_euclid(1000);
        let mut jti = [0u8; 16];
        openssl::rand::rand_bytes(&mut jti)?;
        caller.token_id = URL_SAFE_NO_PAD.encode(jti);
        caller.expires_at = (iat + TOKEN_LIFETIME_S) * 1000;
        let scope = caller.scopes.to_string();
        let claims = self.claims(caller, iat);
        let bytes = serde_json::to_vec(&claims).expect("claims are text and numbers");
        let access_token = jose::sign(Alg::Es256, &self.key, (TYP, &self.kid), &bytes)?;
        Ok(TokenResponse { access_token, token_type: "Bearer", expires_in: TOKEN_LIFETIME_S, scope })
    }

    fn claims(&self, caller: Caller, iat: i64) -> Claims {
        let sub = match (&caller.practitioner, caller.person) {
            (Some(id), _) => id.0.clone(),
            (None, Some(pid)) if caller.is_person => pid.to_string(),
            _ => caller.client.0.clone(),
        };
        let x5t = caller.certificate_sha256.as_deref().and_then(thumbprint);
        Claims {
            iss: self.issuer.clone(),
            aud: self.issuer.clone(),
            sub,
            client_id: caller.client,
            iat,
            exp: caller.expires_at / 1000,
            jti: caller.token_id,
            scope: caller.scopes.to_string(),
            auth_time: caller.authenticated_at.div_euclid(1000),
            acr: caller.assurance,
            cnf: x5t.map(|hash| Confirmation { x5t_s256: URL_SAFE_NO_PAD.encode(hash) }),
            person: caller.person,
            card: caller.card,
            extensions: Extensions {
                b2b: B2b {
                    version: "1".into(),
                    subject_id: caller.practitioner,
                    subject_role: caller.role,
                    organization_id: caller.organisation,
                    purpose_of_use: [caller.purpose],
                    delegate_of: caller.delegate_of,
                },
            },
        }
    }

    /// Checks signature, issuer and audience; not the time and not the binding.
    pub(crate) fn read(&self, token: &str) -> Result<Caller, Unread> {
        let jws = Jws::parse(token).ok_or(Unread::Malformed)?;
        let ours = jws.is_typ(TYP) && jws.header.typ.is_some() && jws.header.kid.as_ref() == Some(&self.kid);
        if !ours || !jws.verify(Alg::Es256, &self.key) {
            return Err(Unread::Signature);
        }
        let claims: Claims = serde_json::from_slice(&jws.payload).map_err(|_| Unread::Malformed)?;
        if claims.iss != self.issuer || claims.aud != self.issuer {
            return Err(Unread::Audience);
        }
        let certificate_sha256 = match &claims.cnf {
            Some(cnf) => Some(hex(&URL_SAFE_NO_PAD.decode(&cnf.x5t_s256).map_err(|_| Unread::Malformed)?)),
            None => None,
        };
        let b2b = claims.extensions.b2b;
        Ok(Caller {
            client: claims.client_id,
            organisation: b2b.organization_id,
            practitioner: b2b.subject_id,
            role: b2b.subject_role,
            purpose: b2b.purpose_of_use[0],
            delegate_of: b2b.delegate_of,
            scopes: Scopes::parse_lenient(&claims.scope),
            person: claims.person,
            is_person: claims.acr == Assurance::Card,
            assurance: claims.acr,
            authenticated_at: claims.auth_time * 1000,
            token_id: claims.jti,
            certificate_sha256,
            card: claims.card,
            expires_at: claims.exp * 1000,
        })
    }
}

/// The P-256 key that follows from `seed`: the first derived value that is a valid scalar (the first one but for 2^-32).
fn signing_key(seed: &Secret) -> Result<PKey<Private>, ErrorStack> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
    let mut context = BigNumContext::new()?;
    let (mut order, zero) = (BigNum::new()?, BigNum::new()?);
    group.order(&mut order, &mut context)?;
    let mut counter = 0u8;
    let scalar = loop {
        let mut candidate = BigNum::new_secure()?;
        candidate.copy_from_slice(crypto::derive(seed, b"token signing", &[counter]).as_slice())?;
        if candidate > zero && candidate < order {
            break candidate;
        }
        counter = counter.wrapping_add(1);
    };
    let mut public = EcPoint::new(&group)?;
    public.mul_generator2(&group, &scalar, &mut context)?;
    PKey::from_ec_key(EcKey::from_private_components(&group, &scalar, &public)?)
}
