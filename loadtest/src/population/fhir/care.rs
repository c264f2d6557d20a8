//! Care around the visit: Encounter, Procedure, Immunization, DiagnosticReport, ServiceRequest, CarePlan,
//! DocumentReference.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::Days;
use serde_json::{Value, json};

use super::{Context, concept, contained_encounter, contained_practitioner, profession_word, resource, visit_class};
use crate::population::clinical::{DISEASES, PROCEDURES, VACCINES};
use crate::population::dice::Dice;

const CORE: &str = "http://jpfhir.jp/fhir/core/StructureDefinition/";
const FEE_CODE: &str = "http://jpfhir.jp/fhir/core/CodeSystem/JP_ProcedureCodesMedical_CS";
const LOINC: &str = "http://loinc.org";

/// A visit of half an hour, or in one of ten a stay of some days that ended that day.
pub fn encounter(context: &Context, dice: &mut Dice) -> Value {
    let inpatient = dice.chance(10);
    let reason = dice.pick(DISEASES);
    let (start, end) = if inpatient {
        (format!("{}T08:00:00+09:00", context.days_before(3 + dice.below(18))), context.instant())
    } else {
        (context.instant(), Context { minute: context.minute + 30, ..context.clone() }.instant())
    };
    resource(
        context,
        "Encounter",
        &format!("{CORE}JP_Encounter"),
        json!({
            "contained": [contained_practitioner(context)],
            "status": "finished",
            "class": visit_class(if inpatient { "IMP" } else { "AMB" }),
            "serviceType": concept("http://jami.jp/SS-MIX2/CodeSystem/ClinicalDepartment", reason.department.0, reason.department.1),
            "subject": context.subject.to_value(),
            "participant": [{"individual": {"reference": "#practitioner"}}],
            "period": {"start": start, "end": end},
            "reasonCode": [{"text": reason.name}],
            "serviceProvider": context.institution(),
        }),
    )
}

/// A procedure of the fee schedule; operations (K codes) have the category of surgery.
pub fn procedure(context: &Context, dice: &mut Dice) -> Value {
    let (code, name, surgical) = *dice.pick(PROCEDURES);
    let (category, word) =
        if surgical { ("387713003", "Surgical procedure") } else { ("103693007", "Diagnostic procedure") };
    resource(
        context,
        "Procedure",
        &format!("{CORE}JP_Procedure"),
        json!({
            "contained": [contained_encounter(context), contained_practitioner(context)],
            "status": "completed",
            "category": concept("http://snomed.info/sct", category, word),
            "code": concept(FEE_CODE, code, name),
            "subject": context.subject.to_value(),
            "encounter": {"reference": "#encounter"},
            "performedDateTime": context.instant(),
            "performer": [{"actor": {"reference": "#practitioner"}}],
            "note": [{"text": format!("{name}を施行。経過良好。")}],
        }),
    )
}

/// A vaccination.
pub fn immunization(context: &Context, dice: &mut Dice) -> Value {
    let (code, name) = *dice.pick(VACCINES);
    let expires = context.on + Days::new(180);
    resource(
        context,
        "Immunization",
        &format!("{CORE}JP_Immunization"),
        json!({
            "contained": [contained_practitioner(context)],
            "status": "completed",
            "vaccineCode": concept(super::allergy::YJ, code, name),
            "patient": context.subject.to_value(),
            "occurrenceDateTime": context.instant(),
            "recorded": context.instant(),
            "primarySource": true,
            "lotNumber": format!("{}{}", dice.pick(&["AB", "HK", "JP", "KM"]), dice.digits(4)),
            "expirationDate": expires.to_string(),
            "route": concept("http://jpfhir.jp/fhir/core/CodeSystem/route-codes", "SC", "皮下"),
            "doseQuantity": {"value": 0.5, "unit": "mL", "system": "http://unitsofmeasure.org", "code": "mL"},
            "performer": [{"actor": {"reference": "#practitioner"}}],
            "protocolApplied": [{"doseNumberPositiveInt": dice.between(1, 3)}],
        }),
    )
}

/// A report on imaging with its conclusion.
pub fn diagnostic_report(context: &Context, dice: &mut Dice) -> Value {
    let (loinc, display, name) = *dice.pick(&[
        ("36643-5", "XR Chest 2 Views", "胸部単純Ｘ線"),
        ("24627-2", "CT Chest", "胸部ＣＴ"),
        ("24558-9", "US Abdomen", "腹部超音波"),
        ("24590-2", "MR Brain", "頭部ＭＲＩ"),
    ]);
    let finding =
        *dice.pick(&["明らかな異常所見を認めない。", "前回と著変なし。", "軽度の変化を認める。経過観察とする。"]);
    resource(
        context,
        "DiagnosticReport",
        &format!("{CORE}JP_DiagnosticReport_Radiology"),
        json!({
            "contained": [contained_encounter(context), contained_practitioner(context)],
            "status": "final",
            "category": [concept(LOINC, "18748-4", "Diagnostic imaging study")],
            "code": {"coding": [{"system": LOINC, "code": loinc, "display": display}], "text": name},
            "subject": context.subject.to_value(),
            "encounter": {"reference": "#encounter"},
            "effectiveDateTime": context.instant(),
            "issued": context.instant(),
            "performer": [{"reference": "#practitioner"}],
            "conclusion": format!("{name}：{finding}"),
        }),
    )
}

/// An order for an examination or treatment.
pub fn service_request(context: &Context, dice: &mut Dice) -> Value {
    let (code, name, _) = *dice.pick(PROCEDURES);
    resource(
        context,
        "ServiceRequest",
        &format!("{CORE}JP_ServiceRequest_Common"),
        json!({
            "contained": [contained_encounter(context), contained_practitioner(context)],
            "status": "active",
            "intent": "order",
            "priority": if dice.chance(10) { "urgent" } else { "routine" },
            "code": concept(FEE_CODE, code, name),
            "subject": context.subject.to_value(),
            "encounter": {"reference": "#encounter"},
            "authoredOn": context.instant(),
            "requester": {"reference": "#practitioner"},
            "reasonCode": [{"text": dice.pick(DISEASES).name}],
        }),
    )
}

/// 療養計画 for a long-lasting disease, over half a year.
pub fn care_plan(context: &Context, dice: &mut Dice) -> Value {
    let disease = dice.pick(&DISEASES[..3]);
    let end = context.on + Days::new(183);
    resource(
        context,
        "CarePlan",
        "http://jpfhir.jp/fhir/eCS/StructureDefinition/JP_CarePlan_eCS",
        json!({
            "contained": [contained_practitioner(context)],
            "status": "active",
            "intent": "plan",
            "category": [{"text": "療養計画"}],
            "title": "療養計画書",
            "description": format!("{}に対する療養計画。食事と運動の目標を本人と決めた。", disease.name),
            "subject": context.subject.to_value(),
            "period": {"start": context.on.to_string(), "end": end.to_string()},
            "created": context.instant(),
            "author": {"reference": "#practitioner"},
            "activity": [
                {"detail": {"status": "in-progress", "description": "食塩を１日６ｇ未満とする。"}},
                {"detail": {"status": "in-progress", "description": "週に３回、３０分以上歩く。"}},
            ],
        }),
    )
}

/// A progress note as plain text in Base64.
pub fn document_reference(context: &Context, dice: &mut Dice) -> Value {
    let disease = dice.pick(DISEASES);
    let note = format!(
        "{} {}\n{}にて外来受診。症状は安定している。処方を継続し、次回は４週後とする。\n記載者：{}（{}）\n",
        context.on,
        context.facility.name,
        disease.name,
        context.signer.name(),
        profession_word(context.signer.profession),
    );
    resource(
        context,
        "DocumentReference",
        &format!("{CORE}JP_DocumentReference"),
        json!({
            "contained": [contained_practitioner(context)],
            "status": "current",
            "docStatus": "final",
            "type": concept(LOINC, "11506-3", "Progress note"),
            "subject": context.subject.to_value(),
            "date": context.instant(),
            "author": [{"reference": "#practitioner"}],
            "custodian": context.institution(),
            "content": [{"attachment": {
                "contentType": "text/plain;charset=utf-8", "language": "ja", "title": "経過記録",
                "data": STANDARD.encode(note), "creation": context.instant(),
            }}],
        }),
    )
}
