//! AllergyIntolerance and Condition.

use serde_json::{Value, json};

use super::{
    Context, concept, contained_encounter, contained_practitioner, department_extension, institution_extension, merge,
    resource,
};
use crate::population::clinical::{ALLERGENS, DISEASES, Disease};
use crate::population::dice::Dice;
use crate::population::drugs::{Drug, drugs};

const ALLERGY: &str = "http://jpfhir.jp/fhir/eCS/StructureDefinition/JP_AllergyIntolerance_eCS";
const CONDITION: &str = "http://jpfhir.jp/fhir/eCS/StructureDefinition/JP_Condition_eCS";
/// System of the YJ codes of drugs.
pub(crate) const YJ: &str = "http://capstandard.jp/iyaku.info/CodeSystem/YJ-code";
const INDICATION: &str = "http://jpfhir.jp/fhir/clins/CodeSystem/JP_ehrshrs_indication";

/// An allergy: four in ten to a drug (criticality high), the others to food and environment.
pub fn allergy(context: &Context, dice: &mut Dice) -> Value {
    if dice.chance(40) {
        return allergy_to_drug(context, dice.pick(drugs()));
    }
    let allergen = dice.pick(ALLERGENS);
    let criticality = *dice.pick(&["low", "high", "unable-to-assess"]);
    let code = concept(allergen.system, allergen.code, allergen.name);
    allergy_resource(context, allergen.category, criticality, (code, "蕁麻疹"))
}

/// 薬剤アレルギー: category medication, criticality high, coded in YJ.
pub fn allergy_to_drug(context: &Context, drug: &Drug) -> Value {
    allergy_resource(context, "medication", "high", (concept(YJ, drug.yj, drug.name), "全身の発疹"))
}

fn allergy_resource(context: &Context, category: &str, criticality: &str, (code, reaction): (Value, &str)) -> Value {
    resource(
        context,
        "AllergyIntolerance",
        ALLERGY,
        json!({
            "meta": {
                "lastUpdated": context.instant(), "profile": [ALLERGY],
                "tag": [{"system": INDICATION, "code": "LTS", "display": "長期保存"}],
            },
            "contained": [contained_practitioner(context)],
            "clinicalStatus": concept("http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical", "active", "Active"),
            "verificationStatus":
                concept("http://terminology.hl7.org/CodeSystem/allergyintolerance-verification", "confirmed", "Confirmed"),
            "type": "allergy",
            "category": [category],
            "criticality": criticality,
            "code": code,
            "patient": context.subject.to_value(),
            "recordedDate": context.instant(),
            "recorder": {"reference": "#practitioner"},
            "reaction": [{"manifestation": [{"text": reaction}], "severity": if criticality == "high" { "severe" } else { "mild" }}],
            "note": [{"text": format!("{}にて聴取。{reaction}の既往あり。", context.facility.name)}],
        }),
    )
}

/// A thrown disease; a third are over. A cancer is sometimes one that the person has not been told of (UNINFORMED).
pub fn condition(context: &Context, dice: &mut Dice) -> Value {
    let disease = dice.pick(DISEASES);
    let mut whole = condition_of(context, disease);
    if dice.chance(33) {
        let onset = context.days_before(dice.below(60));
        merge(
            &mut whole,
            json!({
                "onsetDateTime": onset.to_string(), "abatementDateTime": context.on.to_string(),
                "clinicalStatus": concept("http://terminology.hl7.org/CodeSystem/condition-clinical", "resolved", "Resolved"),
            }),
        );
    }
    if disease.icd10.starts_with('C') && dice.chance(30) {
        let tag = json!([{"system": INDICATION, "code": "UNINFORMED", "display": "未告知"}]);
        if let Some(meta) = whole["meta"].as_object_mut() {
            meta.insert("tag".into(), tag);
        }
    }
    whole
}

/// An active, confirmed diagnosis of this disease, in MEDIS and ICD-10.
pub fn condition_of(context: &Context, disease: &Disease) -> Value {
    resource(
        context,
        "Condition",
        CONDITION,
        json!({
            "extension": [institution_extension(context.facility), department_extension(disease.department)],
            "contained": [contained_encounter(context), contained_practitioner(context)],
            "clinicalStatus": concept("http://terminology.hl7.org/CodeSystem/condition-clinical", "active", "Active"),
            "verificationStatus": concept("http://terminology.hl7.org/CodeSystem/condition-ver-status", "confirmed", "Confirmed"),
            "category": [concept("http://terminology.hl7.org/CodeSystem/condition-category", "encounter-diagnosis", "Encounter Diagnosis")],
            "code": {
                "coding": [
                    {"system": "http://medis.or.jp/CodeSystem/master-disease-keyNumber", "code": disease.medis, "display": disease.name},
                    {"system": "http://jpfhir.jp/fhir/core/mhlw/CodeSystem/ICD10-2013-full", "code": disease.icd10, "display": disease.name},
                ],
                "text": disease.name,
            },
            "subject": context.subject.to_value(),
            "encounter": {"reference": "#encounter"},
            "onsetDateTime": context.on.to_string(),
            "recordedDate": context.on.to_string(),
            "recorder": {"reference": "#practitioner"},
        }),
    )
}
