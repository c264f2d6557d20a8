//! The parts of FHIR's definitions that the shape table needs, read from their XML form.

use std::collections::BTreeMap;

use anyhow::Context;
use roxmltree::{Document, Node};

/// `value` of the first child element `name`.
pub(super) fn value(node: Node<'_, '_>, name: &str) -> Option<String> {
    child(node, name).and_then(|found| found.attribute("value")).map(str::to_owned)
}

pub(super) fn child<'a, 'i>(node: Node<'a, 'i>, name: &str) -> Option<Node<'a, 'i>> {
    node.children().find(|child| child.tag_name().name() == name)
}

pub(super) fn children<'a, 'i>(node: Node<'a, 'i>, name: &'static str) -> impl Iterator<Item = Node<'a, 'i>> {
    node.children().filter(move |child| child.tag_name().name() == name)
}

/// The resources of one type in a Bundle of definitions.
pub(super) fn resources<'a, 'i>(document: &'a Document<'i>, name: &'static str) -> impl Iterator<Item = Node<'a, 'i>> {
    children(document.root_element(), "entry")
        .filter_map(|entry| child(entry, "resource"))
        .filter_map(move |resource| child(resource, name))
}

pub(super) struct StructureDefinition {
    pub(super) kind: String,
    pub(super) is_abstract: bool,
    pub(super) elements: Vec<Element>,
}

pub(super) struct Element {
    pub(super) path: String,
    pub(super) min: u8,
    pub(super) max: String,
    pub(super) types: Vec<TypeRef>,
    pub(super) content_reference: Option<String>,
    pub(super) is_summary: bool,
    pub(super) is_modifier: bool,
    /// Value set of a required binding.
    pub(super) required_set: Option<String>,
}

pub(super) struct TypeRef {
    pub(super) code: String,
    pub(super) targets: Vec<String>,
    pub(super) is_simple_quantity: bool,
    /// The FHIR type, where `code` is a word of FHIRPath.
    pub(super) fhir_type: Option<String>,
}

/// The structure definitions of one file, by name.
pub(super) fn structures(text: &str) -> anyhow::Result<BTreeMap<String, StructureDefinition>> {
    let document = Document::parse(text)?;
    resources(&document, "StructureDefinition")
        .map(|node| {
            let snapshot = child(node, "snapshot").context("a definition without snapshot")?;
            let definition = StructureDefinition {
                kind: value(node, "kind").unwrap_or_default(),
                is_abstract: value(node, "abstract").as_deref() == Some("true"),
                elements: children(snapshot, "element").map(element).collect::<anyhow::Result<_>>()?,
            };
            Ok((value(node, "id").context("a definition without id")?, definition))
        })
        .collect()
}

fn element(node: Node<'_, '_>) -> anyhow::Result<Element> {
    let binding = child(node, "binding").filter(|found| value(*found, "strength").as_deref() == Some("required"));
    Ok(Element {
        path: value(node, "path").context("an element without path")?,
        min: value(node, "min").unwrap_or_default().parse().unwrap_or(0),
        max: value(node, "max").unwrap_or_default(),
        types: children(node, "type").map(type_ref).collect(),
        content_reference: value(node, "contentReference"),
        is_summary: value(node, "isSummary").as_deref() == Some("true"),
        is_modifier: value(node, "isModifier").as_deref() == Some("true"),
        required_set: binding.and_then(|found| value(found, "valueSet")),
    })
}

fn type_ref(node: Node<'_, '_>) -> TypeRef {
    let last = |text: &str| text.rsplit('/').next().unwrap_or(text).to_owned();
    let named = children(node, "extension")
        .find(|found| found.attribute("url").is_some_and(|url| url.ends_with("/structuredefinition-fhir-type")));
    TypeRef {
        code: value(node, "code").unwrap_or_default(),
        targets: children(node, "targetProfile").filter_map(|found| found.attribute("value")).map(last).collect(),
        is_simple_quantity: children(node, "profile")
            .any(|found| found.attribute("value").is_some_and(|url| url.ends_with("/SimpleQuantity"))),
        fhir_type: named.and_then(|found| value(found, "valueUrl")),
    }
}
