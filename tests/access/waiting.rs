//! R19, R20: before the person's consent the named receiver of a document learns that one waits, and nothing else of it.

use anyhow::{Context, Result};
use loadtest::population::Kind;
use reqwest::Method;
use schemas::consent::{ConsentArtefact, ConsentItem, ConsentKind, ConsentStatus};
use schemas::vocab::{Category, Label};
use schemas::{LocalId, ResourceId};
use serde_json::{Value, json};
use tests::desk::{Ticked, visit_consent};
use tests::wire::{Ask, Line, Wire, count_accesses};
use tests::{Citizen, Harness};

use crate::person::labelled;
use crate::writing::item;

const RULE: &str = "waiting-for-consent";

/// The hospital's referral letter to the clinic.
fn letter(harness: &Harness, citizen: &Citizen) -> Value {
    let (population, person) = (&harness.population, harness.population.person(citizen.index));
    let (hospital, clinic) = (population.hospital(0), population.clinic(0));
    population.referral_document(&person, &hospital, &clinic, (population.today(), 1))
}

/// Every query that is about documents, among others.
fn asking_for_documents(p: &str) -> Vec<Ask> {
    let form = |path: &str, body: String| {
        Ask::with_body(Method::POST, path, body).header("content-type", "application/x-www-form-urlencoded")
    };
    let mut asks: Vec<Ask> = [
        format!("/fhir/Patient/{p}/Bundle"),
        format!("/fhir/Composition?patient={p}"),
        format!("/fhir/DocumentReference?patient={p}"),
        format!("/fhir/Patient/{p}/Bundle?_count=1&_sort=timestamp&_elements=type"),
        format!("/fhir/Composition?patient={p}&_include=*&_revinclude=Provenance:target"),
        format!("/fhir?_id={p}"),
        format!("/fhir?_id={p}&_type=Observation,Composition"),
        format!("/fhir/Patient/{p}/DocumentReference"),
        format!("/fhir/Patient/{p}/$everything"),
        format!("/fhir/Patient/{p}/$everything?_type=Bundle&_count=1"),
    ]
    .into_iter()
    .map(Ask::get)
    .collect();
    asks.push(form("/fhir/Composition/_search", format!("patient={p}")));
    asks
}

/// Queries that are not about documents, counts, histories and instances.
fn other_asks(p: &str, letter: &str) -> Vec<Ask> {
    [
        format!("/fhir/Observation?patient={p}"),
        format!("/fhir?_id={p}&_type=Observation,Condition"),
        format!("/fhir/Patient/{p}/Bundle?_summary=count"),
        format!("/fhir/Patient/{p}/Bundle?_count=0"),
        format!("/fhir/Patient/{p}/$everything?_count=0"),
        format!("/fhir/Patient/{p}/$everything?_type=Condition"),
        format!("/fhir/Composition/_history?patient={p}"),
        format!("/fhir/Bundle/{letter}"),
        format!("/fhir/Bundle/{letter}/_history"),
        format!("/fhir/Bundle/{letter}/_history/1"),
    ]
    .into_iter()
    .map(Ask::get)
    .collect()
}

/// The issues of the answer's outcome entry that say that a document waits.
fn said(reply: &Wire) -> Vec<Value> {
    let body = reply.json();
    let outcomes = body["entry"].as_array().into_iter().flatten().filter(|e| e["search"]["mode"] == "outcome");
    let issues = outcomes.flat_map(|e| e["resource"]["issue"].as_array().cloned().unwrap_or_default());
    issues.filter(|issue| issue["details"]["text"] == RULE).collect()
}

/// The answer without the issue that says that a document waits.
fn without_issue(mut reply: Wire) -> Result<Wire> {
    let issue = r#"{"code":"informational","details":{"text":"waiting-for-consent"},"diagnostics":"a document addressed to this organisation waits for the person's consent","severity":"information"}"#;
    anyhow::ensure!(reply.text.matches(issue).count() == 1, "the issue stands once, in these bytes: {}", reply.text);
    reply.text = reply.text.replace(&format!(",{issue}"), "");
    Ok(reply)
}

/// Two persons alike but that a letter to the clinic is on the shelf of the first.
struct Scene {
    harness: Harness,
    line: Line,
    with: Citizen,
    without: Citizen,
    letter: String,
}

impl Scene {
    async fn set(label: Option<Label>) -> Result<Self> {
        let harness = Harness::start().await?;
        let (with, without) = (harness.bear(1).await?, harness.bear(2).await?);
        for citizen in [&with, &without] {
            harness.keep(&harness.hospital, &item(&harness, citizen, Kind::Laboratory, 1), &citizen.patient).await?;
        }
        let plain = letter(&harness, &with);
        let sent = match label {
            None => plain,
            Some(label) => labelled(plain, label),
        };
        let letter = harness.keep(&harness.hospital, &sent, "letter").await?;
        let line = Line::new(&harness.api.url);
        Ok(Self { harness, line, with, without, letter })
    }

    /// The letter's id, and on the other shelf the id that nothing has.
    fn ids(&self) -> Result<[String; 2]> {
        let local = self.letter.parse::<ResourceId>()?.local;
        let pid = self.without.patient.parse::<ResourceId>()?.pid;
        Ok([self.letter.clone(), ResourceId { pid, local }.to_string()])
    }

    /// The same of both persons, made comparable.
    async fn both(&self, token: &str, asks: [&Ask; 2]) -> Result<[Wire; 2]> {
        let mut wires = Vec::new();
        for (citizen, ask) in [&self.with, &self.without].into_iter().zip(asks) {
            let before = count_accesses(&self.harness.node).await?;
            let reply = self.line.ask(token, ask).await?;
            assert!(!reply.header("kiroku-receipt").is_empty(), "{} has no receipt", ask.path);
            assert_eq!(count_accesses(&self.harness.node).await? - before, 1, "{}", ask.path);
            let local = citizen.patient.parse::<ResourceId>()?.local.to_string();
            wires.push(reply.plain(&self.line.url, &[&citizen.pid.to_string(), &local]));
        }
        wires.try_into().map_err(|_| anyhow::anyhow!("two answers"))
    }

    /// Everything that is asked of both persons tells nothing of the letter.
    async fn says_nothing(&self, token: &str) -> Result<()> {
        let ids = self.ids()?;
        let of =
            |citizen: &Citizen, id: &str| [asking_for_documents(&citizen.patient), other_asks(&citizen.patient, id)];
        let (left, right) = (of(&self.with, &ids[0]).concat(), of(&self.without, &ids[1]).concat());
        for (one, other) in left.iter().zip(&right) {
            let [with, without] = self.both(token, [one, other]).await?;
            assert_eq!(with, without, "{}", one.path);
        }
        Ok(())
    }
}

#[tokio::test]
async fn the_named_receiver_is_told_that_a_document_waits_and_nothing_else_of_it() -> Result<()> {
    let scene = Scene::set(None).await?;
    let (harness, line) = (&scene.harness, &scene.line);
    let doctor = harness.token(&harness.clinic, &harness.clinic.care()).await?;
    let asks = (asking_for_documents(&scene.with.patient), asking_for_documents(&scene.without.patient));
    for (one, other) in asks.0.iter().zip(&asks.1) {
        let [with, without] = scene.both(&doctor, [one, other]).await?;
        assert_eq!(with.status, 200, "{}: {}", one.path, with.text);
        assert!(said(&without).is_empty(), "{}", one.path);
        let issues = said(&with);
        assert_eq!(issues.len(), 1, "{}: {}", one.path, with.text);
        assert_eq!(issues[0]["severity"], "information");
        assert_eq!(without_issue(with)?, without, "{}: it says one thing and no other", one.path);
    }
    let ids = scene.ids()?;
    let asks = (other_asks(&scene.with.patient, &ids[0]), other_asks(&scene.without.patient, &ids[1]));
    for (one, other) in asks.0.iter().zip(&asks.1) {
        let [with, without] = scene.both(&doctor, [one, other]).await?;
        assert_eq!(with, without, "{}: not asked for documents, not told", one.path);
    }
    // Conditions that would find the letter, and conditions that would not, are answered alike.
    let p = &scene.with.patient;
    let missing = ResourceId { local: LocalId([7; 10]), ..ids[0].parse()? }.to_string();
    for (hit, miss) in [
        (format!("_id={}", ids[0]), format!("_id={missing}")),
        ("timestamp=ge2000-01-01".to_owned(), "timestamp=lt2000-01-01".to_owned()),
        ("type=document".to_owned(), "type=collection".to_owned()),
    ] {
        let answer = async |condition: &str| -> Result<Value> {
            let mut body = line.get(&doctor, &format!("/fhir/Patient/{p}/Bundle?{condition}")).await?.json();
            body.as_object_mut().context("a Bundle")?.remove("link");
            Ok(body)
        };
        assert_eq!(answer(&hit).await?, answer(&miss).await?, "{hit}");
    }
    scene.harness.node.stop().await
}

#[tokio::test]
async fn another_facilitys_doctor_learns_nothing_of_a_document_that_waits() -> Result<()> {
    let scene = Scene::set(None).await?;
    let other = &scene.harness.other_clinic;
    let stranger = scene.harness.token(other, &other.care()).await?;
    scene.says_nothing(&stranger).await?;
    let pharmacy = &scene.harness.pharmacy;
    let pharmacist = scene.harness.token(pharmacy, &pharmacy.care()).await?;
    scene.says_nothing(&pharmacist).await?;
    scene.harness.node.stop().await
}

#[tokio::test]
async fn a_sealed_document_does_not_wait() -> Result<()> {
    let scene = Scene::set(Some(Label::Sealed)).await?;
    let clinic = &scene.harness.clinic;
    let doctor = scene.harness.token(clinic, &clinic.care()).await?;
    scene.says_nothing(&doctor).await?;
    scene.harness.node.stop().await
}

#[tokio::test]
async fn a_document_that_waited_is_read_after_the_consent_at_the_desk_and_waits_again_after_its_withdrawal()
-> Result<()> {
    let scene = Scene::set(None).await?;
    let (harness, line, clinic) = (&scene.harness, &scene.line, &scene.harness.clinic);
    let doctor = harness.token(clinic, &clinic.care()).await?;
    let search = format!("/fhir/Patient/{}/Bundle", scene.with.patient);
    let read = format!("/fhir/Bundle/{}", scene.letter);
    let before = line.get(&doctor, &search).await?;
    assert_eq!((said(&before).len(), before.json()["total"].as_u64()), (1, Some(0)), "{}", before.text);
    assert_eq!(line.get(&doctor, &read).await?.status, 404);

    harness.open_visit(clinic, &scene.with).await?;
    let item = ConsentItem { reference: format!("Bundle/{}", scene.letter), meaning: "instance".to_owned() };
    let ticked = Ticked::categories(&[Category::Doc]);
    let consent = ConsentArtefact { kind: ConsentKind::Document, items: vec![item], ..visit_consent(clinic, &ticked) };
    let given = harness.send_consent(clinic, &scene.with, &consent).await?;
    assert_eq!(given.status, 201, "{}", given.body);
    let after = line.get(&doctor, &search).await?;
    assert!(said(&after).is_empty(), "nothing waits any more: {}", after.text);
    assert!(after.text.contains(&scene.letter));
    let opened = line.get(&doctor, &read).await?;
    assert_eq!((opened.status, opened.json()["type"].as_str()), (200, Some("document")), "{}", opened.text);
    let other = harness.token(&harness.other_clinic, &harness.other_clinic.care()).await?;
    assert_eq!(line.get(&other, &read).await?.status, 404, "the consent names one receiver");

    let patient = format!("Patient/{}", scene.with.patient);
    let id = given.location_id().context("a created Consent has a Location")?;
    let ended = ConsentArtefact { status: ConsentStatus::Inactive, ..consent };
    let mut body = fhir::consent::to_fhir(&ended, &patient, &patient);
    body["id"] = json!(id);
    let desk = harness.token(clinic, &clinic.desk()).await?;
    let card = harness.api.card_header(&scene.with.card).await?;
    let reply = harness.api.put(&desk, &format!("/fhir/Consent/{id}"), &body, &[("kiroku-card", &card)]).await?;
    assert_eq!(reply.status, 200, "{}", reply.body);
    let again = line.get(&doctor, &search).await?;
    assert_eq!((said(&again).len(), again.json()["total"].as_u64()), (1, Some(0)), "{}", again.text);
    scene.harness.node.stop().await
}

#[tokio::test]
async fn her_list_says_who_learned_that_a_document_waits_unless_she_may_not_know_of_the_document() -> Result<()> {
    for (label, told) in [(None, true), (Some(Label::Untold), false)] {
        let scene = Scene::set(label).await?;
        let (harness, line, clinic) = (&scene.harness, &scene.line, &scene.harness.clinic);
        let doctor = harness.token(clinic, &clinic.care()).await?;
        let answer = line.get(&doctor, &format!("/fhir/Patient/{}/Bundle", scene.with.patient)).await?;
        assert_eq!(said(&answer).len(), 1, "{}", answer.text);
        let own = harness.api.sign_in(&scene.with.card).await?;
        let list = line.get(&own, "/me/accesses?lang=en&kind=search,denied").await?;
        let entry = &list.json()["entries"][0];
        assert_eq!(list.text.contains("a document addressed to them waits for your consent"), told, "{}", list.text);
        assert_eq!(entry.to_string().contains("R19"), told, "{entry}");
        scene.harness.node.stop().await?;
    }
    Ok(())
}
