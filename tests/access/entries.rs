//! Each release and each refusal has its entry in the log before it leaves.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::{Context, Result};
use engines::embedded::disk::FaultyDisk;
use loadtest::population::Kind;
use reqwest::Method;
use schemas::vocab::{Category, Topic};
use serde_json::{Value, json};
use tests::Harness;
use tests::desk::{Ticked, visit_consent};
use tests::wire::{Ask, Line, count_accesses};

use crate::writing::item;

#[tokio::test]
async fn every_answer_about_a_person_leaves_exactly_one_entry() -> Result<()> {
    let harness = Harness::start().await?;
    let citizen = harness.bear(1).await?;
    let record = item(&harness, &citizen, Kind::Laboratory, 1);
    let id = harness.keep(&harness.hospital, &record, "one").await?;
    let medication = item(&harness, &citizen, Kind::MedicationRequest, 2);
    let hidden = harness.keep(&harness.hospital, &medication, "two").await?;
    harness.admit(&harness.clinic, &citizen, &Ticked::categories(&[Category::Ehr])).await?;
    let line = Line::new(&harness.api.url);
    let doctor = harness.token(&harness.clinic, &harness.clinic.care()).await?;
    let stranger = harness.token(&harness.other_clinic, &harness.other_clinic.care()).await?;
    let writer = harness.token(&harness.clinic, &harness.clinic.records()).await?;
    let p = &citizen.patient;
    let another = item(&harness, &citizen, Kind::Laboratory, 3).to_string();
    let asks = [
        Ask::get(format!("/fhir/Observation/{id}")),
        Ask::get(format!("/fhir/Observation/{id}")).header("if-none-match", "W/\"1\""),
        Ask::get(format!("/fhir/Observation/{id}/_history/1")),
        Ask::get(format!("/fhir/Observation/{id}/_history")),
        Ask::get(format!("/fhir/MedicationRequest/{hidden}")),
        Ask::get(format!("/fhir/Observation?patient={p}")),
        Ask::get(format!("/fhir/Observation?patient={p}&_summary=count")),
        Ask::get(format!("/fhir/Observation?patient={p}&code=absent")),
        Ask::get(format!("/fhir/Observation/_history?patient={p}")),
        Ask::get(format!("/fhir/Patient/{p}/Observation")),
        Ask::get(format!("/fhir/Patient/{p}/$everything")),
    ];
    for token in [&doctor, &stranger] {
        for ask in &asks {
            let before = count_accesses(&harness.node).await?;
            let reply = line.ask(token, ask).await?;
            assert!(!reply.header("kiroku-receipt").is_empty(), "{} {} has no receipt", reply.status, ask.path);
            assert_eq!(count_accesses(&harness.node).await? - before, 1, "{}", ask.path);
        }
    }
    let writes = [
        (201, Ask::with_body(Method::POST, "/fhir/Observation", another)),
        (404, Ask::with_body(Method::DELETE, format!("/fhir/Observation/{id}"), "")),
    ];
    for (status, ask) in &writes {
        let before = count_accesses(&harness.node).await?;
        let reply = line.ask(&writer, ask).await?;
        assert_eq!(reply.status, *status, "{}", reply.text);
        assert!(!reply.header("kiroku-receipt").is_empty(), "{}", ask.path);
        assert_eq!(count_accesses(&harness.node).await? - before, 1, "{}", ask.path);
    }
    harness.node.stop().await
}

#[tokio::test]
async fn consents_of_one_transaction_make_one_entry_and_none_rides_among_records() -> Result<()> {
    let harness = Harness::start().await?;
    let citizen = harness.bear(1).await?;
    harness.open_visit(&harness.clinic, &citizen).await?;
    let patient = format!("Patient/{}", citizen.patient);
    let consent = |category: Category| {
        fhir::consent::to_fhir(&visit_consent(&harness.clinic, &Ticked::categories(&[category])), &patient, &patient)
    };
    let post =
        |record: Value| json!({"request": {"method": "POST", "url": record["resourceType"]}, "resource": record});
    let own = harness.api.sign_in(&citizen.card).await?;
    let line = Line::new(&harness.api.url);
    let record = item(&harness, &citizen, Kind::Laboratory, 1);
    for (records, status, kind) in [
        ([consent(Category::Ehr), consent(Category::Med)], 200, "consent"),
        ([record, consent(Category::Ehr)], 403, "denied"),
    ] {
        let entries: Vec<Value> = records.into_iter().map(post).collect();
        let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": entries});
        let before = count_accesses(&harness.node).await?;
        let reply = harness.send_with_card(&harness.clinic, &citizen, ("/fhir", &bundle)).await?;
        assert_eq!(reply.status, status, "{}", reply.body);
        assert_eq!(count_accesses(&harness.node).await? - before, 1, "{kind}");
        let list = line.get(&own, "/me/accesses?lang=en&_count=1").await?;
        assert_eq!(list.json()["entries"][0]["kind"], kind, "{}", list.text);
    }
    harness.node.stop().await
}

#[tokio::test]
async fn a_record_its_outcome_and_its_entry_become_durable_in_one_commit() -> Result<()> {
    let harness = Harness::start().await?;
    let citizen = harness.bear(1).await?;
    let line = Line::new(&harness.api.url);
    let system = harness.token(&harness.hospital, &harness.hospital.records()).await?;
    let log = harness.node.engine.as_embedded().context("the default engine")?.embedded_log();
    let (commits, entries) = (log.head().commit, count_accesses(&harness.node).await?);
    for k in 1..=3 {
        let record = item(&harness, &citizen, Kind::Laboratory, k).to_string();
        let made = line.ask(&system, &Ask::with_body(Method::POST, "/fhir/Observation", record)).await?;
        assert_eq!(made.status, 201, "{}", made.text);
        assert_eq!((log.head().commit, count_accesses(&harness.node).await?), (commits + k, entries + k));
    }
    harness.node.stop().await
}

#[tokio::test]
async fn a_record_whose_client_is_told_later_has_its_entry_too() -> Result<()> {
    let harness = Harness::start().await?;
    let citizen = harness.bear(1).await?;
    let disk = Arc::new(FaultyDisk::new());
    let slow = disk.clone();
    let harness =
        harness.restart_as(|settings| settings.verdict_timeout_ms = 20, move |config| config.disk = slow).await?;
    let (line, entries) = (Line::new(&harness.api.url), count_accesses(&harness.node).await?);
    let log = harness.node.engine.log.clone();
    let partition = log.partition_of(Topic::Access, citizen.pid.shard());
    let end = log.end(Topic::Access, partition).await?;
    let system = harness.token(&harness.hospital, &harness.hospital.records()).await?;
    let record = item(&harness, &citizen, Kind::Laboratory, 1).to_string();
    disk.sync_delay_ms.store(500, Ordering::SeqCst);
    let taken = line.ask(&system, &Ask::with_body(Method::POST, "/fhir/Observation", record)).await?;
    assert_eq!(taken.status, 202, "{}", taken.text);
    disk.sync_delay_ms.store(0, Ordering::SeqCst);
    tokio::time::timeout(std::time::Duration::from_secs(20), log.wait_for(Topic::Access, partition, end)).await??;
    assert_eq!(count_accesses(&harness.node).await?, entries + 1);
    harness.node.stop().await
}
