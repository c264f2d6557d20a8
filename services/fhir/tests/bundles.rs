//! Bundles and references: reading them, and writing new targets into them.

use fhir::bundle::{entries, person_references, references, rewrite_references, take_id_and_meta};
use fhir::json::{Limits, Node, parse};
use schemas::ResourceType;

fn read(text: &str) -> Node {
    parse(text.as_bytes(), &Limits::default()).unwrap()
}

fn text(node: &Node) -> String {
    String::from_utf8(node.to_bytes()).unwrap()
}

#[test]
fn entries_keep_what_their_request_says() {
    let bundle = read(
        r#"{"resourceType":"Bundle","type":"transaction","entry":[
        {"fullUrl":"urn:uuid:a","resource":{"resourceType":"Location"},"request":{"method":"POST","url":"Location","ifNoneExist":"identifier=x|1"}},
        {"request":{"method":"DELETE","url":"Observation/1","ifMatch":"W/\"2\""}}]}"#,
    );
    let found = entries(&bundle);
    assert_eq!(found.len(), 2);
    assert_eq!(
        (found[0].full_url.as_deref(), found[0].if_none_exist.as_deref()),
        (Some("urn:uuid:a"), Some("identifier=x|1"))
    );
    assert_eq!(found[0].resource.as_ref().and_then(|one| one.text("resourceType")), Some("Location"));
    assert_eq!((found[1].method.as_deref(), found[1].url.as_deref()), (Some("DELETE"), Some("Observation/1")));
    assert_eq!((found[1].if_match.as_deref(), found[1].path.as_str()), (Some("W/\"2\""), "Bundle.entry[1]"));
    assert_eq!(found[1].resource, None);
}

#[test]
fn references_come_with_their_paths() {
    let node = read(
        r##"{"resourceType":"Observation","subject":{"reference":"Patient/1"},"performer":[{"display":"x"},{"reference":"Organization/2"}],
        "extension":[{"url":"x","valueReference":{"reference":"Device/3"}}],"contained":[{"resourceType":"Specimen","subject":{"reference":"#"}}]}"##,
    );
    let found: Vec<String> = references(&node).into_iter().map(|(path, text)| format!("{path}={text}")).collect();
    assert_eq!(
        found,
        [
            "subject.reference=Patient/1",
            "performer[1].reference=Organization/2",
            "extension[0].valueReference.reference=Device/3",
            "contained[0].subject.reference=#"
        ]
    );
}

#[test]
fn a_transaction_rewrites_references_and_urns_and_nothing_else() {
    let mut node = read(
        r#"{"resourceType":"DocumentReference","identifier":[{"system":"urn:ietf:rfc:3986","value":"urn:uuid:a"}],
        "subject":{"reference":"urn:uuid:a"},"author":[{"reference":"Practitioner?identifier=x|1"}],
        "content":[{"attachment":{"url":"urn:uuid:b"}}],"extension":[{"url":"http://x","valueUri":"urn:uuid:a"}],
        "description":"urn:uuid:a","context":{"related":[{"reference":"urn:uuid:unknown"}]}}"#,
    );
    rewrite_references(&mut node, &|text| match text {
        "urn:uuid:a" => Some("Patient/p-1".to_owned()),
        "urn:uuid:b" => Some("Binary/b-1".to_owned()),
        "Practitioner?identifier=x|1" => Some("Practitioner/9".to_owned()),
        _ => None,
    });
    assert_eq!(
        text(&node),
        r#"{"resourceType":"DocumentReference","identifier":[{"system":"urn:ietf:rfc:3986","value":"urn:uuid:a"}],"subject":{"reference":"Patient/p-1"},"author":[{"reference":"Practitioner/9"}],"content":[{"attachment":{"url":"Binary/b-1"}}],"extension":[{"url":"http://x","valueUri":"Patient/p-1"}],"description":"urn:uuid:a","context":{"related":[{"reference":"urn:uuid:unknown"}]}}"#
    );
}

#[test]
fn id_and_meta_are_taken_out_and_the_order_of_the_rest_is_kept() {
    let mut node = read(r#"{"resourceType":"Patient","id":"x","meta":{"tag":[]},"gender":"male","active":true}"#);
    let (id, meta) = take_id_and_meta(&mut node);
    assert_eq!((id.as_deref(), meta.is_some()), (Some("x"), true));
    assert_eq!(text(&node), r#"{"resourceType":"Patient","gender":"male","active":true}"#);
}

#[test]
fn each_type_says_whom_it_is_about() {
    let about = |resource_type: ResourceType, text: &str| -> Vec<String> {
        let node = read(text);
        let found = person_references(resource_type, &node);
        found.into_iter().map(|one| format!("{}={}{:?}", one.path, one.reference, one.identifier)).collect()
    };
    assert_eq!(about(ResourceType::Observation, r#"{"subject":{"reference":"Patient/1"}}"#), ["subject=Patient/1None"]);
    assert_eq!(about(ResourceType::Observation, r#"{"subject":{"reference":"Group/1"}}"#), Vec::<String>::new());
    assert_eq!(
        about(ResourceType::Coverage, r#"{"beneficiary":{"reference":"urn:uuid:a"}}"#),
        ["beneficiary=urn:uuid:aNone"]
    );
    assert_eq!(about(ResourceType::Immunization, r#"{"patient":{"reference":"http://x/fhir/Patient/1"}}"#).len(), 1);
    let identified = r#"{"subject":{"identifier":{"system":"s","value":"v"}}}"#;
    assert_eq!(about(ResourceType::MedicationRequest, identified), [r#"subject=Some(("s", "v"))"#]);
    let provenance = r#"{"target":[{"reference":"Observation/1"},{"reference":"Patient/2"}]}"#;
    assert_eq!(about(ResourceType::Provenance, provenance), ["target[1]=Patient/2None"]);
    assert_eq!(
        about(ResourceType::PractitionerRole, r#"{"practitioner":{"reference":"Practitioner/1"}}"#),
        Vec::<String>::new()
    );
    for known in ResourceType::ALL.iter().filter(|known| !known.is_commons()) {
        let named = about(
            *known,
            r#"{"subject":{"reference":"Patient/1"},"patient":{"reference":"Patient/1"},"beneficiary":{"reference":"Patient/1"}}"#,
        );
        let has_none = matches!(
            known,
            ResourceType::Patient
                | ResourceType::Bundle
                | ResourceType::Binary
                | ResourceType::Medication
                | ResourceType::Provenance
        );
        assert_eq!(named.len(), usize::from(!has_none), "{known}");
    }
}
