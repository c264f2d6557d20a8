//! A client of our own server, as a hospital's system would be: tokens with a key, requests over HTTP. Used by the demo, the
//! loader and the tests.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use chassis::auth::Alg;
use chassis::auth::client::{ClientAssertion, assertion, generate_card, generate_key, sign_challenge, token_form};
use chassis::clock::{Clock, SystemClock};
use schemas::Pid;
use schemas::authority::{Client, Status};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// How long a submission is asked for again, and the pause before each.
const PATIENCE: Duration = Duration::from_secs(60);
const AGAIN: Duration = Duration::from_millis(100);

/// A registered client with its private key. Serialises into `demo.json`.
#[derive(Clone, Serialize, Deserialize)]
pub struct ClientKey {
    pub client_id: String,
    pub organisation: String,
    /// PKCS #8 in PEM. Generated at run time; the registry holds the public half.
    pub private_key: String,
}

impl ClientKey {
    /// A fresh key, and the registration of the client that goes with it.
    pub fn generate(client_id: &str, organisation: &str, rights: &[&str], responsible: &str) -> Result<(Self, Client)> {
        let (private_key, jwks) = generate_key(Alg::Es384)?;
        let registration = Client {
            id: client_id.into(),
            name: client_id.to_owned(),
            organisation: organisation.into(),
            jwks,
            jwks_url: String::new(),
            rights: rights.iter().map(|&r| r.to_owned()).collect(),
            scopes: vec!["system/*.cruds".to_owned(), "user/*.cruds".to_owned(), "patient/*.cruds".to_owned()],
            status: Status::Active,
            certificate_sha256: String::new(),
            responsible: responsible.into(),
            agent_of: Vec::new(),
        };
        Ok((Self { client_id: client_id.to_owned(), organisation: organisation.to_owned(), private_key }, registration))
    }
}

/// Who acts, for what: what an assertion says besides the key.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Acting {
    pub purpose: String,
    /// Id and role of the professional; empty for a system alone.
    pub practitioner: String,
    pub role: String,
    /// The one person that the token is for; empty for any.
    pub person: String,
}

impl Acting {
    /// A system alone.
    pub fn system(purpose: &str) -> Self {
        Self { purpose: purpose.to_owned(), ..Self::default() }
    }

    /// A professional in a role.
    pub fn professional(purpose: &str, practitioner: &str, role: &str) -> Self {
        let (purpose, practitioner, role) = (purpose.to_owned(), practitioner.to_owned(), role.to_owned());
        Self { purpose, practitioner, role, ..Self::default() }
    }

    /// For one person alone.
    #[must_use]
    pub fn about(mut self, person: &str) -> Self {
        person.clone_into(&mut self.person);
        self
    }
}

/// A person's card.
#[derive(Clone, Serialize, Deserialize)]
pub struct Card {
    pub pid: Pid,
    pub private_key: String,
}

impl Card {
    /// A fresh card and its public key as the registry wants it.
    pub fn generate(pid: Pid) -> Result<(Self, String)> {
        let (private_key, public_key) = generate_card()?;
        Ok((Self { pid, private_key }, public_key))
    }
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: Value,
}

impl Reply {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default()
    }

    /// The id in `Location`, without version.
    pub fn location_id(&self) -> Option<String> {
        let path = self.header("location").split("/fhir/").nth(1)?.to_owned();
        path.split('/').nth(1).map(str::to_owned)
    }
}

/// Talks to one server.
#[derive(Clone)]
pub struct Api {
    pub url: String,
    http: reqwest::Client,
}

impl Api {
    pub fn new(url: &str) -> Self {
        Self { url: url.to_owned(), http: reqwest::Client::new() }
    }

    /// A token for a client and who acts.
    pub async fn token(&self, key: &ClientKey, acting: &Acting) -> Result<String> {
        let endpoint = format!("{}/auth/token", self.url);
        let signed = assertion(&ClientAssertion {
            private_key: key.private_key.clone(),
            client_id: key.client_id.clone(),
            audience: endpoint.clone(),
            now: SystemClock.now(),
            purpose: acting.purpose.clone(),
            practitioner: (!acting.practitioner.is_empty()).then(|| (acting.practitioner.clone(), String::new())),
            role: acting.role.clone(),
            organisation: key.organisation.clone(),
            person: acting.person.clone(),
            ..ClientAssertion::default()
        })?;
        let scope = "system/*.cruds user/*.cruds patient/*.cruds";
        let reply = self.http.post(endpoint).form(&token_form(&signed, scope)).send().await?;
        token_of(reply).await
    }

    /// A person's own token, with her card.
    pub async fn sign_in(&self, card: &Card) -> Result<String> {
        let proof = self.prove_card(card).await?;
        token_of(self.http.post(format!("{}/auth/person/token", self.url)).json(&proof).send().await?).await
    }

    /// The card's signature over a fresh challenge: body of a sign-in.
    pub async fn prove_card(&self, card: &Card) -> Result<Value> {
        let subject = card.pid.to_string();
        let asked = self.http.post(format!("{}/auth/person/challenge", self.url)).json(&json!({"subject": subject}));
        let challenge: Value = asked.send().await?.json().await?;
        let nonce = challenge["nonce"].as_str().context("a challenge holds a nonce")?;
        let signature = sign_challenge(&card.private_key, &self.url, nonce)?;
        Ok(json!({"subject": subject, "nonce": nonce, "signature": signature}))
    }

    /// The same, as the header `Kiroku-Card` of a request from a desk.
    pub async fn card_header(&self, card: &Card) -> Result<String> {
        use base64::Engine;
        let proof = self.prove_card(card).await?.to_string();
        Ok(base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(proof))
    }

    pub async fn get(&self, token: &str, path: &str) -> Result<Reply> {
        reply(self.http.get(format!("{}{path}", self.url)).bearer_auth(token)).await
    }

    pub async fn post(&self, token: &str, path: &str, body: &Value, headers: &[(&str, &str)]) -> Result<Reply> {
        self.send(reqwest::Method::POST, token, (path, headers), Some(body)).await
    }

    /// Posts with an Idempotency-Key, and again with the same one while it is not decided (202, 503), for a minute at most.
    pub async fn post_until_decided(&self, token: &str, path: &str, body: &Value, key: &str) -> Result<Reply> {
        let end = Instant::now() + PATIENCE;
        loop {
            let reply = self.post(token, path, body, &[("idempotency-key", key)]).await?;
            if !matches!(reply.status, 202 | 503) || Instant::now() >= end {
                return Ok(reply);
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    pub async fn put(&self, token: &str, path: &str, body: &Value, headers: &[(&str, &str)]) -> Result<Reply> {
        self.send(reqwest::Method::PUT, token, (path, headers), Some(body)).await
    }

    pub async fn delete(&self, token: &str, path: &str) -> Result<Reply> {
        self.send(reqwest::Method::DELETE, token, (path, &[]), None).await
    }

    /// Any request; `path` begins with a slash.
    pub async fn send(
        &self,
        method: reqwest::Method,
        token: &str,
        (path, headers): (&str, &[(&str, &str)]),
        body: Option<&Value>,
    ) -> Result<Reply> {
        let mut request = self.http.request(method, format!("{}{path}", self.url)).bearer_auth(token);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/fhir+json").body(body.to_string());
        }
        reply(request).await
    }
}

async fn token_of(reply: reqwest::Response) -> Result<String> {
    let status = reply.status();
    let body: Value = reply.json().await?;
    match body["access_token"].as_str() {
        Some(token) => Ok(token.to_owned()),
        None => bail!("no token was given (status {status}): {body}"),
    }
}

async fn reply(request: reqwest::RequestBuilder) -> Result<Reply> {
    let reply = request.send().await?;
    let (status, headers) = (reply.status().as_u16(), reply.headers().clone());
    let bytes = reply.bytes().await?;
    let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap_or(Value::Null) };
    Ok(Reply { status, headers, body })
}
