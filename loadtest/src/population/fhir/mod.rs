//! FHIR R4 JSON in the shape of JP Core and eCS. Resources carry no `id`: the server gives it.

mod allergy;
mod care;
mod collection;
mod commons;
mod coverage;
mod document;
mod medication;
mod observation;
mod transaction;

use chrono::NaiveDate;
use serde_json::{Value, json};

use super::dice::Dice;
use super::facility::{Facility, Profession, Professional};
use super::person::{MEMBER_ID_SYSTEM, Person};

pub use allergy::{allergy, allergy_to_drug, condition, condition_of};
pub use care::{care_plan, diagnostic_report, document_reference, encounter, immunization, procedure, service_request};
pub use collection::ClinsType;
pub use commons::{insurer_organization, organization, practitioner};
pub use coverage::{claim, coverage, patient};
pub use medication::{Order, medication_dispense, medication_request};
pub use observation::{blood_pressure, laboratory, laboratory_of, vital_sign};
pub use transaction::identifier_query;

/// Identifier system of 医療機関番号 (10 digits).
pub const INSTITUTION_SYSTEM: &str = "http://jpfhir.jp/fhir/core/IdSystem/insurance-medical-institution-no";
/// Identifier system of a resource within its institution.
pub const INSTANCE_SYSTEM: &str = "http://jpfhir.jp/fhir/core/IdSystem/resourceInstance-identifier";
/// Identifier system of 保険者番号.
pub const INSURER_SYSTEM: &str = "http://jpfhir.jp/fhir/core/mhlw/IdSystem/InsurerNumber";

/// Kinds of resources that a history holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Laboratory,
    VitalSign,
    BloodPressure,
    Condition,
    Allergy,
    MedicationRequest,
    MedicationDispense,
    Immunization,
    Procedure,
    Encounter,
    DiagnosticReport,
    Claim,
    DocumentReference,
    ServiceRequest,
    CarePlan,
    Coverage,
}

impl Kind {
    /// Every kind with its weight in a history, in thousandths.
    pub const ALL: [(Self, u64); 16] = [
        (Self::Laboratory, 300),
        (Self::VitalSign, 90),
        (Self::BloodPressure, 60),
        (Self::Condition, 50),
        (Self::Allergy, 8),
        (Self::MedicationRequest, 110),
        (Self::MedicationDispense, 90),
        (Self::Immunization, 20),
        (Self::Procedure, 50),
        (Self::Encounter, 80),
        (Self::DiagnosticReport, 50),
        (Self::Claim, 50),
        (Self::DocumentReference, 15),
        (Self::ServiceRequest, 15),
        (Self::CarePlan, 8),
        (Self::Coverage, 4),
    ];

    pub(crate) fn thrown(dice: &mut Dice) -> Self {
        Self::ALL[dice.weighted(&Self::ALL.map(|(_, weight)| weight))].0
    }

    /// A short tag for instance identifiers.
    pub(crate) fn tag(self) -> &'static str {
        match self {
            Self::Laboratory => "LAB",
            Self::VitalSign => "VIT",
            Self::BloodPressure => "BP",
            Self::Condition => "CON",
            Self::Allergy => "ALG",
            Self::MedicationRequest => "RX",
            Self::MedicationDispense => "DSP",
            Self::Immunization => "IMM",
            Self::Procedure => "PRC",
            Self::Encounter => "ENC",
            Self::DiagnosticReport => "REP",
            Self::Claim => "CLM",
            Self::DocumentReference => "DOC",
            Self::ServiceRequest => "SRQ",
            Self::CarePlan => "CPL",
            Self::Coverage => "COV",
        }
    }
}

/// How a resource names the person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// By member id: a reference with an identifier and no target.
    Member(String),
    /// By a literal reference, such as `Patient/p-1` or `urn:uuid:...`.
    Reference(String),
}

impl Subject {
    /// The FHIR Reference.
    pub fn to_value(&self) -> Value {
        match self {
            Self::Member(id) => json!({"identifier": {"system": MEMBER_ID_SYSTEM, "value": id}, "type": "Patient"}),
            Self::Reference(reference) => json!({"reference": reference, "type": "Patient"}),
        }
    }
}

/// Who, where, by whom and when: what every clinical resource shares.
#[derive(Clone, Debug)]
pub struct Context<'a> {
    pub person: &'a Person,
    pub subject: Subject,
    pub facility: &'a Facility,
    pub signer: &'a Professional,
    pub on: NaiveDate,
    /// Minute of the day, Japanese time.
    pub minute: u32,
    /// Value of the resource's own identifier, distinct within the facility; a builder puts the facility's code before.
    pub instance: String,
}

impl Context<'_> {
    /// The moment as FHIR `instant` and `dateTime`, in Japanese time.
    pub fn instant(&self) -> String {
        format!("{}T{:02}:{:02}:00+09:00", self.on, self.minute / 60 % 24, self.minute % 60)
    }

    /// The day so many days before, but not before birth.
    pub(crate) fn days_before(&self, days: u64) -> NaiveDate {
        self.on
            .checked_sub_days(chrono::Days::new(days))
            .map_or(self.on, |day| day.max(self.person.birth_date).min(self.on))
    }

    /// The facility by its institution number: a reference without a target.
    pub fn institution(&self) -> Value {
        institution_reference(self.facility)
    }

    /// The same occasion for another resource.
    pub(crate) fn named(&self, instance: &str) -> Self {
        Self { instance: format!("{}-{instance}", self.instance), ..self.clone() }
    }

    fn instance_identifier(&self) -> Value {
        json!({"system": INSTANCE_SYSTEM, "value": format!("{}-{}", self.facility.code, self.instance)})
    }
}

/// A facility by its institution number.
pub(crate) fn institution_reference(facility: &Facility) -> Value {
    json!({
        "identifier": {"system": INSTITUTION_SYSTEM, "value": facility.code},
        "type": "Organization", "display": facility.name,
    })
}

/// Builds one resource of this kind; the details come from `dice`.
pub fn build(kind: Kind, context: &Context, dice: &mut Dice) -> Value {
    match kind {
        Kind::Laboratory => laboratory(context, dice),
        Kind::VitalSign => vital_sign(context, dice),
        Kind::BloodPressure => blood_pressure(context, dice),
        Kind::Condition => condition(context, dice),
        Kind::Allergy => allergy(context, dice),
        Kind::MedicationRequest => medication_request(context, &Order::thrown(dice)),
        Kind::MedicationDispense => medication_dispense(context, &Order::thrown(dice)),
        Kind::Immunization => immunization(context, dice),
        Kind::Procedure => procedure(context, dice),
        Kind::Encounter => encounter(context, dice),
        Kind::DiagnosticReport => diagnostic_report(context, dice),
        Kind::Claim => claim(context, dice),
        Kind::DocumentReference => document_reference(context, dice),
        Kind::ServiceRequest => service_request(context, dice),
        Kind::CarePlan => care_plan(context, dice),
        Kind::Coverage => coverage(context),
    }
}

/// What all clinical resources start with: type, profile, times, identifier, institution. `body` must be an object; its
/// members win.
pub(crate) fn resource(context: &Context, resource_type: &str, profile: &str, body: Value) -> Value {
    let mut whole = json!({
        "resourceType": resource_type,
        "language": "ja",
        "meta": {"lastUpdated": context.instant(), "profile": [profile]},
        "identifier": [context.instance_identifier()],
        "extension": [institution_extension(context.facility)],
    });
    merge(&mut whole, body);
    whole
}

/// Puts the members of one object into another; those of `body` win.
pub(crate) fn merge(whole: &mut Value, body: Value) {
    if let (Some(whole), Value::Object(body)) = (whole.as_object_mut(), body) {
        whole.extend(body);
    }
}

pub(crate) fn institution_extension(facility: &Facility) -> Value {
    json!({
        "url": "http://jpfhir.jp/fhir/clins/Extension/StructureDefinition/JP_eCS_InstitutionNumber",
        "valueIdentifier": {"system": INSTITUTION_SYSTEM, "value": facility.code},
    })
}

pub(crate) fn department_extension((code, name): (&str, &str)) -> Value {
    json!({
        "url": "http://jpfhir.jp/fhir/eCS/Extension/StructureDefinition/JP_eCS_Department",
        "valueCodeableConcept": {
            "coding": [{"system": "http://jami.jp/SS-MIX2/CodeSystem/ClinicalDepartment", "code": code, "display": name}],
            "text": name,
        },
    })
}

/// A CodeableConcept of one coding, with its display as text.
pub(crate) fn concept(system: &str, code: &str, display: &str) -> Value {
    json!({"coding": [{"system": system, "code": code, "display": display}], "text": display})
}

/// The visit as a contained resource `#encounter`.
pub(crate) fn contained_encounter(context: &Context) -> Value {
    json!({
        "resourceType": "Encounter", "id": "encounter",
        "meta": {"profile": ["http://jpfhir.jp/fhir/core/StructureDefinition/JP_Encounter"]},
        "identifier": [{"system": INSTANCE_SYSTEM, "value": format!("{}-{}", context.facility.code, context.on)}],
        "status": "finished", "class": visit_class("AMB"),
    })
}

/// Who signs, as a contained resource `#practitioner`.
pub(crate) fn contained_practitioner(context: &Context) -> Value {
    let signer = context.signer;
    json!({
        "resourceType": "Practitioner", "id": "practitioner",
        "meta": {"profile": ["http://jpfhir.jp/fhir/core/StructureDefinition/JP_Practitioner"]},
        "identifier": [{"system": signer.profession.licence_system(), "value": signer.licence}],
        "name": [human_name("IDE", signer.family, signer.given)],
    })
}

/// An Encounter class of the usual code system.
pub(crate) fn visit_class(code: &str) -> Value {
    let display = if code == "IMP" { "入院" } else { "外来" };
    json!({"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": code, "display": display})
}

/// A HumanName in one representation: `IDE` kanji, `SYL` kana, `ABC` Latin.
pub(crate) fn human_name(representation: &str, family: &str, given: &str) -> Value {
    json!({
        "extension": [{
            "url": "http://hl7.org/fhir/StructureDefinition/iso21090-EN-representation",
            "valueCode": representation,
        }],
        "use": "official", "text": format!("{family} {given}"), "family": family, "given": [given],
    })
}

/// The Japanese word for who signs.
pub(crate) fn profession_word(profession: Profession) -> &'static str {
    profession.words().1
}
