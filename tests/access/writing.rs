//! The door: retries, verdicts, quarantine, other people's records.

use anyhow::{Context, Result};
use loadtest::population::{Kind, Subject};
use reqwest::Method;
use schemas::authority::AuthorityEvent;
use serde_json::{Value, json};
use tests::wire::{Ask, Line};
use tests::{Citizen, Harness};

/// The `k`-th record of a kind about a citizen.
pub(crate) fn item(harness: &Harness, citizen: &Citizen, kind: Kind, k: u64) -> Value {
    let person = harness.population.person(citizen.index);
    harness.population.item(kind, &person, &Subject::Reference(format!("Patient/{}", citizen.patient)), k)
}

#[tokio::test]
async fn a_retry_with_the_same_key_finds_what_the_first_made_and_another_body_is_refused() -> Result<()> {
    let harness = Harness::start().await?;
    let citizen = harness.bear(1).await?;
    let line = Line::new(&harness.api.url);
    let token = harness.token(&harness.hospital, &harness.hospital.records()).await?;
    let record = item(&harness, &citizen, Kind::Laboratory, 1);
    let ask = Ask::with_body(Method::POST, "/fhir/Observation", record.to_string()).header("idempotency-key", "k 1");
    let first = line.ask(&token, &ask).await?;
    let second = line.ask(&token, &ask).await?;
    assert_eq!((first.status, second.status), (201, 201), "{}", second.text);
    assert_eq!(first.header("location"), second.header("location"));
    assert_eq!(first.header("etag"), second.header("etag"));
    let mut other = record;
    other["status"] = json!("amended");
    let reused = line.ask(&token, &Ask { body: Some(other.to_string()), ..ask }).await?;
    assert_eq!(reused.status, 422, "{}", reused.text);
    let doctor = harness.token(&harness.hospital, &harness.hospital.care()).await?;
    let found = line.get(&doctor, &format!("/fhir/Observation?patient={}", citizen.patient)).await?.json();
    assert_eq!(found["total"], 1);
    harness.node.stop().await
}

#[tokio::test]
async fn a_record_of_an_unknown_person_is_kept_in_quarantine_and_its_sender_told_where() -> Result<()> {
    let harness = Harness::start().await?;
    let line = Line::new(&harness.api.url);
    let token = harness.token(&harness.hospital, &harness.hospital.records()).await?;
    let person = harness.population.person(9);
    let subject = Subject::Reference("Patient?identifier=http%3A%2F%2Fexample.org%7Cnobody".to_owned());
    let record = harness.population.item(Kind::Laboratory, &person, &subject, 1);
    let kept = line.ask(&token, &Ask::with_body(Method::POST, "/fhir/Observation", record.to_string())).await?;
    assert_eq!(kept.status, 202, "{}", kept.text);
    let place = kept.header("content-location").to_owned();
    let status = line.get(&token, &place).await?;
    assert_eq!((status.status, status.json()["status"].as_str()), (200, Some("quarantined")));
    let stranger = harness.token(&harness.clinic, &harness.clinic.records()).await?;
    assert_eq!(line.get(&stranger, &place).await?.status, 404, "only its sender is told");
    harness.node.stop().await
}

#[tokio::test]
async fn another_persons_reference_is_refused_with_its_path() -> Result<()> {
    let harness = Harness::start().await?;
    let (one, two) = (harness.bear(1).await?, harness.bear(2).await?);
    let token = harness.token(&harness.hospital, &harness.hospital.records()).await?;
    let report = item(&harness, &two, Kind::Laboratory, 1);
    let theirs = harness.keep(&harness.hospital, &report, "theirs").await?;
    let mut record = item(&harness, &one, Kind::Laboratory, 2);
    record["derivedFrom"] = json!([{"reference": format!("Observation/{theirs}")}]);
    let reply = harness.api.post(&token, "/fhir/Observation", &record, &[]).await?;
    assert_eq!(reply.status, 422, "{}", reply.body);
    let place = reply.body["issue"][0]["expression"][0].as_str().context("a path")?;
    assert!(place.contains("derivedFrom"), "{place}");
    harness.node.stop().await
}

#[tokio::test]
async fn nobody_changes_or_deletes_what_another_facility_wrote() -> Result<()> {
    let harness = Harness::start().await?;
    let citizen = harness.bear(1).await?;
    let record = item(&harness, &citizen, Kind::Laboratory, 1);
    let id = harness.keep(&harness.hospital, &record, "one").await?;
    let token = harness.token(&harness.clinic, &harness.clinic.records()).await?;
    let mut changed = record.clone();
    changed["id"] = json!(id);
    let reply = harness.api.put(&token, &format!("/fhir/Observation/{id}"), &changed, &[]).await?;
    assert_eq!(reply.status, 404, "{}", reply.body);
    assert_eq!(harness.api.delete(&token, &format!("/fhir/Observation/{id}")).await?.status, 404);
    let doctor = harness.token(&harness.hospital, &harness.hospital.care()).await?;
    let read = harness.api.get(&doctor, &format!("/fhir/Observation/{id}")).await?;
    assert_eq!((read.status, read.header("etag")), (200, "W/\"1\""));
    harness.node.stop().await
}

#[tokio::test]
async fn a_submission_has_a_verdict_by_url() -> Result<()> {
    let harness = Harness::start().await?;
    let citizen = harness.bear(1).await?;
    let line = Line::new(&harness.api.url);
    let token = harness.token(&harness.hospital, &harness.hospital.records()).await?;
    let record = item(&harness, &citizen, Kind::Laboratory, 1);
    let ask = Ask::with_body(Method::POST, "/fhir/Observation", record.to_string()).header("idempotency-key", "by url");
    let made = line.ask(&token, &ask).await?;
    let client = schemas::ClientId::from(harness.hospital.key.client_id.as_str());
    let id = schemas::SubmissionId::of_key(&client, "by url");
    let told = line.get(&token, &format!("/submissions/{id}")).await?.json();
    assert_eq!(told["status"], "accepted");
    let place = told["details"][0].as_str().unwrap_or_default();
    assert!(made.header("location").ends_with(place), "{place}");
    harness.node.stop().await
}

#[tokio::test]
async fn a_client_that_lost_its_right_writes_nothing_more() -> Result<()> {
    let harness = Harness::start().await?;
    let citizen = harness.bear(1).await?;
    let token = harness.token(&harness.hospital, &harness.hospital.records()).await?;
    let [first, second] = [1, 2].map(|k| item(&harness, &citizen, Kind::Laboratory, k));
    // A decision that permits is remembered now.
    assert_eq!(harness.api.post(&token, "/fhir/Observation", &first, &[]).await?.status, 201);
    let state = harness.node.registry.state();
    let id = schemas::ClientId::from(harness.hospital.key.client_id.as_str());
    let mut client = state.client(&id).context("the client is registered")?.as_ref().clone();
    client.rights = vec!["records.read".to_owned()];
    harness.node.registry.append(AuthorityEvent::Client(client)).await?;
    let reply = harness.api.post(&token, "/fhir/Observation", &second, &[]).await?;
    assert_eq!(reply.status, 403, "{}", reply.body);
    harness.node.stop().await
}
