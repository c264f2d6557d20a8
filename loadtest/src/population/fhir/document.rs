//! Document Bundles: 診療情報提供書 (referral) and 退院時サマリー (discharge summary).

use chrono::NaiveDate;
use serde_json::{Value, json};

use super::collection::bundle_identifier;
use super::{
    Context, INSTANCE_SYSTEM, Order, Subject, allergy, condition_of, encounter, laboratory, medication_request,
    organization, patient, practitioner, procedure, visit_class,
};
use crate::population::Population;
use crate::population::clinical::DISEASES;
use crate::population::dice::{Dice, Domain};
use crate::population::facility::Facility;
use crate::population::person::Person;

const SECTION: &str = "http://jpfhir.jp/fhir/clins/CodeSystem/document-section";
const TYPES: &str = "http://jpfhir.jp/fhir/Common/CodeSystem/doc-typecodes";
const SUBTYPES: &str = "http://jpfhir.jp/fhir/Common/CodeSystem/doc-subtypecodes";

/// The kinds of documents, with all that differs in their frame.
struct Form {
    type_code: &'static str,
    title: &'static str,
    subtype: (&'static str, &'static str),
    composition: &'static str,
    bundle: &'static str,
    tag: &'static str,
}

const REFERRAL: Form = Form {
    type_code: "57133-1",
    title: "診療情報提供書",
    subtype: ("OUTPATIENT", "外来文書"),
    composition: "http://jpfhir.jp/fhir/eReferral/StructureDefinition/JP_Composition_eReferral|1",
    bundle: "http://jpfhir.jp/fhir/clins/StructureDefinition/JP_Bundle_eReferral|1",
    tag: "REF",
};

const DISCHARGE: Form = Form {
    type_code: "18842-5",
    title: "退院時サマリー",
    subtype: ("DISCHARGE", "退院時文書"),
    composition: "http://jpfhir.jp/fhir/eDischargeSummary/StructureDefinition/JP_Composition_eDischargeSummary|1",
    bundle: "http://jpfhir.jp/fhir/clins/StructureDefinition/JP_Bundle_eDischargeSummary|1",
    tag: "DIS",
};

/// A document in the making: entries behind the Composition, in order, each with its own `urn:uuid`.
struct Draft<'a> {
    context: Context<'a>,
    dice: Dice,
    entries: Vec<Value>,
}

impl<'a> Draft<'a> {
    /// Opens the document with its Patient.
    fn open(mut dice: Dice, mut context: Context<'a>) -> Self {
        let url = format!("urn:uuid:{}", dice.uuid());
        context.subject = Subject::Reference(url.clone());
        let patient = patient(context.person, context.facility, context.on);
        Self { context, dice, entries: vec![json!({"fullUrl": url, "resource": patient})] }
    }

    /// Adds an entry; gives the reference to it.
    fn add(&mut self, resource: Value) -> Value {
        let url = format!("urn:uuid:{}", self.dice.uuid());
        let reference = json!({"reference": url, "type": resource["resourceType"]});
        self.entries.push(json!({"fullUrl": url, "resource": resource}));
        reference
    }

    /// Adds what `make` builds from the context, named by `name`.
    fn add_made(&mut self, name: &str, make: impl FnOnce(&Context, &mut Dice) -> Value) -> Value {
        let context = self.context.named(name);
        let resource = make(&context, &mut self.dice);
        self.add(resource)
    }

    /// Closes the document: Composition first, then the entries.
    fn close(self, form: &Form, serial: u64, composition: Value) -> Value {
        let Self { context, mut dice, mut entries } = self;
        let mut whole = json!({
            "resourceType": "Composition",
            "language": "ja",
            "meta": {"lastUpdated": context.instant(), "profile": [form.composition]},
            "extension": [{
                "url": "http://hl7.org/fhir/StructureDefinition/composition-clinicaldocument-versionNumber",
                "valueString": "1.0",
            }],
            "identifier": {"system": INSTANCE_SYSTEM, "value": format!("{}-{}", context.facility.code, context.instance)},
            "status": "final",
            "type": {"coding": [{"system": TYPES, "code": form.type_code, "display": form.title}]},
            "category": [{"coding": [{"system": SUBTYPES, "code": form.subtype.0, "display": form.subtype.1}]}],
            "subject": context.subject.to_value(),
            "date": context.instant(),
            "title": form.title,
        });
        super::merge(&mut whole, composition);
        entries.insert(0, json!({"fullUrl": format!("urn:uuid:{}", dice.uuid()), "resource": whole}));
        let own = format!("{}-{}-{serial}", form.tag, context.person.index);
        json!({
            "resourceType": "Bundle",
            "language": "ja",
            "meta": {"lastUpdated": context.instant(), "profile": [form.bundle]},
            "identifier": bundle_identifier(context.facility, context.on, &own),
            "type": "document",
            "timestamp": context.instant(),
            "entry": entries,
        })
    }
}

/// A section with entries and a sentence for people. `text` must be free of markup.
fn section((code, title): (&str, &str), text: &str, entries: Vec<Value>) -> Value {
    let mut whole = json!({
        "title": title,
        "code": {"coding": [{"system": SECTION, "code": code, "display": format!("{title}セクション")}]},
        "text": {
            "status": if entries.is_empty() { "additional" } else { "generated" },
            "div": format!("<div xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"ja\"><p>{text}</p></div>"),
        },
    });
    if !entries.is_empty() {
        super::merge(&mut whole, json!({"entry": entries}));
    }
    whole
}

fn structured(sections: Vec<Value>) -> Value {
    json!({
        "title": "構造情報",
        "code": {"coding": [{"system": SECTION, "code": "300", "display": "構造情報セクション"}]},
        "section": sections,
    })
}

impl Population {
    /// 診療情報提供書 of `from` (hospital or clinic) for `to`, written on that day; another `serial`, another letter.
    /// Holds both facilities and doctors, visit, two diagnoses, an allergy, two prescriptions and a result as entries.
    pub fn referral_document(
        &self,
        person: &Person,
        from: &Facility,
        to: &Facility,
        (on, serial): (NaiveDate, u64),
    ) -> Value {
        let dice = Dice::open(self.seed(), Domain::Referral, person.index, (from.index << 32) | serial);
        let (sender, receiver) = (self.signer_of(from), self.signer_of(to));
        let mut draft =
            Draft::open(dice, document_context(person, from, &sender, (on, &format!("REF-{}-{serial}", person.index))));
        let purpose_of_visit = draft.add_made("purpose", |context, _| visit(context, "継続加療をお願いします。"));
        let doctor = draft.add(practitioner(&sender, on));
        let other_doctor = draft.add(practitioner(&receiver, on));
        let clinic = draft.add(organization(from, on));
        let other_clinic = draft.add(organization(to, on));
        let (problem, past) = (draft.dice.pick(DISEASES), draft.dice.pick(DISEASES));
        let problem_entry = draft.add_made("problem", |context, _| condition_of(context, problem));
        let past_entry = draft.add_made("past", |context, _| condition_of(context, past));
        let allergy_entry = draft.add_made("allergy", allergy);
        let drugs = prescriptions(&mut draft, 2);
        let result = draft.add_made("result", laboratory);
        let history = format!("{}にて通院中。{}の既往がある。", problem.name, past.name);
        let sections = vec![
            section(("920", "紹介元情報"), &from.name, vec![clinic.clone(), doctor.clone()]),
            section(("910", "紹介先情報"), &to.name, vec![other_clinic, other_doctor]),
            structured(vec![
                section(("950", "紹介目的"), "継続加療をお願いします。", vec![purpose_of_visit.clone()]),
                section(("340", "傷病名・主訴"), problem.name, vec![problem_entry]),
                section(("360", "現病歴"), &history, vec![]),
                section(("370", "既往歴"), past.name, vec![past_entry]),
                section(("510", "アレルギー・不耐性反応"), "記載のとおり。", vec![allergy_entry]),
                section(("620", "検査結果"), "記載のとおり。", vec![result]),
                section(("430", "投薬指示"), "記載のとおり。", drugs),
            ]),
        ];
        draft.close(
            &REFERRAL,
            serial,
            json!({
                "encounter": purpose_of_visit,
                "author": [doctor, clinic],
                "custodian": clinic,
                "event": [{"code": [{"text": "診療情報提供書発行"}], "period": {"start": on.to_string()}}],
                "section": sections,
            }),
        )
    }

    /// 退院時サマリー of a hospital for a stay of three to twenty days that ended that day; another `serial`, another
    /// stay. Holds the stay, diagnoses, an operation, results and the drugs at discharge as entries.
    pub fn discharge_summary(&self, person: &Person, hospital: &Facility, (on, serial): (NaiveDate, u64)) -> Value {
        let dice = Dice::open(self.seed(), Domain::Discharge, person.index, (hospital.index << 32) | serial);
        let signer = self.signer_of(hospital);
        let mut draft = Draft::open(
            dice,
            document_context(person, hospital, &signer, (on, &format!("DIS-{}-{serial}", person.index))),
        );
        let days = 3 + draft.dice.below(18);
        let admitted = draft.context.days_before(days);
        let stay = draft.add_made("stay", |context, dice| inpatient(context, admitted, dice));
        let doctor = draft.add(practitioner(&signer, on));
        let house = draft.add(organization(hospital, on));
        let disease = draft.dice.pick(DISEASES);
        let on_admission = draft
            .add_made("admission", |context, _| condition_of(&Context { on: admitted, ..context.clone() }, disease));
        let on_discharge = draft.add_made("discharge", |context, _| condition_of(context, disease));
        let operation =
            draft.add_made("operation", |context, dice| procedure(&Context { on: admitted, ..context.clone() }, dice));
        let results = (0..2).map(|k| draft.add_made(&format!("result-{k}"), laboratory)).collect();
        let allergy_entry = draft.add_made("allergy", allergy);
        let drugs = prescriptions(&mut draft, 3);
        let course = format!("{}に対し加療し、経過良好にて退院となった。", disease.name);
        let sections = vec![structured(vec![
            section(("322", "入院時詳細"), &format!("{admitted} 入院。"), vec![stay.clone()]),
            section(("342", "入院時診断"), disease.name, vec![on_admission]),
            section(("510", "アレルギー・不耐性反応"), "記載のとおり。", vec![allergy_entry]),
            section(("352", "主訴"), &format!("{}の精査加療。", disease.name), vec![]),
            section(("312", "入院理由"), &format!("{}の治療のため。", disease.name), vec![]),
            section(("362", "現病歴"), &format!("外来にて{}と診断され、入院となった。", disease.name), vec![]),
            section(("333", "入院中経過"), &course, vec![]),
            section(("623", "入院中検査結果"), "記載のとおり。", results),
            section(("713", "入院中治療"), "記載のとおり。", vec![operation]),
            section(("324", "退院時詳細"), &format!("{on} 自宅へ退院。"), vec![]),
            section(("344", "退院時診断"), disease.name, vec![on_discharge]),
            section(("444", "退院時投薬指示"), "記載のとおり。", drugs),
            section(("424", "退院時方針指示"), "二週間後に外来を受診すること。", vec![]),
        ])];
        draft.close(&DISCHARGE, serial, json!({
            "encounter": stay,
            "author": [doctor, house],
            "custodian": house,
            "event": [{
                "code": [{"text": "退院時サマリー発行"}], "period": {"start": admitted.to_string(), "end": on.to_string()},
            }],
            "section": sections,
        }))
    }
}

fn document_context<'a>(
    person: &'a Person,
    facility: &'a Facility,
    signer: &'a super::Professional,
    (on, instance): (NaiveDate, &str),
) -> Context<'a> {
    let subject = Subject::Member(person.member_id());
    Context { person, subject, facility, signer, on, minute: 14 * 60, instance: instance.to_owned() }
}

fn prescriptions(draft: &mut Draft, count: usize) -> Vec<Value> {
    (0..count)
        .map(|k| {
            draft.add_made(&format!("rx-{k}"), |context, dice| {
                medication_request(context, &Order { completed: false, ..Order::thrown(dice) })
            })
        })
        .collect()
}

/// The outpatient visit behind a letter, with its reason.
fn visit(context: &Context, reason: &str) -> Value {
    super::resource(
        context,
        "Encounter",
        "http://jpfhir.jp/fhir/eCS/StructureDefinition/JP_Encounter_eCS",
        json!({
            "status": "finished", "class": visit_class("AMB"),
            "subject": context.subject.to_value(),
            "period": {"start": context.on.to_string()},
            "reasonCode": [{"text": reason}],
        }),
    )
}

fn inpatient(context: &Context, admitted: NaiveDate, dice: &mut Dice) -> Value {
    let mut whole = encounter(context, dice);
    super::merge(
        &mut whole,
        json!({
            "meta": {
                "lastUpdated": context.instant(),
                "profile": ["http://jpfhir.jp/fhir/eCS/StructureDefinition/JP_Encounter_eCS"],
            },
            "class": visit_class("IMP"),
            "period": {"start": admitted.to_string(), "end": context.on.to_string()},
        }),
    );
    whole
}
