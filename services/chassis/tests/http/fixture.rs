//! A server with a handful of routes, one place for all logs, one collector for all traces.

use std::io::{self, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex, OnceLock};

use actix_web::{HttpRequest, web};
use chassis::config::{LogSettings, Settings, TelemetrySettings};
use chassis::http::{
    Negotiation, PeerCertificate, Plain, Refusal, RequestInfo, Running, serve, traceparent_of_current_span,
};
use chassis::telemetry::health::{self, Readiness};
use chassis::telemetry::{self, Guard};
use schemas::{Problem, ProblemCode};
use tokio::sync::Semaphore;

/// Must never be seen in a log, a trace, a metric or a refusal.
pub(crate) const CANARY: &str = "KANARI-YAMADA-HANAKO";

#[derive(Clone, Default)]
pub(crate) struct Sink(Arc<Mutex<Vec<u8>>>);

impl Sink {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(crate) struct Seen {
    pub(crate) logs: Sink,
    /// What the collector was sent, requests and bodies in one.
    pub(crate) traces: Sink,
    pub(crate) guard: Guard,
}

/// Telemetry of this test process, set up once.
pub(crate) fn seen() -> &'static Seen {
    static SEEN: OnceLock<Seen> = OnceLock::new();
    SEEN.get_or_init(|| {
        let (logs, traces) = (Sink::default(), Sink::default());
        let collector = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", collector.local_addr().unwrap());
        let kept = traces.clone();
        std::thread::spawn(move || collect(&collector, &kept));
        let settings = TelemetrySettings { otlp_endpoint: Some(endpoint), sample_ratio: 1.0 };
        let writer = logs.clone();
        let guard =
            telemetry::init_with(&LogSettings { level: "debug".into() }, &settings, move || writer.clone()).unwrap();
        // The hook of operation says no words; a failing test needs them.
        let quiet = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            quiet(info);
            if std::thread::current().name().is_some_and(|name| name.contains("::")) {
                // A write that fails leaves the test failed all the same.
                let _ = writeln!(io::stderr(), "{info}");
            }
        }));
        Seen { logs, traces, guard }
    })
}

/// An OTLP collector that keeps what it gets and says 200.
fn collect(listener: &TcpListener, kept: &Sink) {
    for stream in listener.incoming() {
        let (mut stream, mut kept) = (stream.unwrap(), kept.clone());
        std::thread::spawn(move || {
            let (mut request, mut part) = (Vec::new(), [0; 65536]);
            while let Ok(n @ 1..) = stream.read(&mut part) {
                request.extend_from_slice(&part[..n]);
                let Some(head) = request.windows(4).position(|w| w == b"\r\n\r\n") else { continue };
                let text = String::from_utf8_lossy(&request[..head]).to_ascii_lowercase();
                let length = text.lines().find_map(|l| l.strip_prefix("content-length: ")).unwrap().trim();
                if request.len() < head + 4 + length.parse::<usize>().unwrap() {
                    continue;
                }
                kept.write_all(&request).unwrap();
                request.clear();
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
            }
        });
    }
}

/// Settings for a free port and one worker.
pub(crate) fn settings() -> Settings {
    let mut settings = Settings::default();
    settings.http.listen = "127.0.0.1:0".into();
    settings.http.workers = 1;
    settings.limits.submission_bytes_max = 100_000;
    settings
}

/// What tests hold of a running server.
pub(crate) struct Site {
    pub(crate) running: Running,
    pub(crate) base: String,
    pub(crate) readiness: Readiness,
    /// `/gate` says on `entered` that it runs, and ends when `open` has a permit.
    pub(crate) entered: Arc<Semaphore>,
    pub(crate) open: Arc<Semaphore>,
}

pub(crate) fn start(settings: &Settings) -> Site {
    seen();
    let readiness = Readiness::default();
    let (entered, open) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (for_app, gate) = (readiness.clone(), (Arc::clone(&entered), Arc::clone(&open)));
    let running = serve(settings, move |app| routes(app, &for_app, &gate)).unwrap();
    let base = format!("http://{}", running.address());
    Site { running, base, readiness, entered, open }
}

fn routes(app: &mut web::ServiceConfig, readiness: &Readiness, gate: &(Arc<Semaphore>, Arc<Semaphore>)) {
    health::routes(app, readiness);
    let (entered, open) = gate.clone();
    app.service(web::resource("/items/{id}").route(web::get().to(find_item)).route(web::put().to(write_item)))
        .service(web::resource("/problem").route(web::get().to(problem)))
        .service(web::resource("/panic").route(web::get().to(panic)))
        .service(web::resource("/bytes").route(web::post().to(count_bytes)))
        .service(
            web::resource("/json")
                .route(web::post().to(async |_: web::Json<serde_json::Value>| Plain::fhir(200, "{}"))),
        )
        .service(web::resource("/large").route(web::get().to(async || Plain::fhir(200, large()))))
        .service(web::resource("/ids").route(web::get().to(ids)))
        .service(web::resource("/form").route(web::get().to(form)))
        .service(web::resource("/person").route(web::get().to(crate::person::about_somebody)))
        .service(web::resource("/peer").route(web::get().to(peer)))
        .service(web::resource("/gate").route(web::get().to(move || {
            let (entered, open) = (Arc::clone(&entered), Arc::clone(&open));
            async move {
                entered.add_permits(1);
                open.acquire().await.unwrap().forget();
                Plain::fhir(200, "{}")
            }
        })));
}

pub(crate) fn large() -> String {
    format!("{{\"resourceType\":\"Parameters\",\"id\":\"{}\"}}", "a".repeat(20_000))
}

async fn find_item() -> Result<Plain, Refusal> {
    Err(Refusal::not_found())
}

async fn write_item(_: web::Bytes) -> Result<Plain, Refusal> {
    Err(Refusal::too_many(7))
}

async fn problem() -> Result<Plain, Refusal> {
    let problem = Problem::new(ProblemCode::BusinessRule, "Observation.code", "a code is needed").with_rule("R49");
    Err(Refusal::unprocessable(vec![problem]))
}

async fn panic() -> Plain {
    panic!("{CANARY}");
}

async fn count_bytes(body: web::Bytes) -> Plain {
    Plain::json(200, &body.len().into())
}

async fn ids(info: RequestInfo) -> Plain {
    let traceparent = traceparent_of_current_span();
    let body = serde_json::json!({"request": info.request_id, "trace": info.trace_id.to_string(), "next": traceparent});
    Plain::json(200, &body)
}

async fn form(form: Negotiation) -> Plain {
    Plain::fhir(200, form.form(b"{\"value\":1.50}".to_vec()))
}

async fn peer(req: HttpRequest) -> Plain {
    let peer = PeerCertificate::of(&req);
    let (thumbprint, hex) = (peer.map(|p| p.x5t_s256()), peer.as_ref().map(PeerCertificate::hex));
    Plain::json(200, &serde_json::json!({"thumbprint": thumbprint, "hex": hex}))
}
