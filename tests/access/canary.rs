//! Strings planted in bodies, names, identifiers and queries are afterwards in no file, log line or metric.

use std::io::Write;
use std::path::Path;
use std::sync::{LazyLock, Mutex};

use anyhow::{Result, ensure};
use chassis::config::{LogSettings, TelemetrySettings};
use loadtest::population::Kind;
use schemas::vocab::Category;
use serde_json::json;
use tests::Harness;
use tests::canary::{CANARY, found_in};
use tests::desk::Ticked;
use tests::wire::Line;

use crate::writing::item;

static LINES: LazyLock<Mutex<Vec<u8>>> = LazyLock::new(Mutex::default);

#[derive(Clone, Copy)]
struct Captured;

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LINES.lock().map_err(|_| std::io::Error::other("poisoned"))?.extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Files below `folder` that hold the canary, and how many were looked at.
fn search_files(folder: &Path, found: &mut Vec<String>, looked: &mut usize) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            search_files(&path, found, looked)?;
        } else {
            *looked += 1;
            if found_in(&path.display().to_string().into_bytes()) || found_in(&std::fs::read(&path)?) {
                found.push(path.display().to_string());
            }
        }
    }
    Ok(())
}

async fn plant(harness: &Harness) -> Result<()> {
    let token = harness.api.token(&harness.insurer, &kiroku::api::Acting::system("RECORDMGT")).await?;
    let person = harness.population.person(5);
    let mut patient =
        loadtest::population::fhir::patient(&person, &harness.population.hospital(0), harness.population.today());
    patient["name"] = json!([{"text": CANARY, "family": CANARY, "given": [CANARY]}]);
    patient["address"] = json!([{"text": CANARY}]);
    patient["identifier"]
        .as_array_mut()
        .into_iter()
        .for_each(|i| i.push(json!({"system": "http://example.org/i", "value": CANARY})));
    let made = harness.api.post(&token, "/fhir/Patient", &patient, &[]).await?;
    ensure!(made.status == 201, "{}", made.body);

    let citizen = harness.bear(1).await?;
    harness.admit(&harness.clinic, &citizen, &Ticked::categories(&[Category::Ehr])).await?;
    let mut record = item(harness, &citizen, Kind::Laboratory, 1);
    record["note"] = json!([{"text": CANARY}]);
    record["code"]["text"] = json!(CANARY);
    record["meta"] = json!({"tag": [{"system": "http://example.org/t", "code": CANARY, "display": CANARY}]});
    harness.keep(&harness.hospital, &record, CANARY).await?;

    let line = Line::new(&harness.api.url);
    let doctor = harness.token(&harness.clinic, &harness.clinic.care()).await?;
    let p = &citizen.patient;
    let found = line.get(&doctor, &format!("/fhir/Observation?patient={p}")).await?;
    ensure!(found.text.contains(CANARY), "the reader who may is shown it");
    for path in [
        format!("/fhir/Observation?patient={p}&_tag={CANARY}"),
        format!("/fhir/Observation?patient={p}&{CANARY}=1"),
        format!("/fhir/Observation?patient={p}&date={CANARY}"),
        format!("/fhir/Patient?identifier=http://example.org/i|{CANARY}"),
        format!("/fhir/Patient?name={CANARY}"),
        format!("/fhir/Observation/{CANARY}"),
        format!("/fhir/{CANARY}/x"),
        format!("/{CANARY}"),
    ] {
        line.get(&doctor, &path).await?;
    }
    let system = harness.token(&harness.hospital, &harness.hospital.records()).await?;
    record["status"] = json!(CANARY);
    harness.api.post(&system, "/fhir/Observation", &record, &[("x-request-id", CANARY)]).await?;
    record["subject"] = json!({"reference": format!("Patient?identifier=http://example.org/i|{CANARY}-2")});
    record["status"] = json!("final");
    let kept = harness.api.post(&system, "/fhir/Observation", &record, &[]).await?;
    ensure!(kept.status == 202, "in quarantine: {}", kept.body);
    line.get(CANARY, "/fhir/Observation").await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn planted_strings_are_in_no_file_log_line_or_metric() -> Result<()> {
    let log = LogSettings { level: "debug".to_owned() };
    let _guard = chassis::telemetry::init_with(&log, &TelemetrySettings::default(), || Captured)?;
    let harness = Harness::start().await?;
    plant(&harness).await?;
    let metrics = Line::new(&harness.api.url).get("", "/metrics").await?;
    assert_eq!(metrics.status, 200);
    assert!(!found_in(metrics.text.as_bytes()), "a metric holds it");
    let folder = harness.folder;
    harness.node.stop().await?;
    let (mut found, mut looked) = (Vec::new(), 0);
    search_files(folder.path(), &mut found, &mut looked)?;
    assert!(looked > 5, "{looked} files were searched");
    assert!(found.is_empty(), "{found:?}");
    let lines = LINES.lock().map_err(|_| anyhow::anyhow!("poisoned"))?.clone();
    assert!(String::from_utf8_lossy(&lines).contains("request"), "the log was captured");
    let telling: Vec<_> = lines.split(|b| *b == b'\n').filter(|line| found_in(line)).collect();
    assert!(telling.is_empty(), "{}", String::from_utf8_lossy(telling[0]));
    Ok(())
}
