//! Organization and Practitioner: what belongs to no person.

use chrono::NaiveDate;
use serde_json::{Value, json};

use super::{INSTITUTION_SYSTEM, INSURER_SYSTEM, concept, human_name};
use crate::population::facility::{Facility, Insurer, Professional};

const CORE_EXTENSION: &str = "http://jpfhir.jp/fhir/core/Extension/StructureDefinition/";
const CORE_CODE: &str = "http://jpfhir.jp/fhir/core/mhlw/CodeSystem/";
const TYPE: &str = "http://terminology.hl7.org/CodeSystem/organization-type";

/// A hospital, clinic or pharmacy with its number in parts and whole.
pub fn organization(facility: &Facility, on: NaiveDate) -> Value {
    json!({
        "resourceType": "Organization",
        "language": "ja",
        "meta": {
            "lastUpdated": format!("{on}T09:00:00+09:00"),
            "profile": ["http://jpfhir.jp/fhir/eCS/StructureDefinition/JP_Organization_eCS"],
        },
        "extension": [
            {"url": format!("{CORE_EXTENSION}JP_Organization_PrefectureNo"),
             "valueCoding": {"system": format!("{CORE_CODE}PrefectureNo-2digits"), "code": &facility.code[..2]}},
            {"url": format!("{CORE_EXTENSION}JP_Organization_InsuranceOrganizationCategory"),
             "valueCoding": {"system": format!("{CORE_CODE}MedicationFeeScoreType"), "code": &facility.code[2..3]}},
            {"url": format!("{CORE_EXTENSION}JP_Organization_InsuranceOrganizationNo"),
             "valueIdentifier": {
                "system": "http://jpfhir.jp/fhir/core/mhlw/IdSystem/MedicalOrganizationID", "value": &facility.code[3..],
             }},
        ],
        "identifier": [{"system": INSTITUTION_SYSTEM, "value": facility.code}],
        "active": true,
        "type": [concept(TYPE, "prov", "Healthcare Provider")],
        "name": facility.name,
        "telecom": [{"system": "phone", "value": facility.phone}],
        "address": [{
            "text": facility.address, "city": facility.place.city, "state": facility.place.prefecture,
            "postalCode": facility.place.postcode, "country": "JP",
        }],
    })
}

/// An insurer with its number.
pub fn insurer_organization(insurer: &Insurer, on: NaiveDate) -> Value {
    json!({
        "resourceType": "Organization",
        "language": "ja",
        "meta": {
            "lastUpdated": format!("{on}T09:00:00+09:00"),
            "profile": ["http://jpfhir.jp/fhir/core/StructureDefinition/JP_Organization"],
        },
        "identifier": [{"system": INSURER_SYSTEM, "value": insurer.number}],
        "active": true,
        "type": [concept(TYPE, "pay", "Payer")],
        "name": insurer.name,
    })
}

/// A professional with the licence number, names in kanji and kana.
pub fn practitioner(professional: &Professional, on: NaiveDate) -> Value {
    json!({
        "resourceType": "Practitioner",
        "language": "ja",
        "meta": {
            "lastUpdated": format!("{on}T09:00:00+09:00"),
            "profile": ["http://jpfhir.jp/fhir/eCS/StructureDefinition/JP_Practitioner_eCS"],
        },
        "identifier": [{"system": professional.profession.licence_system(), "value": professional.licence}],
        "active": true,
        "name": [
            human_name("IDE", professional.family, professional.given),
            human_name("SYL", professional.family_kana, professional.given_kana),
        ],
    })
}
