//! The journeys, with two edges, two projectors, two queries and two ledgers in processes of their own.

use anyhow::Result;
use tests::cluster::System;
use tests::journeys;

const BINARY: &str = env!("CARGO_BIN_EXE_kiroku-under-test");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_journeys_hold_with_two_processes_of_each_role() -> Result<()> {
    let system = System::start(BINARY, 4).await?;
    let folder = tempfile::tempdir()?;
    journeys::story(&system.harness.node, folder.path()).await?;
    for index in 100..104 {
        journeys::written_and_read_back(&system.harness, index).await?;
    }
    system.harness.node.stop().await
}
