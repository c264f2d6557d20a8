use schemas::header::{Header, ItemMeta};
use schemas::ids::{LocalId, Pid, SubmissionId};
use schemas::vocab::{Category, Label};
use schemas::{ItemKey, ResourceId};
use serde_json::json;

use super::*;
use crate::extract::extract;
use crate::json::{Limits, parse};

/// One person's shelf, made from plain FHIR; `Type/name` in references becomes the id that we give.
struct Person {
    pid: Pid,
    headers: Vec<Header>,
}

impl Person {
    fn new(resources: &[serde_json::Value]) -> Self {
        let pid = Pid([7; 16]);
        let mut person = Self { pid, headers: Vec::new() };
        for (index, resource) in resources.iter().enumerate() {
            person.add(resource, i64::try_from(index).unwrap() * 1000);
        }
        person
    }

    fn id(&self, name: &str) -> String {
        ResourceId { pid: self.pid, local: local(name) }.to_string()
    }

    fn add(&mut self, resource: &serde_json::Value, last_updated: i64) {
        let resource_type: ResourceType = resource["resourceType"].as_str().unwrap().parse().unwrap();
        let mut text = resource.to_string();
        for kind in ResourceType::ALL {
            for name in ["a", "b", "c", "d"] {
                text = text.replace(&format!("\"{kind}/{name}\""), &format!("\"{kind}/{}\"", self.id(name)));
            }
        }
        let node = parse(text.as_bytes(), &Limits::default()).expect("well formed");
        let meta = ItemMeta {
            category: Category::Ehr,
            class: String::new(),
            labels: vec![],
            period: None,
            receivers: vec![],
            sent_meta: resource.get("meta").map(ToString::to_string).unwrap_or_default(),
            part_of: None,
            tables_release: String::new(),
        };
        self.headers.push(Header {
            item: ItemKey { resource_type, local: local(resource["id"].as_str().unwrap()) },
            version: 1,
            deleted: false,
            position: 0,
            last_updated,
            meta,
            author_organisation: "".into(),
            author_client: "".into(),
            author_practitioner: None,
            submission: SubmissionId([0; 16]),
            body: None,
            search: extract(resource_type, &node),
        });
    }

    /// Names of what a query string finds, in its order.
    fn find(&self, resource_type: &str, query: &str) -> Vec<String> {
        let query = compile(resource_type, query).unwrap_or_else(|p| panic!("{query}: {p:?}"));
        let shelf: HeaderShelf<'_> = self.headers.iter().collect();
        let matcher = query.on(&shelf);
        let mut found: Vec<&Header> = self.headers.iter().filter(|h| matcher.matches(h)).collect();
        found.sort_by(|a, b| query.compare(a, b));
        found.into_iter().map(name_of).collect()
    }

    fn finds(&self, resource_type: &str, query: &str) -> bool {
        !self.find(resource_type, query).is_empty()
    }
}

fn local(name: &str) -> LocalId {
    let mut bytes = [0; 10];
    bytes[..name.len()].copy_from_slice(name.as_bytes());
    LocalId(bytes)
}

fn name_of(header: &Header) -> String {
    String::from_utf8(header.item.local.0.iter().copied().take_while(|b| *b != 0).collect()).unwrap()
}

fn pairs(query: &str) -> Vec<(String, String)> {
    let pair = |p: &str| p.split_once('=').map(|(a, b)| (a.to_owned(), b.to_owned())).expect("name=value");
    query.split('&').filter(|p| !p.is_empty()).map(pair).collect()
}

fn compile(resource_type: &str, query: &str) -> Result<Query, Vec<Problem>> {
    Query::parse(Some(resource_type.parse().unwrap()), &pairs(query), Handling::Strict)
}

fn patient() -> serde_json::Value {
    json!({"resourceType": "Patient", "id": "a", "gender": "female", "birthDate": "1970-05-01", "active": true,
        "identifier": [{"type": {"coding": [{"system": "http://t", "code": "MR"}]}, "system": "http://hospital", "value": "AB|12"}],
        "name": [{"text": "山田 花子", "family": "山田", "given": ["花子"]}, {"family": "ﾔﾏﾀﾞ", "given": ["ハナコ"]}, {"family": "Müller"}],
        "telecom": [{"system": "phone", "value": "03-1234-5678"}, {"system": "email", "value": "a@example.org"}]})
}

fn glucose(id: &str, value: &str, date: &str) -> serde_json::Value {
    let number: serde_json::Value = serde_json::from_str(value).unwrap();
    json!({"resourceType": "Observation", "id": id, "status": "final",
        "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "laboratory"}]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": "2339-0", "display": "Glucose in Blood"}], "text": "血糖"},
        "subject": {"reference": "Patient/a"}, "encounter": {"reference": "Encounter/c"}, "effectiveDateTime": date,
        "valueQuantity": {"value": number, "unit": "mg/dl", "system": "http://unitsofmeasure.org", "code": "mg/dL"}})
}

fn shelf() -> Person {
    Person::new(&[
        patient(),
        glucose("a", "95.5", "2024-05-01"),
        glucose("b", "140", "2024-06-01T08:00:00+09:00"),
        json!({"resourceType": "Encounter", "id": "c", "status": "finished", "class": {"system": "http://c", "code": "AMB"},
            "subject": {"reference": "Patient/a"}, "period": {"start": "2024-05-01", "end": "2024-05-03"}}),
        json!({"resourceType": "Condition", "id": "d", "subject": {"reference": "Patient/a"}, "encounter": {"reference": "Encounter/c"},
            "code": {"text": "糖尿病"}, "recorder": {"identifier": {"system": "http://doctors", "value": "D1"}}}),
    ])
}

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

#[test]
fn what_is_unknown_or_unsupported_is_an_error_and_lenient_says_so() {
    for (resource_type, query) in [
        ("Observation", "colour=red"),
        ("Observation", "code:in=http://x"),
        ("Observation", "code:above=x"),
        ("Observation", "date:exact=2024"),
        ("Observation", "_text=x"),
        ("Observation", "subject.colour=x"),
        ("Location", "near=1"),
        ("Observation", "_has:Foo:subject:code=x"),
        ("Observation", "_sort=colour"),
        ("Observation", "_include=Observation:colour"),
        ("Observation", "_include:recurse=Observation:subject"),
        ("Observation", "_type=Patient"),
        ("Observation", "_contained=true"),
        ("Observation", "_id:not=x"),
    ] {
        let problems = compile(resource_type, query).expect_err(query);
        assert_eq!(problems.len(), 1, "{query}");
        let lenient = Query::parse(Some(resource_type.parse().unwrap()), &pairs(query), Handling::Lenient);
        assert_eq!(lenient.expect(query).ignored.len(), 1, "{query}");
    }
}

#[test]
fn a_bad_value_is_an_error_even_when_lenient_and_never_repeated() {
    for query in [
        "date=yesterday",
        "value-quantity=many",
        "status=",
        "_count=-1",
        "_sort=",
        "specimen:missing=maybe",
        "_summary=x",
        "code-value-quantity=2339-0",
        "_has:Encounter:subject:date=x",
        "subject:Encounter=x",
        "code=a,",
        "identifier:of-type=x",
        "code.text=x",
        "encounter.date=secret",
        "subject:Patient=Encounter/1",
        "_elements=a b",
    ] {
        let (name, value) = query.split_once('=').unwrap();
        let problems = Query::parse(Some(ResourceType::Observation), &pairs(query), Handling::Lenient)
            .map(|q| q.ignored)
            .unwrap_or_else(|p| p);
        assert_eq!(problems.len(), 1, "{query}");
        let shown = format!("{problems:?}");
        assert!(value.is_empty() || value == "x" || value == "-1" || !shown.contains(value), "{query}: {shown}");
        assert!(!name.is_empty());
    }
    let problems = compile("Patient", "山田=1").unwrap_err();
    assert_eq!(problems[0].path, "parameter[0]");
}

#[test]
fn a_query_has_limits() {
    let many = vec![("code".to_owned(), "x".to_owned()); PARAMS_MAX + 1];
    assert!(Query::parse(Some(ResourceType::Observation), &many, Handling::Lenient).is_err());
    assert!(compile("Observation", &format!("code={}", vec!["x"; VALUES_MAX + 1].join(","))).is_err());
    assert!(compile("Observation", &format!("code={}", vec!["x"; VALUES_MAX].join(","))).is_ok());
    assert!(compile("Observation", &format!("{}code=x", "has-member.".repeat(CHAIN_MAX + 1))).is_err());
    assert!(compile("Observation", "_count=1&_count=2").is_err());
}

#[test]
fn parameters_of_the_result_are_read() {
    let query = compile(
        "Observation",
        "_count=10&_summary=count&_elements=code,status&_total=accurate&_page=abc&_format=json&_contained=false",
    )
    .unwrap();
    assert_eq!((query.count, query.summary, query.total), (Some(10), Some(Summary::Count), Some(Total::Accurate)));
    assert_eq!(
        (query.elements.as_slice(), query.page.as_deref()),
        (&["code".to_owned(), "status".to_owned()][..], Some("abc"))
    );
    assert!(query.is_unconditional());
}

proptest::proptest! {
    #[test]
    fn no_query_makes_a_panic(name in "(code|date|subject|_has:Observation:subject|value-quantity|name|_id)([:.][a-z-]{0,8}){0,3}", value in "\\PC{0,20}") {
        let person = shelf();
        let headers: HeaderShelf<'_> = person.headers.iter().collect();
        for resource_type in [ResourceType::Observation, ResourceType::Patient] {
            if let Ok(query) = Query::parse(Some(resource_type), &[(name.clone(), value.clone())], Handling::Lenient) {
                person.headers.iter().for_each(|h| { query.matches(h, &headers); });
            }
        }
    }
}
