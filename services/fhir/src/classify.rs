//! Category, class, labels and named receivers of an item, by the committed tables `definitions/categories.toml` and
//! `definitions/sensitive.toml`.

mod receivers;
mod tables;

use std::sync::LazyLock;

use schemas::ResourceType;
use schemas::vocab::{Category, Label};

use self::tables::{CategoryTable, SensitiveTable, descend};
use crate::json::Node;

pub use self::receivers::RECEIVER_EXTENSION;

/// Labels that have no code in HL7's systems.
pub const LABEL_SYSTEM: &str = "https://kiroku.example/CodeSystem/label";
const CONFIDENTIALITY: &str = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";
const ACT_CODE: &str = "http://terminology.hl7.org/CodeSystem/v3-ActCode";

/// What the tables say about one item.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Class {
    pub category: Category,
    /// Class within CERT, COST or CHECKUP; empty elsewhere.
    pub class: String,
    /// Sorted, without duplicates.
    pub labels: Vec<Label>,
    /// 10-digit institution codes of the named receivers of a document.
    pub receivers: Vec<String>,
}

static CATEGORIES: LazyLock<CategoryTable> = LazyLock::new(|| CategoryTable::read(tables::CATEGORIES));
static SENSITIVE: LazyLock<SensitiveTable> = LazyLock::new(|| SensitiveTable::read(tables::SENSITIVE));
static RELEASE: LazyLock<String> = LazyLock::new(|| {
    let hash = openssl::sha::sha256(format!("{}\0{}", tables::CATEGORIES, tables::SENSITIVE).as_bytes());
    let hex: String = hash[..6].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("tables-{hex}")
});

/// Name of this release of the tables, for `ItemMeta.tables_release`: the same tables give the same name.
pub fn tables_release() -> &'static str {
    &RELEASE
}

/// Classifies a resource by itself; `None`: no rule, the item must be refused.
///
/// The labels of a document or collection are those of all that is in it.
pub fn classify(resource_type: ResourceType, resource: &Node) -> Option<Class> {
    let (category, class) = CATEGORIES.find(resource_type, resource)?;
    let mut labels = Vec::new();
    SENSITIVE.collect(resource, &mut labels);
    labels.sort_unstable();
    labels.dedup();
    let receivers = match resource_type {
        ResourceType::Bundle => receivers::of_document(resource),
        ResourceType::Composition | ResourceType::DocumentReference => receivers::of_resource(resource),
        _ => Vec::new(),
    };
    Some(Class { category, class: class.to_owned(), labels, receivers })
}

/// Classifies a resource that came inside the document or collection `whole`: what comes in a checkup report is CHECKUP, and a
/// letter has the receivers of its document.
pub fn classify_part(resource_type: ResourceType, resource: &Node, whole: &Class) -> Option<Class> {
    let mut class = classify(resource_type, resource)?;
    let clinical = class.category == Category::Ehr;
    if whole.category == Category::Checkup && clinical {
        class.category = Category::Checkup;
        class.class.clone_from(&whole.class);
    }
    let letter =
        matches!(resource_type, ResourceType::Composition | ResourceType::DocumentReference | ResourceType::Binary);
    if letter && class.receivers.is_empty() {
        class.receivers.clone_from(&whole.receivers);
    }
    Some(class)
}

/// How a label is written in `meta.security`: system and code.
pub const fn label_coding(label: Label) -> (&'static str, &'static str) {
    match label {
        Label::Restricted => (CONFIDENTIALITY, "R"),
        Label::Sealed | Label::Untold | Label::NotProvided | Label::KeepLong => (LABEL_SYSTEM, label.as_str()),
        _ => (ACT_CODE, label.as_str()),
    }
}

/// The label that a coding of `meta.security` or `meta.tag` stands for.
pub fn label_of(system: &str, code: &str) -> Option<Label> {
    SENSITIVE.sent(system, code)
}

#[cfg(test)]
mod tests;
