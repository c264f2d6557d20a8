//! The journeys, with two edges, two projectors, two queries and two ledgers in processes of their own; and through the second client
//! of Kafka.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use chassis::config::KafkaClient;
use tests::cluster::{self, System};
use tests::journeys;
use tests::wire::Line;

const BINARY: &str = env!("CARGO_BIN_EXE_kiroku-under-test");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_journeys_hold_with_two_processes_of_each_role() -> Result<()> {
    let system = System::start(BINARY, 4).await?;
    for member in &system.members {
        let stranger = Line::over(&member.line.url, system.mutual.stranger.clone()).get("", "/health/live").await;
        ensure!(stranger.is_err(), "a {} answered without a certificate", member.role);
    }
    let folder = tempfile::tempdir()?;
    journeys::story(&system.harness.node, folder.path()).await?;
    for index in 100..104 {
        journeys::written_and_read_back(&system.harness, index).await?;
    }
    system.harness.node.stop().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_journeys_hold_through_kafka_rust_on_a_broker_of_version_3_9() -> Result<()> {
    let brokers = std::env::var("KIROKU_ENGINES_V3")
        .context("`cargo run -p xtask -- up --folder DIR --kafka 3 --cassandra-nodes 0`, then KIROKU_ENGINES_V3=DIR/engines.toml")?;
    let mut engine = cluster::engines_with(Path::new(&brokers))?;
    engine.kafka.client = KafkaClient::KafkaRust;
    let harness = cluster::in_one_process(4, engine).await?;
    let folder = tempfile::tempdir()?;
    journeys::story(&harness.node, folder.path()).await?;
    journeys::written_and_read_back(&harness, 100).await?;
    harness.node.stop().await
}
