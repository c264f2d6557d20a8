//! Clients that others wrote, unchanged, with a token.

use std::process::Command;

use anyhow::Result;
use tests::Harness;

use crate::{tools, world};

/// Runs a client's program against a fresh node with one person, and looks for the steps that it names.
async fn use_server(command: Option<Command>, steps: &[&str]) -> Result<()> {
    let Some(mut command) = command else { return Ok(()) };
    let harness = Harness::start().await?;
    let citizen = harness.bear(1).await?;
    world::introduce(&harness, &citizen, &mut command).await?;
    let said = tools::run(command).await?;
    for step in steps {
        assert!(said.contains(&format!("ok {step}")), "no `{step}` in\n{said}");
    }
    harness.node.stop().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fhirpy_creates_reads_searches_pages_and_deletes() -> Result<()> {
    let steps = ["create_read_update", "search_and_page", "transaction", "conditional_create", "delete", "errors"];
    use_server(tools::python("client.py"), &steps).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_generic_client_of_hapi_creates_reads_searches_pages_and_deletes() -> Result<()> {
    let steps = ["capabilities", "createReadUpdate", "searchAndPage", "transaction", "delete", "errors"];
    use_server(tools::java("GenericClient"), &steps).await
}
