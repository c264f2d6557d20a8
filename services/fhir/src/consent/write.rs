//! From the artefact to a FHIR Consent (IHE PCF basic form: one provision).

use schemas::consent::{ConsentArtefact, ConsentStatus, Giver, Method};
use schemas::ids::{OrganisationId, PractitionerId};
use schemas::vocab::Category;
use serde_json::{Value, json};

use super::{
    CATEGORY_SYSTEM, EXTENSIONS, INSTITUTION_SYSTEM, ObjectionTerms, PRACTITIONER_SYSTEM, PURPOSE_SYSTEM,
    ROLE_RECIPIENT, ROLE_SYSTEM,
};
use crate::classify::label_coding;
use crate::dates::instant;

/// The Consent that means `artefact`; `patient` is `Patient/<id>`, `performer` the reference of who gave it. Reading it with
/// [`super::from_fhir`] gives the artefact back.
pub fn to_fhir(artefact: &ConsentArtefact, patient: &str, performer: &str) -> Value {
    let mut provision =
        json!({"type": artefact.consent_type.as_str(), "period": validity(artefact.valid_from, artefact.valid_until)});
    set(&mut provision, "actor", actors(&artefact.facilities, &artefact.practitioners));
    set(&mut provision, "code", categories(&artefact.categories));
    let label = |l: &schemas::vocab::Label| coding(label_coding(*l).0, label_coding(*l).1);
    set(&mut provision, "securityLabel", artefact.labels.iter().map(label).collect());
    set(&mut provision, "purpose", artefact.purposes.iter().map(|p| coding(PURPOSE_SYSTEM, p.as_str())).collect());
    let item =
        |i: &schemas::consent::ConsentItem| json!({"meaning": i.meaning, "reference": {"reference": i.reference}});
    let author = |a: &OrganisationId| json!({"meaning": "authoredby", "reference": facility(a)});
    set(&mut provision, "data", artefact.items.iter().map(item).chain(artefact.authors.iter().map(author)).collect());
    if let Some((from, to)) = artefact.data_period {
        let mut period = json!({});
        if from != i64::MIN {
            period["start"] = instant(from).into();
        }
        if to != i64::MAX {
            period["end"] = instant(to - 1).into();
        }
        provision["dataPeriod"] = period;
    }
    let mut extensions = vec![
        code("consent-kind", artefact.kind.as_str()),
        code("consent-giver", artefact.giver.as_str()),
        code("consent-method", artefact.method.as_str()),
    ];
    extensions.extend(artefact.staff.iter().map(|name| string("consent-staff", name)));
    extensions.extend(artefact.visit.iter().map(|visit| string("consent-visit", visit)));
    extensions.extend(artefact.safety.iter().map(|safety| code("consent-safety", safety)));
    let mut consent = frame(artefact.status, patient, performer, artefact.valid_from);
    consent["extension"] = extensions.into();
    if !artefact.terms.is_empty() {
        let mut policy = json!({"uri": artefact.terms});
        if !artefact.terms_sha256.is_empty() {
            policy["extension"] = json!([string("terms-sha256", &artefact.terms_sha256)]);
        }
        consent["policy"] = json!([policy]);
    }
    consent["provision"] = provision;
    consent
}

/// The Consent that means "do not share this" (R59).
pub fn objection_to_fhir(terms: &ObjectionTerms, patient: &str, performer: &str, method: Method) -> Value {
    let mut provision = json!({"type": "deny", "period": validity(terms.from, terms.until)});
    let facilities: Vec<OrganisationId> = terms.facility.iter().cloned().collect();
    set(&mut provision, "actor", actors(&facilities, &[]));
    set(&mut provision, "code", categories(&terms.categories));
    let mut extensions = vec![
        code("consent-kind", "objection"),
        code("consent-giver", Giver::OneSelf.as_str()),
        code("consent-method", method.as_str()),
    ];
    extensions.extend(terms.visit.iter().map(|visit| string("consent-visit", &visit.to_string())));
    let mut consent = frame(ConsentStatus::Active, patient, performer, terms.from);
    consent["extension"] = extensions.into();
    consent["provision"] = provision;
    consent
}

fn frame(status: ConsentStatus, patient: &str, performer: &str, date_time: i64) -> Value {
    json!({
        "resourceType": "Consent",
        "status": status.as_str(),
        "scope": {"coding": [coding("http://terminology.hl7.org/CodeSystem/consentscope", "patient-privacy")]},
        "category": [{"coding": [coding("http://loinc.org", "59284-0")]}],
        "patient": {"reference": patient},
        "dateTime": instant(date_time),
        "performer": [{"reference": performer}],
        // R4 wants a policy or a policy rule (ppc-1).
        "policyRule": {"coding": [coding("http://terminology.hl7.org/CodeSystem/v3-ActCode", "OPTIN")]},
    })
}

/// FHIR's end is inclusive: the last millisecond.
fn validity(from: i64, until: Option<i64>) -> Value {
    let mut period = json!({"start": instant(from)});
    if let Some(until) = until {
        period["end"] = instant(until - 1).into();
    }
    period
}

fn actors(facilities: &[OrganisationId], practitioners: &[PractitionerId]) -> Vec<Value> {
    let role = json!({"coding": [coding(ROLE_SYSTEM, ROLE_RECIPIENT)]});
    let actor = |reference: Value| json!({"role": role, "reference": reference});
    let person = |id: &PractitionerId| json!({"type": "Practitioner", "identifier": {"system": PRACTITIONER_SYSTEM, "value": id.0}});
    facilities.iter().map(facility).chain(practitioners.iter().map(person)).map(actor).collect()
}

fn facility(id: &OrganisationId) -> Value {
    json!({"type": "Organization", "identifier": {"system": INSTITUTION_SYSTEM, "value": id.0}})
}

fn categories(categories: &[Category]) -> Vec<Value> {
    categories.iter().map(|c| json!({"coding": [coding(CATEGORY_SYSTEM, c.as_str())]})).collect()
}

fn coding(system: &str, code: &str) -> Value {
    json!({"system": system, "code": code})
}

fn code(name: &str, code: &str) -> Value {
    json!({"url": format!("{EXTENSIONS}{name}"), "valueCode": code})
}

fn string(name: &str, text: &str) -> Value {
    json!({"url": format!("{EXTENSIONS}{name}"), "valueString": text})
}

/// FHIR has no empty lists.
fn set(object: &mut Value, name: &str, values: Vec<Value>) {
    if !values.is_empty() {
        object[name] = values.into();
    }
}
