//! Sign-in of a person: the card signs a challenge. For the demo the cards are generated; the national issuer's come later.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openssl::hash::MessageDigest;
use openssl::pkey::{HasPublic, Id, PKey, PKeyRef};
use openssl::sha::sha256;
use openssl::sign::Verifier;
use schemas::{ClientId, OrganisationId, Pid, Purpose};
use serde::{Deserialize, Serialize};

use super::caller::{Assurance, Caller, PERSON_CLIENT};
use super::mint::Mint;
use super::scopes::Scopes;
use super::token_error::TokenError;
use super::tokens::TokenResponse;
use super::{hex, thumbprint};
use crate::crypto;
use crate::ports::keys::Secret;
use crate::ports::store::Store;
use crate::registry::{Card, Registry, RegistryState};

/// Path of the challenge under the issuer's URL.
pub const CHALLENGE_PATH: &str = "/auth/person/challenge";
/// Path of the sign-in.
pub const SIGN_IN_PATH: &str = "/auth/person/token";
/// Life of a challenge, seconds.
pub const CHALLENGE_LIFETIME_S: i64 = 120;
/// What a person may do: read all of one's own, and decide on consents.
const SCOPES: &str = "patient/*.rs patient/Consent.cruds";

/// A challenge to sign.
#[derive(Debug, Serialize, Deserialize)]
pub struct Challenge {
    pub nonce: String,
    /// Seconds.
    pub expires_in: i64,
}

/// What a person's device posts back.
#[derive(Deserialize, Serialize, Clone)]
pub struct SignIn {
    /// As given for the challenge: the person's id, or the card's id (hex).
    pub subject: String,
    pub nonce: String,
    /// base64url of the signature over [`signed_text`]: SHA-256, with ECDSA (DER) or RSA PKCS #1.
    pub signature: String,
}

/// The bytes that the card signs: bound to this server, so that another server cannot pass a challenge on.
pub fn signed_text(issuer: &str, nonce: &str) -> Vec<u8> {
    format!("kiroku card sign-in\n{issuer}\n{nonce}").into_bytes()
}

/// Issues tokens to persons.
pub struct PersonSignIn {
    registry: Arc<Registry>,
    store: Arc<dyn Store>,
    mint: Arc<Mint>,
    mac_key: Secret,
}

const RANDOM: usize = 16;
const BODY: usize = RANDOM + 8;

impl PersonSignIn {
    pub fn new(registry: Arc<Registry>, store: Arc<dyn Store>, mint: Arc<Mint>) -> Self {
        let mac_key = mint.derive(b"card challenge");
        Self { registry, store, mint, mac_key }
    }

    /// A challenge for a person's id or a card's id. Nothing is stored, and the answer is the same whether or not anybody has
    /// this id.
    pub fn challenge(&self, subject: &str) -> Challenge {
        let mut nonce = [0u8; BODY + 32];
        openssl::rand::rand_bytes(&mut nonce[..RANDOM]).expect("the system's random source works");
        let until = self.mint.clock.now() + CHALLENGE_LIFETIME_S * 1000;
        nonce[RANDOM..BODY].copy_from_slice(&until.to_be_bytes());
        let mac = self.mac(subject, &nonce[..BODY]);
        nonce[BODY..].copy_from_slice(&mac);
        Challenge { nonce: URL_SAFE_NO_PAD.encode(nonce), expires_in: CHALLENGE_LIFETIME_S }
    }

    /// A token for the person whose card signed the challenge: PATRQT, for that person alone. Every refusal is
    /// [`TokenError::SignIn`]; an unknown person costs a signature check too.
    pub async fn sign_in(
        &self,
        request: &SignIn,
        client_certificate_sha256: Option<&str>,
    ) -> Result<TokenResponse, TokenError> {
        let (pid, card, now) = self.prove(request).await?;
        let certificate_sha256 = match client_certificate_sha256 {
            Some(text) => Some(hex(&thumbprint(text).ok_or(TokenError::Certificate)?)),
            None => None,
        };
        let caller = Caller {
            client: ClientId(PERSON_CLIENT.into()),
            organisation: OrganisationId::default(),
            practitioner: None,
            role: String::new(),
            purpose: Purpose::Patrqt,
            delegate_of: None,
            scopes: Scopes::parse_lenient(SCOPES),
            person: Some(pid),
            is_person: true,
            assurance: Assurance::Card,
            authenticated_at: now,
            token_id: String::new(),
            certificate_sha256,
            card: Some(card.id.clone()),
            expires_at: 0,
        };
        self.mint.issue(caller).map_err(|_| TokenError::Unavailable)
    }

    /// The person whose card signed the challenge at a desk's reader, and when (milliseconds since 1970): the attestation
    /// inside a consent given there. The challenge is used up.
    pub async fn attest(&self, request: &SignIn) -> Result<(Pid, i64), TokenError> {
        let (pid, _, now) = self.prove(request).await?;
        Ok((pid, now))
    }

    async fn prove(&self, request: &SignIn) -> Result<(Pid, Arc<Card>, i64), TokenError> {
        self.mint.clock.check().map_err(|_| TokenError::Unavailable)?;
        let now = self.mint.clock.now();
        let until = self.check_challenge(request, now).ok_or(TokenError::SignIn)?;
        let registry = self.registry.state();
        let (pid, card) = self.check_signature(&registry, request).ok_or(TokenError::SignIn)?;
        let key = sha256(&[b"card challenge\0", request.nonce.as_bytes()].concat());
        match self.store.once(&key, until, now).await {
            Ok(true) => Ok((pid, card, now)),
            Ok(false) => Err(TokenError::SignIn),
            Err(error) => {
                tracing::error!(%error, "the single use of a challenge could not be recorded");
                Err(TokenError::Unavailable)
            }
        }
    }

    fn mac(&self, subject: &str, body: &[u8]) -> [u8; 32] {
        crypto::hmac(&self.mac_key, &[&sha256(subject.as_bytes()), body])
    }

    /// The challenge's end, if it is ours, for this subject, and still good.
    fn check_challenge(&self, request: &SignIn, now: i64) -> Option<i64> {
        let nonce: [u8; BODY + 32] = URL_SAFE_NO_PAD.decode(&request.nonce).ok()?.try_into().ok()?;
        let (body, mac) = nonce.split_at(BODY);
        if !crypto::same(mac, &self.mac(&request.subject, body)) {
            return None;
        }
        let until = i64::from_be_bytes(body[RANDOM..].try_into().ok()?);
        (now < until).then_some(until)
    }

    fn check_signature(&self, registry: &RegistryState, request: &SignIn) -> Option<(Pid, Arc<Card>)> {
        let pid = request.subject.parse::<Pid>().ok().or_else(|| registry.card_holder(&request.subject));
        let card = pid.and_then(|pid| registry.card(pid));
        let signature = URL_SAFE_NO_PAD.decode(&request.signature).ok()?;
        let text = signed_text(self.mint.issuer(), &request.nonce);
        let Some((pid, card)) = pid.zip(card) else {
            // The same work for nobody's id as for somebody's.
            let _ = verify(self.mint.key(), &signature, &text);
            return None;
        };
        let key = PKey::public_key_from_pem(card.public_key.as_bytes()).ok()?;
        verify(&key, &signature, &text).then(|| (pid, card.clone()))
    }
}

fn verify<T: HasPublic>(key: &PKeyRef<T>, signature: &[u8], text: &[u8]) -> bool {
    let usable = match key.id() {
        Id::EC => key.bits() >= 256,
        Id::RSA => (2048..=8192).contains(&key.bits()),
        _ => false,
    };
    let check = || Verifier::new(MessageDigest::sha256(), key)?.verify_oneshot(signature, text);
    usable && check().unwrap_or(false)
}
