//! Every path that could tell: one row each. A path that is added to the server is added here.

use reqwest::Method;
use serde_json::{Value, json};
use tests::wire::Ask;

/// One row.
#[derive(Clone, Debug)]
pub(super) struct Path {
    pub(super) name: String,
    pub(super) ask: Ask,
}

/// What the rows are about, on one side.
pub(super) struct Case {
    pub(super) patient: String,
    pub(super) items: Vec<Item>,
    pub(super) number: u64,
}

pub(super) struct Item {
    pub(super) id: String,
    pub(super) record: Value,
    pub(super) withheld: bool,
}

impl Item {
    fn kind(&self) -> &str {
        self.record["resourceType"].as_str().unwrap_or_default()
    }

    /// `system|value` of its first identifier, for a query.
    fn identifier(&self) -> String {
        let identifier = match &self.record["identifier"] {
            Value::Array(all) => all.first().cloned().unwrap_or_default(),
            one => one.clone(),
        };
        let text = |name: &str| identifier[name].as_str().unwrap_or_default().to_owned();
        format!("{}%7C{}", text("system"), text("value"))
    }
}

fn get(path: String) -> Path {
    Path { name: format!("GET {path}"), ask: Ask::get(path) }
}

/// Reading rows: of each item by itself, then of the person.
pub(super) fn reads(case: &Case) -> Vec<Path> {
    let p = &case.patient;
    let mut rows = Vec::new();
    for item in &case.items {
        let (kind, id) = (item.kind(), &item.id);
        rows.extend(
            [
                format!("/fhir/{kind}/{id}"),
                format!("/fhir/{kind}/{id}/_history"),
                format!("/fhir/{kind}/{id}/_history/1"),
                format!("/fhir/{kind}/{id}/_history/2"),
                format!("/fhir/{kind}/{id}/_history/9"),
                format!("/fhir/{kind}/{id}?_summary=true"),
                format!("/fhir/{kind}?_id={id}&patient={p}"),
                format!("/fhir/{kind}?_id={id}"),
                format!("/fhir/{kind}?patient={p}&identifier={}", item.identifier()),
                format!("/fhir/Observation?patient={p}&derived-from={kind}/{id}"),
                format!("/fhir/Condition/{id}"),
            ]
            .map(get),
        );
        let path = format!("/fhir/{kind}/{id}");
        for tag in ["W/\"1\"", "W/\"2\"", "*"] {
            let ask = Ask::get(path.clone()).header("if-none-match", tag);
            rows.push(Path { name: format!("GET {path} If-None-Match {tag}"), ask });
        }
        if item.withheld {
            rows.push(get(format!("/fhir/AuditEvent?entity={kind}/{id}")));
        }
    }
    rows.push(check(p));
    // A person's list is hers alone, and another's is refused alike.
    rows.push(get(format!("/fhir/AuditEvent?patient={p}&date=lt1990-01-01")));
    rows.push(get(format!("/fhir/AuditEvent/{}", "a".repeat(26))));
    rows.extend(person_rows(p).map(get));
    let form = |path: &str, body: String| {
        let ask = Ask::with_body(Method::POST, path, body).header("content-type", "application/x-www-form-urlencoded");
        Path { name: format!("POST {path}"), ask }
    };
    rows.push(form("/fhir/Observation/_search", format!("patient={p}&_sort=date")));
    rows.push(form("/fhir/MedicationRequest/_search", format!("patient={p}")));
    rows.push(form("/fhir/_search", format!("patient={p}&_type=Observation,MedicationRequest,Claim")));
    rows
}

/// The safety check of a drug that nobody in the population takes. What the check says of a drug that is taken shows by design
/// (R25).
pub(super) fn check(patient: &str) -> Path {
    let coding = json!({"system": "http://capstandard.jp/iyaku.info/CodeSystem/YJ-code", "code": "9999999A1010"});
    let order = json!({
        "resourceType": "MedicationRequest", "status": "active", "intent": "order", "id": "order-1",
        "medicationCodeableConcept": {"coding": [coding]}, "subject": {"reference": format!("Patient/{patient}")},
    });
    let ask = Ask::with_body(Method::POST, "/fhir/MedicationRequest/$check", order.to_string());
    Path { name: "POST /fhir/MedicationRequest/$check".to_owned(), ask }
}

fn person_rows(p: &str) -> [String; 31] {
    let o = format!("/fhir/Observation?patient={p}");
    [
        o.clone(),
        format!("{o}&_summary=count"),
        format!("{o}&_count=0"),
        format!("{o}&_count=1"),
        format!("{o}&_total=accurate"),
        format!("{o}&_total=none"),
        format!("{o}&_sort=-date"),
        format!("{o}&_sort=-_lastUpdated"),
        format!("{o}&_lastUpdated=ge2020-01-01"),
        format!("{o}&_security=https://kiroku.example/CodeSystem/label%7CSEALED"),
        format!("{o}&_security:not=https://kiroku.example/CodeSystem/label%7CSEALED"),
        format!("{o}&_tag=http://jpfhir.jp/fhir/clins/CodeSystem/JP_ehrshrs_indication%7CUNINFORMED"),
        format!("{o}&_include=Observation:derived-from"),
        format!("{o}&_include=*"),
        format!("{o}&_revinclude=Observation:derived-from"),
        format!("{o}&_include:iterate=Observation:derived-from"),
        format!("{o}&derived-from:missing=false"),
        format!("{o}&_has:Observation:derived-from:status=final"),
        format!("{o}&derived-from:Observation.status=final"),
        format!("{o}&_elements=status"),
        format!("/fhir/MedicationRequest?patient={p}"),
        format!("/fhir/MedicationRequest?patient={p}&_summary=count"),
        format!("/fhir/Claim?patient={p}&_revinclude=*"),
        format!("/fhir/DocumentReference?patient={p}"),
        format!("/fhir/Encounter?patient={p}&_revinclude=Observation:encounter"),
        format!("/fhir/Observation/_history?patient={p}"),
        format!("/fhir/MedicationRequest/_history?patient={p}"),
        format!("/fhir/Patient/{p}/Observation"),
        format!("/fhir/Patient/{p}/$everything"),
        format!("/fhir/Patient/{p}/$everything?_type=Observation,Claim&_since=2020-01-01"),
        format!("/fhir?patient={p}&_type=Observation,Encounter,Immunization"),
    ]
}

/// Searches to be read to the last page.
pub(super) fn paged(case: &Case) -> Vec<String> {
    let p = &case.patient;
    vec![
        format!("/fhir/Observation?patient={p}&_count=1"),
        format!("/fhir/Observation?patient={p}&_count=2&_sort=-date"),
        format!("/fhir/Patient/{p}/$everything?_count=2"),
    ]
}

/// Writing rows of another facility: conditions must not see what it may not read. Every row has its own Idempotency-Key.
pub(super) fn writes(case: &Case) -> Vec<Path> {
    let mut rows = Vec::new();
    for (at, item) in case.items.iter().enumerate().filter(|(_, item)| item.withheld) {
        let path = format!("/fhir/{}/{}", item.kind(), item.id);
        let mut own = item.record.clone();
        own.as_object_mut().into_iter().for_each(|o| drop(o.remove("meta")));
        let mut with_id = own.clone();
        with_id["id"] = json!(item.id);
        let mut row = |name: &str, ask: Ask| {
            let key = format!("case {} item {at} {name}", case.number);
            rows.push(Path { name: format!("{name} of {path}"), ask: ask.header("idempotency-key", key) });
        };
        let put = || Ask::with_body(Method::PUT, path.clone(), with_id.to_string());
        row("update", put());
        for tag in ["W/\"1\"", "W/\"2\"", "W/\"3\""] {
            row(&format!("update if {tag}"), put().header("if-match", tag));
            row(&format!("delete if {tag}"), Ask::with_body(Method::DELETE, path.clone(), "").header("if-match", tag));
        }
        row("delete", Ask::with_body(Method::DELETE, path.clone(), ""));
        row("patch", Ask::with_body(Method::PATCH, path.clone(), "[]"));
        let kind = item.kind().to_owned();
        let condition = format!("identifier={}", item.identifier());
        let create = || Ask::with_body(Method::POST, format!("/fhir/{kind}"), own.to_string());
        let entry = |method: &str, url: String, resource: &Value| json!({"resource": resource, "request": {"method": method, "url": url}});
        let bundle = |kind: &str, entry: Value| {
            let bundle = json!({"resourceType": "Bundle", "type": kind, "entry": [entry]});
            Ask::with_body(Method::POST, "/fhir", bundle.to_string())
        };
        row("transaction", bundle("transaction", entry("PUT", format!("{kind}/{}", item.id), &with_id)));
        row("batch", bundle("batch", entry("PUT", format!("{kind}/{}", item.id), &with_id)));
        let referring = json!({
            "resourceType": "Observation", "status": "final", "code": {"text": "x"}, "subject": own["subject"],
            "derivedFrom": [{"reference": format!("Observation/{}", item.id)}],
        });
        if own["subject"].is_object() {
            row("reference", Ask::with_body(Method::POST, "/fhir/Observation", referring.to_string()));
        }
        let url = format!("/fhir/{kind}?{condition}");
        row("create if none", create().header("if-none-exist", condition.clone()));
        row("create if none, again", create().header("if-none-exist", condition.clone()));
        row("conditional update", Ask::with_body(Method::PUT, url, own.to_string()));
        row("create twice the same", create());
    }
    rows
}
