//! `/health/live` says that the process answers, `/health/ready` that it does its work: log, registry, projector, ledger.

use std::sync::atomic::Ordering;

use anyhow::Result;
use bytes::Bytes;
use chassis::ports::log::Append;
use reqwest::Method;
use schemas::vocab::Topic;
use serde_json::{Value, json};
use tests::Harness;
use tests::wire::{Ask, Line, until};

/// Waits until `/health/ready` answers so; gives what it says of each part.
async fn ready_is(line: &Line, status: u16) -> Result<Value> {
    let asked = async || {
        let answer = line.get("", "/health/ready").await?;
        Ok((answer.status == status).then(|| answer.json()))
    };
    until(&format!("/health/ready answers {status}"), asked).await
}

/// The names of the checks that do not hold.
fn failing(said: &Value) -> Vec<&str> {
    let checks = said["checks"].as_object().into_iter().flatten();
    checks.filter(|(_, holds)| **holds != true).map(|(name, _)| name.as_str()).collect()
}

#[tokio::test]
async fn a_node_is_ready_when_log_registry_projector_and_ledger_run() -> Result<()> {
    let harness = Harness::start().await?;
    let line = Line::new(&harness.api.url);
    let live = line.get("", "/health/live").await?;
    assert_eq!((live.status, live.text.as_str()), (200, "live\n"));
    let said = ready_is(&line, 200).await?;
    let names = ["log", "clock", "registry", "projector", "ledger", "tables"];
    let checks: serde_json::Map<String, Value> = names.map(|name| (name.to_owned(), true.into())).into_iter().collect();
    assert_eq!(said, json!({"ready": true, "checks": checks}));
    assert!(harness.node.is_running());
    let other = line.ask("", &Ask::with_body(Method::POST, "/health/ready", "")).await?;
    assert_eq!(other.status, 405, "{}", other.text);
    harness.node.stop().await
}

#[tokio::test]
async fn how_far_the_tables_are_behind_the_log_shows_for_each_partition_and_falls_to_nothing() -> Result<()> {
    let harness = Harness::start().await?;
    tests::journeys::written_and_read_back(&harness, 1).await?;
    let (log, topics) = (&harness.node.engine.log, [Topic::Commons, Topic::Person, Topic::Access]);
    let mut records = 0;
    for topic in [Topic::Person, Topic::Access] {
        for partition in 0..log.partitions(topic) {
            records += log.end(topic, partition).await?;
        }
    }
    assert!(records >= 4, "a record and its outcome, two accesses: {records}");
    let lags = until("all is in the tables", async || {
        let lags = harness.node.lags().await;
        Ok(lags.iter().all(|(_, _, records)| *records == 0).then_some(lags))
    });
    let mut partitions: Vec<_> = lags.await?.into_iter().map(|(topic, partition, _)| (topic, partition)).collect();
    let mut all: Vec<_> =
        topics.iter().flat_map(|topic| (0..log.partitions(*topic)).map(|p| (topic.as_str(), p))).collect();
    partitions.sort_unstable();
    all.sort_unstable();
    assert_eq!(partitions, all);
    let metrics = Line::new(&harness.api.url).get("", "/metrics").await?.text;
    assert!(metrics.contains("kiroku_lag_records{partition=\"0\",topic=\"person\"}"), "{metrics}");
    assert!(metrics.contains("kiroku_queue_depth{queue=\"verdicts\"}"), "{metrics}");
    // Of the whole process: other tests have submissions of their own, and each of those ends too.
    let line = Line::new(&harness.api.url);
    until("no submission waits for its verdict", async || {
        let metrics = line.get("", "/metrics").await?.text;
        Ok(metrics.lines().any(|line| line == "kiroku_queue_depth{queue=\"verdicts\"} 0").then_some(()))
    })
    .await?;
    harness.node.stop().await
}

#[tokio::test]
async fn a_node_whose_log_takes_nothing_is_live_and_not_ready() -> Result<()> {
    let (harness, disk) = Harness::start_on_faulty_disk(1 << 20).await?;
    let citizen = harness.bear(1).await?;
    let line = Line::new(&harness.api.url);
    ready_is(&line, 200).await?;
    let token = harness.token(&harness.hospital, &harness.hospital.records()).await?;
    disk.sync_fails.store(true, Ordering::SeqCst);
    let record = json!({
        "resourceType": "Observation", "status": "final", "code": {"text": "while it fails"},
        "subject": {"reference": format!("Patient/{}", citizen.patient)},
    });
    let refused = line.ask(&token, &Ask::with_body(Method::POST, "/fhir/Observation", record.to_string())).await?;
    assert_eq!(refused.status, 503, "{}", refused.text);
    let said = ready_is(&line, 503).await?;
    assert!(failing(&said).contains(&"log") && said["ready"] == false, "{said}");
    assert_eq!(line.get("", "/health/live").await?.status, 200, "the process itself lives");

    disk.sync_fails.store(false, Ordering::SeqCst);
    let said = ready_is(&line, 503).await?;
    assert!(failing(&said).contains(&"log"), "a log that lost a sync stays closed until a restart: {said}");
    let harness = harness.restart(|_| {}).await?;
    ready_is(&Line::new(&harness.api.url), 200).await?;
    harness.node.stop().await
}

#[tokio::test]
async fn a_node_whose_projector_or_ledger_stopped_is_live_and_not_ready() -> Result<()> {
    for (topic, name) in [(Topic::Person, "projector"), (Topic::Access, "ledger")] {
        let harness = Harness::start().await?;
        let line = Line::new(&harness.api.url);
        ready_is(&line, 200).await?;
        assert!(harness.node.is_running());
        // What no version of the program has written: the role must not guess, and stops.
        let strange = Append { topic, shard: 0, value: Bytes::from_static(b"no record of ours") };
        harness.node.engine.log.append(strange).await?;
        let said = ready_is(&line, 503).await?;
        assert_eq!(failing(&said), [name], "{said}");
        assert!(!harness.node.is_running());
        assert_eq!(line.get("", "/health/live").await?.status, 200);
        harness.node.stop().await?;
    }
    Ok(())
}
