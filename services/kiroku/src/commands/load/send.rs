//! One request: token, retries under the same Idempotency-Key, and what the answer means.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use serde_json::Value;
use tokio::sync::Mutex;

use super::document::Document;
use super::report::{Refused, Report};
use crate::api::{Acting, Api, ClientKey};

/// Tokens live 300 s; a fresh one is fetched well before.
const TOKEN_AGE_MAX: Duration = Duration::from_secs(200);
/// Attempts of one request, and the longest wait between two.
const ATTEMPTS: u32 = 10;
const WAIT_MAX: Duration = Duration::from_secs(5);
/// How long the verdict of a request that was answered "later" is asked for.
const VERDICT_WAIT: Duration = Duration::from_secs(120);

/// Sends for one client.
pub(super) struct Sender {
    api: Api,
    http: reqwest::Client,
    key: ClientKey,
    again: String,
    token: Mutex<Option<(Instant, String)>>,
}

/// Status, where to ask for the verdict, body.
pub(super) struct Answer {
    pub(super) status: u16,
    status_url: String,
    pub(super) body: Value,
}

impl Sender {
    pub(super) fn new(url: &str, key: &ClientKey, again: &str) -> Result<Self> {
        let url = url.trim_end_matches('/');
        let http = reqwest::Client::builder().timeout(Duration::from_secs(60)).build()?;
        Ok(Self { api: Api::new(url), http, key: key.clone(), again: again.to_owned(), token: Mutex::new(None) })
    }

    pub(super) fn again(&self) -> &str {
        &self.again
    }

    /// A token that still lives a while. `used`: one that the server no longer takes.
    async fn token(&self, used: Option<&str>) -> Result<String> {
        let mut held = self.token.lock().await;
        if let Some((since, token)) = held.as_ref()
            && since.elapsed() < TOKEN_AGE_MAX
            && used != Some(token)
        {
            return Ok(token.clone());
        }
        let token = self.api.token(&self.key, &Acting::system("RECORDMGT")).await?;
        *held = Some((Instant::now(), token.clone()));
        Ok(token)
    }

    /// Posts until there is an answer that repeating would not change.
    pub(super) async fn post(&self, path: &str, body: &Bytes, key: &str) -> Result<Answer> {
        let mut refused_token: Option<String> = None;
        let mut last = String::new();
        for attempt in 0..ATTEMPTS {
            let wait = match self.try_post(path, body, key, refused_token.as_deref()).await {
                Ok((_, answer)) if !matches!(answer.status, 401 | 429 | 503) => return Ok(answer),
                Ok((token, answer)) if answer.status == 401 => {
                    if refused_token.is_some() {
                        return Ok(answer);
                    }
                    refused_token = Some(token);
                    Duration::ZERO
                }
                Ok((_, answer)) => {
                    last = format!("the server answers {}", answer.status);
                    backoff(attempt)
                }
                Err(error) => {
                    last = format!("{error:#}");
                    backoff(attempt)
                }
            };
            tokio::time::sleep(wait).await;
        }
        bail!("given up after {ATTEMPTS} attempts: {last}")
    }

    async fn try_post(&self, path: &str, body: &Bytes, key: &str, used: Option<&str>) -> Result<(String, Answer)> {
        let token = self.token(used).await?;
        let request = self.http.post(format!("{}{path}", self.api.url)).bearer_auth(&token).body(body.clone());
        let request = request
            .header("content-type", "application/fhir+json")
            .header("prefer", "return=minimal")
            .header("idempotency-key", key);
        let reply = request.send().await.context("sending")?;
        let header =
            |name: &str| reply.headers().get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
        let (status, status_url) = (reply.status().as_u16(), header("content-location"));
        let bytes = reply.bytes().await.context("reading the answer")?;
        let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap_or(Value::Null) };
        Ok((token, Answer { status, status_url, body }))
    }

    /// Sends a document and counts what became of it.
    pub(super) async fn send(&self, document: &Document, report: &mut Report) -> Result<()> {
        let answer = self.post(&document.path(), &document.bytes, &document.key(&self.again)).await;
        let answer = answer.with_context(|| format!("sending `{}`", document.name))?;
        match answer.status {
            202 => self.wait(document, &answer, report).await,
            200..=299 if document.is_batch() => {
                count_batch(document, &answer.body, report);
                Ok(())
            }
            200..=299 => {
                report.accepted += document.resources();
                Ok(())
            }
            status => {
                report.refuse(Refused::of(&document.name, status, &answer.body));
                Ok(())
            }
        }
    }

    /// Taken, and the verdict is not there yet; or in quarantine.
    async fn wait(&self, document: &Document, answer: &Answer, report: &mut Report) -> Result<()> {
        let started = Instant::now();
        while started.elapsed() < VERDICT_WAIT {
            let token = self.token(None).await?;
            let reply = self.api.get(&token, &answer.status_url).await?;
            match reply.body["status"].as_str() {
                Some("accepted") => report.accepted += document.resources(),
                Some("quarantined") => report.quarantined += 1,
                Some("refused") => report.refuse(Refused::of(&document.name, 422, &reply.body["details"])),
                _ => {
                    tokio::time::sleep(Duration::from_millis(500)).await;
                    continue;
                }
            }
            return Ok(());
        }
        bail!("`{}` was taken, and no verdict came within {} s", document.name, VERDICT_WAIT.as_secs())
    }
}

fn backoff(attempt: u32) -> Duration {
    Duration::from_millis(100 << attempt.min(6)).min(WAIT_MAX)
}

fn count_batch(document: &Document, body: &Value, report: &mut Report) {
    let entries = body["entry"].as_array().map_or(&[][..], Vec::as_slice);
    for (n, entry) in entries.iter().enumerate() {
        let response = &entry["response"];
        let status = response["status"].as_str().and_then(|s| s.get(..3)?.parse::<u16>().ok()).unwrap_or(500);
        match status {
            202 => report.quarantined += 1,
            200..=299 => report.accepted += 1,
            _ => report.refuse(Refused::of(&format!("{} entry {n}", document.name), status, &response["outcome"])),
        }
    }
}
