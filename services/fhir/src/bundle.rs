//! Bundles and the references inside resources: reading them, and writing new targets into them.

use schemas::{ResourceType, Text};

use crate::json::Node;
use crate::table::{Kind, Table, TypeId, table};

/// One entry of a Bundle, as it was sent.
#[derive(Clone, PartialEq, Debug)]
pub struct BundleEntry {
    pub full_url: Option<String>,
    /// `None` for an entry without a resource (a DELETE).
    pub resource: Option<Node>,
    /// `POST`, `PUT`, ...; `None` in a document or collection.
    pub method: Option<String>,
    pub url: Option<String>,
    pub if_none_exist: Option<String>,
    pub if_match: Option<String>,
    /// `Bundle.entry[3]`; the resource is at `.resource` below.
    pub path: String,
}

/// The kind of a Bundle (`Bundle.type`), empty if it has none.
pub fn kind(bundle: &Node) -> &str {
    bundle.text("type").unwrap_or_default()
}

/// The entries of a Bundle of any kind, in their order.
pub fn entries(bundle: &Node) -> Vec<BundleEntry> {
    let found = bundle.get("entry").map_or(&[][..], Node::items).iter().enumerate();
    found
        .map(|(at, entry)| {
            let request = |name: &str| entry.get("request").and_then(|request| request.text(name)).map(str::to_owned);
            BundleEntry {
                full_url: entry.text("fullUrl").map(str::to_owned),
                resource: entry.get("resource").cloned(),
                method: request("method"),
                url: request("url"),
                if_none_exist: request("ifNoneExist"),
                if_match: request("ifMatch"),
                path: format!("Bundle.entry[{at}]"),
            }
        })
        .collect()
}

/// The texts of all `Reference.reference` in a resource, contained ones included, with their paths below it
/// (`subject.reference`).
pub fn references(resource: &Node) -> Vec<(String, &str)> {
    let mut found = Vec::new();
    collect(resource, &mut String::new(), &mut found);
    found
}

fn collect<'n>(node: &'n Node, path: &mut String, found: &mut Vec<(String, &'n str)>) {
    let len = path.len();
    match node {
        Node::Array(items) => {
            for (at, item) in
                items.iter().enumerate().filter(|(_, item)| matches!(item, Node::Array(_) | Node::Object(_)))
            {
                path.push_str(&format!("[{at}]"));
                collect(item, path, found);
                path.truncate(len);
            }
        }
        Node::Object(members) => {
            for (name, value) in members {
                let dot = if len > 0 { "." } else { "" };
                match value {
                    // No other element of R4 has this name and is a string.
                    Node::String(text) if name == "reference" => {
                        found.push((format!("{path}{dot}{name}"), text.as_str()))
                    }
                    Node::Array(_) | Node::Object(_) => {
                        path.push_str(dot);
                        path.push_str(name);
                        collect(value, path, found);
                        path.truncate(len);
                    }
                    _ => {}
                }
            }
        }
        _ => {}
    }
}

/// Writes new targets after the rules of a transaction (http://hl7.org/fhir/R4/http.html#trules): every `Reference.reference`
/// that `target` knows, and every `uri`, `url`, `oid` or `uuid` whose whole value is one of the Bundle's `urn:` names. Links in
/// narratives (`href`, `src`) are left alone. Extensions' values count, canonical URLs do not.
pub fn rewrite_references(resource: &mut Node, target: &dyn Fn(&str) -> Option<String>) {
    match resource {
        Node::Array(items) => items.iter_mut().for_each(|item| rewrite_references(item, target)),
        Node::Object(members) => {
            for (name, value) in members {
                match value {
                    Node::String(text) if name == "reference" || (text.starts_with("urn:") && is_uri_name(name)) => {
                        if let Some(new) = target(text) {
                            *text = new.into();
                        }
                    }
                    Node::Array(items) if is_uri_name(name) => rewrite_uris(items, target),
                    Node::Array(_) | Node::Object(_) => rewrite_references(value, target),
                    _ => {}
                }
            }
        }
        _ => {}
    }
}

fn rewrite_uris(items: &mut [Node], target: &dyn Fn(&str) -> Option<String>) {
    for item in items {
        match item {
            Node::String(text) if text.starts_with("urn:") => {
                if let Some(new) = target(text) {
                    *text = new.into();
                }
            }
            other => rewrite_references(other, target),
        }
    }
}

/// Elements of type uri or url that may name another entry. An identifier's `system` and `value` are names of their own, and an
/// extension's `url` names a definition; Attachment.url is a `url` too, but what calls itself so elsewhere is not.
fn is_uri_name(name: &str) -> bool {
    matches!(
        name,
        "valueUri"
            | "valueUrl"
            | "valueUuid"
            | "valueOid"
            | "instantiatesUri"
            | "url"
            | "source"
            | "policy"
            | "sourceUri"
    )
}

/// Takes `id` and `meta` out of a resource: both are given by us.
pub fn take_id_and_meta(resource: &mut Node) -> (Option<Text>, Option<Node>) {
    let id = match resource.remove("id") {
        Some(Node::String(id)) => Some(id),
        _ => None,
    };
    (id, resource.remove("meta"))
}

/// A reference to a person.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PersonReference<'n> {
    /// Below the resource: `subject`, `target[0]`.
    pub path: String,
    /// Empty where only an identifier or a display stands.
    pub reference: &'n str,
    /// System (may be empty) and value of `Reference.identifier`.
    pub identifier: Option<(&'n str, &'n str)>,
}

/// The elements that say whom a resource is about: those which may refer to a Patient, of the names below. A reference to
/// something else (a Group, a Practitioner) is not a person's and is left out.
///
/// Others that may hold a Patient (performer, author, asserter, source) say who acted, not whom it is about.
const SUBJECTS: &[&str] = &["subject", "patient", "beneficiary"];

/// The references of a resource to the person that it is about.
pub fn person_references(resource_type: ResourceType, resource: &Node) -> Vec<PersonReference<'_>> {
    let mut found = Vec::new();
    for (name, value) in resource.members().iter().filter(|(name, _)| SUBJECTS.contains(&name.as_str())) {
        if is_patient_element(table(), resource_type, name) {
            found.extend(person_reference(name, value));
        }
    }
    // Provenance names its targets, which may be the Patient itself.
    if resource_type == ResourceType::Provenance {
        for (at, target) in resource.get("target").map_or(&[][..], Node::items).iter().enumerate() {
            let one = person_reference(&format!("target[{at}]"), target);
            found.extend(one.filter(|one| one.reference.split('/').rev().nth(1) == Some("Patient")));
        }
    }
    found
}

fn is_patient_element(table: &Table, resource_type: ResourceType, name: &str) -> bool {
    let reference: Option<TypeId> = table.find("Reference");
    let field = table.find(resource_type.as_str()).and_then(|id| table.get(id).field(name));
    field.is_some_and(|field| {
        let is_reference = matches!(field.kind, Kind::Complex(id) if Some(id) == reference);
        is_reference && (field.targets.is_empty() || field.targets.contains(&"Patient"))
    })
}

fn person_reference<'n>(path: &str, value: &'n Node) -> Option<PersonReference<'n>> {
    let reference = value.text("reference").unwrap_or_default();
    let identifier =
        value.get("identifier").and_then(|one| Some((one.text("system").unwrap_or_default(), one.text("value")?)));
    let named = match crate::reference::literal(reference) {
        Some(crate::reference::Literal::Typed { resource_type, .. }) => Some(resource_type),
        _ => value.text("type"),
    };
    let is_person = named.is_none_or(|named| named == "Patient");
    is_person.then(|| PersonReference { path: path.to_owned(), reference, identifier })
}
