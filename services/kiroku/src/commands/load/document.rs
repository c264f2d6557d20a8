//! One thing to send, and what is known about it without checking it: the server checks.

use std::borrow::Cow;

use bytes::Bytes;
use openssl::sha::Sha256;
use schemas::ResourceType;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// The order of sending.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Rank {
    /// Organisations, professionals, roles, places, alone or in a Bundle of their own.
    Commons,
    /// A Patient by itself.
    Patient,
    Other,
}

/// One document: a resource or a Bundle, as it was read.
#[derive(Clone, Debug)]
pub(super) struct Document {
    /// File, with the place inside: `records.tar.gz!a/b.json`, `history.ndjson:12`.
    pub(super) name: String,
    pub(super) bytes: Bytes,
    pub(super) is_line: bool,
    /// How many documents as read it stands for (a group of lines: several).
    pub(super) lines: u64,
    seen: Seen,
}

/// What a first look found.
#[derive(Clone, Debug, Default)]
struct Seen {
    resource_type: String,
    bundle_type: String,
    /// Types of the entries of a Bundle.
    entry_types: Vec<String>,
    /// The reference to the person, of a single resource.
    subject: String,
    /// Identifying part of the Patients inside.
    patients: Vec<Value>,
}

#[derive(Deserialize)]
struct Peek<'a> {
    #[serde(borrow, rename = "resourceType")]
    resource_type: Cow<'a, str>,
    #[serde(borrow, default, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow, default)]
    entry: Option<&'a RawValue>,
    #[serde(borrow, default)]
    subject: Option<&'a RawValue>,
    #[serde(borrow, default)]
    patient: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct EntryPeek<'a> {
    #[serde(borrow, default)]
    resource: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct ReferencePeek {
    reference: String,
}

impl Document {
    pub(super) fn new(name: String, bytes: Bytes, is_line: bool) -> Self {
        let seen = look(&bytes).unwrap_or_default();
        Self { name, bytes, is_line, lines: 1, seen }
    }

    pub(super) fn rank(&self) -> Rank {
        let commons = |text: &String| text.parse::<ResourceType>().is_ok_and(ResourceType::is_commons);
        match self.seen.resource_type.as_str() {
            "Patient" => Rank::Patient,
            "Bundle" if !self.seen.entry_types.is_empty() && self.seen.entry_types.iter().all(commons) => Rank::Commons,
            _ if commons(&self.seen.resource_type) => Rank::Commons,
            _ => Rank::Other,
        }
    }

    /// Where it is posted.
    pub(super) fn path(&self) -> String {
        match (self.seen.resource_type.as_str(), self.seen.bundle_type.as_str()) {
            ("Bundle", "document" | "collection") => "/fhir/Bundle".to_owned(),
            ("Bundle", _) | ("", _) => "/fhir".to_owned(),
            // A type is letters; anything else would be another path.
            (it, _) if it.chars().all(|c| c.is_ascii_alphabetic()) => format!("/fhir/{it}"),
            _ => "/fhir".to_owned(),
        }
    }

    pub(super) fn is_batch(&self) -> bool {
        self.seen.bundle_type == "batch"
    }

    /// Resources inside that are written: the entries of a Bundle (a kept Bundle counts too), or one.
    pub(super) fn resources(&self) -> u64 {
        let entries = self.seen.entry_types.len() as u64;
        match (self.seen.resource_type.as_str(), self.seen.bundle_type.as_str()) {
            ("Bundle", "document" | "collection") => entries + 1,
            ("Bundle", _) => entries,
            _ => 1,
        }
    }

    /// The person that a single resource is about, as its reference says.
    pub(super) fn subject(&self) -> &str {
        &self.seen.subject
    }

    pub(super) fn resource_type(&self) -> &str {
        &self.seen.resource_type
    }

    /// For each Patient inside: what identifies the person, as a Patient of its own.
    pub(super) fn patients(&self) -> &[Value] {
        &self.seen.patients
    }

    pub(super) fn has_identified_person(&self) -> bool {
        !self.seen.patients.is_empty()
    }

    /// SHA-256 over name and content, in hex: the same in every run over the same files.
    pub(super) fn key(&self, again: &str) -> String {
        let mut hash = Sha256::new();
        for part in [again.as_bytes(), b"\0", self.name.as_bytes(), b"\0", &self.bytes] {
            hash.update(part);
        }
        let hex: String = hash.finish().iter().map(|b| format!("{b:02x}")).collect();
        format!("load-{hex}")
    }

    /// Several single resources as one transaction of creates; bytes of the resources stay as they are.
    pub(super) fn transaction(parts: &[Document]) -> Self {
        let mut text = b"{\"resourceType\":\"Bundle\",\"type\":\"transaction\",\"entry\":[".to_vec();
        for (n, part) in parts.iter().enumerate() {
            if n > 0 {
                text.push(b',');
            }
            text.extend_from_slice(b"{\"resource\":");
            text.extend_from_slice(&part.bytes);
            text.extend_from_slice(
                format!(",\"request\":{{\"method\":\"POST\",\"url\":\"{}\"}}}}", part.resource_type()).as_bytes(),
            );
        }
        text.extend_from_slice(b"]}");
        let first = parts.first().map_or("", |part| part.name.as_str());
        let name =
            if parts.len() > 1 { format!("{first} and {} more lines", parts.len() - 1) } else { first.to_owned() };
        Self { lines: parts.len() as u64, ..Self::new(name, text.into(), true) }
    }
}

fn look(bytes: &[u8]) -> Option<Seen> {
    let peek: Peek = serde_json::from_slice(bytes).ok()?;
    let mut seen = Seen { resource_type: peek.resource_type.clone().into_owned(), ..Seen::default() };
    if seen.resource_type == "Patient" {
        seen.patients.extend(identity(bytes));
    }
    if seen.resource_type != "Bundle" {
        let reference = peek.subject.or(peek.patient);
        let reference = reference.and_then(|raw| serde_json::from_str::<ReferencePeek>(raw.get()).ok());
        seen.subject = reference.map(|it| it.reference).unwrap_or_default();
        return Some(seen);
    }
    seen.bundle_type = peek.kind.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default();
    let entries: Vec<EntryPeek> = peek.entry.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default();
    for entry in entries {
        let inside: Option<Peek> = entry.resource.and_then(|raw| serde_json::from_str(raw.get()).ok());
        let resource_type = inside.map(|it| it.resource_type.into_owned()).unwrap_or_default();
        if resource_type == "Patient" {
            seen.patients.extend(entry.resource.and_then(|raw| identity(raw.get().as_bytes())));
        }
        seen.entry_types.push(resource_type);
    }
    Some(seen)
}

/// A Patient with what identifies the person alone: nothing in it refers to anything else. `None` without an identifier.
fn identity(patient: &[u8]) -> Option<Value> {
    let whole: Value = serde_json::from_slice(patient).ok()?;
    whole["identifier"].as_array().filter(|list| !list.is_empty())?;
    let kept = ["resourceType", "identifier", "name", "gender", "birthDate"].into_iter();
    Some(
        kept.filter_map(|name| Some((name.to_owned(), whole.get(name)?.clone())))
            .collect::<serde_json::Map<_, _>>()
            .into(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(text: &'static str) -> Document {
        Document::new("file".to_owned(), Bytes::from_static(text.as_bytes()), true)
    }

    #[test]
    fn commons_go_first_then_patients_then_the_rest_and_each_to_its_door() {
        let hospitals = document(
            r#"{"resourceType":"Bundle","type":"batch","entry":[{"resource":{"resourceType":"Organization"}}]}"#,
        );
        let patient = document(r#"{"resourceType":"Patient","identifier":[{"system":"s","value":"v"}]}"#);
        let letter = document(
            r#"{"resourceType":"Bundle","type":"document","entry":[{"resource":{"resourceType":"Patient"}}]}"#,
        );
        let broken = document("{");
        assert_eq!((hospitals.rank(), hospitals.path()), (Rank::Commons, "/fhir".to_owned()));
        assert_eq!((patient.rank(), patient.path()), (Rank::Patient, "/fhir/Patient".to_owned()));
        assert_eq!((letter.rank(), letter.path(), letter.resources()), (Rank::Other, "/fhir/Bundle".to_owned(), 2));
        assert_eq!((broken.rank(), broken.path()), (Rank::Other, "/fhir".to_owned()));
    }

    #[test]
    fn a_group_keeps_the_bytes_of_its_resources() {
        let parts = [
            document(r#"{"resourceType":"Observation","valueQuantity":{"value":1.10}}"#),
            document(r#"{"resourceType":"Condition"}"#),
        ];
        let group = Document::transaction(&parts);
        assert!(String::from_utf8_lossy(&group.bytes).contains(r#""value":1.10"#));
        assert_eq!((group.resources(), group.lines, group.path()), (2, 2, "/fhir".to_owned()));
        assert!(serde_json::from_slice::<Value>(&group.bytes).is_ok());
    }
}
