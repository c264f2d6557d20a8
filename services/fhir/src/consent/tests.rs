use proptest::prelude::*;
use schemas::consent::{ConsentItem, ConsentKind, ConsentStatus, ConsentType, Giver, Method};
use schemas::vocab::{Label, Purpose};
use schemas::{Problem, ResourceType};
use serde_json::{Value, json};

use super::*;
use crate::json::{Limits, parse};

fn read(consent: &Value) -> Result<Meaning, Vec<Problem>> {
    let node = parse(consent.to_string().as_bytes(), &Limits::default()).expect("well formed");
    from_fhir(&node, &|target| (target == "Organization/known").then(|| Actor::Facility("1310000001".into())))
}

fn visit_consent() -> ConsentArtefact {
    ConsentArtefact {
        kind: ConsentKind::Visit,
        giver: Giver::OneSelf,
        consent_type: ConsentType::Permit,
        facilities: vec!["1310000001".into()],
        practitioners: vec![],
        categories: vec![Category::Med, Category::Ehr],
        labels: vec![],
        authors: vec![],
        data_period: None,
        items: vec![],
        purposes: vec![Purpose::Treat],
        valid_from: 1_700_000_000_000,
        valid_until: Some(1_700_086_400_000),
        method: Method::ReaderFace,
        staff: vec![],
        terms: "terms-visit|3".into(),
        terms_sha256: "00ff".into(),
        status: ConsentStatus::Active,
        visit: Some("aaaaaaaaaaaaaaaa".into()),
        safety: None,
    }
}

fn fhir() -> Value {
    to_fhir(&visit_consent(), "Patient/p", "Patient/p")
}

/// Paths of the problems after one change to a good Consent.
fn refused(change: impl Fn(&mut Value)) -> Vec<String> {
    let mut consent = fhir();
    change(&mut consent);
    read(&consent).expect_err("refused").into_iter().map(|p| p.path).collect()
}

#[test]
fn a_visit_consent_keeps_its_meaning() {
    let meaning = read(&fhir()).unwrap();
    assert_eq!(meaning, Meaning { consent: Some(visit_consent()), objection: None });
}

#[test]
fn what_cannot_be_enforced_is_refused_at_its_path() {
    assert_eq!(refused(|c| c["provision"]["class"] = json!([{"code": "x"}])), ["Consent.provision.class"]);
    assert_eq!(refused(|c| c["provision"]["action"] = json!([{"text": "x"}])), ["Consent.provision.action"]);
    assert_eq!(
        refused(|c| c["provision"]["code"][0]["coding"][0]["system"] = "http://loinc.org".into()),
        ["Consent.provision.code[0]"]
    );
    assert_eq!(refused(|c| c["provision"]["purpose"][0]["code"] = "FUN".into()), ["Consent.provision.purpose[0]"]);
    assert_eq!(
        refused(|c| c["provision"]["actor"][0]["role"]["coding"][0]["code"] = "CST".into()),
        ["Consent.provision.actor[0].role"]
    );
    assert_eq!(
        refused(|c| c["provision"]["data"] = json!([{"meaning": "dependents", "reference": {"reference": "A/b"}}])),
        ["Consent.provision.data[0].meaning"]
    );
    assert_eq!(
        refused(|c| c["provision"]["securityLabel"] = json!([{"code": "?"}])),
        ["Consent.provision.securityLabel[0]"]
    );
    assert_eq!(refused(|c| c["scope"]["coding"][0]["code"] = "research".into()), ["Consent.scope"]);
    assert_eq!(refused(|c| c["status"] = "draft".into()), ["Consent.status"]);
    assert_eq!(refused(|c| c["modifierExtension"] = json!([{"url": "x"}])), ["Consent.modifierExtension"]);
    assert_eq!(refused(|c| c["provision"]["period"]["end"] = "1999".into()), ["Consent.provision.period"]);
    assert_eq!(refused(|c| c["provision"]["actor"] = json!([])), ["Consent.provision.actor"]);
    assert_eq!(refused(|c| c["provision"]["purpose"] = json!([])), ["Consent.provision.purpose"]);
    assert_eq!(refused(|c| c["extension"][0]["valueCode"] = "denial".into()), ["Consent.provision.type"]);
    let nobody = |c: &mut Value| {
        c["performer"][0]["reference"] = "RelatedPerson/r".into();
        c["extension"].as_array_mut().unwrap().remove(1);
    };
    assert_eq!(refused(nobody), ["Consent.extension"], "who gave it");
}

#[test]
fn one_level_of_exceptions_is_worked_in_and_no_more() {
    let mut deny_but = fhir();
    let inner = deny_but["provision"].take();
    deny_but["provision"] = json!({"type": "deny", "provision": [inner]});
    assert_eq!(read(&deny_but).unwrap().consent, Some(visit_consent()));

    let mut permit_but = fhir();
    permit_but["provision"]["provision"] =
        json!([{"type": "deny", "code": [{"coding": [{"system": CATEGORY_SYSTEM, "code": "MED"}]}]}]);
    assert_eq!(read(&permit_but).unwrap().consent.unwrap().categories, [Category::Ehr]);

    assert_eq!(
        refused(|c| c["provision"]["provision"] = json!([{"type": "deny", "purpose": [{"code": "TREAT"}]}])),
        ["Consent.provision.provision"]
    );
    assert_eq!(refused(|c| c["provision"]["provision"] = json!([{"type": "permit"}])), ["Consent.provision.provision"]);
    let hiv = json!({"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "HIV"});
    let med = json!({"coding": [{"system": CATEGORY_SYSTEM, "code": "MED"}]});
    let both = json!([{"type": "deny", "code": [med], "securityLabel": [hiv]}]);
    assert_eq!(
        refused(|c| c["provision"]["provision"] = both.clone()),
        ["Consent.provision.provision"],
        "both together mean less"
    );
    let of_items = |c: &mut Value| {
        c["provision"]["code"] = json!([]);
        c["provision"]["data"] = json!([{"meaning": "instance", "reference": {"reference": "Composition/x"}}]);
        c["provision"]["provision"] = json!([{"type": "deny", "code": [med]}]);
    };
    assert_eq!(refused(of_items), ["Consent.provision.provision"], "an exception is never dropped");
    let deep = json!([{"type": "deny", "code": [{"coding": [{"system": CATEGORY_SYSTEM, "code": "MED"}]}], "provision": [{"type": "permit"}]}]);
    assert_eq!(refused(|c| c["provision"]["provision"] = deep.clone()), ["Consent.provision.provision[0].provision"]);
}

#[test]
fn a_plain_pcf_denial_needs_no_kind_and_references_are_resolved_by_the_caller() {
    let mut consent = fhir();
    consent["extension"].as_array_mut().unwrap().remove(0);
    consent["provision"] = json!({"type": "deny", "actor": [{"role": {"coding": [{"code": "IRCP"}]}, "reference": {"reference": "Organization/known"}}]});
    let artefact = read(&consent).unwrap().consent.unwrap();
    assert_eq!((artefact.kind, artefact.valid_until), (ConsentKind::Denial, None));
    assert_eq!(artefact.facilities, [OrganisationId::from("1310000001")]);
    consent["provision"]["actor"][0]["reference"]["reference"] = "Organization/unknown".into();
    assert_eq!(read(&consent).unwrap_err()[0].path, "Consent.provision.actor[0].reference");
}

#[test]
fn an_objection_stops_what_is_sent_and_blocks_no_reader() {
    let terms = ObjectionTerms {
        visit: Some(LocalId([3; 10])),
        facility: Some("1310000001".into()),
        categories: vec![Category::Med],
        from: 1_700_000_000_000,
        until: None,
    };
    let mut consent = objection_to_fhir(&terms, "Patient/p", "Patient/p", Method::App);
    assert_eq!(read(&consent).unwrap(), Meaning { consent: None, objection: Some(terms.clone()) });
    let item = ItemKey { resource_type: ResourceType::Consent, local: LocalId([1; 10]) };
    assert_eq!(terms.of(item).visit, Some(LocalId([3; 10])));
    consent["status"] = "inactive".into();
    let ended = read(&consent).unwrap();
    assert_eq!(ended.consent.map(|c| c.status), Some(ConsentStatus::Inactive), "its state tells that it is over");
    consent["provision"]["type"] = "permit".into();
    assert!(read(&consent).is_err());
}

fn any_of<T: Copy + std::fmt::Debug + 'static>(all: &'static [T], most: usize) -> impl Strategy<Value = Vec<T>> {
    proptest::sample::subsequence(all.to_vec(), 0..=most.min(all.len()))
}

prop_compose! {
    fn artefact()(
        kind in proptest::sample::select(ConsentKind::ALL),
        giver in proptest::sample::select(Giver::ALL),
        deny in any::<bool>(),
        codes in proptest::collection::vec("[0-9]{10}", 1..3),
        doctors in proptest::collection::vec("[a-z]{1,8}", 0..3),
        categories in any_of(Category::ALL, 16),
        labels in any_of(Label::ALL, 12),
        more in (proptest::option::of((0i64..1_000_000, 1i64..1_000_000)), any_of(Purpose::ALL, 16), proptest::option::of(1i64..100_000_000_000)),
        method in proptest::sample::select(Method::ALL),
        status in proptest::sample::select(ConsentStatus::ALL),
        texts in proptest::collection::vec("\\PC{1,12}", 0..3),
    ) -> ConsentArtefact {
        let deny = deny || kind == ConsentKind::Denial;
        let (data_period, mut purposes, length) = more;
        if purposes.is_empty() && !deny { purposes.push(Purpose::Treat); }
        let items = match categories.is_empty() {
            true => vec![ConsentItem { reference: "Composition/x".into(), meaning: "instance".into() }],
            false => vec![],
        };
        ConsentArtefact {
            kind, giver, method, status, categories, labels, items, purposes,
            consent_type: if deny { ConsentType::Deny } else { ConsentType::Permit },
            facilities: codes.iter().map(|c| c.as_str().into()).collect(),
            practitioners: doctors.iter().map(|d| d.as_str().into()).collect(),
            authors: codes.iter().rev().map(|c| c.as_str().into()).collect(),
            data_period: data_period.map(|(from, length)| (from, from + length)),
            valid_from: 1_700_000_000_000,
            valid_until: length.map(|l| 1_700_000_000_000 + l),
            staff: texts,
            terms: "t|1".into(),
            terms_sha256: String::new(),
            visit: None,
            safety: deny.then(|| "masked".to_owned()),
        }
    }
}

proptest! {
    #[test]
    fn every_artefact_survives_the_way_through_fhir(artefact in artefact()) {
        let consent = to_fhir(&artefact, "Patient/p", "Patient/p");
        let meaning = read(&consent).map_err(|p| TestCaseError::fail(format!("{p:?}")))?;
        prop_assert_eq!(meaning.consent, Some(artefact));
    }
}
