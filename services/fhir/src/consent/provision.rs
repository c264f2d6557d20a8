//! `Consent.provision`, and one level of exceptions inside it.

use schemas::ProblemCode;
use schemas::consent::{ConsentItem, ConsentType};
use schemas::ids::{OrganisationId, PractitionerId};
use schemas::vocab::{Category, Label, Purpose};

use super::read::{Reader, list, text};
use super::{Actor, CATEGORY_SYSTEM, PURPOSE_SYSTEM, ROLE_RECIPIENT};
use crate::classify::label_of;
use crate::dates;
use crate::extract::{period, type_of_reference};
use crate::json::Node;

/// One provision, read.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Provision {
    pub consent_type: ConsentType,
    pub from: Option<i64>,
    pub until: Option<i64>,
    pub facilities: Vec<OrganisationId>,
    pub practitioners: Vec<PractitionerId>,
    pub categories: Vec<Category>,
    pub labels: Vec<Label>,
    pub authors: Vec<OrganisationId>,
    pub data_period: Option<(i64, i64)>,
    pub items: Vec<ConsentItem>,
    pub purposes: Vec<Purpose>,
}

impl Provision {
    /// Nothing but its type and period.
    fn is_plain(&self) -> bool {
        let Self { facilities, practitioners, categories, labels, authors, data_period, items, purposes, .. } = self;
        facilities.is_empty()
            && practitioners.is_empty()
            && categories.is_empty()
            && labels.is_empty()
            && authors.is_empty()
            && data_period.is_none()
            && items.is_empty()
            && purposes.is_empty()
    }

    /// An exception that taking categories or labels off `root` enforces in full: it names one kind of them and nothing else. Of
    /// labels only those that a permit without a tick leaves out, and no practitioner, whom R12 would let see them all the same.
    fn comes_off(&self, root: &Self) -> bool {
        let rest = Self { categories: Vec::new(), labels: Vec::new(), ..self.clone() };
        let by_category = self.labels.is_empty() && !root.categories.is_empty();
        let by_label = self.categories.is_empty()
            && root.practitioners.is_empty()
            && self.labels.iter().all(|label| label.is_restricted());
        rest.is_plain() && self.from.is_none() && self.until.is_none() && !self.is_plain() && (by_category || by_label)
    }
}

/// The root provision with its exceptions worked in.
pub(super) fn read_root(consent: &Node, reader: &mut Reader<'_>) -> Option<Provision> {
    let path = "Consent.provision";
    let Some(node) = consent.get("provision") else {
        reader.refuse(ProblemCode::Required, path, "the provision is missing");
        return None;
    };
    let mut root = read_provision(node, path, reader)?;
    let mut exceptions = Vec::new();
    for (index, inner) in list(node, "provision").iter().enumerate() {
        let inner_path = format!("{path}.provision[{index}]");
        if inner.get("provision").is_some() {
            reader.unenforceable(format!("{inner_path}.provision"), "only one level of exceptions can be enforced");
        }
        exceptions.push(read_provision(inner, &inner_path, reader)?);
    }
    if exceptions.is_empty() {
        return Some(root);
    }
    if exceptions.iter().any(|e| e.consent_type == root.consent_type) {
        reader.unenforceable(
            format!("{path}.provision"),
            "an exception permits where the provision denies, or the reverse",
        );
        return None;
    }
    match (root.consent_type, exceptions.as_slice()) {
        (ConsentType::Deny, [one]) if root.is_plain() => {
            let until = one.until.into_iter().chain(root.until).min();
            Some(Provision { from: one.from.max(root.from), until, ..one.clone() })
        }
        (ConsentType::Permit, all) if all.iter().all(|e| e.comes_off(&root)) => {
            root.categories.retain(|c| !all.iter().any(|e| e.categories.contains(c)));
            root.labels.retain(|l| !all.iter().any(|e| e.labels.contains(l)));
            Some(root)
        }
        _ => {
            let message = "this exception cannot be enforced inside: send it as a Consent of its own";
            reader.unenforceable(format!("{path}.provision"), message);
            None
        }
    }
}

fn read_provision(node: &Node, path: &str, reader: &mut Reader<'_>) -> Option<Provision> {
    for (name, message) in [
        ("class", "a class cannot be enforced: name data categories in `code`"),
        ("action", "actions cannot be told apart: leave them out"),
        ("modifierExtension", "a modifier that is not known here could change the meaning"),
    ] {
        if node.get(name).is_some() {
            reader.unenforceable(format!("{path}.{name}"), message);
        }
    }
    let Ok(consent_type) = text(node, "type").parse() else {
        reader.refuse(ProblemCode::Required, format!("{path}.type"), "permit or deny is wanted");
        return None;
    };
    let bounds = period_of(node, "period", path, reader);
    let mut provision = Provision {
        consent_type,
        from: bounds.map(|(from, _)| from).filter(|from| *from != i64::MIN),
        until: bounds.map(|(_, until)| until).filter(|until| *until != i64::MAX),
        facilities: Vec::new(),
        practitioners: Vec::new(),
        categories: read_categories(node, path, reader),
        labels: read_labels(node, path, reader),
        authors: Vec::new(),
        data_period: period_of(node, "dataPeriod", path, reader),
        items: Vec::new(),
        purposes: read_purposes(node, path, reader),
    };
    read_actors(node, path, &mut provision, reader);
    read_data(node, path, &mut provision, reader);
    Some(provision)
}

fn period_of(node: &Node, name: &str, path: &str, reader: &mut Reader<'_>) -> Option<(i64, i64)> {
    let found = node.get(name)?;
    // What cannot be read must not turn into "always".
    for end in ["start", "end"] {
        if found.get(end).is_some_and(|d| d.as_str().and_then(dates::interval).is_none()) {
            reader.refuse(ProblemCode::Value, format!("{path}.{name}.{end}"), "a date or time is wanted");
        }
    }
    let read = period(found);
    if read.is_none() {
        reader.refuse(ProblemCode::Value, format!("{path}.{name}"), "a period with a start before its end is wanted");
    }
    read
}

fn read_categories(node: &Node, path: &str, reader: &mut Reader<'_>) -> Vec<Category> {
    let mut found = Vec::new();
    for (index, concept) in list(node, "code").iter().enumerate() {
        let ours = list(concept, "coding").iter().find(|c| text(c, "system") == CATEGORY_SYSTEM);
        match ours.and_then(|c| text(c, "code").parse().ok()) {
            Some(category) => found.push(category),
            None => reader
                .unenforceable(format!("{path}.code[{index}]"), "only codes of our data categories can be enforced"),
        }
    }
    found
}

fn read_labels(node: &Node, path: &str, reader: &mut Reader<'_>) -> Vec<Label> {
    let mut found = Vec::new();
    for (index, coding) in list(node, "securityLabel").iter().enumerate() {
        match label_of(text(coding, "system"), text(coding, "code")) {
            Some(label) => found.push(label),
            None => reader.unenforceable(format!("{path}.securityLabel[{index}]"), "no label that is kept here"),
        }
    }
    found
}

fn read_purposes(node: &Node, path: &str, reader: &mut Reader<'_>) -> Vec<Purpose> {
    let mut found = Vec::new();
    for (index, coding) in list(node, "purpose").iter().enumerate() {
        let known = ["", PURPOSE_SYSTEM].contains(&text(coding, "system"));
        match text(coding, "code").parse() {
            Ok(purpose) if known => found.push(purpose),
            _ => reader.unenforceable(format!("{path}.purpose[{index}]"), "no purpose that a rule names"),
        }
    }
    found
}

fn read_actors(node: &Node, path: &str, provision: &mut Provision, reader: &mut Reader<'_>) {
    for (index, actor) in list(node, "actor").iter().enumerate() {
        let path = format!("{path}.actor[{index}]");
        let role = actor.get("role").map(|r| list(r, "coding")).unwrap_or_default();
        if !role.iter().any(|coding| text(coding, "code") == ROLE_RECIPIENT) {
            reader.unenforceable(format!("{path}.role"), "only the role IRCP (recipient) can be enforced");
        }
        match actor.get("reference").and_then(|r| actor_of(r, reader)) {
            Some(Actor::Facility(id)) => provision.facilities.push(id),
            Some(Actor::Practitioner(id)) => provision.practitioners.push(id),
            None => reader.unenforceable(format!("{path}.reference"), "no facility or professional of the registry"),
        }
    }
}

/// By identifier, whose type is told by `type`, the reference or the system; else by reference.
fn actor_of(reference: &Node, reader: &Reader<'_>) -> Option<Actor> {
    let target = text(reference, "reference");
    let Some(identifier) = reference.get("identifier") else { return (reader.actors)(target) };
    let value = text(identifier, "value");
    if value.is_empty() {
        return None;
    }
    let kind = type_of_reference(target).unwrap_or_else(|| text(reference, "type"));
    let institution = crate::systems::canonical(text(identifier, "system")) == super::INSTITUTION_SYSTEM;
    match kind {
        "Organization" => Some(Actor::Facility(value.into())),
        "Practitioner" => Some(Actor::Practitioner(value.into())),
        "" if institution => Some(Actor::Facility(value.into())),
        "" if text(identifier, "system") == super::PRACTITIONER_SYSTEM => Some(Actor::Practitioner(value.into())),
        _ => None,
    }
}

fn read_data(node: &Node, path: &str, provision: &mut Provision, reader: &mut Reader<'_>) {
    for (index, data) in list(node, "data").iter().enumerate() {
        let path = format!("{path}.data[{index}]");
        let meaning = text(data, "meaning");
        let Some(reference) = data.get("reference") else {
            reader.refuse(ProblemCode::Required, format!("{path}.reference"), "a reference is wanted");
            continue;
        };
        let target = text(reference, "reference");
        match meaning {
            "authoredby" => match actor_of(reference, reader) {
                Some(Actor::Facility(id)) => provision.authors.push(id),
                Some(Actor::Practitioner(_)) if !target.is_empty() => provision.items.push(item(target, meaning)),
                _ => reader.unenforceable(format!("{path}.reference"), "no author of the registry"),
            },
            "instance" | "related" if !target.is_empty() && !target.starts_with('#') => {
                provision.items.push(item(target, meaning));
            }
            "instance" | "related" => {
                reader.unenforceable(format!("{path}.reference"), "a reference to an item is wanted")
            }
            _ => reader.unenforceable(format!("{path}.meaning"), "instance, related or authoredby is wanted"),
        }
    }
}

fn item(target: &str, meaning: &str) -> ConsentItem {
    let plain = target.find("/_history/").map_or(target, |at| &target[..at]);
    ConsentItem { reference: plain.to_owned(), meaning: meaning.to_owned() }
}
