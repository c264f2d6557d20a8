//! A node with what every program of others is given: a URL, a person, a token to write and one to read.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use kiroku::api::{Acting, ClientKey};
use schemas::authority::AuthorityEvent;
use tests::{Citizen, Harness};

/// Tells a program where the server is and who it may be: the environment of its process.
pub(crate) async fn introduce(harness: &Harness, citizen: &Citizen, command: &mut Command) -> Result<()> {
    let site = &harness.hospital;
    let write = harness.token(site, &site.records().about(&citizen.patient)).await?;
    let read = harness.token(site, &site.care().about(&citizen.patient)).await?;
    // The hospital's own Patient: what the insurer registered is not released to it without a consent.
    let person = harness.population.person(citizen.index);
    let facility = harness.population.hospital(0);
    let patient = loadtest::population::fhir::patient(&person, &facility, harness.population.today());
    let reply = harness.api.post(&write, "/fhir/Patient", &patient, &[]).await?;
    let patient = reply.location_id().context("the hospital's Patient is created")?;
    command
        .env("KIROKU_URL", format!("{}/fhir", harness.node.url))
        .env("KIROKU_WRITE_TOKEN", write)
        .env("KIROKU_READ_TOKEN", read)
        .env("KIROKU_PATIENT", patient);
    Ok(())
}

/// A client of the hospital that may also register persons, as a loader of whole histories needs it. What it writes, the
/// hospital's professional reads.
pub(crate) async fn loader(harness: &Harness) -> Result<ClientKey> {
    let rights = ["persons.register", "records.write", "records.read"];
    let (key, registration) =
        ClientKey::generate("loader", &harness.hospital.code, &rights, &harness.hospital.professional)?;
    harness.node.registry.append(AuthorityEvent::Client(registration)).await?;
    Ok(key)
}

/// Who a loader acts as.
pub(crate) fn records() -> Acting {
    Acting::system("RECORDMGT")
}

/// A resource as it is served, byte for byte.
pub(crate) async fn served(harness: &Harness, token: &str, path: &str) -> Result<String> {
    let url = format!("{}{path}", harness.node.url);
    let reply = reqwest::Client::new().get(url).bearer_auth(token).send().await?;
    let status = reply.status();
    let text = reply.text().await?;
    ensure!(status.is_success(), "{path} is answered with {status}: {text}");
    Ok(text)
}
