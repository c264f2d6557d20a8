//! What matches, and in which order.

mod person;
mod refused;

use schemas::vocab::Label;
use serde_json::json;

use self::person::{compile, pairs, shelf};
use super::*;

#[test]
fn strings_start_with_contain_or_are_exactly() {
    let person = shelf();
    for hit in [
        "family=山",
        "name=はなこ",
        "family=やまだ",
        "name:contains=花",
        "name:exact=Müller",
        "family=MULL",
        "phonetic=ヤマダ",
    ] {
        assert!(person.finds("Patient", hit), "{hit}");
    }
    for miss in ["family=田", "name:exact=muller", "given=山田", "name:contains=太郎"] {
        assert!(!person.finds("Patient", miss), "{miss}");
    }
}

#[test]
fn tokens_match_by_system_code_text_type_and_absence() {
    let person = shelf();
    for hit in [
        "code=2339-0",
        "code=http://loinc.org|2339-0",
        "code=http://loinc.org|",
        "code:text=blood",
        "code:text=血",
        "status=final",
        "status=http://hl7.org/fhir/observation-status|final",
        "code:not=1-1",
        "code=1-1,2339-0",
        "status=|final",
    ] {
        assert_eq!(person.find("Observation", hit).len(), 2, "{hit}");
    }
    for miss in [
        "code=|2339-0",
        "code=http://snomed.info/sct|2339-0",
        "code:not=2339-0",
        "code:not=x,2339-0",
        "status=http://x|final",
    ] {
        assert!(!person.finds("Observation", miss), "{miss}");
    }
    for hit in [
        r"identifier=http://hospital|AB\|12",
        r"identifier=ab\|12",
        r"identifier:of-type=http://t|MR|AB\|12",
        "gender=female",
        "phone=03-1234-5678",
        "telecom=a@example.org",
        "active=true",
        "deceased=false",
        "gender:not=male",
    ] {
        assert!(person.finds("Patient", hit), "{hit}");
    }
    assert!(
        !person.finds("Patient", r"identifier:of-type=http://t|XX|AB\|12")
            && !person.finds("Patient", "phone=a@example.org")
    );
}

#[test]
fn dates_and_quantities_are_compared_with_their_precision() {
    let person = shelf();
    assert_eq!(person.find("Observation", "date=2024-05"), ["a"]);
    assert_eq!(person.find("Observation", "date=ge2024-05-02&date=lt2024-07"), ["b"]);
    assert_eq!(person.find("Observation", "date=2024-05-31T23:00:00Z"), ["b"], "08:00 in Japan");
    assert_eq!(person.find("Encounter", "date=gt2024-05-02"), ["c"]);
    assert_eq!(person.find("Observation", "value-quantity=95.5"), ["a"]);
    assert_eq!(person.find("Observation", "value-quantity=gt100"), ["b"]);
    assert_eq!(person.find("Observation", "value-quantity=140|http://unitsofmeasure.org|mg/dL"), ["b"]);
    assert_eq!(person.find("Observation", "value-quantity=140||mg/dl"), ["b"], "by unit");
    assert!(!person.finds("Observation", "value-quantity=140||mmol/L"));
    assert_eq!(person.find("Observation", "combo-value-quantity=le100"), ["a"]);
}

#[test]
fn composites_hold_on_one_element() {
    let mut person = shelf();
    let part = |code: &str, value: i64| json!({"code": {"coding": [{"system": "l", "code": code}]}, "valueQuantity": {"value": value}});
    person.add(&json!({"resourceType": "Observation", "id": "c", "code": {"text": "BP"}, "component": [part("sys", 120), part("dia", 80)]}), 0);
    assert_eq!(person.find("Observation", "code-value-quantity=2339-0$gt100"), ["b"]);
    assert_eq!(person.find("Observation", "component-code-value-quantity=l|sys$120"), ["c"]);
    assert!(
        !person.finds("Observation", "component-code-value-quantity=sys$80"),
        "the pressure of the other component"
    );
    assert_eq!(person.find("Observation", "combo-code-value-quantity=2339-0$gt100,dia$80").len(), 2);
    assert_eq!(person.find("Observation", "component-code-value-quantity:missing=true").len(), 2);
}

#[test]
fn references_are_found_by_id_type_url_and_identifier() {
    let person = shelf();
    let (patient, encounter) = (person.id("a"), person.id("c"));
    for hit in [
        format!("subject={patient}"),
        format!("patient=Patient/{patient}"),
        format!("subject:Patient={patient}"),
        format!("encounter={encounter}"),
    ] {
        assert_eq!(person.find("Observation", &hit).len(), 2, "{hit}");
    }
    let other = person.id("somewhere");
    assert_eq!(person.find("Observation", &format!("patient={other}")).len(), 2, "another Patient of the same person");
    assert!(!person.finds("Observation", &format!("encounter={other}")));
    let url = format!("subject=https://kiroku.example/fhir/Patient/{patient}");
    let at = |base| Query::parse_at(base, Some(ResourceType::Observation), &pairs(&url), Handling::Strict).unwrap();
    let none: HeaderShelf<'_> = person.headers.iter().collect();
    assert!(at("https://kiroku.example/fhir").matches(&person.headers[1], &none));
    assert!(!at("https://other.example/fhir").matches(&person.headers[1], &none));
    let mut written = shelf();
    written.add(&json!({"resourceType": "Observation", "id": "d", "performer": [{"identifier": {"system": "http://doctors", "value": "D1"}}]}), 0);
    assert_eq!(written.find("Observation", "performer:identifier=http://doctors|D1"), ["d"]);
    assert!(!written.finds("Observation", "performer:identifier=http://doctors|D2"));
}

#[test]
fn missing_asks_whether_a_value_is_there() {
    let person = shelf();
    assert_eq!(person.find("Observation", "specimen:missing=true").len(), 2);
    assert!(!person.finds("Observation", "specimen:missing=false"));
    assert_eq!(person.find("Observation", "patient:missing=false").len(), 2);
}

#[test]
fn chains_and_has_stay_within_what_the_shelf_shows() {
    let mut person = shelf();
    assert_eq!(person.find("Observation", "encounter.class=AMB").len(), 2);
    assert_eq!(person.find("Observation", "subject:Patient.name=山田").len(), 2);
    assert_eq!(person.find("Observation", "encounter.subject:Patient.gender=female").len(), 2);
    assert!(!person.finds("Observation", "subject.name=佐藤"));
    assert_eq!(person.find("Encounter", "_has:Observation:encounter:code=2339-0"), ["c"]);
    assert_eq!(person.find("Patient", "_has:Encounter:subject:_has:Condition:encounter:code:text=糖尿"), ["a"]);
    assert!(!person.finds("Encounter", "_has:Observation:encounter:code=1-1"));
    person.headers.retain(|h| h.item.resource_type != ResourceType::Encounter);
    assert!(!person.finds("Observation", "encounter.class=AMB"), "a withheld encounter is as one that does not exist");
}

#[test]
fn parameters_of_every_resource_come_from_the_header() {
    let mut person = shelf();
    person.add(
        &json!({"resourceType": "Device", "id": "d", "meta": {"tag": [{"system": "t", "code": "x"}], "source": "urn:s",
            "profile": ["http://jpfhir.jp/fhir/core/StructureDefinition/JP_Device|1.1"]}}),
        86_400_000,
    );
    person.headers.last_mut().unwrap().meta.labels = vec![Label::RestrictedHiv];
    for hit in [
        "_tag=t|x",
        "_source=urn:s",
        "_profile:below=http://jpfhir.jp/fhir/core",
        "_security=HIV",
        "_lastUpdated=gt1970-01-01",
        "_tag:missing=false",
        &format!("_id={}", person.id("d")),
    ] {
        assert_eq!(person.find("Device", hit), ["d"], "{hit}");
    }
    for miss in [
        "_tag=t|y",
        "_security=PSY",
        "_profile=http://jpfhir.jp/fhir/core",
        "_id=d",
        "_lastUpdated=1970-01-01",
        "_tag:missing=true",
    ] {
        assert!(!person.finds("Device", miss), "{miss}");
    }
    let query = Query::parse(None, &pairs("_type=Device,Patient&_lastUpdated=ge1970"), Handling::Strict).unwrap();
    let shelf: HeaderShelf<'_> = person.headers.iter().collect();
    assert_eq!(person.headers.iter().filter(|h| query.matches(h, &shelf)).count(), 2);
}

#[test]
fn the_order_is_total_and_missing_values_come_last() {
    let mut person = shelf();
    person.add(&json!({"resourceType": "Observation", "id": "c", "code": {"text": "x"}}), 99);
    assert_eq!(person.find("Observation", "_sort=date"), ["a", "b", "c"]);
    assert_eq!(person.find("Observation", "_sort=-date"), ["b", "a", "c"]);
    assert_eq!(person.find("Observation", "_sort=-value-quantity"), ["b", "a", "c"]);
    assert_eq!(person.find("Observation", ""), ["b", "a", "c"], "the newest first");
    let query = compile("Observation", "_sort=code,-date").unwrap();
    let key = query.sort_key(&person.headers[1]);
    let back: SortKey = serde_json::from_str(&serde_json::to_string(&key).unwrap()).unwrap();
    assert_eq!(back, key, "a page token brings a key back");
}

#[test]
fn includes_follow_references_both_ways_and_again() {
    let person = shelf();
    let shelf: HeaderShelf<'_> = person.headers.iter().collect();
    let included = |resource_type: &str, query: &str, of: usize| -> Vec<String> {
        let query = compile(resource_type, query).unwrap();
        let mut names: Vec<_> = query
            .included(&[&person.headers[of]], &shelf)
            .into_iter()
            .map(|h| h.item.resource_type.to_string())
            .collect();
        names.sort();
        names
    };
    assert_eq!(included("Observation", "_include=Observation:encounter", 1), ["Encounter"]);
    assert_eq!(included("Observation", "_include=Observation:subject:Patient", 1), ["Patient"]);
    assert_eq!(included("Observation", "_include=*", 1), ["Encounter", "Patient"]);
    assert_eq!(included("Encounter", "_revinclude=Observation:encounter", 3), ["Observation", "Observation"]);
    let both =
        "_include=Observation:encounter&_revinclude:iterate=Condition:encounter&_include:iterate=Condition:subject";
    assert_eq!(included("Observation", both, 1), ["Condition", "Encounter", "Patient"]);
}
