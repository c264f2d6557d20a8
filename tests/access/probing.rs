//! R25: who checks medicines and cancels too often is stopped for the day, at this person alone.

use anyhow::{Context, Result};
use reqwest::Method;
use serde_json::json;
use tests::wire::{Ask, Line, Wire};
use tests::{Citizen, Harness, Site};

/// The safety check of a drug by the site's professional.
async fn check(harness: &Harness, line: &Line, site: &Site, citizen: &Citizen) -> Result<Wire> {
    let coding = json!({"system": "http://capstandard.jp/iyaku.info/CodeSystem/YJ-code", "code": "9999999A1010"});
    let order = json!({
        "resourceType": "MedicationRequest", "status": "active", "intent": "order", "id": "order-1",
        "medicationCodeableConcept": {"coding": [coding]}, "subject": {"reference": format!("Patient/{}", citizen.patient)},
    });
    let token = harness.token(site, &site.care()).await?;
    line.ask(&token, &Ask::with_body(Method::POST, "/fhir/MedicationRequest/$check", order.to_string())).await
}

/// The site's system says that no order followed a check of `professional`.
async fn cancel(
    harness: &Harness,
    line: &Line,
    site: &Site,
    (citizen, professional): (&Citizen, &str),
) -> Result<Wire> {
    let body = json!({"person": citizen.pid.to_string(), "professional": professional});
    let token = harness.token(site, &site.records()).await?;
    line.ask(&token, &Ask::with_body(Method::POST, "/checks/cancel", body.to_string())).await
}

#[tokio::test]
async fn after_three_cancelled_checks_the_professional_checks_this_person_no_more_today() -> Result<()> {
    let harness = Harness::start().await?;
    let (citizen, neighbour) = (harness.bear(1).await?, harness.bear(2).await?);
    let line = Line::new(&harness.api.url);
    let (clinic, hospital) = (&harness.clinic, &harness.hospital);
    for (site, person) in [(clinic, &citizen), (clinic, &neighbour), (hospital, &citizen)] {
        harness.open_visit(site, person).await?;
    }
    for _ in 0..3 {
        assert_eq!(check(&harness, &line, clinic, &citizen).await?.status, 200);
        let cancelled = cancel(&harness, &line, clinic, (&citizen, &clinic.professional)).await?;
        assert_eq!(cancelled.status, 200, "{}", cancelled.text);
    }
    let stopped = check(&harness, &line, clinic, &citizen).await?;
    assert_eq!(stopped.status, 403, "{}", stopped.text);
    assert_eq!(check(&harness, &line, clinic, &neighbour).await?.status, 200, "another person is not concerned");
    assert_eq!(check(&harness, &line, hospital, &citizen).await?.status, 200, "another professional is not concerned");

    let own = harness.api.sign_in(&citizen.card).await?;
    let list = line.get(&own, "/me/accesses?lang=en&kind=write,denied").await?.json();
    let said = list["entries"].as_array().context("entries")?.iter().filter_map(|e| e["sentence"].as_str());
    let said: Vec<&str> = said.collect();
    assert!(said[0].contains("was refused: too many cancelled checks"), "{said:?}");
    assert!(said[1].ends_with("recorded that a check of your medicines ended without a prescription."), "{said:?}");
    harness.node.stop().await
}

#[tokio::test]
async fn only_a_professional_of_the_own_facility_is_named_and_only_a_system_says_it() -> Result<()> {
    let harness = Harness::start().await?;
    let citizen = harness.bear(1).await?;
    let line = Line::new(&harness.api.url);
    let clinic = &harness.clinic;
    let foreign = cancel(&harness, &line, clinic, (&citizen, &harness.hospital.professional)).await?;
    assert_eq!(foreign.status, 422, "{}", foreign.text);
    let nobody = cancel(&harness, &line, clinic, (&citizen, "nobody")).await?;
    assert_eq!((nobody.status, &nobody.json()["issue"]), (422, &foreign.json()["issue"]), "both are answered alike");
    let body = json!({"person": citizen.pid.to_string(), "professional": clinic.professional});
    let doctor = harness.token(clinic, &clinic.care()).await?;
    let refused = line.ask(&doctor, &Ask::with_body(Method::POST, "/checks/cancel", body.to_string())).await?;
    assert_eq!(refused.status, 403, "{}", refused.text);
    harness.node.stop().await
}
