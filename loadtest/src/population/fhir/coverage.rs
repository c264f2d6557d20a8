//! Patient, Coverage and Claim.

use chrono::{Days, NaiveDate};
use serde_json::{Value, json};

use super::{Context, INSURER_SYSTEM, concept, human_name, resource};
use crate::population::clinical::DISEASES;
use crate::population::dice::Dice;
use crate::population::facility::Facility;
use crate::population::person::{MEMBER_ID_SYSTEM, Person};

const CORE_EXTENSION: &str = "http://jpfhir.jp/fhir/core/Extension/StructureDefinition/";

/// The Patient record of a facility about this person: its own number, the member id (once), names in kanji, kana and
/// Latin letters, phone, address. `on` is when it was last updated.
pub fn patient(person: &Person, facility: &Facility, on: NaiveDate) -> Value {
    let (family, given) = (person.family, person.given);
    json!({
        "resourceType": "Patient",
        "language": "ja",
        "meta": {
            "lastUpdated": format!("{on}T09:00:00+09:00"),
            "profile": ["http://jpfhir.jp/fhir/eCS/StructureDefinition/JP_Patient_eCS"],
        },
        "identifier": [
            {"system": format!("urn:oid:1.2.392.100495.20.3.51.1{}", facility.code), "value": format!("{:09}", person.index + 1)},
            {"system": MEMBER_ID_SYSTEM, "value": person.member_id()},
        ],
        "active": true,
        "name": [
            human_name("IDE", family.0, given.0),
            human_name("SYL", family.1, given.1),
            human_name("ABC", family.2, given.2),
        ],
        "telecom": [{"system": "phone", "value": person.phone, "use": "mobile", "rank": 1}],
        "gender": person.sex.as_fhir(),
        "birthDate": person.birth_date.to_string(),
        "address": [{
            "use": "home", "text": person.address, "line": [person.place.town], "city": person.place.city,
            "state": person.place.prefecture, "postalCode": person.place.postcode, "country": "JP",
        }],
    })
}

/// The person's insurance as a facility records it. The share to pay follows age: 20 % below 6, 30 %, 20 % from 70, 10 %
/// from 75.
pub fn coverage(context: &Context) -> Value {
    let person = context.person;
    let insurer = &person.insurer;
    let share = match person.age(context.on) {
        ..6 => 20,
        6..70 => 30,
        70..75 => 20,
        _ => 10,
    };
    let start =
        context.on - Days::new(context.on.signed_duration_since(person.birth_date).num_days().clamp(0, 365) as u64);
    let mut extensions =
        vec![json!({"url": format!("{CORE_EXTENSION}JP_Coverage_InsuredPersonNumber"), "valueString": person.number})];
    if !person.symbol.is_empty() {
        extensions.push(
            json!({"url": format!("{CORE_EXTENSION}JP_Coverage_InsuredPersonSymbol"), "valueString": person.symbol}),
        );
    }
    extensions.push(
        json!({"url": format!("{CORE_EXTENSION}JP_Coverage_InsuredPersonSubNumber"), "valueString": person.branch}),
    );
    let (category, category_name) = insurer.kind.category();
    let (relation, relation_name) = if person.branch == "00" { ("1", "被保険者") } else { ("2", "被扶養者") };
    let own = context.instance_identifier();
    resource(
        context,
        "Coverage",
        "http://jpfhir.jp/fhir/core/StructureDefinition/JP_Coverage",
        json!({
            "identifier": [own, {"system": MEMBER_ID_SYSTEM, "value": person.member_id()}],
            "extension": extensions,
            "status": "active",
            "type": concept("http://jpfhir.jp/fhir/core/mhlw/CodeSystem/InsuranceMajorCategory", category, category_name),
            "subscriberId": person.number,
            "beneficiary": context.subject.to_value(),
            "dependent": person.branch,
            "relationship": concept("http://jpfhir.jp/fhir/core/mhlw/CodeSystem/InsuredPersonCategory", relation, relation_name),
            "period": {"start": start.to_string()},
            "payor": [insurer_reference(person)],
            "costToBeneficiary": [{
                "type": concept("http://terminology.hl7.org/CodeSystem/coverage-copay-type", "copaypct", "Copay Percentage"),
                "valueQuantity": {"value": share, "unit": "%", "system": "http://unitsofmeasure.org", "code": "%"},
            }],
        }),
    )
}

/// The bill of one visit: a diagnosis, the consultation and one more line; one point is ten yen.
pub fn claim(context: &Context, dice: &mut Dice) -> Value {
    let disease = dice.pick(DISEASES);
    let lines = [("111000110", "初診料", 291), ("120002910", "処方箋料", 60 + 10 * dice.between(0, 40))];
    let money = |points: i64| json!({"value": points * 10, "currency": "JPY"});
    let items: Vec<Value> = (1..)
        .zip(lines)
        .map(|(sequence, (code, name, points))| {
            json!({
                "sequence": sequence,
                "productOrService": concept("http://jpfhir.jp/fhir/core/mhlw/CodeSystem/masterS-procedure", code, name),
                "servicedDate": context.on.to_string(), "unitPrice": money(points), "net": money(points),
            })
        })
        .collect();
    resource(
        context,
        "Claim",
        "http://hl7.org/fhir/StructureDefinition/Claim",
        json!({
            "status": "active",
            "type": concept("http://terminology.hl7.org/CodeSystem/claim-type", "institutional", "Institutional"),
            "use": "claim",
            "patient": context.subject.to_value(),
            "billablePeriod": {"start": context.on.to_string(), "end": context.on.to_string()},
            "created": context.instant(),
            "insurer": insurer_reference(context.person),
            "provider": context.institution(),
            "priority": concept("http://terminology.hl7.org/CodeSystem/processpriority", "normal", "Normal"),
            "diagnosis": [{
                "sequence": 1,
                "diagnosisCodeableConcept":
                    concept("http://jpfhir.jp/fhir/core/mhlw/CodeSystem/ICD10-2013-full", disease.icd10, disease.name),
            }],
            "insurance": [{
                "sequence": 1, "focal": true,
                "coverage": {
                    "identifier": {"system": MEMBER_ID_SYSTEM, "value": context.person.member_id()}, "type": "Coverage",
                },
            }],
            "item": items,
            "total": money(lines.iter().map(|line| line.2).sum()),
        }),
    )
}

fn insurer_reference(person: &Person) -> Value {
    json!({
        "identifier": {"system": INSURER_SYSTEM, "value": person.insurer.number},
        "type": "Organization", "display": person.insurer.name,
    })
}
