//! The form of a JP-CLINS collection (`standards-japan.md` 1.2, 1.3).

use std::collections::HashSet;

use schemas::ProblemCode;

use super::{Checker, MEMBER_ID, PUBLIC_MEMBER_ID, claims, numbers};
use crate::json::Node;
use crate::path::Path;
use crate::systems::canonical;

const COLLECTION: &str = "http://jpfhir.jp/fhir/clins/StructureDefinition/JP_Bundle_CLINS";
const IDENTIFIER: &str = "http://jpfhir.jp/fhir/clins/bundle-identifier";
const TYPE_TAG: &str = "http://jpfhir.jp/fhir/clins/CodeSystem/BundleResourceType_CS";
const RULE: &str = "jp-clins-bundle";

impl Checker<'_> {
    pub(super) fn bundle(&mut self, node: &Node, path: &Path<'_>) {
        if self.rules.bundle_identifier {
            let place = path.name("identifier");
            let identifier = node.get("identifier").filter(|identifier| identifier.text("system") == Some(IDENTIFIER));
            if identifier.is_some_and(|identifier| !identifier.text("value").is_some_and(numbers::is_bundle_identifier))
            {
                let message = "must be institution number, year and id, with ^ between them";
                self.refuse(ProblemCode::Value, &place.name("value"), "jp-clins-r2152", message);
            }
        }
        if claims(node, COLLECTION) {
            if self.rules.clins_bundle {
                self.collection(node, path);
            }
            if self.rules.patient_member_id {
                self.member(node, path);
            }
        }
    }

    fn collection(&mut self, node: &Node, path: &Path<'_>) {
        if node.text("type") != Some("collection") {
            self.refuse(ProblemCode::BusinessRule, &path.name("type"), RULE, "must be collection");
        }
        let meta = path.name("meta");
        if node.get("meta").and_then(|meta| meta.get("lastUpdated")).is_none() {
            self.refuse(ProblemCode::Required, &meta.name("lastUpdated"), RULE, "is missing");
        }
        if node.get("timestamp").is_none() {
            self.refuse(ProblemCode::Required, &path.name("timestamp"), RULE, "is missing");
        }
        if node.get("identifier").and_then(|identifier| identifier.text("system")) != Some(IDENTIFIER) {
            self.refuse(ProblemCode::Required, &path.name("identifier"), RULE, "must have the system of CLINS bundles");
        }
        let tags = node.get("meta").and_then(|meta| meta.get("tag")).map_or(&[][..], Node::items);
        let tag = tags.iter().find(|tag| tag.text("system") == Some(TYPE_TAG)).and_then(|tag| tag.text("code"));
        match tag.filter(|tag| matches!(*tag, "AllergyIntolerance" | "Condition" | "Observation")) {
            Some(tag) => self.entries(node, tag, path),
            None => {
                self.refuse(ProblemCode::Required, &meta.name("tag"), RULE, "must name the one type of the collection")
            }
        }
    }

    fn entries(&mut self, node: &Node, tag: &str, path: &Path<'_>) {
        let entries = node.get("entry").map_or(&[][..], Node::items);
        let place = path.name("entry");
        let mut urls: HashSet<&str> = HashSet::new();
        let first = entries.first().and_then(|entry| entry.text("fullUrl"));
        for (at, entry) in entries.iter().enumerate() {
            let here = place.index(at);
            let expected = if at == 0 { "Patient" } else { tag };
            let resource = entry.get("resource");
            if resource.and_then(|resource| resource.text("resourceType")) != Some(expected) {
                let message = "must be the Patient first, then only the type that the tag names";
                self.refuse(ProblemCode::BusinessRule, &here.name("resource"), RULE, message);
            }
            match entry.text("fullUrl").filter(|url| url.starts_with("urn:uuid:")) {
                Some(url) if urls.insert(url) => {}
                Some(_) => self.refuse(ProblemCode::Duplicate, &here.name("fullUrl"), RULE, "stands twice"),
                None => self.refuse(ProblemCode::Value, &here.name("fullUrl"), RULE, "must be a URN with a UUID"),
            }
            if let Some(resource) = resource {
                self.references(resource, first, &here.name("resource"));
            }
        }
        if entries.len() < 2 {
            self.refuse(ProblemCode::Required, &place, RULE, "must have the Patient and at least one item");
        }
    }

    /// Only the Patient is referred to by its `fullUrl`; everything else is contained.
    fn references(&mut self, resource: &Node, patient: Option<&str>, path: &Path<'_>) {
        for (at, text) in crate::bundle::references(resource) {
            if text.starts_with("urn:") && Some(text) != patient {
                let place = Path::Root(&at);
                let full = format!("{}.{}", path.write(), place.write());
                self.refuse(
                    ProblemCode::BusinessRule,
                    &Path::Root(&full),
                    RULE,
                    "must refer to the Patient or to what is contained",
                );
            }
        }
    }

    /// R1012, which wants one insurance member id; people on public assistance have that of the payer instead.
    fn member(&mut self, node: &Node, path: &Path<'_>) {
        let patient = node.get("entry").and_then(|entry| entry.items().first()).and_then(|entry| entry.get("resource"));
        let identifiers = patient.and_then(|patient| patient.get("identifier")).map_or(&[][..], Node::items);
        let count = |wanted: &str| {
            identifiers
                .iter()
                .filter(|identifier| identifier.text("system").is_some_and(|system| canonical(system) == wanted))
                .count()
        };
        if count(MEMBER_ID) == 1 || (count(MEMBER_ID) == 0 && count(PUBLIC_MEMBER_ID) >= 1) {
            return;
        }
        let entry = path.name("entry");
        let place = entry.index(0);
        let resource = place.name("resource");
        self.refuse(
            ProblemCode::BusinessRule,
            &resource.name("identifier"),
            "jp-clins-r1012",
            "must have exactly one member id",
        );
    }
}
