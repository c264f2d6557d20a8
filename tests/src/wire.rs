//! Raw HTTP: what came over the wire, byte for byte, and made comparable between two nodes.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use chassis::ports::log::Log;
use kiroku::Node;
use reqwest::Method;
use schemas::vocab::Topic;

/// A connection to one server. One for each test: connections belong to the test's runtime.
#[derive(Clone)]
pub struct Line {
    pub url: String,
    http: reqwest::Client,
}

/// An answer as it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wire {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    pub text: String,
}

/// A request to send.
#[derive(Clone, Debug)]
pub struct Ask {
    pub method: Method,
    pub path: String,
    pub headers: Vec<(&'static str, String)>,
    pub body: Option<String>,
}

impl Ask {
    pub fn get(path: impl Into<String>) -> Self {
        Self { method: Method::GET, path: path.into(), headers: Vec::new(), body: None }
    }

    pub fn with_body(method: Method, path: impl Into<String>, body: impl Into<String>) -> Self {
        let headers = vec![("content-type", "application/fhir+json".to_owned())];
        Self { method, path: path.into(), headers, body: Some(body.into()) }
    }

    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.retain(|(n, _)| *n != name);
        self.headers.push((name, value.into()));
        self
    }
}

impl Line {
    pub fn new(url: &str) -> Self {
        Self::over(url, reqwest::Client::new())
    }

    /// With another trust, or a certificate to show.
    pub fn over(url: &str, http: reqwest::Client) -> Self {
        Self { url: url.to_owned(), http }
    }

    /// Sends; `token` empty: none.
    pub async fn ask(&self, token: &str, ask: &Ask) -> Result<Wire> {
        let mut request = self.http.request(ask.method.clone(), format!("{}{}", self.url, ask.path));
        if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        for (name, value) in &ask.headers {
            request = request.header(*name, value);
        }
        if let Some(body) = &ask.body {
            request = request.body(body.clone());
        }
        let reply = request.send().await.with_context(|| format!("{} {}", ask.method, ask.path))?;
        let status = reply.status().as_u16();
        let value = |v: &reqwest::header::HeaderValue| String::from_utf8_lossy(v.as_bytes()).into_owned();
        let headers = reply.headers().iter().map(|(n, v)| (n.as_str().to_owned(), value(v))).collect();
        Ok(Wire { status, headers, text: reply.text().await? })
    }

    pub async fn get(&self, token: &str, path: &str) -> Result<Wire> {
        self.ask(token, &Ask::get(path)).await
    }
}

impl Wire {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// The same without what differs between any two answers: dates, receipts, request ids, the address, sealed page tokens;
    /// each of `names` (a pid, an id) becomes its place in the list.
    #[must_use]
    pub fn plain(&self, base: &str, names: &[&str]) -> Self {
        let clean = |text: &str| {
            let mut text = text.replace(base, "BASE");
            for (at, name) in names.iter().enumerate() {
                text = text.replace(name, &format!("NAME{at}"));
            }
            for (from, to) in [("\"lastUpdated\":\"", '"'), ("\"lastModified\":\"", '"'), ("_page=", '"')] {
                text = blank(&text, from, to);
            }
            text
        };
        let fleeting = ["date", "kiroku-receipt", "x-request-id", "traceparent", "last-modified", "content-length"];
        let kept = self.headers.iter().filter(|(name, _)| !fleeting.contains(&name.as_str()));
        let headers = kept.map(|(name, value)| (name.clone(), clean(value))).collect();
        Self { status: self.status, headers, text: clean(&self.text) }
    }
}

/// Takes out what stands between `from` and the next `to`.
fn blank(text: &str, from: &str, to: char) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(from) {
        let behind = at + from.len();
        out.push_str(&rest[..behind]);
        rest = &rest[behind..];
        rest = &rest[rest.find(to).unwrap_or(rest.len())..];
    }
    out.push_str(rest);
    out
}

/// Asks `condition` again and again until it gives something; fails after a minute with the words of what was waited for.
pub async fn until<T>(what: &str, mut condition: impl AsyncFnMut() -> Result<Option<T>>) -> Result<T> {
    let end = Instant::now() + Duration::from_secs(60);
    let mut turn = tokio::time::interval(Duration::from_millis(20));
    loop {
        if let Some(it) = condition().await? {
            return Ok(it);
        }
        ensure!(Instant::now() < end, "not within a minute: {what}");
        turn.tick().await;
    }
}

/// Entries in topic `access` so far.
pub async fn count_accesses(node: &Node) -> Result<u64> {
    count_records(&*node.engine.log, Topic::Access).await
}

/// Records of a topic so far.
pub async fn count_records(log: &dyn Log, topic: Topic) -> Result<u64> {
    let mut all = 0;
    for partition in 0..log.partitions(topic) {
        all += log.end(topic, partition).await?;
    }
    Ok(all)
}
