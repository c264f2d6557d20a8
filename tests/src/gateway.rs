//! One address before several processes, as an operator's load balancer has it: which role serves a path, in turns among those
//! that say that they are ready.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::http::Method;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use anyhow::{Context, Result};

/// How often each process is asked whether it is ready, and how long its answer may take.
const LOOKED_AT_EVERY: Duration = Duration::from_millis(250);
const LOOK: Duration = Duration::from_secs(1);

/// Base URLs of the processes of each role.
#[derive(Default)]
pub struct Backends {
    pub edges: Vec<String>,
    pub queries: Vec<String>,
    pub ledgers: Vec<String>,
}

/// A running gateway; it ends when it is dropped.
pub struct Gateway {
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

struct Backend {
    url: String,
    ready: AtomicBool,
}

struct State {
    edges: Vec<Arc<Backend>>,
    queries: Vec<Arc<Backend>>,
    ledgers: Vec<Arc<Backend>>,
    http: reqwest::Client,
    turn: AtomicUsize,
}

impl Gateway {
    /// Listens at `listen`, `address:port`, and asks the processes through `http`.
    pub fn start(listen: &str, backends: Backends, http: reqwest::Client) -> Result<Self> {
        let mut tasks = Vec::new();
        let mut watched = |urls: Vec<String>| {
            let backend = |url| Arc::new(Backend { url, ready: true.into() });
            let all: Vec<Arc<Backend>> = urls.into_iter().map(backend).collect();
            tasks.extend(all.iter().map(|one| tokio::spawn(watch(one.clone(), http.clone()))));
            all
        };
        let (edges, queries) = (watched(backends.edges), watched(backends.queries));
        let ledgers = watched(backends.ledgers);
        let state = web::Data::new(State { edges, queries, ledgers, http, turn: AtomicUsize::new(0) });
        let app = move || {
            let payload = web::PayloadConfig::new(32 * 1024 * 1024);
            App::new().app_data(state.clone()).app_data(payload).default_service(web::to(forward))
        };
        let server = HttpServer::new(app).workers(1).disable_signals().bind(listen).context("the gateway")?.run();
        // Its error is that of requests, which say it.
        tasks.push(tokio::spawn(async move { drop(server.await) }));
        Ok(Self { tasks })
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.tasks.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

/// Asks a process again and again.
async fn watch(backend: Arc<Backend>, http: reqwest::Client) {
    let mut turn = tokio::time::interval(LOOKED_AT_EVERY);
    loop {
        turn.tick().await;
        let answer = http.get(format!("{}/health/ready", backend.url)).timeout(LOOK).send().await;
        backend.ready.store(answer.is_ok_and(|answer| answer.status().is_success()), Ordering::Relaxed);
    }
}

impl State {
    /// The processes that serve a request. Everything that writes, and every token, is the edge's; lists of accesses are the
    /// ledger's; the rest reads.
    fn backends_of(&self, method: &Method, path: &str) -> &[Arc<Backend>] {
        let begins = |prefixes: &[&str]| prefixes.iter().any(|prefix| path.starts_with(prefix));
        let reads = method == Method::GET || path.ends_with("/_search") || path.ends_with("/$check");
        match () {
            () if begins(&["/me/", "/audit/", "/fhir/AuditEvent"]) => &self.ledgers,
            () if begins(&["/auth/", "/visits", "/checks/", "/submissions/"]) || !reads => &self.edges,
            () => &self.queries,
        }
    }

    /// The next process in turn; where none is ready, any.
    fn next<'a>(&self, processes: &'a [Arc<Backend>]) -> &'a str {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let ready: Vec<_> = processes.iter().filter(|p| p.ready.load(Ordering::Relaxed)).collect();
        match ready.is_empty() {
            true => &processes[turn % processes.len()].url,
            false => &ready[turn % ready.len()].url,
        }
    }
}

async fn forward(request: HttpRequest, body: web::Bytes, state: web::Data<State>) -> HttpResponse {
    let process = state.next(state.backends_of(request.method(), request.path()));
    match send(&request, body, &state.http, process).await {
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
