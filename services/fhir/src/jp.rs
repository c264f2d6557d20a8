//! Rules of the Japanese guides (JP-CLINS 1.5.2, JP Core; `standards-japan.md` 1.2 to 1.5), each switchable: the examples
//! themselves break some, and senders differ.
//!
//! | rule | setting | default | applies to | refuses or warns |
//! |---|---|---|---|---|
//! | `jp-ecs-drug-code` | `drug_code` | on | profile JP_MedicationRequest_eCS | refuses a drug without YJ, 一般名 or "no standard code" |
//! | `jp-ecs-local-laboratory-code` | `local_laboratory_code` | on | profile JP_Observation_LabResult_eCS | refuses an item code without the local code beside it |
//! | `jp-clins-r1013` | `member_id` | on | identifiers JP_Insurance_memberID, JP_PublicPayer_memberID | refuses another form than 8 digits:symbol:number:branch |
//! | `jp-clins-r1012` | `patient_member_id` | on | the Patient of a JP_Bundle_CLINS | refuses other than one member id; a public payer's stands for it |
//! | `jp-clins-r2152` | `bundle_identifier` | on | Bundle.identifier of a CLINS bundle | refuses another form than institution^year^id |
//! | `jp-clins-bundle` | `clins_bundle` | on | profile JP_Bundle_CLINS | refuses what breaks the form of the collection |
//! | `jp-institution-check-digit` | `institution_check_digit` | off | institution numbers of 10 digits | refuses a wrong check digit (the guides' examples fail) |
//! | `jp-insurer-check-digit` | `insurer_check_digit` | off | insurer numbers and those in member ids | the same |
//! | `jp-misspelt-system` | `misspelt_system` | on | `Idsysmem` | warns, and takes it for `Idsystem` |
//! | `jp-hot9-length` | `hot9_length` | on | HOT9 codes | warns where they do not have 9 digits |
//! | `jp-general-name-master` | `general_name_master` | on | 一般名 codes | warns that they were not compared: the master is not public |

mod clins;
mod numbers;

use schemas::{Problem, ProblemCode};
use serde::{Deserialize, Serialize};

use crate::json::Node;
use crate::path::Path;
use crate::systems::canonical;

pub use numbers::{is_institution_number, is_insurer_number};

/// Which rules are on; see the table above.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JpRules {
    pub drug_code: bool,
    pub local_laboratory_code: bool,
    pub member_id: bool,
    pub patient_member_id: bool,
    pub bundle_identifier: bool,
    pub clins_bundle: bool,
    pub institution_check_digit: bool,
    pub insurer_check_digit: bool,
    pub misspelt_system: bool,
    pub hot9_length: bool,
    pub general_name_master: bool,
}

impl Default for JpRules {
    fn default() -> Self {
        let mut rules = Self::all();
        rules.institution_check_digit = false;
        rules.insurer_check_digit = false;
        rules
    }
}

impl JpRules {
    pub const fn all() -> Self {
        Self {
            drug_code: true,
            local_laboratory_code: true,
            member_id: true,
            patient_member_id: true,
            bundle_identifier: true,
            clins_bundle: true,
            institution_check_digit: true,
            insurer_check_digit: true,
            misspelt_system: true,
            hot9_length: true,
            general_name_master: true,
        }
    }

    pub const fn none() -> Self {
        Self {
            drug_code: false,
            local_laboratory_code: false,
            member_id: false,
            patient_member_id: false,
            bundle_identifier: false,
            clins_bundle: false,
            institution_check_digit: false,
            insurer_check_digit: false,
            misspelt_system: false,
            hot9_length: false,
            general_name_master: false,
        }
    }
}

const YJ: &str = "http://capstandard.jp/iyaku.info/CodeSystem/YJ-code";
const GENERAL_NAME: &str = "http://jpfhir.jp/fhir/core/mhlw/CodeSystem/MedicationGeneralOrderCode";
const NO_CODE: &str = "http://jpfhir.jp/fhir/eCS/CodeSystem/MedicationCodeNocoded_CS";
const LOCAL_LABORATORY: &str = "http://jpfhir.jp/fhir/clins/CodeSystem/JP_CLINS_ObsLabResult_LocalCode_CS";
const HOT9: &str = "http://medis.or.jp/CodeSystem/master-HOT9";
const MISSPELT: &str = "http://jpfhir.jp/fhir/clins/Idsysmem/";
const MEMBER_ID: &str = "http://jpfhir.jp/fhir/clins/Idsystem/JP_Insurance_memberID";
const PUBLIC_MEMBER_ID: &str = "http://jpfhir.jp/fhir/clins/Idsystem/JP_PublicPayer_memberID";
const INSTITUTION: &str = "http://jpfhir.jp/fhir/core/IdSystem/insurance-medical-institution-no";
const INSURER: &str = "http://jpfhir.jp/fhir/core/mhlw/IdSystem/InsurerNumber";

const MEDICATION_REQUEST: &str = "http://jpfhir.jp/fhir/eCS/StructureDefinition/JP_MedicationRequest_eCS";
const LABORATORY_RESULT: &str = "http://jpfhir.jp/fhir/eCS/StructureDefinition/JP_Observation_LabResult_eCS";

/// Checks a resource, and in a Bundle all its entries, against the rules that are on. `path` is where it stands.
pub fn check(node: &Node, path: &str, rules: &JpRules) -> Vec<Problem> {
    if *rules == JpRules::none() {
        return Vec::new();
    }
    let mut checker = Checker { rules, problems: Vec::new(), errors: 0, warnings: 0 };
    let root = Path::Root(path);
    checker.resource(node, &root);
    checker.walk(node, &root);
    checker.problems
}

/// Whether `meta.profile` claims a profile, with or without its version.
pub(crate) fn claims(node: &Node, profile: &str) -> bool {
    let claimed = node.get("meta").and_then(|meta| meta.get("profile")).map_or(&[][..], Node::items);
    claimed.iter().filter_map(Node::as_str).any(|url| url.split('|').next() == Some(profile))
}

struct Checker<'r> {
    rules: &'r JpRules,
    problems: Vec<Problem>,
    errors: usize,
    warnings: usize,
}

/// As in the shape check; warnings are counted apart, so that they never crowd out an error.
const PROBLEMS_MAX: usize = 100;

impl Checker<'_> {
    fn refuse(&mut self, code: ProblemCode, path: &Path<'_>, rule: &str, message: &str) {
        self.errors += 1;
        if self.errors <= PROBLEMS_MAX {
            self.problems.push(Problem::new(code, path.write(), message).with_rule(rule));
        }
    }

    fn warn(&mut self, path: &Path<'_>, rule: &str, message: &str) {
        self.warnings += 1;
        if self.warnings <= PROBLEMS_MAX {
            self.problems.push(Problem::warning(ProblemCode::Informational, path.write(), message).with_rule(rule));
        }
    }

    /// Rules of a profile.
    fn resource(&mut self, node: &Node, path: &Path<'_>) {
        match node.text("resourceType") {
            Some("MedicationRequest") if self.rules.drug_code && claims(node, MEDICATION_REQUEST) => {
                self.drug_code(node, path)
            }
            Some("Observation") if self.rules.local_laboratory_code && claims(node, LABORATORY_RESULT) => {
                self.local_laboratory_code(node, path);
            }
            Some("Bundle") => {
                self.bundle(node, path);
                let entries = path.name("entry");
                for (at, entry) in node.get("entry").map_or(&[][..], Node::items).iter().enumerate() {
                    if let Some(resource) = entry.get("resource") {
                        self.resource(resource, &entries.index(at).name("resource"));
                    }
                }
            }
            _ => {}
        }
    }

    fn drug_code(&mut self, node: &Node, path: &Path<'_>) {
        let Some(concept) = node.get("medicationCodeableConcept") else {
            let place = path.name("medicationCodeableConcept");
            return self.refuse(
                ProblemCode::Required,
                &place,
                "jp-ecs-drug-code",
                "is missing: the drug is given as a code",
            );
        };
        let is_standard = |coding: &Node| {
            coding.text("system").is_some_and(|system| matches!(canonical(system), YJ | GENERAL_NAME | NO_CODE))
        };
        if !concept.get("coding").map_or(&[][..], Node::items).iter().any(is_standard) {
            let place = path.name("medicationCodeableConcept");
            let message = "must have a YJ code, a general name code (一般名) or the code for no standard code";
            self.refuse(ProblemCode::CodeInvalid, &place.name("coding"), "jp-ecs-drug-code", message);
        }
    }

    fn local_laboratory_code(&mut self, node: &Node, path: &Path<'_>) {
        let codings = node.get("code").and_then(|code| code.get("coding")).map_or(&[][..], Node::items);
        if !codings.iter().any(|coding| coding.text("system") == Some(LOCAL_LABORATORY)) {
            let place = path.name("code");
            let message = "must have the local code of the laboratory beside the standard code";
            self.refuse(ProblemCode::CodeInvalid, &place.name("coding"), "jp-ecs-local-laboratory-code", message);
        }
    }

    /// Rules of codes and identifiers, wherever they stand.
    fn walk(&mut self, node: &Node, path: &Path<'_>) {
        match node {
            Node::Array(items) => {
                for (at, item) in items.iter().enumerate() {
                    self.walk(item, &path.index(at));
                }
            }
            Node::Object(members) => {
                if let Some(system) = node.text("system") {
                    self.coded(system, node, path);
                }
                for (name, value) in
                    members.iter().filter(|(_, value)| matches!(value, Node::Array(_) | Node::Object(_)))
                {
                    self.walk(value, &path.name(name));
                }
            }
            _ => {}
        }
    }

    fn coded(&mut self, system: &str, node: &Node, path: &Path<'_>) {
        if self.rules.misspelt_system && system.starts_with(MISSPELT) {
            self.warn(
                &path.name("system"),
                "jp-misspelt-system",
                "is misspelt: accepted, and taken for the system with Idsystem",
            );
        }
        let system = canonical(system);
        if let Some(code) = node.text("code") {
            if self.rules.hot9_length
                && system == HOT9
                && !(code.len() == 9 && code.bytes().all(|byte| byte.is_ascii_digit()))
            {
                self.warn(&path.name("code"), "jp-hot9-length", "is not a HOT9 code of 9 digits: accepted");
            }
            if self.rules.general_name_master && system == GENERAL_NAME {
                let message = "was not compared with the master of general names, which is not public: accepted";
                self.warn(&path.name("code"), "jp-general-name-master", message);
            }
        }
        if let Some(value) = node.text("value") {
            self.identifier(system, value, &path.name("value"));
        }
    }

    fn identifier(&mut self, system: &str, value: &str, path: &Path<'_>) {
        let rules = self.rules;
        match system {
            MEMBER_ID | PUBLIC_MEMBER_ID => {
                if rules.member_id && !numbers::is_member_id(value, system == PUBLIC_MEMBER_ID) {
                    let message = "must be 8 digits, symbol, number and branch, with colons between them";
                    self.refuse(ProblemCode::Value, path, "jp-clins-r1013", message);
                } else if rules.insurer_check_digit && !value.split(':').next().is_some_and(is_insurer_number) {
                    self.refuse(
                        ProblemCode::Value,
                        path,
                        "jp-insurer-check-digit",
                        "has an insurer number with a wrong check digit",
                    );
                }
            }
            INSTITUTION if rules.institution_check_digit && !is_institution_number(value) => {
                let message = "must be an institution number of 10 digits with a right check digit";
                self.refuse(ProblemCode::Value, path, "jp-institution-check-digit", message);
            }
            INSURER if rules.insurer_check_digit && !is_insurer_number(value) => {
                let message = "must be an insurer number of up to 8 digits with a right check digit";
                self.refuse(ProblemCode::Value, path, "jp-insurer-check-digit", message);
            }
            _ => {}
        }
    }
}
