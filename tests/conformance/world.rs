//! A node with what every program of others is given: a URL, a person, a token to write and one to read.

use std::process::Command;

use anyhow::Result;
use kiroku::api::{Acting, ClientKey};
use schemas::authority::{AuthorityEvent, Organisation, Status};
use tests::{Citizen, Harness};

/// Tells a program where the server is and who it may be: the environment of its process.
pub(crate) async fn introduce(harness: &Harness, citizen: &Citizen, command: &mut Command) -> Result<()> {
    let site = &harness.hospital;
    let write = harness.token(site, &site.records().about(&citizen.patient)).await?;
    let read = harness.token(site, &site.care().about(&citizen.patient)).await?;
    command
        .env("KIROKU_URL", format!("{}/fhir", harness.node.url))
        .env("KIROKU_WRITE_TOKEN", write)
        .env("KIROKU_READ_TOKEN", read)
        .env("KIROKU_PATIENT", &citizen.patient);
    Ok(())
}

/// A hospital that may also register persons, as a loader of whole histories needs it.
pub(crate) async fn loader(harness: &Harness) -> Result<ClientKey> {
    let id = harness.population.hospital(9).code;
    let (key, registration) =
        ClientKey::generate("loader", &id, &["persons.register", "records.write", "records.read"], "nobody")?;
    let organisation = Organisation {
        id: id.as_str().into(),
        name: "loader".to_owned(),
        organisation_type: "hospital".to_owned(),
        group: String::new(),
        municipality: "13101".to_owned(),
        qualifications: Vec::new(),
        emergency_designated: false,
        status: Status::Active,
        custodian_of: Vec::new(),
        staff_count: 50,
    };
    let events = vec![AuthorityEvent::Organisation(organisation), AuthorityEvent::Client(registration)];
    harness.node.registry.append_all(events).await?;
    Ok(key)
}

/// The loader's system, for records.
pub(crate) fn records() -> Acting {
    Acting::system("RECORDMGT")
}
