//! Every example of others goes through the door: accepted, or refused for a reason that stands in a golden file.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Context, Result, ensure};
use kiroku::api::{ClientKey, Reply};
use serde_json::{Value, json};
use tests::Harness;

use crate::examples::{Folder, Wrapped};
use crate::tools::{root, shared};
use crate::world::{loader, records};

const FOLDERS: [&str; 4] = ["jp-example-creation", "jp-clins/examples", "ips", "hl7-r4-spec"];

/// Sends examples, and says what became of each.
pub(crate) struct Door<'a> {
    pub(crate) harness: &'a Harness,
    pub(crate) key: ClientKey,
}

impl Door<'_> {
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Reply> {
        let token = self.harness.api.token(&self.key, &records()).await?;
        let path = if path.is_empty() { "/fhir".to_owned() } else { format!("/fhir/{path}") };
        self.harness.api.post(&token, &path, body, &[]).await
    }

    /// Makes the person known by the identifiers of this Patient.
    async fn register(&self, patient: &Value) -> Result<()> {
        let born = json!({"resourceType": "Patient", "identifier": patient["identifier"], "birthDate": patient["birthDate"]});
        let reply = self.post("Patient", &born).await?;
        ensure!(reply.status == 201, "a registration is answered with {}: {}", reply.status, reply.body);
        Ok(())
    }

    pub(crate) async fn send(&self, wrapped: &Wrapped) -> Result<Reply> {
        if let Some(patient) = &wrapped.patient {
            self.register(patient).await?;
        }
        self.post(wrapped.path, &wrapped.body).await
    }
}

/// The errors of an answer, or of the entries of a batch-response, one a line.
fn reasons(reply: &Reply) -> String {
    let mut text = String::new();
    let outcomes = reply.body["entry"].as_array().into_iter().flatten().map(|entry| &entry["response"]["outcome"]);
    let issues = outcomes.chain([&reply.body]).filter_map(|outcome| outcome["issue"].as_array()).flatten();
    let mut seen = BTreeMap::new();
    for issue in issues {
        let part = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        // The list of accepted types is long and the same each time.
        let words = part(&issue["diagnostics"]).split(';').next().unwrap_or_default().to_owned();
        let line = (part(&issue["code"]), part(&issue["details"]["text"]), words);
        let (first, count) = seen.entry(line).or_insert_with(|| (part(&issue["expression"][0]), 0));
        let _ = first;
        *count += 1;
    }
    for ((code, rule, words), (path, count)) in seen {
        let times = if count > 1 { format!(" ({count} times)") } else { String::new() };
        let _ = writeln!(text, "    {code} {rule} {path}: {words}{times}");
    }
    text
}

/// What became of all examples, as text: how many were accepted, and why each other was not.
async fn report(door: &Door<'_>, data: &std::path::Path) -> Result<String> {
    let mut text = String::new();
    for name in FOLDERS {
        let folder = Folder::read(&data.join(name))?;
        let (mut accepted, mut refused) = (0, String::new());
        for (file, example) in &folder.files {
            let reply = door.send(&folder.wrap(example)).await.with_context(|| file.clone())?;
            let batch = reply.body["type"] == "batch-response";
            if (200..=201).contains(&reply.status) && !batch {
                accepted += 1;
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
