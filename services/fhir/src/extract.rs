//! Search values of a resource, taken out once when it is written; they stand in its header.
//!
//! - Times without a zone are Japanese (`dates`). A `Timing` gives its outer limits, a `Range` its two ends as two quantities;
//!   `SampledData` gives nothing; a comparator (`<5`) is left aside, its number counts.
//! - A `CodeableConcept` gives one token per coding and one for its text if no coding shows the same words.
//! - References to `#contained` resources give nothing; the version of a reference is dropped.
//! - Texts are cut at 512 bytes.

mod types;

pub(crate) use types::{period, refers_to, type_of_reference};

use schemas::ResourceType;
use schemas::search::{ParamValue, SearchValue};

use crate::dates;
use crate::json::Node;
use crate::params::{Branch, DataType, Kind, Leaf, Path, table};

/// Longest text of a search value in bytes.
pub const MAX_TEXT: usize = 512;
/// A repeated value is looked for among so many before it.
const REPEAT_WINDOW: usize = 32;

/// The values of all search parameters of `resource`, sorted by parameter.
pub fn extract(resource_type: ResourceType, resource: &Node) -> Vec<ParamValue> {
    let table = table(resource_type);
    let mut out = Vec::with_capacity(24);
    walk(&table.tree, resource, &mut out);
    for (param, member) in &table.exists {
        out.push(ParamValue { param: *param, value: types::token("", exists(resource, member), "") });
    }
    out.sort_by_key(|v| v.param);
    without_repeats(out)
}

/// `true` if a choice element stands there and is not plainly false.
fn exists(resource: &Node, member: &str) -> &'static str {
    let Node::Object(members) = resource else { return "false" };
    let there = members.iter().any(|(name, value)| name.starts_with(member) && !matches!(value, Node::Bool(false)));
    if there { "true" } else { "false" }
}

fn without_repeats(values: Vec<ParamValue>) -> Vec<ParamValue> {
    let mut kept: Vec<ParamValue> = Vec::with_capacity(values.len());
    for value in values {
        if !kept.iter().rev().take(REPEAT_WINDOW).take_while(|v| v.param == value.param).any(|v| *v == value) {
            kept.push(value);
        }
    }
    kept
}

fn walk(branch: &Branch, node: &Node, out: &mut Vec<ParamValue>) {
    if let Node::Array(items) = node {
        let count = if branch.first_only { 1 } else { items.len() };
        for item in items.iter().take(count) {
            walk(branch, item, out);
        }
        return;
    }
    for leaf in &branch.leaves {
        take(leaf, node, out);
    }
    if let (Node::Object(members), false) = (node, branch.children.is_empty()) {
        for (name, value) in members {
            if let Some(child) = branch.child(name) {
                walk(child, value, out);
            }
        }
    }
}

fn take(leaf: &Leaf, node: &Node, out: &mut Vec<ParamValue>) {
    let param = leaf.param;
    if leaf.path.data_type == DataType::Composite {
        let parts = leaf.components.iter().map(|paths| component(paths, node)).collect::<Vec<_>>();
        out.extend(
            combinations(&parts).into_iter().map(|values| ParamValue { param, value: SearchValue::Composite(values) }),
        );
    } else {
        values_at(leaf.kind, &leaf.path, node, &mut |value| out.push(ParamValue { param, value }));
    }
}

fn component(paths: &[(Vec<String>, Kind, Path)], node: &Node) -> Vec<SearchValue> {
    let mut values = Vec::new();
    for (steps, kind, path) in paths {
        descend(node, steps, &mut |found| values_at(*kind, path, found, &mut |value| values.push(value)));
    }
    values
}

fn descend<'a>(node: &'a Node, steps: &[String], found: &mut dyn FnMut(&'a Node)) {
    match (node, steps) {
        (Node::Array(items), _) => items.iter().for_each(|item| descend(item, steps, found)),
        (_, []) => found(node),
        (_, [step, rest @ ..]) => {
            if let Some(child) = node.get(step) {
                descend(child, rest, found);
            }
        }
    }
}

/// Every way to choose one value per component; none if a component has none.
fn combinations(parts: &[Vec<SearchValue>]) -> Vec<Vec<SearchValue>> {
    parts.iter().fold(vec![Vec::new()], |sofar, part| {
        let extended = |head: &Vec<SearchValue>| {
            part.iter().map(|value| head.iter().cloned().chain([value.clone()]).collect::<Vec<_>>()).collect::<Vec<_>>()
        };
        sofar.iter().flat_map(extended).collect()
    })
}

/// The values of one element (never an array) for a parameter of `kind`.
fn values_at(kind: Kind, path: &Path, node: &Node, push: &mut dyn FnMut(SearchValue)) {
    if let Some((member, wanted)) = &path.filter
        && node.get(member).and_then(Node::as_str) != Some(wanted)
    {
        return;
    }
    match (path.data_type, kind) {
        (DataType::CodeableConcept, _) => types::concept(node, push),
        (DataType::Coding, _) => types::coding(node, None, push),
        (DataType::Identifier, _) => types::identifier(node, push),
        (DataType::ContactPoint, _) => types::contact_point(node, push),
        (DataType::HumanName, _) => types::parts(node, &["text", "family", "given", "prefix", "suffix"], push),
        (DataType::Address, _) => {
            types::parts(node, &["text", "line", "city", "district", "state", "postalCode", "country"], push);
        }
        (DataType::Simple, Kind::Token) => types::simple_token(node, push),
        (DataType::Simple, _) => types::text(node, push),
        (DataType::Uri, Kind::Token) => types::simple_token(node, push),
        (DataType::Canonical, Kind::Reference) => types::canonical(node, push),
        (DataType::Uri | DataType::Canonical, _) => types::uri(node, push),
        (DataType::Reference, _) => types::reference(node, path.only.as_deref(), push),
        (DataType::Resource, _) => types::inline_resource(node, path.only.as_deref(), push),
        (DataType::Quantity | DataType::Age | DataType::Duration, _) => types::quantity(node, push),
        (DataType::Money, _) => types::money(node, push),
        (DataType::Range, _) => {
            ["low", "high"].iter().filter_map(|end| node.get(end)).for_each(|end| types::quantity(end, push));
        }
        (DataType::DateTime, _) => {
            if let Some((from, to)) = node.as_str().and_then(dates::interval) {
                push(SearchValue::Date { from, to });
            }
        }
        (DataType::Period, _) => {
            if let Some((from, to)) = types::period(node) {
                push(SearchValue::Date { from, to });
            }
        }
        (DataType::Timing, _) => {
            if let Some((from, to)) = types::timing(node) {
                push(SearchValue::Date { from, to });
            }
        }
        (DataType::Exists | DataType::Composite, _) => {}
    }
}

/// Where the clinically relevant period of a type stands: the first member that is there counts.
const fn period_members(resource_type: ResourceType) -> &'static [&'static str] {
    use ResourceType as T;
    match resource_type {
        T::Coverage | T::CarePlan | T::CareTeam | T::Encounter | T::PractitionerRole => &["period"],
        T::Claim | T::ExplanationOfBenefit => &["billablePeriod", "created"],
        T::ClaimResponse => &["created"],
        T::MedicationRequest => &["authoredOn"],
        T::MedicationDispense => &["whenHandedOver", "whenPrepared"],
        T::MedicationAdministration => &["effectiveDateTime", "effectivePeriod"],
        T::MedicationStatement => &["effectiveDateTime", "effectivePeriod", "dateAsserted"],
        T::Immunization => &["occurrenceDateTime", "recorded"],
        T::Condition => &["onsetDateTime", "onsetPeriod", "recordedDate"],
        T::AllergyIntolerance => &["onsetDateTime", "onsetPeriod", "recordedDate", "lastOccurrence"],
        T::Observation | T::DiagnosticReport => {
            &["effectiveDateTime", "effectivePeriod", "effectiveInstant", "effectiveTiming", "issued"]
        }
        T::Specimen => &["collection.collectedDateTime", "collection.collectedPeriod", "receivedTime"],
        T::Procedure => &["performedDateTime", "performedPeriod"],
        T::Goal => &["startDate", "statusDate"],
        T::ServiceRequest => &["occurrenceDateTime", "occurrencePeriod", "occurrenceTiming", "authoredOn"],
        T::ImagingStudy => &["started"],
        T::DocumentReference => &["context.period", "date"],
        T::Composition => &["event.period", "date"],
        T::Bundle => &["timestamp"],
        T::Consent => &["dateTime"],
        T::Provenance => &["occurredPeriod", "occurredDateTime", "recorded"],
        T::RelatedPerson => &["period"],
        T::SupplyDelivery => &["occurrenceDateTime", "occurrencePeriod", "occurrenceTiming"],
        T::Patient | T::Medication | T::Device | T::Binary | T::Organization | T::Practitioner | T::Location => &[],
    }
}

/// The clinically relevant period of a resource (`ItemMeta.period`): milliseconds, from inclusive to exclusive.
pub fn clinical_period(resource_type: ResourceType, resource: &Node) -> Option<(i64, i64)> {
    period_members(resource_type).iter().find_map(|member| {
        let steps: Vec<String> = member.split('.').map(str::to_owned).collect();
        let mut found = None;
        descend(resource, &steps, &mut |node| {
            found = found.or_else(|| match node {
                Node::String(text) => dates::interval(text),
                _ if member.ends_with("Timing") => types::timing(node),
                _ => types::period(node),
            });
        });
        found
    })
}

#[cfg(test)]
mod tests;
