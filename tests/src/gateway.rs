//! One address before several processes, as an operator's load balancer has it: which role serves a path, in turns.

use std::sync::atomic::{AtomicUsize, Ordering};

use actix_web::http::Method;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use anyhow::{Context, Result};

/// Base URLs of the processes of each role.
#[derive(Default)]
pub struct Backends {
    pub edges: Vec<String>,
    pub queries: Vec<String>,
    pub ledgers: Vec<String>,
}

/// A running gateway; it ends when it is dropped.
pub struct Gateway {
    server: tokio::task::JoinHandle<std::io::Result<()>>,
}

struct State {
    backends: Backends,
    http: reqwest::Client,
    turn: AtomicUsize,
}

impl Gateway {
    /// Listens at `listen`, `address:port`.
    pub fn start(listen: &str, backends: Backends) -> Result<Self> {
        let state = web::Data::new(State { backends, http: reqwest::Client::new(), turn: AtomicUsize::new(0) });
        let app = move || {
            let payload = web::PayloadConfig::new(32 * 1024 * 1024);
            App::new().app_data(state.clone()).app_data(payload).default_service(web::to(forward))
        };
        let server = HttpServer::new(app).workers(1).disable_signals().bind(listen).context("the gateway")?.run();
        Ok(Self { server: tokio::spawn(server) })
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl State {
    /// The processes that serve a request. Everything that writes, and every token, is the edge's; lists of accesses are the
    /// ledger's; the rest reads.
    fn backends_of(&self, method: &Method, path: &str) -> &[String] {
        let begins = |prefixes: &[&str]| prefixes.iter().any(|prefix| path.starts_with(prefix));
        let reads = method == Method::GET || path.ends_with("/_search") || path.ends_with("/$check");
        match () {
            () if begins(&["/me/", "/audit/", "/fhir/AuditEvent"]) => &self.backends.ledgers,
            () if begins(&["/auth/", "/visits", "/checks/", "/submissions/"]) || !reads => &self.backends.edges,
            () => &self.backends.queries,
        }
    }
}

async fn forward(request: HttpRequest, body: web::Bytes, state: web::Data<State>) -> HttpResponse {
    let processes = state.backends_of(request.method(), request.path());
    let turn = state.turn.fetch_add(1, Ordering::Relaxed);
    match send(&request, body, &state.http, &processes[turn % processes.len()]).await {
        Ok(answer) => answer,
        Err(error) => HttpResponse::BadGateway().body(format!("{error:#}")),
    }
}

async fn send(request: &HttpRequest, body: web::Bytes, http: &reqwest::Client, base: &str) -> Result<HttpResponse> {
    let method = reqwest::Method::from_bytes(request.method().as_str().as_bytes())?;
    let mut onward = http.request(method, format!("{base}{}", request.uri())).body(body);
    for (name, value) in request.headers() {
        if name != "host" && name != "content-length" {
            onward = onward.header(name.as_str(), value.as_bytes());
        }
    }
    let reply = onward.send().await?;
    let mut answer = HttpResponse::build(actix_web::http::StatusCode::from_u16(reply.status().as_u16())?);
    for (name, value) in reply.headers() {
        if name != "content-length" && name != "transfer-encoding" && name != "connection" {
            answer.append_header((name.as_str(), value.as_bytes()));
        }
    }
    Ok(answer.body(reply.bytes().await?))
}
