//! The second opinion: fhir-sdk reads the resource, writes it again, and each leaf of the input must be there. What is missing
//! is found while it writes; only then is it written out, to name the places.
//!
//! fhir-sdk has the R4B model and no R4 one, drops what it does not know, and counts decimals in floating point
//! (`crates.md`). So the bytes as received stay the truth, and these differences are known and let through:
//!
//! - numbers are compared as 64-bit floats: 29 digits come back as 17;
//! - `.000` and longer fractions than nanoseconds, `+00:00` for `Z`, and the leap second are written differently;
//! - base64 with line breaks is read after they were taken out;
//! - resources that contain a type which R4B changed or dropped ([`NOT_IN_R4B`]) get no second opinion.
//!
//! Refused though R4 allows it, for fhir-sdk cannot express it: a year before 1000 without a day; second 60 at any other
//! moment than a leap second could be.
//! Its errors may hold data of a person: none is ever shown.

use fhir_second::{same_number, same_text};
use schemas::{Problem, ProblemCode};

use crate::json::{self, Limits, Node};
use crate::path::Path;

/// Resource types of R4 that R4B (4.3.0) removed or changed beyond compatibility.
const NOT_IN_R4B: &[&str] = &[
    "DeviceDefinition",
    "EffectEvidenceSynthesis",
    "Evidence",
    "EvidenceVariable",
    "MedicinalProduct",
    "MedicinalProductAuthorization",
    "MedicinalProductContraindication",
    "MedicinalProductIndication",
    "MedicinalProductIngredient",
    "MedicinalProductInteraction",
    "MedicinalProductManufactured",
    "MedicinalProductPackaged",
    "MedicinalProductPharmaceutical",
    "MedicinalProductUndesirableEffect",
    "RiskEvidenceSynthesis",
    "SubstanceNucleicAcid",
    "SubstancePolymer",
    "SubstanceProtein",
    "SubstanceReferenceInformation",
    "SubstanceSourceMaterial",
    "SubstanceSpecification",
];

const RULE: &str = "second-opinion";

/// Compares `node` (which passed the shape check) with what fhir-sdk makes of it.
pub fn check(node: &Node, path: &str) -> Vec<Problem> {
    if has_foreign_type(node) || fhir_second::keeps_all(node) == Some(true) {
        return Vec::new();
    }
    let again = round_trip(node).or_else(|| {
        let mut plain = node.clone();
        unwrap_base64(&mut plain).then(|| round_trip(&plain))?
    });
    let mut problems = Vec::new();
    match again {
        None => {
            let place = first_unread(node, path);
            let message =
                "could not be read by the second parser (FHIR R4B): a value is outside of what it can express";
            problems.push(Problem::new(ProblemCode::Value, place, message).with_rule(RULE));
        }
        Some(again) => compare(node, &again, &Path::Root(path), &mut problems),
    }
    problems
}

fn round_trip(node: &Node) -> Option<Node> {
    let text = fhir_second::round_trip(node)?;
    // What it writes is longer by some `.0` at most; the limits of the input were checked before.
    let limits = Limits { bytes_max: usize::MAX, depth_max: 128, nodes_max: usize::MAX };
    json::parse(&text, &limits).ok()
}

/// In a Bundle, the first entry that cannot be read by itself: the error of the whole names no place.
fn first_unread(node: &Node, path: &str) -> String {
    for (at, entry) in node.get("entry").map_or(&[][..], Node::items).iter().enumerate() {
        if let Some(resource) = entry.get("resource")
            && fhir_second::round_trip(resource).is_none()
        {
            return first_unread(resource, &format!("{path}.entry[{at}].resource"));
        }
    }
    path.to_owned()
}

fn has_foreign_type(node: &Node) -> bool {
    let is_foreign = |one: &Node| one.text("resourceType").is_some_and(|named| NOT_IN_R4B.contains(&named));
    let inside = |name: &str| node.get(name).map_or(&[][..], Node::items);
    inside("contained").iter().any(is_foreign)
        || inside("entry")
            .iter()
            .filter_map(|entry| entry.get("resource"))
            .any(|one| is_foreign(one) || has_foreign_type(one))
}

/// Takes white space out of base64; says whether there was any.
fn unwrap_base64(node: &mut Node) -> bool {
    match node {
        Node::Array(items) => items.iter_mut().fold(false, |any, item| unwrap_base64(item) | any),
        Node::Object(members) => members.iter_mut().fold(false, |any, (name, value)| {
            let changed = match value {
                Node::String(text) if is_base64_name(name) && text.contains(|c: char| c.is_ascii_whitespace()) => {
                    text.retain(|c| !c.is_ascii_whitespace());
                    true
                }
                Node::String(_) => false,
                _ => unwrap_base64(value),
            };
            changed | any
        }),
        _ => false,
    }
}

fn is_base64_name(name: &str) -> bool {
    matches!(name, "data" | "hash" | "valueBase64Binary" | "carrierAIDC")
}

/// Each leaf of `input` must be in `output`.
fn compare(input: &Node, output: &Node, path: &Path<'_>, problems: &mut Vec<Problem>) {
    let is_same = match (input, output) {
        (Node::Null, _) => true,
        (Node::Bool(a), Node::Bool(b)) => a == b,
        (Node::Number(a), Node::Number(b)) => same_number(a, b),
        (Node::String(a), Node::String(b)) => same_text(a, b),
        (Node::Array(items), Node::Array(others)) => {
            for (at, item) in items.iter().enumerate() {
                match others.get(at) {
                    Some(other) => compare(item, other, &path.index(at), problems),
                    None => lost(item, &path.index(at), problems),
                }
            }
            true
        }
        (Node::Object(members), Node::Object(_)) => {
            for (name, value) in members {
                match output.get(name) {
                    Some(other) => compare(value, other, &path.name(name), problems),
                    None => lost(value, &path.name(name), problems),
                }
            }
            true
        }
        _ => false,
    };
    if !is_same {
        lost(input, path, problems);
    }
}

fn lost(node: &Node, path: &Path<'_>, problems: &mut Vec<Problem>) {
    if node.has_leaf() && problems.len() < 20 {
        let message = "would be lost or changed by the second parser (FHIR R4B)";
        problems.push(Problem::new(ProblemCode::Value, path.write(), message).with_rule(RULE));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fhir_sdk_drops_or_cannot_read_is_found_with_its_place_and_nothing_else_is() {
        let places = |text: &str| {
            let node = json::parse(text.as_bytes(), &Limits::default()).unwrap();
            check(&node, "X").into_iter().map(|problem| problem.path).collect::<Vec<_>>()
        };
        let observation =
            |more: &str| format!(r#"{{"resourceType":"Observation","status":"final","code":{{"text":"x"}}{more}}}"#);
        let whole = r#","valueQuantity":{"value":1.50,"unit":"mg"},"issued":"2026-11-20T08:31:02.120+09:00","note":[{"text":"a"}]"#;
        assert!(places(&observation(whole)).is_empty());
        assert_eq!(places(&observation(r#","unheard":1"#)), ["X.unheard"]);
        assert_eq!(
            places(&observation(r#","note":[{"text":"a"},{"text":"b","unheard":true}]"#)),
            ["X.note[1].unheard"]
        );
        assert_eq!(places(&observation(r#","valueQuantity":{"value":"6.3"}"#)), ["X.valueQuantity"]);
        let bundle = |entries: &[String]| {
            let entries: Vec<String> = entries.iter().map(|entry| format!(r#"{{"resource":{entry}}}"#)).collect();
            format!(r#"{{"resourceType":"Bundle","type":"collection","entry":[{}]}}"#, entries.join(","))
        };
        let condition = r#"{"resourceType":"Condition","subject":{"reference":"Patient/1"}}"#.to_owned();
        assert!(places(&bundle(&[observation(""), condition.clone()])).is_empty());
        assert_eq!(
            places(&bundle(&[condition.clone(), observation(r#","unheard":1"#)])),
            ["X.entry[1].resource.unheard"]
        );
        assert_eq!(places(&bundle(&[condition, observation(r#","issued":"at noon""#)])), ["X.entry[1].resource"]);
    }

    #[test]
    fn a_lost_leaf_is_said_with_its_path() {
        let read = |text: &str| json::parse(text.as_bytes(), &Limits::default()).unwrap();
        let mut problems = Vec::new();
        let (input, output) = (read(r#"{"a":[{"b":1},{"c":"x"}],"d":[null]}"#), read(r#"{"a":[{"b":1.0},{}]}"#));
        compare(&input, &output, &Path::Root("X"), &mut problems);
        assert_eq!(problems.iter().map(|problem| problem.path.as_str()).collect::<Vec<_>>(), ["X.a[1].c"]);
    }
}
