//! CLINS collection Bundles: one person, one resource type.

use chrono::NaiveDate;
use serde_json::{Value, json};

use super::{Context, Subject, allergy, condition, laboratory, patient};
use crate::population::Population;
use crate::population::dice::{Dice, Domain};
use crate::population::facility::Facility;
use crate::population::person::Person;

/// The resource types that a CLINS Bundle may carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ClinsType {
    AllergyIntolerance,
    Condition,
    Observation,
}

impl ClinsType {
    /// FHIR type, which is the code of the Bundle's tag too.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AllergyIntolerance => "AllergyIntolerance",
            Self::Condition => "Condition",
            Self::Observation => "Observation",
        }
    }
}

impl Population {
    /// A JP_Bundle_CLINS of type `collection`: the Patient, then two to four resources of one type, which refer to the
    /// Patient by fullUrl and contain the rest. `facility` must be a hospital or clinic (rule R2152 admits no other);
    /// another `serial`, another Bundle identifier.
    pub fn clins_collection(
        &self,
        person: &Person,
        clins_type: ClinsType,
        facility: &Facility,
        (on, serial): (NaiveDate, u64),
    ) -> Value {
        let part = (serial << 24) | (facility.index << 4 & 0xff_fff0) | clins_type as u64;
        let mut dice = Dice::open(self.seed(), Domain::Collection, person.index, part);
        let signer = self.signer_of(facility);
        let patient_url = format!("urn:uuid:{}", dice.uuid());
        let mut entries = vec![json!({"fullUrl": patient_url, "resource": patient(person, facility, on)})];
        let context = Context {
            person,
            subject: Subject::Reference(patient_url),
            facility,
            signer: &signer,
            on,
            minute: 600,
            instance: format!("{}-{serial}", person.index),
        };
        for k in 0..dice.between(2, 4) {
            let context = context.named(&format!("{}-{k}", clins_type.as_str()));
            let resource = match clins_type {
                ClinsType::AllergyIntolerance => allergy(&context, &mut dice),
                ClinsType::Condition => condition(&context, &mut dice),
                ClinsType::Observation => laboratory(&context, &mut dice),
            };
            entries.push(json!({"fullUrl": format!("urn:uuid:{}", dice.uuid()), "resource": resource}));
        }
        json!({
            "resourceType": "Bundle",
            "language": "ja",
            "meta": {
                "lastUpdated": context.instant(),
                "profile": ["http://jpfhir.jp/fhir/clins/StructureDefinition/JP_Bundle_CLINS|1"],
                "tag": [{
                    "system": "http://jpfhir.jp/fhir/clins/CodeSystem/BundleResourceType_CS", "code": clins_type.as_str(),
                }],
            },
            "type": "collection",
            "identifier": bundle_identifier(facility, on, &format!("{}-{}-{serial}", &clins_type.as_str()[..4], person.index)),
            "timestamp": context.instant(),
            "entry": entries,
        })
    }
}

/// `institution^year^own`, where `own` is at most 36 letters, digits and hyphens (R2152).
pub(crate) fn bundle_identifier(facility: &Facility, on: NaiveDate, own: &str) -> Value {
    json!({
        "system": "http://jpfhir.jp/fhir/clins/bundle-identifier",
        "value": format!("{}^{}^{own}", facility.code, on.format("%Y")),
    })
}
