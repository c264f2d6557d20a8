//! The other side: what a client does to get a token. Used by the demo, the loader, the load test and the tests.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, Private};
use openssl::rsa::Rsa;
use openssl::sign::Signer;
use serde_json::{Value, json};

use super::jose::{self, Alg};
use super::person::signed_text;

/// A key that a client cannot use.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("the private key does not read as PEM of an EC P-256, EC P-384 or RSA key")]
    Key,
    #[error("OpenSSL refused: {0}")]
    OpenSsl(#[from] ErrorStack),
}

/// A fresh key: (PKCS #8 in PEM, JSON Web Key Set with its public half). ES256 serves cards in the tests, not assertions.
pub fn generate_key(alg: Alg) -> Result<(String, String), ClientError> {
    let key = match alg {
        Alg::Es256 => ec_key(Nid::X9_62_PRIME256V1)?,
        Alg::Es384 => ec_key(Nid::SECP384R1)?,
        Alg::Rs384 => PKey::from_rsa(Rsa::generate(2048)?)?,
    };
    let (jwk, _) = jose::jwk_of(alg, &key)?;
    Ok((pem(&key)?, json!({"keys": [jwk]}).to_string()))
}

/// A fresh card: (private key, public key as `AuthorityEvent::Card` wants it), both PEM.
pub fn generate_card() -> Result<(String, String), ClientError> {
    let key = ec_key(Nid::X9_62_PRIME256V1)?;
    let public = String::from_utf8(key.public_key_to_pem()?).map_err(|_| ClientError::Key)?;
    Ok((pem(&key)?, public))
}

/// What a client asserts. Empty texts and `None` are left out.
#[derive(Clone, Default)]
pub struct ClientAssertion {
    /// PKCS #8 in PEM.
    pub private_key: String,
    pub client_id: String,
    /// URL of the token endpoint.
    pub audience: String,
    /// Now, milliseconds since 1970.
    pub now: i64,
    /// Seconds; at most 300.
    pub lifetime: i64,
    /// A random one if empty.
    pub jti: String,
    pub purpose: String,
    /// Acting professional: id and name.
    pub practitioner: Option<(String, String)>,
    pub role: String,
    pub organisation: String,
    pub delegate_of: String,
    /// The one person that the token is for: pid, or the id of one of its Patients.
    pub person: String,
}

impl std::fmt::Debug for ClientAssertion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ClientAssertion(..)")
    }
}

impl ClientAssertion {
    /// The claims, for whoever wants to change some before [`sign`].
    pub fn claims(&self) -> Value {
        let iat = self.now.div_euclid(1000);
        let lifetime = if self.lifetime == 0 { 240 } else { self.lifetime };
        let jti = if self.jti.is_empty() { random_id() } else { self.jti.clone() };
        let mut b2b = json!({"version": "1", "purpose_of_use": [self.purpose]});
        if let Some((id, name)) = &self.practitioner {
            b2b["subject_id"] = json!(id);
            b2b["subject_name"] = json!(name);
        }
        let texts =
            [("subject_role", &self.role), ("organization_id", &self.organisation), ("delegate_of", &self.delegate_of)];
        for (name, text) in texts.into_iter().filter(|(_, text)| !text.is_empty()) {
            b2b[name] = json!(text);
        }
        let mut claims = json!({
            "iss": self.client_id, "sub": self.client_id, "aud": self.audience, "iat": iat, "exp": iat + lifetime,
            "jti": jti, "extensions": {"hl7-b2b": b2b},
        });
        if !self.person.is_empty() {
            claims["person"] = json!(self.person);
        }
        claims
    }
}

/// The signed assertion.
pub fn assertion(it: &ClientAssertion) -> Result<String, ClientError> {
    sign(&it.private_key, &it.claims())
}

/// Signs any claims with a client's key; algorithm and `kid` follow from the key as [`generate_key`] gave it.
pub fn sign(private_key: &str, claims: &Value) -> Result<String, ClientError> {
    let key = PKey::private_key_from_pem(private_key.as_bytes()).map_err(|_| ClientError::Key)?;
    let alg = [Alg::Es384, Alg::Rs384, Alg::Es256].into_iter().find(|alg| alg.fits(&key)).ok_or(ClientError::Key)?;
    let (_, kid) = jose::jwk_of(alg, &key)?;
    Ok(jose::sign(alg, &key, ("JWT", &kid), claims.to_string().as_bytes())?)
}

/// The form fields to post to the token endpoint.
pub fn token_form<'a>(assertion: &'a str, scope: &'a str) -> [(&'static str, &'a str); 4] {
    [
        ("grant_type", "client_credentials"),
        ("client_assertion_type", super::tokens::ASSERTION_TYPE),
        ("client_assertion", assertion),
        ("scope", scope),
    ]
}

/// A card's signature over a challenge of `issuer`, as [`super::person::SignIn::signature`] wants it.
pub fn sign_challenge(card_private_key: &str, issuer: &str, nonce: &str) -> Result<String, ClientError> {
    let key = PKey::private_key_from_pem(card_private_key.as_bytes()).map_err(|_| ClientError::Key)?;
    if !matches!(key.id(), Id::EC | Id::RSA) {
        return Err(ClientError::Key);
    }
    let signature = Signer::new(MessageDigest::sha256(), &key)?.sign_oneshot_to_vec(&signed_text(issuer, nonce))?;
    Ok(URL_SAFE_NO_PAD.encode(signature))
}

fn ec_key(curve: Nid) -> Result<PKey<Private>, ErrorStack> {
    PKey::from_ec_key(EcKey::generate(EcGroup::from_curve_name(curve)?.as_ref())?)
}

fn pem(key: &PKey<Private>) -> Result<String, ClientError> {
    String::from_utf8(key.private_key_to_pem_pkcs8()?).map_err(|_| ClientError::Key)
}

fn random_id() -> String {
    let mut bytes = [0u8; 16];
    openssl::rand::rand_bytes(&mut bytes).expect("the system's random source works");
    URL_SAFE_NO_PAD.encode(bytes)
}
