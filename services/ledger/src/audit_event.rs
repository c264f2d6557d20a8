//! An entry as a FHIR R4 AuditEvent after IHE BALP. Where BALP has no pattern (denials without a consent, automatic checks,
//! consent changes) the profile is our own.

use base64::Engine;
use schemas::Pid;
use schemas::access::{Access, AccessOutcome, AccessRow, ActorName};
use schemas::vocab::{AccessKind, Purpose};
use serde_json::{Value, json};

use crate::view::{hex, reference};

const OWN: &str = "https://kiroku.example/StructureDefinition/";
const KIND: &str = "https://kiroku.example/CodeSystem/access-kind";
const REASON: &str = "https://kiroku.example/CodeSystem/access-reason";
const CATEGORY: &str = "https://kiroku.example/CodeSystem/category";
const RULE: &str = "https://kiroku.example/rules/";
const BALP: &str = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.";
const BALP_ENTITY: &str = "https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType";
const EVENT_TYPE: &str = "http://terminology.hl7.org/CodeSystem/audit-event-type";
const DCM: &str = "http://dicom.nema.org/resources/ontology/DCM";
const RESTFUL: &str = "http://hl7.org/fhir/restful-interaction";
const PARTICIPATION: &str = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";
const ENTITY_TYPE: &str = "http://terminology.hl7.org/CodeSystem/audit-entity-type";
const ENTITY_ROLE: &str = "http://terminology.hl7.org/CodeSystem/object-role";
const ACT_REASON: &str = "http://terminology.hl7.org/CodeSystem/v3-ActReason";
const SOURCE_TYPE: &str = "http://terminology.hl7.org/CodeSystem/security-source-type";
const ORGANISATION_ID: &str = "https://kiroku.example/IdSystem/organisation";
const PRACTITIONER_ID: &str = "https://kiroku.example/IdSystem/practitioner";
const CLIENT_ID: &str = "https://kiroku.example/IdSystem/client";
const REQUEST_ID: &str = "https://kiroku.example/IdSystem/request";

/// The resource of one entry.
pub(crate) fn resource(row: &AccessRow, access: &Access) -> Value {
    let mut out = json!({
        "resourceType": "AuditEvent",
        "id": access.id.to_string(),
        "meta": {"versionId": "1", "lastUpdated": fhir::dates::instant(row.logged_at), "profile": [profile(access)]},
        "extension": extensions(row, access),
        "type": event_type(access.kind),
        "subtype": subtypes(access.kind),
        "action": action(access.kind),
        "period": {"start": fhir::dates::instant(access.released_at), "end": fhir::dates::instant(row.logged_at)},
        "recorded": fhir::dates::instant(row.logged_at),
        "outcome": access.outcome.as_str(),
        "purposeOfEvent": [purpose(access.purpose)],
        "agent": agents(access),
        "source": {
            "site": "Kiroku", "observer": {"display": "Kiroku"},
            "type": [{"system": SOURCE_TYPE, "code": "4", "display": "Application Server"}],
        },
        "entity": entities(access),
    });
    if access.outcome != AccessOutcome::Success && !access.reason.is_empty() {
        out["outcomeDesc"] = json!(access.reason);
    }
    prune(&mut out);
    out
}

/// Takes out members that are the empty text: FHIR has none, and a registry entry may lack a name.
fn prune(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, member| member.as_str() != Some(""));
            members.values_mut().for_each(prune);
        }
        Value::Array(members) => members.iter_mut().for_each(prune),
        _ => {}
    }
}

/// BALP's pattern where the entry has all that it demands, else our own.
fn profile(access: &Access) -> String {
    let about_person = access.person.is_some() && access.outcome == AccessOutcome::Success;
    match access.kind {
        AccessKind::Read if about_person && access.items.len() == 1 => format!("{BALP}PatientRead"),
        AccessKind::Search if about_person && !access.query.is_empty() => format!("{BALP}PatientQuery"),
        AccessKind::Denied => format!("{OWN}access-denied"),
        _ => format!("{OWN}access-entry"),
    }
}

fn coding(system: &str, code: &str, display: &str) -> Value {
    json!({"system": system, "code": code, "display": display})
}

fn event_type(kind: AccessKind) -> Value {
    match kind {
        AccessKind::Export => coding(DCM, "110106", "Export"),
        AccessKind::Denied | AccessKind::Emergency | AccessKind::Disaster | AccessKind::WrongLink => {
            coding(DCM, "110113", "Security Alert")
        }
        _ => coding(EVENT_TYPE, "rest", "RESTful Operation"),
    }
}

/// Our kind, and the interaction where there is one.
fn subtypes(kind: AccessKind) -> Vec<Value> {
    let own = json!({"system": KIND, "code": kind.as_str()});
    match kind {
        AccessKind::Read => vec![coding(RESTFUL, "read", "read"), own],
        AccessKind::Search | AccessKind::LogRead => vec![coding(RESTFUL, "search", "search"), own],
        _ => vec![own],
    }
}

/// The kinds that a code of `type` or `subtype` stands for.
pub(crate) fn kinds_of(value: &str) -> Option<Vec<AccessKind>> {
    let mut kinds = Vec::new();
    for token in value.split(',') {
        let code = token.rsplit_once('|').map_or(token, |(_, code)| code);
        let has = |coding: &Value| coding["code"] == code;
        let found = AccessKind::ALL.iter().filter(|k| has(&event_type(**k)) || subtypes(**k).iter().any(has));
        let before = kinds.len();
        kinds.extend(found);
        if kinds.len() == before {
            return None;
        }
    }
    Some(kinds)
}

fn action(kind: AccessKind) -> &'static str {
    match kind {
        AccessKind::Write | AccessKind::Consent => "C",
        AccessKind::Search | AccessKind::LogRead | AccessKind::Automatic => "E",
        _ => "R",
    }
}

fn purpose(purpose: Purpose) -> Value {
    json!({"coding": [{"system": ACT_REASON, "code": purpose.as_str()}]})
}

fn agents(access: &Access) -> Vec<Value> {
    let participation = |code: &str, display: &str| json!({"coding": [coding(PARTICIPATION, code, display)]});
    let policies: Vec<String> = access.rules.iter().map(|rule| format!("{RULE}{rule}")).collect();
    let mut agents = Vec::new();
    if let Some(actor) = &access.actor {
        let mut agent = json!({
            "type": participation("IRCP", "information recipient"), "who": who(access, actor), "requestor": true,
            "purposeOfUse": [purpose(access.purpose)],
        });
        if !actor.name.is_empty() {
            agent["name"] = json!(actor.name);
        }
        if !actor.profession.is_empty() {
            agent["role"] = json!([{"text": actor.profession}]);
        }
        if !policies.is_empty() {
            agent["policy"] = json!(policies);
        }
        agents.push(agent);
    }
    if let Some(delegator) = &access.on_behalf_of {
        agents.push(json!({
            "type": participation("DELEGATOR", "delegator"), "who": practitioner(delegator), "name": delegator.name,
            "requestor": false,
        }));
    }
    if !access.organisation.0.is_empty() {
        let mut agent = json!({
            "type": participation("PROV", "healthcare provider"), "requestor": false,
            "who": {"identifier": {"system": ORGANISATION_ID, "value": access.organisation.0}, "display": access.organisation_name},
        });
        if !access.organisation_name.is_empty() {
            agent["name"] = json!(access.organisation_name);
        }
        if !access.organisation_type.is_empty() {
            agent["role"] = json!([{"text": access.organisation_type}]);
        }
        agents.push(agent);
    }
    agents.extend(systems(access));
    agents
}

/// The two ends of the exchange. BALP follows DICOM: for a query the asking system is the source, for a read the destination.
fn systems(access: &Access) -> [Value; 2] {
    let (source, destination) = (coding(DCM, "110153", "Source Role ID"), coding(DCM, "110152", "Destination Role ID"));
    let (client, server) = match access.kind {
        AccessKind::Read | AccessKind::Export => (destination, source),
        _ => (source, destination),
    };
    let name = if access.processor_name.is_empty() { &access.processor.0 } else { &access.processor_name };
    [
        json!({
            "type": {"coding": [client]}, "requestor": access.actor.is_none(), "name": name,
            "who": {"identifier": {"system": CLIENT_ID, "value": access.processor.0}, "display": name},
        }),
        json!({"type": {"coding": [server]}, "requestor": false, "who": {"display": "Kiroku"}}),
    ]
}

fn who(access: &Access, actor: &ActorName) -> Value {
    match (actor.profession.as_str(), access.person) {
        ("person", Some(pid)) => json!({"identifier": {"value": pid.to_string()}, "display": "the person"}),
        _ => practitioner(actor),
    }
}

fn practitioner(actor: &ActorName) -> Value {
    let display = if actor.name.is_empty() { &actor.profession } else { &actor.name };
    json!({"identifier": {"system": PRACTITIONER_ID, "value": actor.id.0}, "display": display})
}

fn entity_type(code: &str) -> Value {
    json!({"system": ENTITY_TYPE, "code": code})
}

fn entity_role(code: &str) -> Value {
    json!({"system": ENTITY_ROLE, "code": code})
}

fn entities(access: &Access) -> Vec<Value> {
    let mut out = vec![json!({
        "type": {"system": BALP_ENTITY, "code": "XrequestId"},
        "what": {"identifier": {"system": REQUEST_ID, "value": access.request_id}},
    })];
    if let Some(pid) = access.person {
        out.push(json!({
            "what": {"type": "Patient", "identifier": {"value": pid.to_string()}}, "type": entity_type("1"), "role": entity_role("1"),
        }));
        out.extend(data(access, pid));
        if let Some((item, version, given_at)) = access.consent {
            out.push(json!({
                "what": {"reference": reference(pid, item.resource_type.as_str(), item.local)}, "type": entity_type("2"),
                "role": entity_role("4"), "description": "consent",
                "detail": [
                    {"type": "version", "valueString": version.to_string()},
                    {"type": "given", "valueString": fhir::dates::instant(given_at)},
                ],
            }));
        }
    }
    if !access.query.is_empty() {
        let query = base64::engine::general_purpose::STANDARD.encode(&access.query);
        out.push(json!({"type": entity_type("2"), "role": entity_role("24"), "query": query}));
    }
    if !access.subject.is_empty() {
        out.push(json!({"type": entity_type("4"), "detail": [{"type": "subject", "valueString": access.subject}]}));
    }
    out
}

/// The items with the categories; categories alone where no item is named.
fn data(access: &Access, pid: Pid) -> Vec<Value> {
    let labels: Vec<Value> =
        access.categories.iter().map(|c| json!({"system": CATEGORY, "code": c.as_str()})).collect();
    let entity = |what: Option<(String, u32)>| {
        let mut out = json!({"type": entity_type("2"), "role": entity_role("4")});
        if !labels.is_empty() {
            out["securityLabel"] = json!(labels);
        }
        if let Some((reference, version)) = what {
            out["what"] = json!({"reference": reference});
            out["detail"] = json!([{"type": "version", "valueString": version.to_string()}]);
        }
        out
    };
    if access.items.is_empty() {
        return if labels.is_empty() { Vec::new() } else { vec![entity(None)] };
    }
    let item = |v: &schemas::header::ItemVersion| {
        entity(Some((reference(pid, v.item.resource_type.as_str(), v.item.local), v.version)))
    };
    access.items.iter().map(item).collect()
}

/// Number, proof and decision: what BALP has no place for.
fn extensions(row: &AccessRow, access: &Access) -> Vec<Value> {
    let extension = |name: &str, kind: &str, value: Value| json!({"url": format!("{OWN}{name}"), kind: value});
    let mut out = vec![
        // FHIR integers have 31 bits; a number of a list is a string for that reason.
        extension("access-number", "valueString", json!(row.person_seq.to_string())),
        extension("access-commitment", "valueString", json!(hex(&row.record.commitment.0))),
        extension("access-chain", "valueString", json!(hex(&row.chain))),
        extension("access-item-count", "valueUnsignedInt", json!(access.count.min(i32::MAX as u32))),
    ];
    let texts = [
        ("policy-revision", access.policy_revision.as_str()),
        ("assurance", &access.assurance),
        ("token-id", &access.token_id),
        ("certificate-sha256", &access.certificate),
        ("trace-id", &access.trace_id),
        ("organisation-group", &access.organisation_group),
    ];
    out.extend(texts.into_iter().filter(|(_, t)| !t.is_empty()).map(|(n, t)| extension(n, "valueString", json!(t))));
    if access.input_hash != [0; 32] {
        out.push(extension("decision-input-sha256", "valueString", json!(hex(&access.input_hash))));
    }
    if !access.reason.is_empty() {
        out.push(extension("access-reason", "valueCoding", json!({"system": REASON, "code": access.reason})));
    }
    if !access.obligations.is_empty() {
        out.push(extension("obligations", "valueString", json!(access.obligations.join(" "))));
    }
    if let Some(batch) = access.batch {
        out.push(extension("batch", "valueString", json!(batch.to_string())));
    }
    out
}
