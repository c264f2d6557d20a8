//! What the person has not been told is not betrayed by the list of who looked either (`access-log.md`).

use anyhow::{Context, Result};
use loadtest::population::Kind;
use reqwest::Method;
use schemas::vocab::Label;
use serde_json::{Value, json};
use tests::Harness;
use tests::wire::{Ask, Line};

use crate::person::labelled;
use crate::writing::item;

/// The newest entry of writing in the person's list.
async fn newest_write(line: &Line, own: &str) -> Result<Value> {
    let list = line.get(own, "/me/accesses?kind=write&_count=1").await?;
    list.json()["entries"].get(0).cloned().with_context(|| format!("an entry of writing: {}", list.text))
}

#[tokio::test]
async fn the_entry_of_writing_what_the_person_was_not_told_names_no_item_count_or_category() -> Result<()> {
    let harness = Harness::start().await?;
    let citizen = harness.bear(1).await?;
    let line = Line::new(&harness.api.url);
    let own = harness.api.sign_in(&citizen.card).await?;
    let told = item(&harness, &citizen, Kind::Laboratory, 1);
    let told_id = harness.keep(&harness.hospital, &told, "told").await?;
    let entry = newest_write(&line, &own).await?;
    assert_eq!(
        (&entry["count"], &entry["categories"]),
        (&json!(1), &json!(["EHR"])),
        "of what she was told all is said"
    );
    assert_eq!(entry["items"][0]["reference"], format!("Observation/{told_id}"));

    let untold = labelled(item(&harness, &citizen, Kind::Laboratory, 2), Label::Untold);
    let untold_id = harness.keep(&harness.hospital, &untold, "untold").await?;
    let entry = newest_write(&line, &own).await?;
    assert_eq!(entry["items"], json!([]), "{entry}");
    assert_eq!(entry["count"], 0, "counts cover the open items: {entry}");
    assert_eq!(entry["categories"], json!([]), "{entry}");
    assert_eq!(entry["subject"], "create", "it is told as a writing, not as a visit: {entry}");
    let all = line.get(&own, "/me/accesses?_count=500").await?;
    assert!(!all.text.contains(&untold_id), "its id is in the list");
    let events = line.get(&own, "/fhir/AuditEvent?_count=500").await?;
    assert!(events.text.contains(&told_id) && !events.text.contains(&untold_id), "its id is in an AuditEvent");
    harness.node.stop().await
}

#[tokio::test]
async fn a_submission_of_both_kinds_is_listed_as_if_it_held_the_told_alone() -> Result<()> {
    let harness = Harness::start().await?;
    let citizen = harness.bear(1).await?;
    let line = Line::new(&harness.api.url);
    let own = harness.api.sign_in(&citizen.card).await?;
    let system = harness.token(&harness.hospital, &harness.hospital.records()).await?;
    let told = item(&harness, &citizen, Kind::Laboratory, 1);
    let untold = labelled(item(&harness, &citizen, Kind::MedicationRequest, 2), Label::Untold);
    let entry = |resource: &Value| json!({"resource": resource, "request": {"method": "POST", "url": resource["resourceType"]}});
    let bundle =
        json!({"resourceType": "Bundle", "type": "transaction", "entry": [entry(&untold), entry(&told)]}).to_string();
    let kept = line.ask(&system, &Ask::with_body(Method::POST, "/fhir", bundle)).await?;
    assert_eq!(kept.status, 200, "{}", kept.text);
    let listed = newest_write(&line, &own).await?;
    assert_eq!((&listed["count"], &listed["categories"]), (&json!(1), &json!(["EHR"])), "{listed}");
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(1), "{listed}");
    harness.node.stop().await
}

#[tokio::test]
async fn a_refused_writing_of_what_the_person_was_not_told_names_no_category() -> Result<()> {
    let harness = Harness::start().await?;
    let citizen = harness.bear(1).await?;
    let line = Line::new(&harness.api.url);
    let system = harness.token(&harness.hospital, &harness.hospital.records()).await?;
    let own = harness.api.sign_in(&citizen.card).await?;
    for (label, categories) in [(None, json!(["MED"])), (Some(Label::Untold), json!([]))] {
        let plain = item(&harness, &citizen, Kind::MedicationRequest, 1);
        let mut record = label.map_or(plain.clone(), |label| labelled(plain, label));
        let id = harness.keep(&harness.hospital, &record, &format!("{label:?}")).await?;
        record["id"] = json!(id);
        let put = Ask::with_body(Method::PUT, format!("/fhir/MedicationRequest/{id}"), record.to_string());
        let refused = line.ask(&system, &put.header("if-match", "W/\"9\"")).await?;
        assert_eq!(refused.status, 412, "{}", refused.text);
        let list = line.get(&own, "/me/accesses?kind=denied&_count=1").await?.json();
        assert_eq!(list["entries"][0]["categories"], categories, "{list}");
    }
    harness.node.stop().await
}
