//! What the middleware costs. Run by hand: `cargo test --release -p chassis --test http -- --ignored --nocapture speed`.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use actix_web::{App, HttpServer, web};
use chassis::http::{Plain, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::fixture::settings;

const BODY: &str = "{\"resourceType\":\"Basic\"}";

/// Requests per second over 64 kept connections.
async fn rate(address: SocketAddr, extra: &'static str) -> f64 {
    let (started, until) = (Instant::now(), Instant::now() + Duration::from_secs(2));
    let clients: Vec<_> = (0..64)
        .map(|_| {
            tokio::spawn(async move {
                let mut stream = TcpStream::connect(address).await.unwrap();
                let request = format!("GET /items/1 HTTP/1.1\r\nhost: x\r\n{extra}\r\n");
                let (mut count, mut buffer) = (0u32, [0; 4096]);
                while Instant::now() < until {
                    stream.write_all(request.as_bytes()).await.unwrap();
                    // One small answer arrives in one read.
                    let n = stream.read(&mut buffer).await.unwrap();
                    assert!(buffer[..n].starts_with(b"HTTP/1.1 200"));
                    count += 1;
                }
                count
            })
        })
        .collect();
    let mut total = 0;
    for client in clients {
        total += client.await.unwrap();
    }
    f64::from(total) / started.elapsed().as_secs_f64()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement, by hand and in release"]
async fn speed_of_a_bare_endpoint_and_of_ours() {
    // Logs as in operation (info, to nowhere), no collector: `seen()` would log every request.
    let quiet = chassis::config::LogSettings { level: "info".into() };
    let _guard = chassis::telemetry::init_with(&quiet, &chassis::config::TelemetrySettings::default(), std::io::sink);
    let item = || web::resource("/items/{id}").route(web::get().to(async || Plain::fhir(200, BODY)));
    let bare =
        HttpServer::new(move || App::new().service(item())).workers(2).disable_signals().bind("127.0.0.1:0").unwrap();
    let bare_address = bare.addrs()[0];
    let bare = bare.run();
    let bare_handle = bare.handle();
    tokio::spawn(bare);
    let mut settings = settings();
    settings.http.workers = 2;
    let ours = serve(&settings, move |app| {
        app.service(item());
    })
    .unwrap();
    for round in 0..4 {
        let (bare, plain) = (rate(bare_address, "").await, rate(ours.address(), "").await);
        let packed = rate(ours.address(), "accept-encoding: gzip\r\n").await;
        let line =
            format!("round {round}: bare {bare:.0}/s, ours {plain:.0}/s, ours with gzip asked for {packed:.0}/s\n");
        std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes()).unwrap();
    }
    bare_handle.stop(false).await;
    ours.stop().await;
}
