//! R49: face images, templates and other biometrics are refused, by what a record declares and by what its bytes are.
//!
//! Pictures inside clinical documents (a wound, an X-ray in a DocumentReference, Binary, DiagnosticReport) pass, unless a code
//! declares them a biometric. Pictures in extensions never pass: no extension of the accepted guides has one.

mod formats;

use std::sync::LazyLock;

use schemas::{Problem, ProblemCode, ResourceType};

use crate::json::Node;
use crate::path::Path;

static CODES: LazyLock<Vec<(&'static str, &'static str)>> = LazyLock::new(|| {
    let lines = include_str!("../definitions/biometrics.txt").lines();
    let mut codes: Vec<_> =
        lines.filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(' ')).collect();
    codes.sort_unstable();
    codes
});

/// Types whose `photo` shows a person's face.
const PERSONS: &[&str] = &["Patient", "Practitioner", "RelatedPerson", "Person"];

/// The biometrics in a resource; each problem has the rule `R49`.
pub fn check(resource_type: ResourceType, node: &Node) -> Vec<Problem> {
    check_at(node, resource_type.as_str())
}

/// The same for a resource that stands at `path`.
pub fn check_at(node: &Node, path: &str) -> Vec<Problem> {
    let mut search = Search::default();
    search.walk(node, &Path::Root(path), Place::default());
    search.problems
}

/// What is around a value.
#[derive(Clone, Copy, Default)]
struct Place {
    is_person: bool,
    is_extension: bool,
}

#[derive(Default)]
struct Search {
    problems: Vec<Problem>,
}

impl Search {
    fn refuse(&mut self, path: &Path<'_>, message: &str) {
        if self.problems.len() < 20 {
            self.problems.push(Problem::new(ProblemCode::BusinessRule, path.write(), message).with_rule("R49"));
        }
    }

    fn walk(&mut self, node: &Node, path: &Path<'_>, mut place: Place) {
        match node {
            Node::Array(items) => {
                for (at, item) in items.iter().enumerate() {
                    self.walk(item, &path.index(at), place);
                }
            }
            Node::Object(members) => {
                if let Some(named) = node.text("resourceType") {
                    place.is_person = PERSONS.contains(&named);
                }
                self.object(node, path, place);
                for (name, value) in members {
                    let is_extension = place.is_extension || name == "extension" || name == "modifierExtension";
                    let here = path.name(name);
                    match value {
                        Node::String(text) => self.string(name, text, &here, Place { is_extension, ..place }),
                        Node::Array(_) | Node::Object(_) => self.walk(value, &here, Place { is_extension, ..place }),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }

    fn object(&mut self, node: &Node, path: &Path<'_>, place: Place) {
        if place.is_person && node.get("resourceType").is_some() && node.get("photo").is_some() {
            self.refuse(&path.name("photo"), "must be left out: face images are not kept here");
        }
        if let (Some(system), Some(code)) = (node.text("system"), node.text("code"))
            && CODES.binary_search(&(system, code)).is_ok()
        {
            self.refuse(path, "declares a biometric: biometrics are not kept here");
        }
        let declared = node.text("contentType").map(str::to_ascii_lowercase);
        if let Some(declared) = declared {
            if formats::is_template_type(&declared) {
                self.refuse(&path.name("contentType"), "declares a biometric template: biometrics are not kept here");
            }
            if place.is_extension && declared.starts_with("image/") {
                self.refuse(path, "is an image in an extension: send it in a clinical document");
            }
        }
    }

    /// Inline bytes: base64 of `data` and `valueBase64Binary`, and `data:` URLs anywhere.
    fn string(&mut self, name: &str, text: &str, path: &Path<'_>, place: Place) {
        let encoded = match name {
            "data" | "valueBase64Binary" => Some(text),
            // In a narrative the URL stands inside the text.
            "div" if place.is_person && text.contains("data:image/") => {
                return self.refuse(path, "shows a picture of a person: face images are not kept here");
            }
            _ => data_url(text),
        };
        let Some(encoded) = encoded else { return };
        let first = formats::first_bytes(encoded);
        if formats::is_template(&first, formats::decoded_len(encoded)) {
            self.refuse(path, "holds a biometric template: biometrics are not kept here");
        } else if place.is_extension && formats::is_image(&first) {
            self.refuse(path, "is an image in an extension: send it in a clinical document");
        }
    }
}

/// What follows `base64,` in a `data:` URL.
fn data_url(text: &str) -> Option<&str> {
    let is_data = text.len() > 5 && text.as_bytes()[..5].eq_ignore_ascii_case(b"data:");
    if is_data { text.split_once("base64,").map(|(_, rest)| rest) } else { None }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;

    use super::*;
    use crate::json::{Limits, parse};

    fn found(text: &str) -> Vec<String> {
        let node = parse(text.as_bytes(), &Limits::default()).unwrap();
        check_at(&node, node.text("resourceType").unwrap()).into_iter().map(|problem| problem.path).collect()
    }

    fn encode(bytes: &[u8]) -> String {
        base64::engine::general_purpose::STANDARD.encode(bytes)
    }

    #[test]
    fn photos_of_persons_are_refused_also_when_contained() {
        assert_eq!(found(r#"{"resourceType":"Patient","photo":[{"url":"x"}]}"#), ["Patient.photo"]);
        let contained =
            r#"{"resourceType":"Observation","contained":[{"resourceType":"Practitioner","photo":[{"url":"x"}]}]}"#;
        assert_eq!(found(contained), ["Observation.contained[0].photo"]);
    }

    #[test]
    fn a_clinical_picture_passes_and_a_declared_face_does_not() {
        let png = encode(b"\x89PNG\r\n\x1a\n0000000000000000");
        let document = |kind: &str| {
            format!(
                r#"{{"resourceType":"DocumentReference","type":{{"coding":[{kind}]}},"content":[{{"attachment":{{"contentType":"image/png","data":"{png}"}}}}]}}"#
            )
        };
        assert!(found(&document(r#"{"system":"http://loinc.org","code":"57133-1"}"#)).is_empty());
        let face = r#"{"system":"http://terminology.hl7.org/CodeSystem/media-modality","code":"face"}"#;
        assert_eq!(found(&document(face)), ["DocumentReference.type.coding[0]"]);
    }

    #[test]
    fn templates_are_known_by_their_first_bytes() {
        let der = [0x65, 0x06, 0xa0, 0x04, 0x80, 0x02, 0x00, 0x01];
        let templates: [&[u8]; 7] = [
            b"FMR\0 20\0....",
            b"FAC\x00010\0....",
            b"IIR\0....",
            b"\xff\xa0\xff\xa4....",
            b"\x7f\x61\x82....",
            &der,
            b"\x75\x82\x01\x00\x7f\x61\x82.",
        ];
        for bytes in templates {
            let text = format!(
                r#"{{"resourceType":"Binary","contentType":"application/octet-stream","data":"{}"}}"#,
                encode(bytes)
            );
            assert_eq!(found(&text), ["Binary.data"]);
        }
        for bytes in [
            &b"%PDF-1.7 ........"[..],
            b"dear colleague, ...",
            b"\x89PNG\r\n\x1a\n00",
            b"PK\x03\x04....",
            b"e\x06 a text",
        ] {
            let text = format!(
                r#"{{"resourceType":"Binary","contentType":"application/octet-stream","data":"{}"}}"#,
                encode(bytes)
            );
            assert!(found(&text).is_empty());
        }
    }

    #[test]
    fn images_in_extensions_are_refused() {
        let jpeg = encode(b"\xff\xd8\xff\xe0........");
        let value = |value: &str| {
            format!(r#"{{"resourceType":"Condition","extension":[{{"url":"http://x","extension":[{value}]}}]}}"#)
        };
        assert_eq!(found(&value(&format!(r#"{{"url":"a","valueBase64Binary":"{jpeg}"}}"#))).len(), 1);
        assert_eq!(found(&value(&format!(r#"{{"url":"a","valueUrl":"data:image/jpeg;base64,{jpeg}"}}"#))).len(), 1);
        assert_eq!(
            found(&value(r#"{"url":"a","valueAttachment":{"contentType":"image/jpeg","url":"http://x"}}"#)).len(),
            1
        );
        assert!(
            found(&value(r#"{"url":"a","valueAttachment":{"contentType":"application/pdf","url":"http://x"}}"#))
                .is_empty()
        );
    }
}
