//! Every example of others goes through the door: accepted, or refused for a reason that stands in a golden file.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Context, Result, ensure};
use kiroku::api::{ClientKey, Reply};
use serde_json::{Value, json};
use tests::Harness;

use crate::examples::{COMMONS, Folder, Wrapped, has_identifier, patient_inside, resources};
use crate::tools::{root, shared};
use crate::world::{loader, records};

const FOLDERS: [&str; 4] = ["jp-example-creation", "jp-clins/examples", "ips", "hl7-r4-spec"];

/// Sends examples, and says what became of each.
pub(crate) struct Door<'a> {
    pub(crate) harness: &'a Harness,
    pub(crate) key: ClientKey,
}

impl Door<'_> {
    /// Posts below `/fhir`; with a person, by a token for that person alone.
    pub(crate) async fn post(&self, path: &str, body: &Value, person: &str) -> Result<Reply> {
        let token = self.harness.api.token(&self.key, &records().about(person)).await?;
        let path = if path.is_empty() { "/fhir".to_owned() } else { format!("/fhir/{path}") };
        self.harness.api.post(&token, &path, body, &[]).await
    }

    /// Makes the person known by the identifiers of this Patient; gives the id.
    async fn register(&self, patient: &Value) -> Result<String> {
        let born =
            json!({"resourceType": "Patient", "identifier": patient["identifier"], "birthDate": patient["birthDate"]});
        let reply = self.post("Patient", &born, "").await?;
        ensure!(reply.status == 201, "a registration is answered with {}: {}", reply.status, reply.body);
        reply.location_id().context("a created Patient has a Location")
    }

    /// Registers the person, sends the example; gives the person's id too.
    pub(crate) async fn send(&self, wrapped: &Wrapped) -> Result<(Reply, String)> {
        let person = match &wrapped.patient {
            Some(patient) => self.register(patient).await?,
            None => String::new(),
        };
        // A Patient that cannot be told by an identifier goes with a token for the person.
        let told = patient_inside(&wrapped.body).is_none_or(has_identifier);
        let reply = self.post(wrapped.path, &wrapped.body, if told { "" } else { &person }).await?;
        Ok((reply, person))
    }
}

/// The errors of an answer, or of the entries of a batch-response, one a line.
fn reasons(reply: &Reply) -> String {
    let mut text = String::new();
    let outcomes = reply.body["entry"].as_array().into_iter().flatten().map(|entry| &entry["response"]["outcome"]);
    let issues = outcomes.chain([&reply.body]).filter_map(|outcome| outcome["issue"].as_array()).flatten();
    let mut seen = BTreeMap::new();
    for issue in issues.filter(|issue| issue["severity"] == "error") {
        let part = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        // The list of accepted types is long and the same each time.
        let words = part(&issue["diagnostics"]).split(';').next().unwrap_or_default().to_owned();
        let line = (part(&issue["code"]), part(&issue["details"]["text"]), words);
        seen.entry(line).or_insert_with(|| (part(&issue["expression"][0]), 0)).1 += 1;
    }
    for ((code, rule, words), (path, count)) in seen {
        let times = if count > 1 { format!(" ({count} times)") } else { String::new() };
        let _ = writeln!(text, "    {code} {rule} {path}: {words}{times}");
    }
    text
}

/// A Bundle is read as it was sent, and what it holds is found by itself.
async fn read_back(door: &Door<'_>, wrapped: &Wrapped, (reply, person): (&Reply, &str)) -> Result<()> {
    let Some(id) = reply.location_id().filter(|_| wrapped.path == "Bundle") else { return Ok(()) };
    let harness = door.harness;
    let token = harness.token(&harness.hospital, &harness.hospital.care()).await?;
    let read = harness.api.get(&token, &format!("/fhir/Bundle/{id}")).await?;
    ensure!(read.status == 200, "a Bundle that was accepted is answered with {}: {}", read.status, read.body);
    ensure!(without_names(&read.body) == without_names(&wrapped.body), "the Bundle is not read as it was sent");
    let mut sent: BTreeMap<&str, u64> = BTreeMap::new();
    for kind in
        resources(&wrapped.body).filter_map(|r| r["resourceType"].as_str()).filter(|kind| !COMMONS.contains(kind))
    {
        *sent.entry(kind).or_default() += 1;
    }
    for (kind, count) in sent {
        let path = format!("/fhir/Patient/{person}/{kind}?_summary=count");
        let path = if kind == "Patient" { format!("/fhir/Patient?_id={person}&_summary=count") } else { path };
        let found = harness.api.get(&token, &path).await?;
        let enough =
            found.body["total"].as_u64().is_some_and(|total| total >= if kind == "Patient" { 1 } else { count });
        ensure!(enough, "{count} of {kind} were sent, and {path} is answered with {}: {}", found.status, found.body);
    }
    Ok(())
}

/// Without what the server gives.
fn without_names(resource: &Value) -> Value {
    let mut resource = resource.clone();
    if let Some(members) = resource.as_object_mut() {
        members.retain(|name, _| !["id", "meta"].contains(&name.as_str()));
    }
    resource
}

/// What became of all examples, as text: how many were accepted, and why each other was not.
async fn report(door: &Door<'_>, data: &std::path::Path) -> Result<String> {
    let mut text = String::new();
    for name in FOLDERS {
        let folder = Folder::read(&data.join(name))?;
        let (mut accepted, mut refused) = (0, String::new());
        for (file, example) in &folder.files {
            let wrapped = folder.wrap(example);
            let (reply, person) = door.send(&wrapped).await.with_context(|| file.clone())?;
            let batch = reply.body["type"] == "batch-response";
            if (200..=201).contains(&reply.status) && !batch {
                accepted += 1;
                read_back(door, &wrapped, (&reply, &person)).await.with_context(|| file.clone())?;
                continue;
            }
            let _ = write!(refused, "  {file}: {}\n{}", reply.status, reasons(&reply));
        }
        let _ = write!(text, "{name}: {accepted} of {} accepted\n{refused}", folder.files.len());
    }
    Ok(text)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_example_of_others_is_accepted_or_refused_for_a_reason_that_was_looked_at() -> Result<()> {
    let Some(data) = shared() else { return Ok(()) };
    let harness = Harness::start().await?;
    let door = Door { harness: &harness, key: loader(&harness).await? };
    let found = report(&door, &data).await?;
    let path = root().join("tests/golden/real-input.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &found)?;
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "the refusals changed; look at them and run with UPDATE_GOLDEN=1:\n{found}");
    harness.node.stop().await
}
