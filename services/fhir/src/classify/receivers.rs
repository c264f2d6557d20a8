//! Named receivers of a document (R19, R20): institution codes.
//!
//! A JP-CLINS referral names them in section 910 (紹介先); any other document by our extension, whose reference carries the
//! institution code as identifier.

use super::descend;
use crate::json::Node;
use crate::systems;

/// `valueReference.identifier` names a receiver of this document; repeatable.
pub const RECEIVER_EXTENSION: &str = "https://kiroku.example/StructureDefinition/receiver";
const INSTITUTION: &str = "http://jpfhir.jp/fhir/core/IdSystem/insurance-medical-institution-no";
/// Sections of receivers, in both spellings of the code system.
const SECTION_SYSTEMS: [&str; 2] = [
    "http://jpfhir.jp/fhir/clins/CodeSystem/document-section",
    "http://jpfhir.jp/fhir/eReferral/CodeSystem/document-section",
];
const SECTION_RECEIVER: &str = "910";

/// The receivers that a document Bundle names; references are followed inside the Bundle.
pub(super) fn of_document(bundle: &Node) -> Vec<String> {
    let entries = bundle.get("entry").map(Node::items).unwrap_or_default();
    let Some(first) = entries.first().and_then(|e| e.get("resource")) else { return Vec::new() };
    collect(first, entries)
}

/// The receivers that a Composition or DocumentReference names by itself.
pub(super) fn of_resource(resource: &Node) -> Vec<String> {
    collect(resource, &[])
}

fn collect(resource: &Node, entries: &[Node]) -> Vec<String> {
    let mut found = Vec::new();
    for extension in resource.get("extension").map(Node::items).unwrap_or_default() {
        if text(extension, "url") == RECEIVER_EXTENSION
            && let Some(reference) = extension.get("valueReference")
        {
            follow(reference, resource, entries, &mut found);
        }
    }
    let mut sections = Vec::new();
    receiver_sections(resource, &mut sections);
    for section in sections {
        descend(section, "entry", &mut |reference| follow(reference, resource, entries, &mut found));
    }
    found.sort_unstable();
    found.dedup();
    found
}

fn receiver_sections<'a>(node: &'a Node, found: &mut Vec<&'a Node>) {
    for section in node.get("section").map(Node::items).unwrap_or_default() {
        let mut receiver = false;
        descend(section, "code.coding", &mut |coding| {
            receiver |= SECTION_SYSTEMS.contains(&text(coding, "system")) && text(coding, "code") == SECTION_RECEIVER;
        });
        if receiver {
            found.push(section);
        }
        receiver_sections(section, found);
    }
}

fn text<'a>(node: &'a Node, name: &str) -> &'a str {
    node.get(name).and_then(Node::as_str).unwrap_or_default()
}

/// The institution code of what `reference` names: by identifier, or the organisation itself; of a role, its organisation.
fn follow(reference: &Node, resource: &Node, entries: &[Node], found: &mut Vec<String>) {
    let code_of = |identifier: &Node| {
        (systems::canonical(text(identifier, "system")) == INSTITUTION).then(|| text(identifier, "value").to_owned())
    };
    if let Some(code) = reference.get("identifier").and_then(code_of) {
        found.push(code);
        return;
    }
    let Some(target) = resolve(text(reference, "reference"), resource, entries) else { return };
    match text(target, "resourceType") {
        "Organization" => {
            found.extend(target.get("identifier").map(Node::items).unwrap_or_default().iter().filter_map(code_of));
        }
        "PractitionerRole" => {
            if let Some(organization) = target.get("organization")
                // One step only: an organisation leads no further.
                && let Some(named) = resolve(text(organization, "reference"), resource, entries)
            {
                found.extend(named.get("identifier").map(Node::items).unwrap_or_default().iter().filter_map(code_of));
            }
        }
        _ => {}
    }
}

fn resolve<'a>(reference: &str, resource: &'a Node, entries: &'a [Node]) -> Option<&'a Node> {
    if reference.is_empty() {
        return None;
    }
    if let Some(id) = reference.strip_prefix('#') {
        return resource.get("contained")?.items().iter().find(|contained| text(contained, "id") == id);
    }
    let by_url = entries.iter().find(|e| text(e, "fullUrl") == reference);
    let by_id = || {
        let (kind, id) = reference.split_once('/')?;
        let same = |r: &Node| text(r, "resourceType") == kind && text(r, "id") == id;
        entries.iter().find(|e| e.get("resource").is_some_and(same))
    };
    by_url.or_else(by_id)?.get("resource")
}
