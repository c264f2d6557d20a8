//! MedicationRequest and MedicationDispense.

use serde_json::{Value, json};

use super::allergy::YJ;
use super::{Context, concept, contained_encounter, contained_practitioner, merge, resource};
use crate::population::dice::Dice;
use crate::population::drugs::{Drug, Usage, drugs};

const REQUEST: &str = "http://jpfhir.jp/fhir/eCS/StructureDefinition/JP_MedicationRequest_eCS";
const DISPENSE: &str = "http://jpfhir.jp/fhir/core/StructureDefinition/JP_MedicationDispense";
const USAGE_ERX: &str = "http://jpfhir.jp/fhir/core/mhlw/CodeSystem/MedicationUsage_ePrescription";
const USAGE_NONE: &str = "http://jpfhir.jp/fhir/clins/CodeSystem/JP_CLINS_MedicationUsage_Uncoded_CS";
const UNIT: &str = "http://jpfhir.jp/fhir/core/mhlw/CodeSystem/MedicationUnitMERIT9Code";
const RP: &str = "http://jpfhir.jp/fhir/core/mhlw/IdSystem/Medication-RPGroupNumber";
const RP_INDEX: &str = "http://jpfhir.jp/fhir/core/mhlw/IdSystem/MedicationAdministrationIndex";
const CATEGORY: &str = "http://jpfhir.jp/fhir/core/CodeSystem/JP_MedicationCategoryMERIT9_CS";

/// What is prescribed or dispensed, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    pub drug: &'static Drug,
    /// Days; for drugs taken when needed, the number of doses.
    pub days: u32,
    /// Whether the request is over (`completed`) or runs (`active`).
    pub completed: bool,
}

impl Order {
    /// A running order of a drug.
    pub fn of(drug: &'static Drug, days: u32) -> Self {
        Self { drug, days, completed: false }
    }

    pub(crate) fn thrown(dice: &mut Dice) -> Self {
        let drug = dice.pick(drugs());
        Self { drug, days: *dice.pick(&[5, 7, 14, 28, 30, 56, 90]), completed: dice.chance(80) }
    }

    /// Units for the whole time: one a dose.
    fn quantity(&self) -> u32 {
        match self.drug.usage {
            Usage::Meals(times) => self.days * u32::from(times),
            Usage::Bedtime | Usage::Needed | Usage::Skin => self.days,
            Usage::Eye => 5,
            Usage::Inhaled | Usage::Injected => 1,
        }
    }

    /// Whether the time it lasts can be computed from the dose; external and as-needed drugs have none (a flat 14 days then).
    fn lasts_known(&self) -> bool {
        matches!(self.drug.usage, Usage::Meals(_) | Usage::Bedtime)
    }
}

/// A prescription of one drug from that day on. The effective window follows from `authoredOn` and
/// `dispenseRequest.expectedSupplyDuration` (absent where no number of days can be computed).
pub fn medication_request(context: &Context, order: &Order) -> Value {
    let own = context.instance_identifier();
    let mut supply = json!({"quantity": quantity(order)});
    if order.lasts_known() {
        merge(&mut supply, json!({"expectedSupplyDuration": days(order.days)}));
    }
    let group = format!("{}-{}", context.facility.code, context.instance);
    resource(
        context,
        "MedicationRequest",
        REQUEST,
        json!({
            "identifier": [
                {"system": RP, "value": "1"},
                {"system": RP_INDEX, "value": "1"},
                {"system": "urn:oid:1.2.392.100495.20.3.11", "value": group},
                own,
            ],
            "contained": [contained_encounter(context), contained_practitioner(context)],
            "status": if order.completed { "completed" } else { "active" },
            "intent": "order",
            "category": [{"coding": [
                {"system": CATEGORY, "code": "OHO", "display": "院外処方"},
                {"system": CATEGORY, "code": "OHP", "display": "外来処方"},
            ], "text": "院外処方"}],
            "medicationCodeableConcept": medication(order.drug),
            "subject": context.subject.to_value(),
            "encounter": {"reference": "#encounter"},
            "authoredOn": context.instant(),
            "requester": {"reference": "#practitioner"},
            "recorder": {"reference": "#practitioner"},
            "groupIdentifier": {"value": group},
            "dosageInstruction": [dosage(context, order)],
            "dispenseRequest": supply,
            "substitution": {"allowedCodeableConcept": concept(
                "http://jpfhir.jp/fhir/core/mhlw/CodeSystem/MedicationSubstitutionProhibittedCategory", "0", "変更可",
            )},
        }),
    )
}

/// The dispensing of one drug that day by the facility, which should be a pharmacy.
pub fn medication_dispense(context: &Context, order: &Order) -> Value {
    let own = context.instance_identifier();
    let mut whole = resource(
        context,
        "MedicationDispense",
        DISPENSE,
        json!({
            "identifier": [{"system": RP, "value": "1"}, {"system": RP_INDEX, "value": "1"}, own],
            "contained": [contained_practitioner(context)],
            "status": "completed",
            "medicationCodeableConcept": medication(order.drug),
            "subject": context.subject.to_value(),
            "performer": [{"actor": {"reference": "#practitioner"}}, {"actor": context.institution()}],
            "quantity": quantity(order),
            "whenPrepared": context.instant(),
            "whenHandedOver": context.instant(),
            "dosageInstruction": [dosage(context, order)],
            "note": [{"text": format!("{}にて調剤。お薬手帳を確認。", context.facility.name)}],
        }),
    );
    if order.lasts_known() {
        merge(&mut whole, json!({"daysSupply": days(order.days)}));
    }
    whole
}

fn medication(drug: &Drug) -> Value {
    json!({"coding": [{"system": YJ, "code": drug.yj, "display": drug.name}], "text": drug.name})
}

fn days(number: u32) -> Value {
    json!({"value": number, "unit": "日", "system": "http://unitsofmeasure.org", "code": "d"})
}

fn units(drug: &Drug, value: u32) -> Value {
    let (code, word) = drug.unit();
    json!({"value": value, "unit": word, "system": UNIT, "code": code})
}

fn quantity(order: &Order) -> Value {
    units(order.drug, order.quantity())
}

/// Usage code of the e-prescription master (`None`: the dummy code says there is none) and its words.
fn usage(usage: Usage) -> (Option<&'static str>, &'static str) {
    match usage {
        Usage::Meals(2) => (Some("1012040400000000"), "１日２回朝夕食後　服用"),
        Usage::Meals(3) => (Some("1013044400000000"), "１日３回毎食後　服用"),
        Usage::Meals(_) => (Some("1011000400000000"), "１日１回朝食後　服用"),
        Usage::Bedtime => (Some("1011000090000000"), "１日１回就寝前　服用"),
        Usage::Needed => (None, "症状があるとき　服用"),
        Usage::Skin => (None, "１日１回　患部に使用"),
        Usage::Eye => (None, "１日１回　点眼"),
        Usage::Inhaled => (None, "１日２回　吸入"),
        Usage::Injected => (None, "１日１回　皮下注射"),
    }
}

fn dosage(context: &Context, order: &Order) -> Value {
    let (code, words) = usage(order.drug.usage);
    let timing_code = match code {
        Some(code) => json!({"coding": [{"system": USAGE_ERX, "code": code, "display": words}], "text": words}),
        None => json!({
            "coding": [{"system": USAGE_NONE, "code": "0X0XXXXXXXXX0000", "display": "ダミー用法コード"}], "text": words,
        }),
    };
    let mut timing = json!({"code": timing_code});
    let mut whole = json!({
        "extension": [{
            "url": "http://jpfhir.jp/fhir/core/Extension/StructureDefinition/JP_MedicationDosage_PeriodOfUse",
            "valuePeriod": {"start": context.on.to_string()},
        }],
        "text": format!("{words} １回１{}", order.drug.unit().1),
        "doseAndRate": [{"doseQuantity": units(order.drug, 1)}],
    });
    match order.drug.usage {
        Usage::Meals(_) | Usage::Bedtime => {
            let times = if let Usage::Meals(times) = order.drug.usage { times } else { 1 };
            let repeat =
                json!({"boundsDuration": days(order.days), "frequency": times, "period": 1, "periodUnit": "d"});
            merge(&mut timing, json!({"repeat": repeat}));
        }
        Usage::Needed => merge(&mut whole, json!({"asNeededBoolean": true})),
        _ => {}
    }
    let (route, word) = match order.drug.usage {
        Usage::Skin => ("TD", "経皮"),
        Usage::Eye => ("OP", "点眼"),
        Usage::Inhaled => ("IH", "吸入"),
        Usage::Injected => ("SC", "皮下"),
        _ => ("PO", "経口"),
    };
    let route = concept("http://jpfhir.jp/fhir/core/CodeSystem/route-codes", route, word);
    merge(&mut whole, json!({"timing": timing, "route": route}));
    whole
}
