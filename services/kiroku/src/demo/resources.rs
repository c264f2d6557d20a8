//! What is sent in the story: records, the referral with its discharge summary, consents, the objection.

use anyhow::{Context as _, Result};
use chassis::clock::{Clock, SystemClock};
use fhir::consent::{ObjectionTerms, objection_to_fhir, to_fhir};
use loadtest::population::fhir::{Order, immunization, laboratory, medication_request};
use loadtest::population::{Context, Subject, drugs};
use schemas::consent::{ConsentArtefact, ConsentItem, ConsentKind, ConsentStatus, ConsentType, Giver, Method};
use schemas::{Category, LocalId, Purpose};
use serde_json::{Value, json};

use super::world::{Citizen, Site, World};

/// The drug that the hospital prescribed, and another product with the same ingredient.
pub(super) const PRESCRIBED: &str = "2171022F2076";
pub(super) const ASKED: &str = "2171022F4176";
const TERMS: &str = "kiroku-terms|1";
const SECTION: &str = "http://jpfhir.jp/fhir/clins/CodeSystem/document-section";

/// Kinds of records that the hospital keeps of the person.
#[derive(Clone, Copy)]
pub(super) enum Record {
    Prescription,
    Laboratory,
    Vaccination,
}

/// A record of the hospital about the person, of yesterday.
pub(super) fn record(world: &World, citizen: &Citizen, kind: Record, serial: u64) -> Result<Value> {
    let facility = world.population.hospital(0);
    build(world, citizen, &facility, (kind, PRESCRIBED), serial)
}

/// The order that the pharmacy asks about.
pub(super) fn order(world: &World, citizen: &Citizen) -> Result<Value> {
    build(world, citizen, &world.population.pharmacy(0), (Record::Prescription, ASKED), 90)
}

fn build(
    world: &World,
    citizen: &Citizen,
    facility: &loadtest::population::Facility,
    (kind, yj): (Record, &str),
    serial: u64,
) -> Result<Value> {
    let person = world.population.person(citizen.index);
    let signer = world.population.signer_of(facility);
    let today = world.population.today();
    let context = Context {
        person: &person,
        subject: Subject::Reference(citizen.reference()),
        facility,
        signer: &signer,
        on: today.pred_opt().unwrap_or(today),
        minute: 10 * 60,
        instance: format!("DEMO-{}-{serial}", citizen.index),
    };
    let mut dice = world.population.dice(citizen.index, serial);
    Ok(match kind {
        Record::Laboratory => laboratory(&context, &mut dice),
        Record::Vaccination => immunization(&context, &mut dice),
        Record::Prescription => {
            let drug = drugs::find_drug(yj).context("the population knows the drug")?;
            medication_request(&context, &Order::of(drug, 30))
        }
    })
}

/// The hospital's letter to the clinic, with the summary of the last stay attached (section 210) as a document of its own.
pub(super) fn referral(world: &World, citizen: &Citizen) -> Result<Value> {
    let (population, today) = (&world.population, world.population.today());
    let person = population.person(citizen.index);
    let (hospital, clinic) = (population.hospital(0), population.clinic(0));
    let mut letter = population.referral_document(&person, &hospital, &clinic, (today, 1));
    let summary = population.discharge_summary(&person, &hospital, (today, 1));
    let url = "urn:uuid:7f1c0e52-6a0b-4b8e-9c55-0d7a3f1f2b10";
    let sections = letter["entry"][0]["resource"]["section"].as_array_mut().context("a letter has sections")?;
    sections.push(json!({
        "title": "添付情報",
        "code": {"coding": [{"system": SECTION, "code": "210", "display": "添付情報セクション"}]},
        "text": {
            "status": "additional",
            "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"ja\"><p>退院時サマリーを添付します。</p></div>",
        },
        "entry": [{"reference": url, "type": "Bundle"}],
    }));
    letter["entry"].as_array_mut().context("a letter has entries")?.push(json!({"fullUrl": url, "resource": summary}));
    Ok(letter)
}

/// What the person ticks at the clinic's desk (R10).
pub(super) fn visit_consent(site: &Site, citizen: &Citizen, visit: &str, ticked: &[Category]) -> Value {
    let artefact = ConsentArtefact {
        visit: Some(visit.to_owned()),
        categories: ticked.to_vec(),
        ..permit(ConsentKind::Visit, site)
    };
    to_fhir(&artefact, &citizen.reference(), &citizen.reference())
}

/// That the clinic may read this letter and what is attached to it (R19, R20).
pub(super) fn document_consent(site: &Site, citizen: &Citizen, visit: &str, letter: &str) -> Value {
    let item = ConsentItem { reference: format!("Bundle/{letter}"), meaning: "instance".to_owned() };
    let artefact = ConsentArtefact {
        visit: Some(visit.to_owned()),
        categories: vec![Category::Doc],
        items: vec![item],
        ..permit(ConsentKind::Document, site)
    };
    to_fhir(&artefact, &citizen.reference(), &citizen.reference())
}

fn permit(kind: ConsentKind, site: &Site) -> ConsentArtefact {
    // The demo shows no text of terms: the hash is of their name.
    let shown = openssl::sha::sha256(TERMS.as_bytes());
    ConsentArtefact {
        kind,
        giver: Giver::OneSelf,
        consent_type: ConsentType::Permit,
        facilities: vec![site.code.as_str().into()],
        practitioners: Vec::new(),
        categories: Vec::new(),
        labels: Vec::new(),
        authors: Vec::new(),
        data_period: None,
        items: Vec::new(),
        purposes: vec![Purpose::Treat],
        valid_from: SystemClock.now(),
        valid_until: None,
        method: Method::ReaderPin,
        staff: Vec::new(),
        terms: TERMS.to_owned(),
        terms_sha256: shown.iter().map(|byte| format!("{byte:02x}")).collect(),
        status: ConsentStatus::Active,
        visit: None,
        safety: None,
    }
}

/// "Not this visit" (R59).
pub(super) fn objection(site: &Site, citizen: &Citizen, visit: LocalId) -> Value {
    let terms = ObjectionTerms {
        visit: Some(visit),
        facility: Some(site.code.as_str().into()),
        categories: Vec::new(),
        from: SystemClock.now(),
        until: None,
    };
    objection_to_fhir(&terms, &citizen.reference(), &citizen.reference(), Method::ReaderPin)
}
