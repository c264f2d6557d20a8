use super::*;
use crate::json::{Limits, parse};

fn node(value: &serde_json::Value) -> Node {
    parse(value.to_string().as_bytes(), &Limits::default()).expect("well formed")
}

fn class_of(resource_type: ResourceType, value: &serde_json::Value) -> Class {
    classify(resource_type, &node(value)).expect("a rule")
}

fn coded(system: &str, code: &str) -> serde_json::Value {
    serde_json::json!({"coding": [{"system": system, "code": code}]})
}

#[test]
fn every_type_has_a_category_and_a_bundle_that_is_no_record_has_none() {
    for resource_type in ResourceType::ALL.iter().filter(|t| **t != ResourceType::Bundle) {
        assert!(classify(*resource_type, &node(&serde_json::json!({}))).is_some(), "{resource_type}");
    }
    assert_eq!(classify(ResourceType::Bundle, &node(&serde_json::json!({"type": "transaction"}))), None);
    assert!(classify(ResourceType::Bundle, &node(&serde_json::json!({"type": "document"}))).is_some());
}

#[test]
fn codes_move_an_item_to_its_own_category() {
    let allergy = |criticality: &str| serde_json::json!({"criticality": criticality});
    assert_eq!(class_of(ResourceType::AllergyIntolerance, &allergy("high")).category, Category::Safety);
    assert_eq!(class_of(ResourceType::AllergyIntolerance, &allergy("low")).category, Category::Ehr);
    let public = serde_json::json!({"type": coded("urn:oid:1.2.392.100495.20.2.61", "8")});
    let class = class_of(ResourceType::Coverage, &public);
    assert_eq!((class.category, class.class.as_str()), (Category::Cert, "public-expense"));
    let insurer = serde_json::json!({"type": coded("urn:oid:1.2.392.100495.20.2.61", "1")});
    assert_eq!(class_of(ResourceType::Coverage, &insurer).category, Category::Elig);
    let surgery = serde_json::json!({"category": coded("http://snomed.info/sct", "387713003")});
    assert_eq!(class_of(ResourceType::Procedure, &surgery).category, Category::Surg);
}

#[test]
fn a_sensitive_code_anywhere_labels_the_whole_item() {
    let deep = serde_json::json!({"type": "document", "entry": [{"resource": {"resourceType": "Composition"}}, {"resource": {
        "resourceType": "Observation", "contained": [{"resourceType": "Condition",
            "code": coded("http://jpfhir.jp/fhir/core/mhlw/CodeSystem/ICD10-2013-full", "B20.1")}]}}]});
    assert_eq!(class_of(ResourceType::Bundle, &deep).labels, [Label::RestrictedHiv]);
    let test = serde_json::json!({"code": coded("urn:oid:1.2.392.200119.4.504", "5F560141002305151")});
    assert_eq!(class_of(ResourceType::Observation, &test).labels, [Label::RestrictedHiv], "JLAC10 by its OID");
    let smoker = serde_json::json!({"code": coded("http://hl7.org/fhir/sid/icd-10", "F17.2")});
    assert!(class_of(ResourceType::Condition, &smoker).labels.is_empty());
}

#[test]
fn labels_as_sent_are_kept_and_written_back_as_they_were() {
    let sent = serde_json::json!({"meta": {
        "security": [{"system": CONFIDENTIALITY, "code": "V"}, {"system": ACT_CODE, "code": "PSY"}, {"system": LABEL_SYSTEM, "code": "SEALED"}],
        "tag": [{"system": "http://jpfhir.jp/fhir/clins/CodeSystem/JP_ehrshrs_indication", "code": "UNINFORMED"}]}});
    let labels = class_of(ResourceType::Condition, &sent).labels;
    assert_eq!(labels, [Label::RestrictedPsy, Label::Restricted, Label::Sealed, Label::Untold]);
    for label in Label::ALL {
        let (system, code) = label_coding(*label);
        assert_eq!(label_of(system, code), Some(*label), "{label}");
    }
}

#[test]
fn what_comes_in_a_checkup_report_is_checkup_and_a_letter_has_its_documents_receivers() {
    let checkup = Class { category: Category::Checkup, class: String::new(), labels: vec![], receivers: vec![] };
    let part = classify_part(ResourceType::Observation, &node(&serde_json::json!({})), &checkup).unwrap();
    assert_eq!(part.category, Category::Checkup);
    let patient = classify_part(ResourceType::Patient, &node(&serde_json::json!({})), &checkup).unwrap();
    assert_eq!(patient.category, Category::Demo);
    let letter = Class { category: Category::Doc, receivers: vec!["1311234567".into()], ..checkup };
    let part = classify_part(ResourceType::Composition, &node(&serde_json::json!({})), &letter).unwrap();
    assert_eq!(part.receivers, ["1311234567"]);
}

#[test]
fn our_extension_names_a_receiver_too() {
    let summary = serde_json::json!({"extension": [{"url": RECEIVER_EXTENSION, "valueReference": {"identifier": {
        "system": "http://jpfhir.jp/fhir/core/IdSystem/insurance-medical-institution-no", "value": "1310000001"}}}]});
    assert_eq!(class_of(ResourceType::DocumentReference, &summary).receivers, ["1310000001"]);
}

#[test]
fn the_release_names_the_tables() {
    assert!(tables_release().starts_with("tables-") && tables_release().len() == 19);
}
