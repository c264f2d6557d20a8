//! A stored body as FHIR JSON again: type, id and meta are put in front of the members as they were sent.

use schemas::vocab::Label;
use schemas::{ResourceId, ResourceType, Text};

use crate::dates::instant;
use crate::json::{Limits, Node, parse};

/// What the header says of a version.
pub struct Rendered<'a> {
    pub resource_type: ResourceType,
    pub id: ResourceId,
    pub version: u32,
    /// Milliseconds since 1970.
    pub last_updated: i64,
    /// `meta` as sent, compact JSON of an object; empty if none.
    pub sent_meta: &'a str,
    /// Labels put on at ingest, that the sent meta may not hold.
    pub labels: &'a [Label],
}

/// Compact JSON of the resource. `body` is the compact JSON object that the door stored: without `resourceType`, `id`, `meta`.
pub fn resource(header: &Rendered<'_>, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() + header.sent_meta.len() + 256);
    out.extend_from_slice(b"{\"resourceType\":\"");
    out.extend_from_slice(header.resource_type.as_str().as_bytes());
    out.extend_from_slice(b"\",\"id\":\"");
    out.extend_from_slice(header.id.to_string().as_bytes());
    out.extend_from_slice(b"\",\"meta\":");
    meta(header, &mut out);
    match body {
        [b'{', rest @ ..] if rest != b"}" => {
            out.push(b',');
            out.extend_from_slice(rest);
        }
        _ => out.push(b'}'),
    }
    out
}

fn meta(header: &Rendered<'_>, out: &mut Vec<u8>) {
    let head = format!("{{\"versionId\":\"{}\",\"lastUpdated\":\"{}\"", header.version, instant(header.last_updated));
    out.extend_from_slice(head.as_bytes());
    if header.labels.is_empty() {
        if let Some(rest) = header.sent_meta.strip_prefix('{').filter(|rest| *rest != "}") {
            out.push(b',');
            out.extend_from_slice(rest.as_bytes());
            return;
        }
        out.push(b'}');
        return;
    }
    let mut sent = match parse(header.sent_meta.as_bytes(), &Limits::default()) {
        Ok(Node::Object(members)) => members,
        _ => Vec::new(),
    };
    add_labels(&mut sent, header.labels);
    for (name, value) in &sent {
        out.extend_from_slice(b",\"");
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\":");
        value.write_compact(out);
    }
    out.push(b'}');
}

/// Adds those labels to `security` that the sender did not send.
fn add_labels(meta: &mut Vec<(Text, Node)>, labels: &[Label]) {
    let text = |s: &str| Node::String(s.into());
    let at = match meta.iter().position(|(name, _)| name == "security") {
        Some(at) => at,
        None => {
            meta.push(("security".into(), Node::Array(Vec::new())));
            meta.len() - 1
        }
    };
    let Node::Array(security) = &mut meta[at].1 else { return };
    for label in labels {
        let Some(system) = label_system(*label) else { continue };
        if security.iter().any(|coding| coding.text("code") == Some(label.as_str())) {
            continue;
        }
        security.push(Node::Object(vec![("system".into(), text(system)), ("code".into(), text(label.as_str()))]));
    }
    if security.is_empty() {
        meta.remove(at);
    }
}

/// Code system of a security label; `None` for the labels that came as `meta.tag` and stand there.
pub const fn label_system(label: Label) -> Option<&'static str> {
    match label {
        Label::Restricted => Some("http://terminology.hl7.org/CodeSystem/v3-Confidentiality"),
        Label::Sealed => Some("https://kiroku.example/CodeSystem/label"),
        Label::Untold | Label::NotProvided | Label::KeepLong => None,
        _ => Some("http://terminology.hl7.org/CodeSystem/v3-ActCode"),
    }
}
