//! Journeys over real HTTP, the same for every engine and every number of processes.

use std::path::Path;

use anyhow::{Result, ensure};
use kiroku::Node;
use kiroku::demo::{Step, World, tell};

use crate::Harness;

/// Every step of the demo's story holds, and each request that has a body can be made again from `folder`.
pub async fn story(node: &Node, folder: &Path) -> Result<()> {
    let world = World::build(node, Some(folder.to_owned())).await?;
    let mut heard = 0;
    let steps = tell(&world, &mut |_| heard += 1).await;
    ensure!((steps.len(), heard) == (9, 9), "{} steps, {heard} heard", steps.len());
    for step in &steps {
        ensure!(step.held(), "{}", told(step));
        ensure!(!step.exchanges.is_empty(), "step {} made no request", step.number);
    }
    let bodies = std::fs::read_dir(folder.join("requests"))?.count();
    let sent = steps.iter().flat_map(|s| &s.exchanges).filter(|e| e.curl.contains("--data-binary")).count();
    ensure!(bodies == sent, "each body is kept, so that its request can be made again: {bodies} of {sent}");
    Ok(())
}

fn told(step: &Step) -> String {
    let failed = step.checks.iter().filter(|check| !check.held).map(|check| format!("  not so: {}\n", check.what));
    let made = step.exchanges.iter().map(|e| format!("  {} {} -> {} {}\n", e.method, e.path, e.status, e.answer));
    let trouble = step.trouble.iter().map(|text| format!("  trouble: {text}\n"));
    let lines: String = made.chain(failed).chain(trouble).collect();
    format!("step {} did not hold: {}\n{lines}", step.number, step.sentence)
}

/// A hospital writes a record of person `index` and reads back what it sent.
pub async fn written_and_read_back(harness: &Harness, index: u64) -> Result<()> {
    let citizen = harness.bear(index).await?;
    let record = harness.record(&citizen, 3);
    let reply = harness.send(&harness.hospital, &record).await?;
    ensure!(reply.status == 201, "{} {}", reply.status, reply.body);
    let id = reply.location_id().unwrap_or_default();
    let token = harness.token(&harness.hospital, &harness.hospital.care()).await?;
    let path = format!("/fhir/{}/{id}", record["resourceType"].as_str().unwrap_or_default());
    let read = harness.api.get(&token, &path).await?;
    ensure!(read.status == 200, "{} {}", read.status, read.body);
    ensure!(!read.header("kiroku-receipt").is_empty(), "no receipt");
    for (name, value) in record.as_object().into_iter().flatten().filter(|(name, _)| *name != "meta" && *name != "id") {
        ensure!(&read.body[name] == value, "{name} reads back otherwise");
    }
    Ok(())
}
