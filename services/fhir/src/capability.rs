//! The CapabilityStatement, generated from the tables that the code works with: what it says is what is served.

use schemas::ResourceType;
use serde_json::{Value, json};

use crate::params::{COMMON, Kind, Param, table};

/// Changed with each change of what is served; a CapabilityStatement must carry a date, and the code has no clock.
const DATE: &str = "2026-11-21";
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Interactions of every type.
const INTERACTIONS: [&str; 8] =
    ["read", "vread", "create", "update", "delete", "history-instance", "history-type", "search-type"];

/// Parameters that shape the result, with their kinds.
const RESULT_PARAMS: [(&str, &str, &str); 7] = [
    ("_count", "number", "most resources of a page"),
    ("_sort", "string", "keys joined by commas, a minus before a descending one; what has no value comes last"),
    ("_include", "string", "Type:reference[:Target], Type:* or *; :iterate"),
    ("_revinclude", "string", "Type:reference[:Target]; :iterate"),
    ("_summary", "token", "true, text, data, count or false"),
    ("_elements", "string", "names of elements at the top of the resource, joined by commas"),
    ("_total", "token", "none, estimate or accurate"),
];

/// The CapabilityStatement of the server at `base_url` (no slash at its end). The same URL gives the same bytes.
pub fn capability_statement(base_url: &str) -> Value {
    json!({
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": DATE,
        "kind": "instance",
        "software": {"name": "Kiroku", "version": VERSION},
        "implementation": {"description": "national health record", "url": base_url},
        "fhirVersion": "4.0.1",
        "format": ["json"],
        "rest": [{
            "mode": "server",
            "documentation": "A search is about one person: the token names the person, or a parameter (patient, subject, ...) or the \
                path does. Unknown or unsupported parameters are errors; `Prefer: handling=lenient` leaves them out and says so. Dates \
                and times without a zone are in Japan (+09:00). Patch is not supported (405).",
            "security": {
                "description": "SMART Backend Services: signed client assertion, tokens of 300 seconds",
                "service": [{"coding": [{
                    "system": "http://terminology.hl7.org/CodeSystem/restful-security-service", "code": "SMART-on-FHIR"
                }]}],
            },
            "resource": ResourceType::ALL.iter().map(|t| resource(*t)).collect::<Vec<_>>(),
            "interaction": [{"code": "transaction"}, {"code": "batch"}],
            "searchParam": [search_param("_type", "token", "types joined by commas, in a search over all types".into())],
        }],
    })
}

fn resource(resource_type: ResourceType) -> Value {
    let name = resource_type.as_str();
    let known = table(resource_type).params.iter().filter(|p| is_served(p));
    let mut params: Vec<Value> =
        known.clone().map(|p| search_param(&p.code, p.kind.as_str(), documentation(p.kind).to_owned())).collect();
    params.extend(COMMON.iter().map(|(code, kind)| search_param(code, kind.as_str(), documentation(*kind).to_owned())));
    params.extend(RESULT_PARAMS.iter().map(|(code, kind, text)| search_param(code, kind, (*text).to_owned())));
    let references = known.filter(|p| p.kind == Kind::Reference);
    let includes: Vec<String> = references.map(|p| format!("{name}:{}", p.code)).collect();
    let mut out = json!({
        "type": name,
        "interaction": INTERACTIONS.iter().map(|code| json!({"code": code})).collect::<Vec<_>>(),
        "versioning": "versioned-update",
        "readHistory": true,
        "updateCreate": false,
        "conditionalCreate": true,
        "conditionalRead": "not-match",
        "conditionalUpdate": true,
        "conditionalDelete": "not-supported",
        "referencePolicy": ["literal", "logical", "local", "resolves"],
        "searchParam": params,
    });
    for (member, values) in [("searchInclude", includes), ("searchRevInclude", reverse_includes(resource_type))] {
        if !values.is_empty() {
            out[member] = values.into();
        }
    }
    if let Some(operation) = operation(resource_type) {
        out["operation"] = json!([operation]);
    }
    out
}

/// Known and supported: `Location.near` is not.
fn is_served(param: &Param) -> bool {
    !param.retired && param.kind != Kind::Special
}

fn reverse_includes(target: ResourceType) -> Vec<String> {
    let leads_here = |p: &&Param| is_served(p) && p.kind == Kind::Reference && p.targets.contains(&target);
    let of_type = |t: &ResourceType| -> Vec<String> {
        table(*t).params.iter().filter(leads_here).map(|p| format!("{t}:{}", p.code)).collect()
    };
    ResourceType::ALL.iter().flat_map(of_type).collect()
}

fn operation(resource_type: ResourceType) -> Option<Value> {
    match resource_type {
        ResourceType::Patient => Some(json!({
            "name": "everything", "definition": "http://hl7.org/fhir/OperationDefinition/Patient-everything",
        })),
        ResourceType::MedicationRequest => Some(json!({
            "name": "check", "definition": "https://kiroku.example/OperationDefinition/MedicationRequest-check",
        })),
        _ => None,
    }
}

fn search_param(name: &str, kind: &str, documentation: String) -> Value {
    json!({"name": name, "type": kind, "documentation": documentation})
}

const fn documentation(kind: Kind) -> &'static str {
    match kind {
        Kind::String => "starts with, without case, accents, width or kind of kana; :exact :contains :missing",
        Kind::Token => "code, system|code, |code, system|; :not :text :of-type :missing",
        Kind::Date => "eq ne gt lt ge le sa eb ap; partial dates and zones; :missing",
        Kind::Number => "eq ne gt lt ge le ap, with the precision that is written; :missing",
        Kind::Quantity => {
            "number, number|system|code, number||unit; eq ne gt lt ge le ap; units are not converted; :missing"
        }
        Kind::Reference => "id, Type/id, URL; :Type :identifier :missing; chaining and _has within the person",
        Kind::Uri => "exact; :below :above :missing",
        Kind::Composite => "values joined by $, found on one element; :missing",
        Kind::Special => "not supported",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::{Handling, Query};

    fn value_of(kind: &str, name: &str) -> &'static str {
        match (kind, name) {
            (_, "_sort") => "_lastUpdated",
            (_, "_total") => "none",
            (_, "_summary") => "true",
            (_, "_elements") => "id",
            ("date", _) => "2024",
            ("quantity" | "number", _) => "1",
            _ => "x",
        }
    }

    #[test]
    fn every_parameter_that_is_announced_is_understood() {
        let statement = capability_statement("https://kiroku.example/fhir");
        let mut tried = 0;
        for resource in statement["rest"][0]["resource"].as_array().unwrap() {
            let resource_type: ResourceType = resource["type"].as_str().unwrap().parse().unwrap();
            for param in resource["searchParam"].as_array().unwrap() {
                let (name, kind) = (param["name"].as_str().unwrap(), param["type"].as_str().unwrap());
                if kind == "composite" || name.ends_with("include") {
                    continue;
                }
                let pair = (name.to_owned(), value_of(kind, name).to_owned());
                Query::parse(Some(resource_type), &[pair], Handling::Strict)
                    .unwrap_or_else(|p| panic!("{resource_type}.{name}: {p:?}"));
                tried += 1;
            }
            for (member, name) in [("searchInclude", "_include"), ("searchRevInclude", "_revinclude")] {
                for value in resource.get(member).and_then(Value::as_array).into_iter().flatten() {
                    let pair = (name.to_owned(), value.as_str().unwrap().to_owned());
                    Query::parse(Some(resource_type), &[pair], Handling::Strict)
                        .unwrap_or_else(|p| panic!("{value}: {p:?}"));
                    tried += 1;
                }
            }
        }
        assert!(tried > 1000, "{tried}");
    }

    #[test]
    fn all_types_are_announced_and_the_bytes_are_always_the_same() {
        let one = capability_statement("https://kiroku.example/fhir");
        assert_eq!(one.to_string(), capability_statement("https://kiroku.example/fhir").to_string());
        assert_eq!(one["rest"][0]["resource"].as_array().map(Vec::len), Some(ResourceType::ALL.len()));
    }
}
