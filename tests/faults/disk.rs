//! A disk that fails while the node runs: no acknowledgement, a clear error, nothing released, a clean restart.

use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context, Result};
use chassis::config::{Role, Settings};
use engines::embedded::disk::FaultyDisk;
use engines::embedded::log::{EmbeddedLog, LogConfig};
use reqwest::Method;
use schemas::vocab::Topic;
use serde_json::json;
use tests::wire::{Ask, Line, count_records};
use tests::{Citizen, Harness};

type Fault = fn(&FaultyDisk);

fn observation(citizen: &Citizen, text: &str) -> String {
    json!({
        "resourceType": "Observation", "status": "final", "code": {"text": text},
        "subject": {"reference": format!("Patient/{}", citizen.patient)},
    })
    .to_string()
}

async fn total(harness: &Harness, citizen: &Citizen) -> Result<u64> {
    let doctor = harness.token(&harness.hospital, &harness.hospital.care()).await?;
    let path = format!("/fhir/Observation?patient={}", citizen.patient);
    let found = harness.api.get(&doctor, &path).await?;
    found.body["total"].as_u64().with_context(|| format!("{}: {}", found.status, found.body))
}

async fn survives(what: &str, fault: Fault) -> Result<()> {
    let (harness, disk) = Harness::start_on_faulty_disk(1 << 20).await?;
    let citizen = harness.bear(1).await?;
    let line = Line::new(&harness.api.url);
    let system = harness.token(&harness.hospital, &harness.hospital.records()).await?;
    let doctor = harness.token(&harness.hospital, &harness.hospital.care()).await?;
    let good = Ask::with_body(Method::POST, "/fhir/Observation", observation(&citizen, "good"));
    let made = line.ask(&system, &good.clone().header("idempotency-key", "good")).await?;
    assert_eq!(made.status, 201, "{what}: {}", made.text);
    let path = made.header("location").replace(&line.url, "");
    assert_eq!(line.get(&doctor, &path).await?.status, 200);

    fault(&disk);
    let ask = Ask::with_body(Method::POST, "/fhir/Observation", observation(&citizen, "while it fails"));
    let ask = ask.header("idempotency-key", "while it fails");
    // Long before the ten seconds that a client waits for a verdict.
    let refused = tokio::time::timeout(Duration::from_secs(8), line.ask(&system, &ask)).await??;
    assert_eq!(refused.status, 503, "{what}: {}", refused.text);
    assert_eq!(refused.json()["issue"][0]["code"], "transient", "{}", refused.text);
    assert!(!refused.header("retry-after").is_empty());
    let read = line.get(&doctor, &path).await?;
    assert_eq!(read.status, 503, "{what}: nothing is released without its entry: {}", read.text);
    assert!(!read.text.contains("good"), "{}", read.text);
    let search = line.get(&doctor, &format!("/fhir/Observation?patient={}", citizen.patient)).await?;
    assert_eq!(search.status, 503, "{what}: {}", search.text);
    assert!(search.json()["total"].is_null());

    // The disk is whole again: the same request, sent again, is done once.
    let harness = harness.restart(|_| {}).await?;
    let system = harness.token(&harness.hospital, &harness.hospital.records()).await?;
    let line = Line::new(&harness.api.url);
    assert_eq!(line.ask(&system, &good.header("idempotency-key", "good")).await?.status, 201, "{what}");
    let retried = line.ask(&system, &ask).await?;
    assert_eq!(retried.status, 201, "{what}: {}", retried.text);
    assert_eq!(total(&harness, &citizen).await?, 2, "{what}: nothing lost, nothing twice");
    harness.node.stop().await
}

#[tokio::test]
async fn a_full_disk_acknowledges_nothing_and_releases_nothing() -> Result<()> {
    survives("full", |disk| disk.bytes_left.store(0, Ordering::SeqCst)).await
}

#[tokio::test]
async fn a_short_write_acknowledges_nothing_and_releases_nothing() -> Result<()> {
    survives("short write", |disk| disk.bytes_left.store(100, Ordering::SeqCst)).await
}

#[tokio::test]
async fn a_failed_fsync_acknowledges_nothing_and_releases_nothing() -> Result<()> {
    survives("fsync", |disk| disk.sync_fails.store(true, Ordering::SeqCst)).await
}

/// Records of all persons in a copy of the log's files as they are now: what a power loss would leave.
async fn records_on_disk(harness: &Harness) -> Result<u64> {
    let copy = tempfile::tempdir()?;
    for file in std::fs::read_dir(harness.node.settings.data.join("log"))? {
        let file = file?;
        std::fs::copy(file.path(), copy.path().join(file.file_name()))?;
    }
    count_records(&EmbeddedLog::open(LogConfig::new(copy.path()))?, Topic::Person).await
}

#[tokio::test]
async fn what_is_taken_without_a_verdict_is_on_disk_when_its_client_is_told_and_is_decided_later() -> Result<()> {
    let harness = Harness::start().await?;
    let citizen = harness.bear(1).await?;
    let without_projector = |settings: &mut Settings| {
        settings.roles = vec![Role::Edge, Role::Query, Role::Ledger];
        settings.verdict_timeout_ms = 50;
    };
    let harness = harness.restart_as(without_projector, |_| {}).await?;
    let before = records_on_disk(&harness).await?;
    let system = harness.token(&harness.hospital, &harness.hospital.records()).await?;
    let ask = Ask::with_body(Method::POST, "/fhir/Observation", observation(&citizen, "decided later"));
    let ask = ask.header("idempotency-key", "later");
    let taken = Line::new(&harness.api.url).ask(&system, &ask).await?;
    assert_eq!(taken.status, 202, "{}", taken.text);
    assert_eq!(records_on_disk(&harness).await?, before + 1);

    let with_projector = |settings: &mut Settings| {
        settings.roles = Vec::new();
        settings.verdict_timeout_ms = 20_000;
    };
    let harness = harness.restart_as(with_projector, |_| {}).await?;
    let system = harness.token(&harness.hospital, &harness.hospital.records()).await?;
    let line = Line::new(&harness.api.url);
    let retried = line.ask(&system, &ask).await?;
    assert_eq!(retried.status, 201, "{}", retried.text);
    let told = line.get(&system, taken.header("content-location")).await?;
    assert_eq!(told.json()["status"], "accepted", "{}", told.text);
    assert_eq!(total(&harness, &citizen).await?, 1);
    harness.node.stop().await
}
