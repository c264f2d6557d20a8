//! Search values of one element of a data type of FHIR.

use schemas::Text;
use schemas::search::SearchValue;

use super::MAX_TEXT;
use crate::dates;
use crate::json::Node;

fn text_of<'a>(node: &'a Node, member: &str) -> &'a str {
    node.get(member).and_then(Node::as_str).unwrap_or_default()
}

/// Cut at a character's border.
fn cut(text: &str) -> Text {
    let mut end = text.len().min(MAX_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    Text::new(&text[..end])
}

pub(super) fn token(system: &str, code: &str, text: &str) -> SearchValue {
    SearchValue::Token { system: cut(system), code: cut(code), text: cut(text), types: None }
}

pub(super) fn coding(node: &Node, concept_text: Option<&str>, push: &mut dyn FnMut(SearchValue)) {
    let (system, code, display) = (text_of(node, "system"), text_of(node, "code"), text_of(node, "display"));
    let text = if display.is_empty() { concept_text.unwrap_or_default() } else { display };
    if !(system.is_empty() && code.is_empty() && text.is_empty()) {
        push(token(crate::systems::canonical(system), code, text));
    }
}

pub(super) fn concept(node: &Node, push: &mut dyn FnMut(SearchValue)) {
    let codings = node.get("coding").map(Node::items).unwrap_or_default();
    let text = text_of(node, "text");
    let mut shown = text.is_empty();
    for one in codings {
        let display = text_of(one, "display");
        shown |= display.is_empty() || display == text;
        coding(one, Some(text), push);
    }
    if !shown {
        push(token("", "", text));
    }
}

pub(super) fn identifier(node: &Node, push: &mut dyn FnMut(SearchValue)) {
    let (system, value) = (text_of(node, "system"), text_of(node, "value"));
    if system.is_empty() && value.is_empty() {
        return;
    }
    let kind = node.get("type");
    let codings = kind.and_then(|t| t.get("coding")).map(Node::items).unwrap_or_default();
    let types: Vec<String> =
        codings.iter().map(|c| format!("{}|{}", text_of(c, "system"), text_of(c, "code"))).collect();
    push(SearchValue::Token {
        system: cut(crate::systems::canonical(system)),
        code: cut(value),
        text: cut(kind.map(|t| text_of(t, "text")).unwrap_or_default()),
        types: (!types.is_empty()).then(|| types.join(" ")),
    });
}

/// R4 gives a contact point no system: the number or address is the code.
pub(super) fn contact_point(node: &Node, push: &mut dyn FnMut(SearchValue)) {
    let value = text_of(node, "value");
    if !value.is_empty() {
        push(token("", value, ""));
    }
}

pub(super) fn simple_token(node: &Node, push: &mut dyn FnMut(SearchValue)) {
    match node {
        Node::String(code) => push(token("", code, "")),
        Node::Bool(value) => push(token("", if *value { "true" } else { "false" }, "")),
        _ => {}
    }
}

pub(super) fn text(node: &Node, push: &mut dyn FnMut(SearchValue)) {
    if let Some(text) = node.as_str() {
        push(SearchValue::Text(cut(text)));
    }
}

/// The texts of a name or an address, one value each.
pub(super) fn parts(node: &Node, members: &[&str], push: &mut dyn FnMut(SearchValue)) {
    for member in members {
        match node.get(member) {
            Some(Node::Array(items)) => items.iter().for_each(|item| text(item, push)),
            Some(item) => text(item, push),
            None => {}
        }
    }
}

pub(super) fn uri(node: &Node, push: &mut dyn FnMut(SearchValue)) {
    if let Some(text) = node.as_str() {
        push(SearchValue::Uri(cut(text)));
    }
}

pub(super) fn canonical(node: &Node, push: &mut dyn FnMut(SearchValue)) {
    if let Some(text) = node.as_str() {
        push(reference_to(text, "", ""));
    }
}

fn reference_to(target: &str, identifier_system: &str, identifier_value: &str) -> SearchValue {
    SearchValue::Reference {
        target: cut(target),
        identifier_system: cut(identifier_system),
        identifier_value: cut(identifier_value),
    }
}

pub(super) fn reference(node: &Node, only: Option<&str>, push: &mut dyn FnMut(SearchValue)) {
    let whole = text_of(node, "reference");
    let target = whole.find("/_history/").map_or(whole, |at| &whole[..at]);
    let target = if target.starts_with('#') { "" } else { target };
    let (system, value) = node.get("identifier").map_or(("", ""), |i| (text_of(i, "system"), text_of(i, "value")));
    if target.is_empty() && system.is_empty() && value.is_empty() {
        return;
    }
    let kind = type_of_reference(target).unwrap_or_else(|| text_of(node, "type"));
    if only.is_none_or(|only| only == kind) {
        push(reference_to(target, crate::systems::canonical(system), value));
    }
}

/// `Type` of `Type/id` or `http://.../Type/id`.
pub(crate) fn type_of_reference(target: &str) -> Option<&str> {
    let (head, _) = target.rsplit_once('/')?;
    let name = head.rsplit('/').next()?;
    name.starts_with(|c: char| c.is_ascii_uppercase()).then_some(name)
}

/// Whether a reference names a resource of this type.
pub(crate) fn refers_to(target: &str, resource_type: &str) -> bool {
    let is_ours = target.strip_prefix(resource_type).is_some_and(|rest| rest.starts_with('/'));
    is_ours || type_of_reference(target) == Some(resource_type)
}

/// `Bundle.entry[0].resource`: the resource itself stands there.
pub(super) fn inline_resource(node: &Node, only: Option<&str>, push: &mut dyn FnMut(SearchValue)) {
    let (kind, id) = (text_of(node, "resourceType"), text_of(node, "id"));
    if !id.is_empty() && only.is_none_or(|only| only == kind) {
        push(reference_to(&format!("{kind}/{id}"), "", ""));
    }
}

pub(super) fn quantity(node: &Node, push: &mut dyn FnMut(SearchValue)) {
    if let Some(Node::Number(value)) = node.get("value") {
        push(SearchValue::Quantity {
            value: cut(value),
            system: cut(text_of(node, "system")),
            code: cut(text_of(node, "code")),
            unit: cut(text_of(node, "unit")),
        });
    }
}

pub(super) fn money(node: &Node, push: &mut dyn FnMut(SearchValue)) {
    if let Some(Node::Number(value)) = node.get("value") {
        let code = cut(text_of(node, "currency"));
        push(SearchValue::Quantity {
            value: cut(value),
            system: "urn:iso:std:iso:4217".into(),
            code,
            unit: Text::default(),
        });
    }
}

/// A period without start or end is open there; one without both, or with a date that is none, gives nothing.
pub(crate) fn period(node: &Node) -> Option<(i64, i64)> {
    let end_of = |member| node.get(member).map(|n| n.as_str().and_then(dates::interval));
    match (end_of("start"), end_of("end")) {
        (None, None) | (Some(None), _) | (_, Some(None)) => None,
        (start, end) => {
            let from = start.flatten().map_or(i64::MIN, |(from, _)| from);
            let to = end.flatten().map_or(i64::MAX, |(_, to)| to);
            (from < to).then_some((from, to))
        }
    }
}

/// The outer limits of a timing: from the first to the last of its events and its bounds.
pub(super) fn timing(node: &Node) -> Option<(i64, i64)> {
    let events = node.get("event").map(Node::items).unwrap_or_default();
    let bounds = node.get("repeat").and_then(|r| r.get("boundsPeriod")).and_then(period);
    let all = events.iter().filter_map(|e| e.as_str().and_then(dates::interval)).chain(bounds);
    all.reduce(|(from, to), (next_from, next_to)| (from.min(next_from), to.max(next_to)))
}
