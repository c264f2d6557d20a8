//! What a client system does to get a token: an ES384 key, a signed assertion (RFC 7523, SMART Backend Services), and the
//! token kept fresh while a run lasts.

use std::net::SocketAddr;
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcKey};
use openssl::ecdsa::EcdsaSig;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::http::{Connection, write_request};

/// Bytes of each half of an ES384 signature.
const WIDTH: i32 = 48;
/// Tokens live 300 s; a fresh one is fetched before half of that is over.
const REFRESH: Duration = Duration::from_secs(140);

/// A registered client with its private key.
#[derive(Clone, Serialize, Deserialize)]
pub struct ClientKey {
    pub client_id: String,
    pub organisation: String,
    /// PKCS #8 in PEM, made at run time.
    pub private_key: String,
}

/// Who acts, for what.
#[derive(Clone, Serialize, Deserialize)]
pub struct Acting {
    pub purpose: String,
    /// Id and role of a professional; empty for a system alone.
    pub practitioner: String,
    pub role: String,
}

impl ClientKey {
    /// A fresh key, and its public half as a JSON Web Key Set.
    pub fn generate(client_id: &str, organisation: &str) -> Result<(Self, String)> {
        let group = EcGroup::from_curve_name(Nid::SECP384R1)?;
        let key = EcKey::generate(&group)?;
        let jwk = jwk(&key)?;
        let private_key = String::from_utf8(PKey::from_ec_key(key)?.private_key_to_pem_pkcs8()?)?;
        let it = Self { client_id: client_id.to_owned(), organisation: organisation.to_owned(), private_key };
        Ok((it, json!({"keys": [jwk]}).to_string()))
    }

    /// The signed assertion for the token endpoint `audience`.
    fn assertion(&self, acting: &Acting, audience: &str) -> Result<String> {
        let key = EcKey::private_key_from_pem(self.private_key.as_bytes()).context("the client's key")?;
        let kid = jwk(&key)?["kid"].clone();
        let header = json!({"alg": "ES384", "typ": "JWT", "kid": kid}).to_string();
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let mut jti = [0_u8; 16];
        openssl::rand::rand_bytes(&mut jti)?;
        let mut b2b = json!({"version": "1", "purpose_of_use": [acting.purpose], "organization_id": self.organisation});
        if !acting.practitioner.is_empty() {
            b2b["subject_id"] = acting.practitioner.as_str().into();
            b2b["subject_role"] = acting.role.as_str().into();
        }
        let claims = json!({
            "iss": self.client_id, "sub": self.client_id, "aud": audience, "iat": now, "exp": now + 240,
            "jti": URL_SAFE_NO_PAD.encode(jti), "extensions": {"hl7-b2b": b2b},
        });
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims.to_string()));
        let digest = openssl::hash::hash(MessageDigest::sha384(), signed.as_bytes())?;
        let signature = EcdsaSig::sign(&digest, &key)?;
        let mut raw = signature.r().to_vec_padded(WIDTH)?;
        raw.extend(signature.s().to_vec_padded(WIDTH)?);
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(raw)))
    }

    /// A token of the server at `address`, whose public URL is `url`.
    pub async fn token(&self, acting: &Acting, (address, url): (SocketAddr, &str)) -> Result<String> {
        let assertion = self.assertion(acting, &format!("{url}/auth/token"))?;
        // Every value is made of characters that a form leaves as they are, except the two that are escaped here.
        let form = format!(
            "grant_type=client_credentials&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer\
             &client_assertion={assertion}&scope=system%2F*.cruds+user%2F*.cruds"
        );
        let mut request = Vec::new();
        let extra = "Content-Type: application/x-www-form-urlencoded\r\n";
        write_request(&mut request, ("POST", "/auth/token"), "", extra, form.as_bytes());
        let mut connection = Connection::open(address).await?;
        let answer = connection.send(&request).await?;
        let body: Value = serde_json::from_slice(answer.body).unwrap_or_default();
        ensure!(answer.status == 200, "no token for `{}`: {} {body}", self.client_id, answer.status);
        Ok(body["access_token"].as_str().context("a token answer holds a token")?.to_owned())
    }
}

/// The public half as a JWK with its RFC 7638 thumbprint as `kid`.
fn jwk(key: &EcKey<Private>) -> Result<Value> {
    let (mut x, mut y) = (BigNum::new()?, BigNum::new()?);
    key.public_key().affine_coordinates(key.group(), &mut x, &mut y, &mut *BigNumContext::new()?)?;
    let encode = |n: &BigNum| -> Result<String> { Ok(URL_SAFE_NO_PAD.encode(n.to_vec_padded(WIDTH)?)) };
    let (x, y) = (encode(&x)?, encode(&y)?);
    let thumb = format!(r#"{{"crv":"P-384","kty":"EC","x":"{x}","y":"{y}"}}"#);
    let kid = URL_SAFE_NO_PAD.encode(openssl::sha::sha256(thumb.as_bytes()));
    Ok(json!({"crv": "P-384", "kty": "EC", "x": x, "y": y, "alg": "ES384", "use": "sig", "kid": kid}))
}

/// A token that is exchanged before it ends.
pub struct Tokens {
    key: ClientKey,
    acting: Acting,
    server: (SocketAddr, String),
    current: RwLock<(Arc<str>, Instant)>,
}

impl Tokens {
    /// Fetches the first one.
    pub async fn open(key: &ClientKey, acting: &Acting, server: (SocketAddr, String)) -> Result<Arc<Self>> {
        let token = key.token(acting, (server.0, &server.1)).await?;
        let current = RwLock::new((token.into(), Instant::now()));
        Ok(Arc::new(Self { key: key.clone(), acting: acting.clone(), server, current }))
    }

    /// The token to send now.
    pub fn current(&self) -> Arc<str> {
        self.current.read().expect("nobody panics with the lock held").0.clone()
    }

    /// Fetches a fresh one when the old one has aged.
    pub async fn refresh(&self) -> Result<()> {
        let since = self.current.read().expect("nobody panics with the lock held").1;
        if since.elapsed() < REFRESH {
            return Ok(());
        }
        let token = self.key.token(&self.acting, (self.server.0, &self.server.1)).await?;
        *self.current.write().expect("nobody panics with the lock held") = (token.into(), Instant::now());
        Ok(())
    }
}
