//! Trains the dictionary with which small stored values are compressed (`schemas::codec`), on what they have in common: bodies
//! and headers of the made-up population, and shapes of FHIR as other countries write it. No record of anybody is read.

use std::path::PathBuf;

use anyhow::{Context, ensure};
use fhir::json::{self, Limits};
use loadtest::population::Population;
use schemas::header::{BodyRef, Bucket, Header, ItemMeta};
use schemas::{ItemKey, LocalId, SubmissionId, codec};
use serde_json::{Value, json};

/// `xtask storage-dictionary OUT`
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// A new file: a dictionary that is in use must never change
    pub(crate) out: PathBuf,
}

/// Longer dictionaries gain little and cost cache.
const BYTES: usize = 32 * 1024;
const SEED: u64 = 1;
const PERSONS: u64 = 250;
const EACH: u64 = 24;
/// Variants of each foreign shape, so that the trainer takes what they share.
const VARIANTS: u64 = 60;

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    ensure!(!args.out.exists(), "`{}` is there: a dictionary that is in use must never change", args.out.display());
    let population = Population::new(SEED);
    let japanese = (0..PERSONS).flat_map(|person| population.history(person, EACH));
    let mut samples = Vec::new();
    for resource in japanese.chain((0..VARIANTS).flat_map(foreign)) {
        let (body, header) = stored(resource)?;
        samples.extend([body, header]);
    }
    let dictionary = zstd::dict::from_samples(&samples, BYTES)?;
    std::fs::write(&args.out, dictionary).with_context(|| format!("writing `{}`", args.out.display()))
}

/// A resource as it is stored: body without type, id and meta; header with its search values.
fn stored(resource: Value) -> anyhow::Result<(Vec<u8>, Vec<u8>)> {
    let mut node = json::parse(resource.to_string().as_bytes(), &Limits::default())
        .map_err(|problem| anyhow::anyhow!("a sample does not parse at `{}`", problem.path))?;
    let named = node.text("resourceType").context("a sample names its type")?.to_owned();
    let resource_type = named.parse()?;
    let search = fhir::extract::extract(resource_type, &node);
    for name in ["resourceType", "id", "meta"] {
        node.remove(name);
    }
    let body = node.to_bytes();
    let header = Header {
        item: ItemKey { resource_type, local: LocalId::random() },
        version: 1,
        deleted: false,
        position: search.len() as u64,
        last_updated: 0,
        meta: ItemMeta {
            category: schemas::Category::ALL[0],
            class: String::new(),
            labels: Vec::new(),
            period: fhir::extract::clinical_period(resource_type, &node),
            receivers: Vec::new(),
            sent_meta: r#"{"profile":["http://jpfhir.jp/fhir/eCS/StructureDefinition/"]}"#.to_owned(),
            part_of: None,
            tables_release: fhir::classify::tables_release().to_owned(),
        },
        author_organisation: "1310000001".into(),
        author_client: "client-".into(),
        author_practitioner: Some("practitioner-".into()),
        submission: SubmissionId::random(),
        body: Some(BodyRef { bucket: Bucket::Year(2026), chunks: 1, length: body.len() as u32 }),
        search,
    };
    Ok((body, codec::encode(&header)))
}

fn coding(system: &str, code: u64, display: &str) -> Value {
    json!({"coding": [{"system": system, "code": code.to_string(), "display": display}], "text": display})
}

/// Shapes that are common outside of Japan: the usual code systems, references by urn, narrative.
fn foreign(n: u64) -> Vec<Value> {
    let reference = |kind: &str| json!({"reference": format!("{kind}/{n:08x}-{:04x}", n * 77 % 65_521), "display": format!("{kind} {n}")});
    let day = format!("20{:02}-{:02}-{:02}T0{}:1{}:00.000+00:00", 10 + n % 16, 1 + n % 12, 1 + n % 28, n % 10, n % 10);
    let hl7 = |name: &str| format!("http://terminology.hl7.org/CodeSystem/{name}");
    let (loinc, snomed, rxnorm) =
        ("http://loinc.org", "http://snomed.info/sct", "http://www.nlm.nih.gov/research/umls/rxnorm");
    let quantity = |unit: &str| json!({"value": n as f64 * 1.37, "unit": unit, "system": "http://unitsofmeasure.org", "code": unit});
    let category =
        |system: &str, code: &str| json!([{"coding": [{"system": hl7(system), "code": code, "display": code}]}]);
    let period = json!({"start": day, "end": day});
    let money = json!({"value": n as f64 * 3.5, "currency": "USD"});
    let text = json!({"status": "generated", "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\"></div>"});
    vec![
        json!({"resourceType": "Observation", "status": "final", "category": category("observation-category", "vital-signs"),
            "code": coding(loinc, 8000 + n, "Body Height"), "subject": reference("Patient"), "encounter": reference("Encounter"),
            "effectiveDateTime": day, "issued": day, "valueQuantity": quantity("cm")}),
        json!({"resourceType": "Observation", "status": "final", "category": category("observation-category", "laboratory"),
            "code": coding(loinc, 2000 + n, "Blood Pressure"), "subject": reference("Patient"), "encounter": reference("Encounter"),
            "effectiveDateTime": day, "issued": day, "component": [
                {"code": coding(loinc, 84, "Systolic Blood Pressure"), "valueQuantity": quantity("mm[Hg]")},
                {"code": coding(loinc, 62, "Diastolic Blood Pressure"), "valueQuantity": quantity("mg/dL")}]}),
        json!({"resourceType": "Condition", "clinicalStatus": coding(&hl7("condition-clinical"), 1, "resolved"),
            "verificationStatus": coding(&hl7("condition-ver-status"), 1, "confirmed"),
            "category": category("condition-category", "encounter-diagnosis"), "code": coding(snomed, 40_055_000 + n, "disorder"),
            "subject": reference("Patient"), "encounter": reference("Encounter"), "onsetDateTime": day, "recordedDate": day}),
        json!({"resourceType": "Procedure", "status": "completed", "code": coding(snomed, 430_193_006 + n, "procedure"),
            "subject": reference("Patient"), "encounter": reference("Encounter"), "performedPeriod": period,
            "location": reference("Location"), "reasonReference": [reference("Condition")]}),
        json!({"resourceType": "MedicationRequest", "status": "active", "intent": "order", "text": text,
            "category": category("medicationrequest-category", "community"),
            "medicationCodeableConcept": coding(rxnorm, 300_000 + n, "MG Oral Tablet"), "subject": reference("Patient"),
            "encounter": reference("Encounter"), "authoredOn": day, "requester": reference("Practitioner"),
            "dosageInstruction": [{"sequence": 1, "asNeededBoolean": false, "timing": {"repeat": {"frequency": 1, "period": 1.0, "periodUnit": "d"}},
                "doseAndRate": [{"type": coding(&hl7("dose-rate-type"), 1, "Ordered"), "doseQuantity": {"value": 1.0}}]}]}),
        json!({"resourceType": "Immunization", "status": "completed", "vaccineCode": coding("http://hl7.org/fhir/sid/cvx", 140 + n, "Influenza"),
            "patient": reference("Patient"), "encounter": reference("Encounter"), "occurrenceDateTime": day,
            "primarySource": true, "location": reference("Location")}),
        json!({"resourceType": "Encounter", "status": "finished", "class": {"system": hl7("v3-ActCode"), "code": "AMB"},
            "identifier": [{"use": "official", "system": "urn:ietf:rfc:3986", "value": format!("urn:uuid:{n:032x}")}],
            "type": [coding(snomed, 162_673_000 + n, "General examination of patient (procedure)")], "subject": reference("Patient"),
            "participant": [{"type": [coding(&hl7("v3-ParticipationType"), 1, "primary performer")], "period": period,
                "individual": reference("Practitioner")}], "period": period, "serviceProvider": reference("Organization")}),
        json!({"resourceType": "DiagnosticReport", "status": "final", "category": [coding(loinc, 34_117, "History and physical note")],
            "code": coding(loinc, 51_990 + n, "Basic metabolic panel"), "subject": reference("Patient"), "encounter": reference("Encounter"),
            "effectiveDateTime": day, "issued": day, "performer": [reference("Practitioner")], "result": [reference("Observation"), reference("Observation")]}),
        json!({"resourceType": "Claim", "status": "active", "type": coding(&hl7("claim-type"), 1, "institutional"), "use": "claim",
            "patient": reference("Patient"), "billablePeriod": period, "created": day, "provider": reference("Organization"),
            "priority": coding(&hl7("processpriority"), 1, "normal"), "insurance": [{"sequence": 1, "focal": true, "coverage": {"display": "Insurance"}}],
            "item": [{"sequence": 1, "productOrService": coding(snomed, 185_345_000 + n, "Encounter for symptom"), "encounter": [reference("Encounter")], "net": money}],
            "total": money}),
        json!({"resourceType": "ExplanationOfBenefit", "status": "active", "type": coding(&hl7("claim-type"), 1, "professional"), "use": "claim",
            "patient": reference("Patient"), "billablePeriod": period, "created": day, "insurer": {"display": "Insurer"}, "provider": reference("Practitioner"),
            "claim": reference("Claim"), "outcome": "complete", "careTeam": [{"sequence": 1, "provider": reference("Practitioner"),
                "role": coding(&hl7("claimcareteamrole"), 1, "Primary Care Practitioner")}],
            "item": [{"sequence": 1, "category": coding("https://bluebutton.cms.gov/resources/variables/line_cms_type_srvc_cd", 1, "Medical care"),
                "productOrService": coding(snomed, 185_349_000 + n, "Encounter for check up"), "servicedPeriod": period,
                "locationCodeableConcept": coding(&hl7("ex-serviceplace"), 19, "Off Campus-Outpatient Hospital"), "net": money,
                "adjudication": [{"category": coding(&hl7("adjudication"), 1, "submitted"), "amount": money}]}],
            "total": [{"category": coding(&hl7("adjudication"), 1, "Submitted Amount"), "amount": money}], "payment": {"amount": money}}),
    ]
}
