//! An unknown person and a forbidden one answer alike; a search is about exactly one.

use anyhow::Result;
use loadtest::population::Kind;
use schemas::{LocalId, Pid, ResourceId};
use tests::Harness;
use tests::wire::Line;

use crate::writing::item;

#[tokio::test]
async fn an_unknown_person_and_a_forbidden_person_answer_alike() -> Result<()> {
    let harness = Harness::start().await?;
    let citizen = harness.bear(1).await?;
    let id = harness.keep(&harness.hospital, &item(&harness, &citizen, Kind::Laboratory, 1), "one").await?;
    let nobody = ResourceId { pid: Pid([0x5a; 16]), local: id.parse::<ResourceId>()?.local };
    let unborn = ResourceId { pid: nobody.pid, local: LocalId([7; 10]) }.to_string();
    let line = Line::new(&harness.api.url);
    let doctor = harness.token(&harness.clinic, &harness.clinic.care()).await?;
    let nobody = nobody.to_string();
    let paths = |item: &str, patient: &str| {
        [
            format!("/fhir/Observation/{item}"),
            format!("/fhir/Observation/{item}/_history/1"),
            format!("/fhir/Observation/{item}/_history"),
            format!("/fhir/Observation?patient={patient}"),
            format!("/fhir/Observation?patient={patient}&_summary=count"),
            format!("/fhir/Observation?_id={item}"),
            format!("/fhir/Observation/_history?patient={patient}"),
            format!("/fhir/Patient/{patient}"),
            format!("/fhir/Patient/{patient}/Observation"),
            format!("/fhir/Patient/{patient}/$everything"),
        ]
    };
    for (known, unknown) in paths(&id, &citizen.patient).iter().zip(&paths(&nobody, &unborn)) {
        let forbidden = line.get(&doctor, known).await?;
        let absent = line.get(&doctor, unknown).await?;
        let plain = |wire: &tests::wire::Wire, names: [&str; 2]| wire.plain(&line.url, &names);
        assert_eq!(plain(&forbidden, [&id, &citizen.patient]), plain(&absent, [&nobody, &unborn]), "{known}");
        let lengths = [&forbidden, &absent].map(|wire| wire.header("kiroku-receipt").len());
        assert!(lengths[0] > 0 && lengths[0] == lengths[1], "both cost an entry: {known}");
    }
    harness.node.stop().await
}

#[tokio::test]
async fn identifiers_of_unknown_and_forbidden_persons_answer_alike() -> Result<()> {
    let harness = Harness::start().await?;
    harness.bear(1).await?;
    let line = Line::new(&harness.api.url);
    let doctor = harness.token(&harness.clinic, &harness.clinic.care()).await?;
    let known = loadtest::population::fhir::patient(
        &harness.population.person(1),
        &harness.population.hospital(0),
        harness.population.today(),
    );
    let (system, value) = (&known["identifier"][0]["system"], &known["identifier"][0]["value"]);
    let path = |value: &str| format!("/fhir/Patient?identifier={}|{value}", system.as_str().unwrap_or_default());
    let value = value.as_str().unwrap_or_default();
    let other = value.replace(|c: char| c.is_ascii_digit(), "1");
    assert_ne!(value, other);
    let forbidden = line.get(&doctor, &path(value)).await?;
    let absent = line.get(&doctor, &path(&other)).await?;
    assert_eq!(forbidden.plain(&line.url, &[value]), absent.plain(&line.url, &[&other]));
    harness.node.stop().await
}

#[tokio::test]
async fn a_search_without_a_person_for_two_or_chained_by_name_is_refused() -> Result<()> {
    let harness = Harness::start().await?;
    let (one, two) = (harness.bear(1).await?, harness.bear(2).await?);
    let line = Line::new(&harness.api.url);
    let doctor = harness.token(&harness.hospital, &harness.hospital.care()).await?;
    let (a, b) = (&one.patient, &two.patient);
    for path in [
        "/fhir/Observation".to_owned(),
        "/fhir/Observation?code=1234-5".to_owned(),
        "/fhir/Patient?name=Sato".to_owned(),
        "/fhir/Patient?birthdate=1980-01-01&gender=male".to_owned(),
        "/fhir/Observation?subject.name=Sato".to_owned(),
        "/fhir/Observation?patient.identifier=x|y".to_owned(),
        "/fhir/Observation?subject:Patient.name=Sato".to_owned(),
        "/fhir/Patient?_has:Observation:patient:code=1234-5".to_owned(),
        "/fhir/Observation?patient:missing=false".to_owned(),
        "/fhir?_type=Observation".to_owned(),
        format!("/fhir/Observation?patient={a},{b}"),
        format!("/fhir/Observation?patient={a}&patient={b}"),
        format!("/fhir/Observation?patient={a}&subject={b}"),
        format!("/fhir/Patient?_id={a},{b}"),
        format!("/fhir/Observation/_history?patient={a},{b}"),
        "/fhir/_history".to_owned(),
    ] {
        let reply = line.get(&doctor, &path).await?;
        assert_eq!(reply.status, 400, "{path}: {}", reply.text);
        assert_eq!(reply.json()["resourceType"], "OperationOutcome", "{path}");
    }
    harness.node.stop().await
}
