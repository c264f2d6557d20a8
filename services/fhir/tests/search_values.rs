//! Search values and categories of real example data, read from the shared folder where it is there.

mod common;

use std::collections::BTreeMap;
use std::io::Read as _;

use common::{json_files, shared};
use fhir::classify::{classify, tables_release};
use fhir::extract::{clinical_period, extract};
use fhir::json::{Limits, Node, parse};
use schemas::ResourceType;

/// The resource and, of a Bundle, those inside.
fn each_resource<'a>(node: &'a Node, visit: &mut dyn FnMut(ResourceType, &'a Node)) {
    if let Some(resource_type) = node.get("resourceType").and_then(Node::as_str).and_then(|t| t.parse().ok()) {
        visit(resource_type, node);
    }
    for entry in node.get("entry").map(Node::items).unwrap_or_default() {
        if let Some(resource) = entry.get("resource") {
            each_resource(resource, visit);
        }
    }
}

/// Types of which the shared data holds examples, with the mean number of values that must come out of each at the least.
const EXPECTED: [(ResourceType, usize); 18] = [
    (ResourceType::Patient, 8),
    (ResourceType::Coverage, 4),
    (ResourceType::Claim, 4),
    (ResourceType::ClaimResponse, 5),
    (ResourceType::ExplanationOfBenefit, 4),
    (ResourceType::MedicationRequest, 6),
    (ResourceType::MedicationDispense, 4),
    (ResourceType::Immunization, 5),
    (ResourceType::Condition, 5),
    (ResourceType::AllergyIntolerance, 5),
    (ResourceType::Observation, 5),
    (ResourceType::DiagnosticReport, 5),
    (ResourceType::Procedure, 4),
    (ResourceType::Encounter, 4),
    (ResourceType::CarePlan, 4),
    (ResourceType::Composition, 6),
    (ResourceType::Consent, 5),
    (ResourceType::Organization, 3),
];

#[test]
fn real_examples_give_values_and_categories() {
    let Some(data) = shared() else { return };
    let files = json_files(&data);
    let mut counts: BTreeMap<ResourceType, (usize, usize, usize)> = BTreeMap::new();
    for file in &files {
        let bytes = std::fs::read(file).expect("readable");
        let Ok(node) = parse(&bytes, &Limits::default()) else { continue };
        each_resource(&node, &mut |resource_type, resource| {
            let values = extract(resource_type, resource);
            assert!(values.is_sorted_by_key(|v| v.param), "{}", file.display());
            let count = counts.entry(resource_type).or_default();
            count.0 += 1;
            count.1 += values.len();
            count.2 += usize::from(clinical_period(resource_type, resource).is_some());
            let record = resource_type != ResourceType::Bundle
                || matches!(resource.get("type").and_then(Node::as_str), Some("document" | "collection"));
            assert_eq!(classify(resource_type, resource).is_some(), record, "{}", file.display());
        });
    }
    for (resource_type, least) in EXPECTED {
        let (count, values, _) = counts.get(&resource_type).copied().unwrap_or_default();
        assert!(count > 0 && values >= least * count, "{resource_type}: {values} values of {count} examples");
    }
    let (observations, _, dated) = counts[&ResourceType::Observation];
    assert!(dated * 10 > observations * 7, "most observations have their period: {dated} of {observations}");
    assert!(tables_release().starts_with("tables-"));
}

#[test]
fn a_japanese_referral_names_its_receiver() {
    let Some(data) = shared() else { return };
    for name in [
        "jp-clins/examples/Bundle-Bundle-CLINS-Referral-Example-01.json",
        "jp-example-creation/example01-Bundle-bundleReferralExample01.json",
    ] {
        let bytes = std::fs::read(data.join(name)).expect("an example");
        let node = parse(&bytes, &Limits::default()).expect("well formed");
        let class = classify(ResourceType::Bundle, &node).expect("a category");
        assert_eq!((class.category.as_str(), class.receivers), ("DOC", vec!["1311234567".to_owned()]), "{name}");
    }
}

/// Enough of the archive to meet every type in it; the rest is more of the same.
const SYNTHEA_BUNDLES: usize = 6;

#[test]
fn synthea_bundles_give_values_for_every_resource_in_them() {
    let Some(data) = shared() else { return };
    let file = std::fs::File::open(data.join("synthea-r4/synthea-r4-patients.tar.gz")).expect("the archive");
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(file));
    let mut resources = 0;
    for entry in archive.entries().expect("an archive").take(SYNTHEA_BUNDLES) {
        let mut bytes = Vec::new();
        entry.expect("an entry").read_to_end(&mut bytes).expect("readable");
        let Ok(node) = parse(&bytes, &Limits::default()) else { continue };
        for inside in node.get("entry").map(Node::items).unwrap_or_default() {
            let resource = inside.get("resource").expect("a transaction's entry");
            let name = resource.get("resourceType").and_then(Node::as_str).expect("a type");
            let resource_type: ResourceType = name.parse().unwrap_or_else(|_| panic!("`{name}` is not kept"));
            assert!(extract(resource_type, resource).len() >= 3, "{name}");
            assert!(classify(resource_type, resource).is_some(), "{name}");
            resources += 1;
        }
    }
    assert!(resources > 500, "{resources}");
}
