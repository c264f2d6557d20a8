//! `kill -9` at random points while records come in. `KIROKU_KILLS` rounds (default 5), `KIROKU_SEED`.
//!
//! The server runs in a child process: this test binary, started again with the name of [`a_node_of_its_own`].

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use chassis::config::Settings;
use kiroku::Node;
use kiroku::api::{Api, Reply};
use loadtest::population::Population;
use serde_json::{Value, json};
use tests::{Citizen, Harness};

const DATA: &str = "KIROKU_CHILD_DATA";
const URL_FILE: &str = "KIROKU_CHILD_URL_FILE";
const SENDERS: u64 = 4;

/// Not a test by itself: serves the folder in `KIROKU_CHILD_DATA` until it is killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_of_its_own() -> Result<()> {
    let (Ok(data), Ok(url_file)) = (std::env::var(DATA), std::env::var(URL_FILE)) else { return Ok(()) };
    let mut settings = Settings { data: data.into(), ..Settings::default() };
    settings.http.listen = "127.0.0.1:0".to_owned();
    settings.http.workers = 2;
    let node = Node::start(settings).await?;
    let new = format!("{url_file}.new");
    std::fs::write(&new, &node.url)?;
    std::fs::rename(new, url_file)?;
    // Whoever forgets to kill it has it for ten minutes.
    tokio::time::sleep(Duration::from_secs(600)).await;
    node.stop().await
}

/// Killed when dropped, so that a failed test leaves nothing running.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

async fn start_server(data: &Path, url_file: &Path) -> Result<(Server, Api)> {
    if url_file.exists() {
        std::fs::remove_file(url_file)?;
    }
    let child = Command::new(std::env::current_exe()?)
        .args(["--exact", "kill::a_node_of_its_own", "--nocapture"])
        .env(DATA, data)
        .env(URL_FILE, url_file)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let mut server = Server(child);
    let until = Instant::now() + Duration::from_secs(60);
    while !url_file.exists() {
        ensure!(server.0.try_wait()?.is_none(), "the server did not start again");
        ensure!(Instant::now() < until, "the server does not start within a minute");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok((server, Api::new(&std::fs::read_to_string(url_file)?)))
}

/// What was sent under key `n`: every third a transaction of two, so that half of one would show.
fn request(citizen: &Citizen, n: u64) -> (&'static str, Value) {
    let record = |part: u64| {
        json!({
            "resourceType": "Observation", "status": "final", "code": {"text": format!("record {n} part {part}")},
            "subject": {"reference": format!("Patient/{}", citizen.patient)}, "valueInteger": n,
        })
    };
    if !n.is_multiple_of(3) {
        return ("/fhir/Observation", record(0));
    }
    let entry = |part| json!({"resource": record(part), "request": {"method": "POST", "url": "Observation"}});
    ("/fhir", json!({"resourceType": "Bundle", "type": "transaction", "entry": [entry(0), entry(1)]}))
}

/// The places that an answer names.
fn places(reply: &Reply) -> Vec<String> {
    let relative = |text: &str| text.split("/fhir/").last().unwrap_or_default().to_owned();
    match reply.body["entry"].as_array() {
        Some(entries) => entries.iter().filter_map(|e| e["response"]["location"].as_str()).map(relative).collect(),
        None => vec![relative(reply.header("location"))],
    }
}

type Acknowledged = Arc<Mutex<BTreeMap<u64, Vec<String>>>>;

async fn send(api: &Api, token: &str, citizen: &Citizen, n: u64) -> Result<Vec<String>> {
    let (path, body) = request(citizen, n);
    let reply = api.post(token, path, &body, &[("idempotency-key", &format!("key {n}"))]).await?;
    ensure!(matches!(reply.status, 200 | 201), "record {n}: {} {}", reply.status, reply.body);
    Ok(places(&reply))
}

/// Sends until the server is gone; what came back as done is remembered.
async fn load(api: Api, token: String, citizen: Citizen, mut n: u64, done: Acknowledged) -> u64 {
    while let Ok(places) = send(&api, &token, &citizen, n).await {
        done.lock().expect("no sender panics").insert(n, places);
        n += SENDERS;
    }
    n
}

async fn system_token(harness: &Harness, api: &Api) -> Result<String> {
    api.token(&harness.hospital.key, &harness.hospital.records()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_was_acknowledged_survives_kill_9_once_and_whole() -> Result<()> {
    let number = |name: &str, default| std::env::var(name).ok().and_then(|t| t.parse::<u64>().ok()).unwrap_or(default);
    let (kills, seed) = (number("KIROKU_KILLS", 5), number("KIROKU_SEED", u64::from(std::process::id())));
    eprintln!("kill -9: KIROKU_SEED={seed} KIROKU_KILLS={kills}");
    let harness = Harness::start().await?;
    let citizen = harness.bear(1).await?;
    let harness = harness.pause().await?;
    let url_file = harness.folder.path().join("url");
    let data = harness.settings.data.clone();
    let acknowledged = Acknowledged::default();
    let mut next: Vec<u64> = (0..SENDERS).collect();
    for round in 0..kills {
        let (mut server, api) = start_server(&data, &url_file).await?;
        let token = api.token(&harness.hospital.key, &harness.hospital.records()).await?;
        let mut senders = Vec::new();
        for first in &next {
            // The first is the one that the last kill cut off: a retry with its key.
            senders.push(tokio::spawn(load(api.clone(), token.clone(), citizen.clone(), *first, acknowledged.clone())));
        }
        let wait = Population::new(seed).dice(round, 80).between(30, 900);
        tokio::time::sleep(Duration::from_millis(wait.unsigned_abs())).await;
        // On Unix this is SIGKILL.
        server.0.kill()?;
        server.0.wait()?;
        next.clear();
        for sender in senders {
            next.push(sender.await?);
        }
    }
    let harness = harness.resume().await?;
    check(&harness, &citizen, (&acknowledged, &next)).await.with_context(|| format!("seed {seed}"))?;
    harness.node.stop().await
}

/// Nothing lost, nothing half, nothing twice.
async fn check(harness: &Harness, citizen: &Citizen, (acknowledged, next): (&Acknowledged, &[u64])) -> Result<()> {
    let acknowledged = acknowledged.lock().expect("no sender panics").clone();
    ensure!(acknowledged.len() > 10, "{} were acknowledged", acknowledged.len());
    let token = system_token(harness, &harness.api).await?;
    let doctor = harness.token(&harness.hospital, &harness.hospital.care()).await?;
    let mut kept: BTreeMap<u64, Vec<String>> = acknowledged.clone();
    for n in next {
        kept.insert(*n, send(&harness.api, &token, citizen, *n).await?);
    }
    for (n, places) in &kept {
        assert_eq!(places.len(), if n.is_multiple_of(3) { 2 } else { 1 }, "record {n}");
        for (part, place) in places.iter().enumerate() {
            let read = harness.api.get(&doctor, &format!("/fhir/{place}")).await?;
            assert_eq!(read.status, 200, "record {n} is lost: {}", read.body);
            assert_eq!(read.body["code"]["text"], format!("record {n} part {part}"));
        }
        assert_eq!(&send(&harness.api, &token, citizen, *n).await?, places, "a retry of record {n} makes another");
    }
    let path = format!("/fhir/Observation?patient={}&_summary=count", citizen.patient);
    let found = harness.api.get(&doctor, &path).await?;
    let wanted: usize = kept.values().map(Vec::len).sum();
    assert_eq!(found.body["total"].as_u64(), Some(wanted as u64), "half or twice");
    eprintln!("{} requests, {wanted} records", kept.len());
    Ok(())
}
