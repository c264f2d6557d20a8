//! A shelf to search, and queries from text.

use schemas::header::{Header, ItemMeta};
use schemas::ids::{LocalId, Pid, SubmissionId};
use schemas::vocab::Category;
use schemas::{ItemKey, Problem, ResourceId, ResourceType};
use serde_json::json;

use crate::extract::extract;
use crate::json::{Limits, parse};
use crate::search::{Handling, HeaderShelf, Query};

/// One person's shelf, made from plain FHIR; `Type/name` in references becomes the id that we give.
pub(super) struct Person {
    pid: Pid,
    pub(super) headers: Vec<Header>,
}

impl Person {
    pub(super) fn new(resources: &[serde_json::Value]) -> Self {
        let pid = Pid([7; 16]);
        let mut person = Self { pid, headers: Vec::new() };
        for (index, resource) in resources.iter().enumerate() {
            person.add(resource, i64::try_from(index).unwrap() * 1000);
        }
        person
    }

    pub(super) fn id(&self, name: &str) -> String {
        ResourceId { pid: self.pid, local: local(name) }.to_string()
    }

    pub(super) fn add(&mut self, resource: &serde_json::Value, last_updated: i64) {
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
    pub(super) fn find(&self, resource_type: &str, query: &str) -> Vec<String> {
        let query = compile(resource_type, query).unwrap_or_else(|p| panic!("{query}: {p:?}"));
        let shelf: HeaderShelf<'_> = self.headers.iter().collect();
        let matcher = query.on(&shelf);
        let mut found: Vec<&Header> = self.headers.iter().filter(|h| matcher.matches(h)).collect();
        found.sort_by(|a, b| query.compare(a, b));
        found.into_iter().map(name_of).collect()
    }

    pub(super) fn finds(&self, resource_type: &str, query: &str) -> bool {
        !self.find(resource_type, query).is_empty()
    }
}

pub(super) fn local(name: &str) -> LocalId {
    let mut bytes = [0; 10];
    bytes[..name.len()].copy_from_slice(name.as_bytes());
    LocalId(bytes)
}

pub(super) fn name_of(header: &Header) -> String {
    String::from_utf8(header.item.local.0.iter().copied().take_while(|b| *b != 0).collect()).unwrap()
}

pub(super) fn pairs(query: &str) -> Vec<(String, String)> {
    let pair = |p: &str| p.split_once('=').map(|(a, b)| (a.to_owned(), b.to_owned())).expect("name=value");
    query.split('&').filter(|p| !p.is_empty()).map(pair).collect()
}

pub(super) fn compile(resource_type: &str, query: &str) -> Result<Query, Vec<Problem>> {
    Query::parse(Some(resource_type.parse().unwrap()), &pairs(query), Handling::Strict)
}

pub(super) fn patient() -> serde_json::Value {
    json!({"resourceType": "Patient", "id": "a", "gender": "female", "birthDate": "1970-05-01", "active": true,
        "identifier": [{"type": {"coding": [{"system": "http://t", "code": "MR"}]}, "system": "http://hospital", "value": "AB|12"}],
        "name": [{"text": "山田 花子", "family": "山田", "given": ["花子"]}, {"family": "ﾔﾏﾀﾞ", "given": ["ハナコ"]}, {"family": "Müller"}],
        "telecom": [{"system": "phone", "value": "03-1234-5678"}, {"system": "email", "value": "a@example.org"}]})
}

pub(super) fn glucose(id: &str, value: &str, date: &str) -> serde_json::Value {
    let number: serde_json::Value = serde_json::from_str(value).unwrap();
    json!({"resourceType": "Observation", "id": id, "status": "final",
        "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "laboratory"}]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": "2339-0", "display": "Glucose in Blood"}], "text": "血糖"},
        "subject": {"reference": "Patient/a"}, "encounter": {"reference": "Encounter/c"}, "effectiveDateTime": date,
        "valueQuantity": {"value": number, "unit": "mg/dl", "system": "http://unitsofmeasure.org", "code": "mg/dL"}})
}

pub(super) fn shelf() -> Person {
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
