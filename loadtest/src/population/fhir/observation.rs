//! Observation: laboratory results (JLAC10 beside a local code) and vital signs (LOINC).

use serde_json::{Value, json};

use super::{
    Context, concept, contained_encounter, contained_practitioner, department_extension, institution_extension, merge,
    resource,
};
use crate::population::clinical::{LAB_ITEMS, LabItem, VITAL_SIGNS};
use crate::population::dice::Dice;

const UCUM: &str = "http://unitsofmeasure.org";
const LABORATORY: &str = "http://jpfhir.jp/fhir/eCS/StructureDefinition/JP_Observation_LabResult_eCS";
const VITALS: &str = "http://jpfhir.jp/fhir/core/StructureDefinition/JP_Observation_VitalSigns";
const JP_CATEGORY: &str = "http://jpfhir.jp/fhir/core/CodeSystem/JP_SimpleObservationCategory_CS";
const HL7_CATEGORY: &str = "http://terminology.hl7.org/CodeSystem/observation-category";
const LOCAL_CODE: &str = "http://jpfhir.jp/fhir/clins/CodeSystem/JP_CLINS_ObsLabResult_LocalCode_CS";
const CORE_CODE: &str = "http://jpfhir.jp/fhir/clins/CodeSystem/JLAC10/JP_CLINS_ObsLabResult_CoreLabo_CS";
const LOINC: &str = "http://loinc.org";

/// A laboratory result of a thrown item; about one in six lies outside the usual range.
pub fn laboratory(context: &Context, dice: &mut Dice) -> Value {
    laboratory_of(context, dice.pick(LAB_ITEMS), dice)
}

/// A laboratory result of this item: JLAC10 of the CLINS core set beside the mandatory local code, value, range,
/// interpretation, contained visit, specimen and doctor (about 3 kB as JSON).
pub fn laboratory_of(context: &Context, item: &LabItem, dice: &mut Dice) -> Value {
    let (low, high) = item.range;
    let value = rounded(dice.around((low + high) / 2.0, (high - low) / 2.8).max(low * 0.3), item.decimals);
    let (flag, word) = match value {
        value if value < low => ("L", "低値"),
        value if value > high => ("H", "高値"),
        _ => ("N", "基準値内"),
    };
    let quantity = |value: f64| json!({"value": number(value, item.decimals), "unit": item.unit, "system": UCUM, "code": item.unit});
    let body = json!({
        "extension": [institution_extension(context.facility), department_extension(("01", "内科"))],
        "contained": [contained_encounter(context), contained_practitioner(context), specimen(item)],
        "status": "final",
        "category": [concept(JP_CATEGORY, "laboratory", "Laboratory")],
        "code": {
            "coding": [
                {"system": LOCAL_CODE, "code": format!("L{}", &item.jlac10[..9]), "display": item.name},
                {"system": CORE_CODE, "code": item.jlac10, "display": item.short},
            ],
            "text": item.name,
        },
        "subject": context.subject.to_value(),
        "encounter": {"reference": "#encounter"},
        "effectiveDateTime": context.instant(),
        "issued": context.instant(),
        "performer": [{"reference": "#practitioner"}],
        "valueQuantity": quantity(value),
        "interpretation": [concept("http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation", flag, word)],
        "specimen": {"reference": "#specimen"},
        "referenceRange": [{"low": quantity(low), "high": quantity(high)}],
    });
    resource(context, "Observation", LABORATORY, body)
}

fn specimen(item: &LabItem) -> Value {
    let (code, name) = item.specimen;
    json!({
        "resourceType": "Specimen", "id": "specimen",
        "meta": {"profile": ["http://jpfhir.jp/fhir/core/StructureDefinition/JP_Specimen"]},
        "type": concept("http://jpfhir.jp/fhir/core/CodeSystem/JP_ObservationSampleMaterialCode_CS", code, name),
    })
}

/// A vital sign with one value.
pub fn vital_sign(context: &Context, dice: &mut Dice) -> Value {
    let sign = dice.pick(VITAL_SIGNS);
    let value = number(dice.around(sign.mean, sign.deviation), sign.decimals);
    let mut body = vital_body(context, (sign.loinc, sign.display, sign.name));
    merge(&mut body, json!({"valueQuantity": {"value": value, "unit": sign.unit, "system": UCUM, "code": sign.unit}}));
    resource(context, "Observation", VITALS, body)
}

/// Blood pressure: systolic and diastolic as components, diastolic below systolic.
pub fn blood_pressure(context: &Context, dice: &mut Dice) -> Value {
    let systolic = dice.around(128.0, 12.0);
    let diastolic = systolic * 0.6 + dice.around(0.0, 3.0);
    let part = |loinc: &str, display: &str, text: &str, value: f64| {
        json!({
            "code": {"coding": [{"system": LOINC, "code": loinc, "display": display}], "text": text},
            "valueQuantity": {"value": number(value, 0), "unit": "mmHg", "system": UCUM, "code": "mm[Hg]"},
        })
    };
    let mut body = vital_body(context, ("85354-9", "Blood pressure panel with all children optional", "血圧"));
    merge(
        &mut body,
        json!({"component": [
            part("8480-6", "Systolic blood pressure", "収縮期血圧", systolic),
            part("8462-4", "Diastolic blood pressure", "拡張期血圧", diastolic),
        ]}),
    );
    resource(context, "Observation", VITALS, body)
}

fn vital_body(context: &Context, (loinc, display, text): (&str, &str, &str)) -> Value {
    json!({
        "contained": [contained_encounter(context), contained_practitioner(context)],
        "status": "final",
        "category": [
            concept(HL7_CATEGORY, "vital-signs", "Vital Signs"),
            concept(JP_CATEGORY, "vital-signs", "Vital Signs"),
        ],
        "code": {"coding": [{"system": LOINC, "code": loinc, "display": display}], "text": text},
        "subject": context.subject.to_value(),
        "encounter": {"reference": "#encounter"},
        "effectiveDateTime": context.instant(),
        "performer": [{"reference": "#practitioner"}],
    })
}

fn rounded(value: f64, decimals: u32) -> f64 {
    let scale = 10_f64.powi(decimals as i32);
    (value * scale).round() / scale
}

/// A JSON number with at most so many decimals; a whole one without a point.
fn number(value: f64, decimals: u32) -> Value {
    if decimals == 0 { json!(value.round() as i64) } else { json!(rounded(value, decimals)) }
}
