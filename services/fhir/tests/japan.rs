//! The switchable Japanese rules: what each refuses, what it lets pass with a word, and that off means off.

use fhir::check::{CheckRules, check_resource};
use fhir::jp::JpRules;
use schemas::Problem;

fn problems(text: &str, jp: JpRules) -> Vec<Problem> {
    match check_resource(text.as_bytes(), &CheckRules { jp, ..CheckRules::default() }) {
        Ok(checked) => checked.warnings,
        Err(problems) => problems,
    }
}

/// Rule and path of what is refused or warned of.
fn said(text: &str, jp: JpRules) -> Vec<(String, String)> {
    problems(text, jp).into_iter().map(|problem| (problem.rule, problem.path)).collect()
}

fn pair(rule: &str, path: &str) -> (String, String) {
    (rule.to_owned(), path.to_owned())
}

fn prescription(system: &str, code: &str) -> String {
    format!(
        r#"{{"resourceType":"MedicationRequest","meta":{{"profile":["http://jpfhir.jp/fhir/eCS/StructureDefinition/JP_MedicationRequest_eCS|1"]}},
"status":"completed","intent":"order","subject":{{"reference":"Patient/a"}},
"medicationCodeableConcept":{{"coding":[{{"system":"{system}","code":"{code}"}}],"text":"x"}}}}"#
    )
}

fn patient(system: &str, value: &str) -> String {
    format!(r#"{{"resourceType":"Patient","identifier":[{{"system":"{system}","value":"{value}"}}]}}"#)
}

/// A collection of one Condition, with pieces to change.
fn collection(tag: &str, member: &str, identifier: &str, reference: &str) -> String {
    let profile = "http://jpfhir.jp/fhir/clins/StructureDefinition/JP_Bundle_CLINS|1";
    format!(
        r#"{{"resourceType":"Bundle","meta":{{"lastUpdated":"2026-01-01T00:00:00+09:00","profile":["{profile}"],
"tag":[{{"system":"http://jpfhir.jp/fhir/clins/CodeSystem/BundleResourceType_CS","code":"{tag}"}}]}},
"identifier":{{"system":"http://jpfhir.jp/fhir/clins/bundle-identifier","value":"{identifier}"}},"type":"collection",
"timestamp":"2026-01-01T00:00:00+09:00","entry":[
{{"fullUrl":"urn:uuid:c757873d-ec9a-4326-a141-556f43239520","resource":{}}},
{{"fullUrl":"urn:uuid:c757873d-ec9a-4326-a141-556f43239521","resource":{{"resourceType":"Condition","subject":{{"reference":"{reference}"}}}}}}]}}"#,
        patient(member, "12345678::1234567:")
    )
}

const INSURANCE: &str = "http://jpfhir.jp/fhir/clins/Idsystem/JP_Insurance_memberID";
const PUBLIC: &str = "http://jpfhir.jp/fhir/clins/Idsystem/JP_PublicPayer_memberID";
const NUMBER: &str = "1318814790^2026^a-1";
const FIRST: &str = "urn:uuid:c757873d-ec9a-4326-a141-556f43239520";

#[test]
fn a_prescription_needs_a_standard_drug_code_in_either_spelling() {
    for system in [
        "http://capstandard.jp/iyaku.info/CodeSystem/YJ-code",
        "urn:oid:1.2.392.100495.20.2.73",
        "urn:oid:1.2.392.100495.20.1.73",
    ] {
        assert_eq!(said(&prescription(system, "1141007F3023"), JpRules::default()), []);
    }
    let local = prescription("http://jpfhir.jp/fhir/eCS/CodeSystem/DrugCode/19911234567", "I1");
    let expected = [pair("jp-ecs-drug-code", "MedicationRequest.medicationCodeableConcept.coding")];
    assert_eq!(said(&local, JpRules::default()), expected);
    assert_eq!(said(&local, JpRules { drug_code: false, ..JpRules::default() }), []);
}

#[test]
fn a_general_name_and_a_hot_code_of_ten_digits_pass_with_a_word() {
    let general = prescription("http://jpfhir.jp/fhir/core/mhlw/CodeSystem/MedicationGeneralOrderCode", "2124030F2ZZZ");
    let path = "MedicationRequest.medicationCodeableConcept.coding[0].code";
    assert_eq!(said(&general, JpRules::default()), [pair("jp-general-name-master", path)]);
    let hot = prescription("http://medis.or.jp/CodeSystem/master-HOT9", "1038316011");
    let rules = JpRules { drug_code: false, ..JpRules::default() };
    assert_eq!(said(&hot, rules), [pair("jp-hot9-length", path)]);
}

#[test]
fn member_ids_have_their_form_and_the_misspelt_system_passes_with_a_word() {
    let path = "Patient.identifier[0].value";
    assert_eq!(said(&patient(INSURANCE, "00012345:a:b:05"), JpRules::default()), []);
    assert_eq!(said(&patient(INSURANCE, "12345:a:b:05"), JpRules::default()), [pair("jp-clins-r1013", path)]);
    assert_eq!(said(&patient(INSURANCE, "12345:a:b:05"), JpRules::none()), []);
    let misspelt = "http://jpfhir.jp/fhir/clins/Idsysmem/JP_Insurance_memberID";
    assert_eq!(
        said(&patient(misspelt, "00012345:a:b:05"), JpRules::default()),
        [pair("jp-misspelt-system", "Patient.identifier[0].system")]
    );
    assert_eq!(
        said(&patient(misspelt, "5:a:b:05"), JpRules { misspelt_system: false, ..JpRules::default() }),
        [pair("jp-clins-r1013", path)]
    );
}

#[test]
fn check_digits_are_checked_only_where_a_setting_says_so() {
    let number = patient("http://jpfhir.jp/fhir/core/IdSystem/insurance-medical-institution-no", "1311234567");
    assert_eq!(said(&number, JpRules::default()), []);
    assert_eq!(said(&number, JpRules::all()), [pair("jp-institution-check-digit", "Patient.identifier[0].value")]);
    let insurer = patient("urn:oid:1.2.392.100495.20.3.61", "06123456");
    assert_eq!(said(&insurer, JpRules::all()), [pair("jp-insurer-check-digit", "Patient.identifier[0].value")]);
}

#[test]
fn a_collection_is_one_patient_and_one_type() {
    let good = collection("Condition", PUBLIC, NUMBER, FIRST);
    assert_eq!(said(&good, JpRules::default()), [], "a public payer's id stands for the insurance's");
    let other_type = said(&collection("Observation", PUBLIC, NUMBER, FIRST), JpRules::default());
    assert_eq!(other_type, [pair("jp-clins-bundle", "Bundle.entry[1].resource")]);
    let untagged = said(&collection("MedicationRequest", PUBLIC, NUMBER, FIRST), JpRules::default());
    assert_eq!(untagged, [pair("jp-clins-bundle", "Bundle.meta.tag")]);
    let stranger = said(&collection("Condition", "http://example.jp/id", NUMBER, FIRST), JpRules::default());
    assert_eq!(stranger, [pair("jp-clins-r1012", "Bundle.entry[0].resource.identifier")]);
    let numbered = said(&collection("Condition", PUBLIC, "1^2", FIRST), JpRules::default());
    assert_eq!(numbered, [pair("jp-clins-r2152", "Bundle.identifier.value")]);
    let elsewhere = "urn:uuid:c757873d-ec9a-4326-a141-556f43239521";
    let referring = said(&collection("Condition", PUBLIC, NUMBER, elsewhere), JpRules::default());
    assert_eq!(referring, [pair("jp-clins-bundle", "Bundle.entry[1].resource.subject.reference")]);
    assert_eq!(said(&collection("Observation", PUBLIC, "1^2", FIRST), JpRules::none()), []);
}

#[test]
fn no_rule_repeats_what_was_sent() {
    for text in [
        prescription("http://canary.jp", "canary"),
        patient(INSURANCE, "canary"),
        collection("canary", "http://canary.jp", "canary", "urn:uuid:canary"),
    ] {
        for problem in problems(&text, JpRules::all()) {
            assert!(!problem.path.contains("canary") && !problem.message.contains("canary"), "{problem:?}");
        }
    }
}
