//! The official validator finds no error in what is served that was not in what was sent.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use loadtest::population::Subject;
use loadtest::population::fhir::Kind;
use serde_json::Value;
use tests::{Citizen, Harness};

use crate::examples::Folder;
use crate::real_input::Door;
use crate::{tools, world};

/// Examples of others that are judged: folder, and each how many-th file of it.
const SAMPLES: [(&str, usize); 4] =
    [("hl7-r4-spec", 12), ("jp-clins/examples", 5), ("jp-example-creation", 1), ("ips", 9)];

/// Writes a pair for the judge.
fn keep(folder: &Path, name: &str, sent: &Value, served: &str) -> Result<()> {
    std::fs::write(folder.join(format!("{name}.sent.json")), sent.to_string())?;
    std::fs::write(folder.join(format!("{name}.served.json")), served)?;
    Ok(())
}

/// Sends a resource as the hospital and reads it back.
async fn send_and_read(harness: &Harness, citizen: &Citizen, resource: &Value) -> Result<String> {
    let reply = harness.send(&harness.hospital, resource).await?;
    ensure!(reply.status == 201, "{}: {}", reply.status, reply.body);
    let id = reply.location_id().context("a created resource has a Location")?;
    let token = harness.token(&harness.hospital, &harness.hospital.care().about(&citizen.patient)).await?;
    let kind = resource["resourceType"].as_str().context("a resource has a type")?;
    world::served(harness, &token, &format!("/fhir/{kind}/{id}")).await
}

/// One generated resource of every kind, and a page of them as a searchset.
async fn generated(harness: &Harness, folder: &Path) -> Result<()> {
    let citizen = harness.bear(2).await?;
    let person = harness.population.person(citizen.index);
    let subject = Subject::Reference(format!("Patient/{}", citizen.patient));
    for (at, (kind, _)) in Kind::ALL.iter().enumerate() {
        let resource = harness.population.item(*kind, &person, &subject, 1);
        let served = send_and_read(harness, &citizen, &resource).await.with_context(|| format!("{kind:?}"))?;
        keep(folder, &format!("generated-{at:02}-{kind:?}"), &resource, &served)?;
    }
    let (from, to) = (harness.population.hospital(0), harness.population.clinic(0));
    let letter = harness.population.referral_document(&person, &from, &to, (harness.population.today(), 1));
    keep(folder, "generated-referral", &letter, &send_and_read(harness, &citizen, &letter).await?)?;
    let token = harness.token(&harness.hospital, &harness.hospital.care().about(&citizen.patient)).await?;
    // What is about the answer, not about a resource in it, is judged against nothing: no error is allowed.
    let whole = world::served(harness, &token, "/fhir/Observation?_count=2&_summary=count").await?;
    keep(folder, "answer-count", &serde_json::json!({"resourceType": "Basic", "code": {"text": "none"}}), &whole)?;
    let statement = world::served(harness, &token, "/fhir/metadata").await?;
    keep(folder, "answer-metadata", &serde_json::json!({"resourceType": "Basic", "code": {"text": "none"}}), &statement)
}

/// Examples of others, as they are wrapped.
async fn of_others(harness: &Harness, folder: &Path, data: &Path) -> Result<usize> {
    let door = Door { harness, key: world::loader(harness).await? };
    let token = harness.token(&harness.hospital, &harness.hospital.care()).await?;
    let mut judged = 0;
    for (name, step) in SAMPLES {
        let examples = Folder::read(&data.join(name))?;
        for (file, example) in examples.files.iter().step_by(step) {
            let wrapped = examples.wrap(example);
            let (reply, _) = door.send(&wrapped).await.with_context(|| file.clone())?;
            let (201, Some(id)) = (reply.status, reply.location_id()) else { continue };
            let served = world::served(harness, &token, &format!("/fhir/Bundle/{id}")).await?;
            keep(folder, &file.replace(['/', '.'], "-"), &wrapped.body, &served)?;
            judged += 1;
        }
    }
    Ok(judged)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_official_validator_finds_no_error_in_what_is_served_that_was_not_in_what_was_sent() -> Result<()> {
    let Some(mut judge) = tools::java("Judge") else { return Ok(()) };
    let harness = Harness::start().await?;
    let folder = tempfile::tempdir()?;
    generated(&harness, folder.path()).await?;
    if let Some(data) = tools::shared() {
        let judged = of_others(&harness, folder.path(), &data).await?;
        assert!(judged > 20, "only {judged} examples of others were accepted");
    }
    judge.arg(folder.path());
    tools::note(tools::run(judge).await?.trim());
    harness.node.stop().await
}
