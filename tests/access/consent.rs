//! R10: a visit consent given at the desk opens what was ticked, at that facility, until it is taken back.

use anyhow::{Result, bail};
use loadtest::population::Kind;
use reqwest::Method;
use schemas::vocab::Category;
use serde_json::json;
use tests::desk::{Ticked, visit_consent};
use tests::wire::{Ask, Line};
use tests::{Citizen, Harness, Site};

use crate::writing::item;

/// A hospital's prescription (MED) and laboratory value (EHR) of a person.
async fn two_records(harness: &Harness, citizen: &Citizen) -> Result<(String, String)> {
    let medication = item(harness, citizen, Kind::MedicationRequest, 1);
    let laboratory = item(harness, citizen, Kind::Laboratory, 2);
    Ok((
        harness.keep(&harness.hospital, &medication, "medication").await?,
        harness.keep(&harness.hospital, &laboratory, "laboratory").await?,
    ))
}

async fn care(harness: &Harness, site: &Site) -> Result<String> {
    harness.token(site, &site.care()).await
}

#[tokio::test]
async fn a_ticked_category_is_read_at_that_clinic_and_nothing_else_is() -> Result<()> {
    let harness = Harness::start().await?;
    let citizen = harness.bear(1).await?;
    let (medication, laboratory) = two_records(&harness, &citizen).await?;
    let line = Line::new(&harness.api.url);
    let doctor = care(&harness, &harness.clinic).await?;
    let before = line.get(&doctor, &format!("/fhir/MedicationRequest/{medication}")).await?;
    assert_eq!(before.status, 404, "nothing is read without a consent");
    harness.admit(&harness.clinic, &citizen, &Ticked::categories(&[Category::Med])).await?;

    let read = line.get(&doctor, &format!("/fhir/MedicationRequest/{medication}")).await?;
    assert_eq!(read.status, 200, "{}", read.text);
    assert!(!read.header("kiroku-receipt").is_empty());
    assert_eq!(read.header("kiroku-notice"), "may be incomplete; no entry does not mean none");
    let found = line.get(&doctor, &format!("/fhir/MedicationRequest?patient={}", citizen.patient)).await?.json();
    assert_eq!(found["total"], 1);
    let withheld = line.get(&doctor, &format!("/fhir/Observation/{laboratory}")).await?;
    assert_eq!(withheld.status, 404);
    let found = line.get(&doctor, &format!("/fhir/Observation?patient={}", citizen.patient)).await?.json();
    assert_eq!(found["total"], 0);

    let other = care(&harness, &harness.other_clinic).await?;
    for path in [format!("/fhir/MedicationRequest/{medication}"), format!("/fhir/Observation/{laboratory}")] {
        assert_eq!(
            line.get(&other, &path).await?.status,
            404,
            "a consent given to one clinic opens nothing at another"
        );
    }
    harness.node.stop().await
}

#[tokio::test]
async fn a_withdrawn_consent_hides_the_resource_from_the_next_read() -> Result<()> {
    let harness = Harness::start().await?;
    let citizen = harness.bear(1).await?;
    let (medication, _) = two_records(&harness, &citizen).await?;
    let line = Line::new(&harness.api.url);
    let ticked = Ticked::categories(&[Category::Med]);
    let consent = harness.admit(&harness.clinic, &citizen, &ticked).await?;
    let doctor = care(&harness, &harness.clinic).await?;
    let path = format!("/fhir/MedicationRequest/{medication}");
    assert_eq!(line.get(&doctor, &path).await?.status, 200);
    let withdrawn = harness.withdraw(&harness.clinic, &citizen, (&consent, &ticked)).await?;
    assert_eq!(withdrawn.status, 200, "{}", withdrawn.body);
    assert_eq!(line.get(&doctor, &path).await?.status, 404, "with the same token");
    harness.node.stop().await
}

#[tokio::test]
async fn a_closed_visit_ends_the_reading() -> Result<()> {
    let harness = Harness::start().await?;
    let citizen = harness.bear(1).await?;
    let (medication, _) = two_records(&harness, &citizen).await?;
    let line = Line::new(&harness.api.url);
    let visit = harness.open_visit(&harness.clinic, &citizen).await?;
    let consent = visit_consent(&harness.clinic, &Ticked::categories(&[Category::Med]));
    assert_eq!(harness.send_consent(&harness.clinic, &citizen, &consent).await?.status, 201);
    let doctor = care(&harness, &harness.clinic).await?;
    let path = format!("/fhir/MedicationRequest/{medication}");
    assert_eq!(line.get(&doctor, &path).await?.status, 200);
    let desk = harness.token(&harness.clinic, &harness.clinic.records()).await?;
    let closed = line.ask(&desk, &Ask::with_body(Method::POST, format!("/visits/{visit}/close"), "")).await?;
    assert_eq!(closed.status, 200, "{}", closed.text);
    assert_eq!(line.get(&doctor, &path).await?.status, 404);
    harness.node.stop().await
}

#[tokio::test]
async fn a_consent_that_cannot_be_enforced_or_proven_is_refused_when_it_is_written() -> Result<()> {
    let harness = Harness::start().await?;
    let citizen = harness.bear(1).await?;
    let stranger = harness.bear(2).await?;
    harness.open_visit(&harness.clinic, &citizen).await?;
    let clinic = &harness.clinic;
    let ticked = Ticked::categories(&[Category::Med]);
    let good = visit_consent(clinic, &ticked);
    let unknown_terms = schemas::consent::ConsentArtefact { terms: "other-terms|1".to_owned(), ..good.clone() };
    let documents = visit_consent(clinic, &Ticked::categories(&[Category::Doc]));
    let for_another = visit_consent(&harness.other_clinic, &ticked);
    for artefact in [&unknown_terms, &documents, &for_another] {
        let reply = harness.send_consent(clinic, &citizen, artefact).await?;
        assert_eq!(reply.status, 403, "{}", reply.body);
    }
    let patient = format!("Patient/{}", citizen.patient);
    let body = fhir::consent::to_fhir(&good, &patient, &patient);
    let desk = harness.token(clinic, &clinic.desk()).await?;
    let without_card = harness.api.post(&desk, "/fhir/Consent", &body, &[]).await?;
    assert_eq!(without_card.status, 403, "{}", without_card.body);
    let others_card = harness.api.card_header(&stranger.card).await?;
    let forged = harness.api.post(&desk, "/fhir/Consent", &body, &[("kiroku-card", &others_card)]).await?;
    assert_eq!(forged.status, 403, "another person's card proves nothing: {}", forged.body);
    let card = harness.api.card_header(&citizen.card).await?;
    let mut nested = body.clone();
    nested["provision"]["provision"] = json!([{"type": "deny", "provision": [{"type": "permit"}]}]);
    let refused = harness.api.post(&desk, "/fhir/Consent", &nested, &[("kiroku-card", &card)]).await?;
    assert_eq!(refused.status, 422, "{}", refused.body);
    assert_eq!(harness.send_consent(clinic, &citizen, &good).await?.status, 201, "the sound one is taken");
    harness.node.stop().await
}

#[tokio::test]
async fn a_proof_of_the_card_is_good_once() -> Result<()> {
    let harness = Harness::start().await?;
    let citizen = harness.bear(1).await?;
    let clinic = &harness.clinic;
    harness.open_visit(clinic, &citizen).await?;
    let patient = format!("Patient/{}", citizen.patient);
    let artefact = visit_consent(clinic, &Ticked::categories(&[Category::Med]));
    let body = fhir::consent::to_fhir(&artefact, &patient, &patient);
    let desk = harness.token(clinic, &clinic.desk()).await?;
    let card = harness.api.card_header(&citizen.card).await?;
    let headers = [("kiroku-card", card.as_str())];
    assert_eq!(harness.api.post(&desk, "/fhir/Consent", &body, &headers).await?.status, 201);
    let again = harness.api.post(&desk, "/fhir/Consent", &body, &headers).await?;
    assert_eq!(again.status, 403, "{}", again.body);
    harness.node.stop().await
}

#[tokio::test]
async fn the_person_reads_which_visit_was_opened_closed_or_refused() -> Result<()> {
    let harness = Harness::start().await?;
    let citizen = harness.bear(1).await?;
    let line = Line::new(&harness.api.url);
    let visit = harness.open_visit(&harness.clinic, &citizen).await?;
    let desk = harness.token(&harness.clinic, &harness.clinic.records()).await?;
    for status in [200, 422] {
        let closed = line.ask(&desk, &Ask::with_body(Method::POST, format!("/visits/{visit}/close"), "")).await?;
        assert!(closed.status == status || status == 422 && closed.status == 404, "{}", closed.text);
    }
    let own = harness.api.sign_in(&citizen.card).await?;
    let list = line.get(&own, "/me/accesses?lang=en&kind=write,denied").await?.json();
    let said: Vec<&str> =
        list["entries"].as_array().into_iter().flatten().filter_map(|e| e["sentence"].as_str()).collect();
    let [refused, closed, opened, ..] = said[..] else { bail!("three entries: {said:?}") };
    assert!(refused.contains("tried to close your visit and was refused"), "{refused}");
    assert!(closed.ends_with("closed your visit."), "{closed}");
    assert!(opened.ends_with("opened a visit for you."), "{opened}");
    harness.node.stop().await
}
