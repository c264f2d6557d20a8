//! Limits: a client that asks too often waits, a disk that fills takes no more records. Nobody else feels either.

use anyhow::Result;
use kiroku::api::Acting;
use loadtest::population::{Kind, fhir};
use reqwest::Method;
use schemas::vocab::Category;
use serde_json::json;
use tests::desk::{Ticked, visit_consent};
use tests::wire::{Ask, Line, Wire, count_accesses, until};
use tests::{Citizen, Harness};

use crate::writing::item;

/// A refusal that tells when to come again, in the form of all refusals.
fn is_throttled(answer: &Wire) {
    assert_eq!(answer.status, 429, "{}", answer.text);
    let seconds = answer.header("retry-after").parse::<u64>();
    assert!(seconds.is_ok_and(|s| s > 0), "Retry-After is `{}`", answer.header("retry-after"));
    assert_eq!(answer.header("content-type"), "application/fhir+json; charset=utf-8");
    assert_eq!(answer.json()["resourceType"], "OperationOutcome", "{}", answer.text);
    assert_eq!(answer.json()["issue"][0]["code"], "throttled", "{}", answer.text);
}

#[tokio::test]
async fn a_client_that_asks_too_often_is_told_to_wait_and_others_are_served() -> Result<()> {
    let harness = Harness::start_with(|settings| settings.limits.requests_per_second_per_client = 2).await?;
    let citizen = harness.bear(1).await?;
    let line = Line::new(&harness.api.url);
    let path = format!("/fhir/Observation?patient={}", citizen.patient);
    let hasty = harness.token(&harness.hospital, &harness.hospital.care()).await?;
    let calm = harness.token(&harness.clinic, &harness.clinic.care()).await?;
    let mut served = 0;
    let refused = loop {
        let answer = line.get(&hasty, &path).await?;
        if answer.status != 200 {
            break answer;
        }
        served += 1;
        assert!(served < 1000, "two in a second are allowed; {served} were served one after the other");
    };
    is_throttled(&refused);
    assert!(served >= 2, "{served} were served before the limit of 2");
    let other_site_same_client = harness.token(&harness.hospital, &harness.hospital.records()).await?;
    let before = count_accesses(&harness.node).await?;
    let mut refusals = 0;
    for _ in 0..20 {
        let answer = line.get(&other_site_same_client, &path).await?;
        refusals += usize::from(answer.status == 429);
    }
    assert!(refusals > 0, "the limit is the client's, whichever token it shows");
    let answered = 20 - refusals as u64;
    assert!(count_accesses(&harness.node).await? - before <= answered, "what was not looked at leaves no entry");

    assert_eq!(line.get(&calm, &path).await?.status, 200, "another client has its own limit");
    let own = harness.api.sign_in(&citizen.card).await?;
    assert_eq!(line.get(&own, "/fhir/Observation").await?.status, 200, "the person is served");
    assert_eq!(line.get("", "/health/live").await?.status, 200);
    let again = async || Ok((line.get(&hasty, &path).await?.status == 200).then_some(()));
    until("the client is served again", again).await?;
    harness.node.stop().await
}

/// Everything that would add to the log.
async fn writes(harness: &Harness, citizen: &Citizen, id: &str) -> Result<Vec<(&'static str, Wire)>> {
    let line = Line::new(&harness.api.url);
    let token = harness.token(&harness.hospital, &harness.hospital.records()).await?;
    let record = item(harness, citizen, Kind::Laboratory, 2);
    let mut changed = record.clone();
    changed["id"] = json!(id);
    let entry = json!({"resource": record, "request": {"method": "POST", "url": "Observation"}});
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": [entry]}).to_string();
    let path = format!("/fhir/Observation/{id}");
    let asks = [
        ("create", Ask::with_body(Method::POST, "/fhir/Observation", record.to_string())),
        ("update", Ask::with_body(Method::PUT, path.clone(), changed.to_string())),
        ("delete", Ask::with_body(Method::DELETE, path, "")),
        ("transaction", Ask::with_body(Method::POST, "/fhir", bundle)),
    ];
    let mut answers = Vec::new();
    for (what, ask) in asks {
        answers.push((what, line.ask(&token, &ask).await?));
    }
    Ok(answers)
}

#[tokio::test]
async fn a_disk_that_fills_takes_no_more_records_and_still_shows_those_it_has() -> Result<()> {
    let mut harness = Harness::start().await?;
    let citizen = harness.bear(1).await?;
    let id = harness.keep(&harness.hospital, &item(&harness, &citizen, Kind::Laboratory, 1), "one").await?;
    let ticked = Ticked::categories(&[Category::Ehr]);
    let consent = harness.admit(&harness.clinic, &citizen, &ticked).await?;
    // As if so much had to stay free that any disk is too small.
    harness.node.settings.limits.disk_free_bytes_min = u64::MAX;
    let mut harness = harness.restart(|_| {}).await?;
    for (what, answer) in writes(&harness, &citizen, &id).await? {
        assert_eq!(answer.status, 429, "{what}: {}", answer.text);
        is_throttled(&answer);
    }
    let line = Line::new(&harness.api.url);
    let doctor = harness.token(&harness.hospital, &harness.hospital.care()).await?;
    let path = format!("/fhir/Observation/{id}");
    let read = line.get(&doctor, &path).await?;
    assert_eq!((read.status, read.header("etag")), (200, "W/\"1\""), "{}", read.text);
    let found = line.get(&doctor, &format!("/fhir/Observation?patient={}", citizen.patient)).await?;
    assert_eq!(found.json()["total"], 1, "nothing of what was refused was kept: {}", found.text);
    let own = harness.api.sign_in(&citizen.card).await?;
    assert_eq!(line.get(&own, "/me/accesses").await?.status, 200, "the list of who looked is read");

    let given = harness.send_consent(&harness.clinic, &citizen, &visit_consent(&harness.clinic, &ticked)).await?;
    assert_eq!(given.status, 429, "a new consent waits: {}", given.body);
    let insurer = harness.api.token(&harness.insurer, &Acting::system("RECORDMGT")).await?;
    let person = harness.population.person(7);
    let birth = fhir::patient(&person, &harness.population.hospital(0), harness.population.today());
    assert_eq!(harness.api.post(&insurer, "/fhir/Patient", &birth, &[]).await?.status, 429, "nobody is born");
    let reader = harness.token(&harness.clinic, &harness.clinic.care()).await?;
    assert_eq!(line.get(&reader, &path).await?.status, 200, "the clinic reads under the consent");
    let taken = harness.withdraw(&harness.clinic, &citizen, (&consent, &ticked)).await?;
    assert_eq!(taken.status, 200, "a consent is taken back however full the disk is: {}", taken.body);
    assert_eq!(line.get(&reader, &path).await?.status, 404, "and that holds at once");

    harness.node.settings.limits.disk_free_bytes_min = 0;
    let harness = harness.restart(|_| {}).await?;
    let statuses: Vec<_> = writes(&harness, &citizen, &id).await?.into_iter().map(|(_, a)| a.status).collect();
    assert_eq!(statuses, [201, 200, 204, 200], "with room again the same requests are done");
    harness.node.stop().await
}
