//! `MedicationRequest/$check`: duplicates and contraindicated pairs among a person's medicines (R25). It computes over all
//! items, sealed ones too, opens nothing outward, and says only how severe a clash is and "ask the person".

use std::sync::Arc;

use actix_web::{HttpRequest, web};
use bytes::Bytes;
use chassis::auth::scopes::Interaction;
use chassis::http::{Negotiation, Refusal, RequestInfo};
use chassis::ports::store::Table;
use chassis::release::Answer;
use chassis::session::Session;
use chassis::shelf::RowError;
use chassis::shelves::ShelfError;
use domain::safety::{Clash, Drug, PastDrug, find_clashes};
use fhir::json::{Limits, Node, parse};
use fhir::medicines::{self, Medicine};
use policies::{Counters, Decision, Order};
use schemas::header::Header;
use schemas::search::SearchValue;
use schemas::shelf::PersonState;
use schemas::vocab::{AccessKind, Action};
use schemas::{Pid, Problem, ProblemCode, ResourceId, ResourceType};

use super::notice::Waits;
use crate::Query;
use crate::decide::input;
use crate::release::Looked;
use crate::view::View;

/// Where past medicines stand.
const PAST: [ResourceType; 2] = [ResourceType::MedicationRequest, ResourceType::MedicationDispense];

/// What is asked: an order that is not written yet.
struct Asked {
    order: Order,
    person: Option<Pid>,
    medicine: Medicine,
    /// Code as sent, for the entry.
    code: String,
    include_own: bool,
}

/// `POST /fhir/MedicationRequest/$check`: a MedicationRequest, or Parameters with `order` (a MedicationRequest) and
/// `includeOwn` (boolean).
pub(crate) async fn by_post(
    query: web::Data<Query>,
    request: HttpRequest,
    info: RequestInfo,
    form: Negotiation,
    body: Bytes,
) -> Result<Answer, Refusal> {
    let session = query.gate.admit(&request, info)?;
    session.require_scope("MedicationRequest", Interaction::Search)?;
    let node = parse(&body, &Limits::default()).map_err(|p| Refusal::bad_request(vec![p]))?;
    let asked = read_order(&node)?;
    let decide = |state: &PersonState| query.decide_check(&session, state, &asked.order);
    let view = query.view_by(&session, asked.person, decide).await.map_err(|e| query.failed(&e))?;
    let text = "MedicationRequest/$check".to_owned();
    if !view.decision.is_permit() {
        let refusal = Refusal::forbidden(Problem::new(ProblemCode::Forbidden, "", "not available"));
        return Err(query.refuse(&session, &view, (text, Waits::No), refusal).await);
    }
    let clashes = query.clashes(&session, &view, &asked).await?;
    let looked = Looked { subject: asked.code.clone(), ..Looked::new(AccessKind::Automatic, text, &[]) };
    let opened = query.release(&session, &view, looked).await?;
    Ok(Answer::about_person(opened.receipt, 200, form.form(verdict(&clashes).to_string().into_bytes())))
}

impl Query {
    /// The decision on a check depends on the order, so it is asked each time.
    fn decide_check(&self, session: &Session, state: &PersonState, order: &Order) -> Arc<Decision> {
        let mut input = input(session, state, Action::Check);
        input.order = Some(order.clone());
        let day_ago = session.now - 86_400_000;
        let by_me = |(at, who): &&(i64, schemas::PractitionerId)| {
            *at > day_ago && session.caller.practitioner.as_ref() == Some(who)
        };
        let cancelled = u32::try_from(state.checks_cancelled.iter().filter(by_me).count()).unwrap_or(u32::MAX);
        input.counters = Some(Counters { checks_cancelled_day: cancelled, ..Counters::default() });
        Arc::new(self.policies.decide(&input))
    }

    /// What clashes with the order today. Bodies are opened inside, and only of medicines whose code could clash.
    async fn clashes(&self, session: &Session, view: &View, asked: &Asked) -> Result<Vec<Clash>, Refusal> {
        let drug = Drug { classes: asked.medicine.classes.clone() };
        let mut past = Vec::new();
        let taken = self.admitted_as_of(view, view.state.position, PAST.into_iter()).await;
        for header in taken.map_err(|e| self.failed(&e))? {
            let own = header.author_organisation == session.caller.organisation;
            if (own && !asked.include_own) || !could_clash(&header, &drug) {
                continue;
            }
            let body = self.safety_shelves.body_inside(view.pid, &header).await.map_err(|e| self.failed(&e))?;
            // Damage is said: a medicine that was skipped could be the one that clashes.
            let node = parse(&body, &Limits::default())
                .map_err(|_| self.failed(&ShelfError::row(Table::Body, RowError::Form)))?;
            let medicine = medicines::read(header.item.resource_type, &node);
            if let Some(start_day) = medicine.start_day.filter(|_| is_live(&node)) {
                past.push(PastDrug { drug: Drug { classes: medicine.classes }, start_day, days: medicine.days });
            }
        }
        let today = medicines::day_in_japan(session.now);
        let found = find_clashes(&drug, &past, today, &medicines::is_contraindicated);
        let mut kinds: Vec<Clash> = found.into_iter().map(|(_, clash)| clash).collect();
        kinds.sort_unstable();
        kinds.dedup();
        Ok(kinds)
    }
}

/// By the codes in the header: the same class, or a listed pair.
fn could_clash(header: &Header, drug: &Drug) -> bool {
    header.search.iter().any(|value| match &value.value {
        SearchValue::Token { system, code, .. } => medicines::class_of(system, code).is_some_and(|class| {
            drug.classes.contains(class) || drug.classes.iter().any(|asked| medicines::is_contraindicated(asked, class))
        }),
        _ => false,
    })
}

/// Cancelled and mistaken entries do not count.
fn is_live(resource: &Node) -> bool {
    !matches!(resource.text("status"), Some("cancelled" | "entered-in-error" | "stopped" | "declined" | "draft"))
}

fn read_order(node: &Node) -> Result<Asked, Refusal> {
    let parameters = node.get("parameter").map_or(&[][..], Node::items);
    let parameter = |name: &str| parameters.iter().find(|p| p.text("name") == Some(name));
    let order = match node.text("resourceType") {
        Some("Parameters") => parameter("order").and_then(|p| p.get("resource")),
        Some("MedicationRequest") => Some(node),
        _ => None,
    };
    let wrong = |path: &str, text: &str| Refusal::unprocessable(vec![Problem::new(ProblemCode::Required, path, text)]);
    let order = order
        .filter(|o| o.text("resourceType") == Some("MedicationRequest"))
        .ok_or_else(|| wrong("", "send a MedicationRequest, or Parameters with a parameter `order` that holds one"))?;
    let medicine = medicines::read(ResourceType::MedicationRequest, order);
    if medicine.classes.is_empty() {
        let text = "no code that can be compared: send a YJ code or a general-name code";
        return Err(wrong("MedicationRequest.medicationCodeableConcept.coding", text));
    }
    let subject = order.get("subject").and_then(|s| s.text("reference")).unwrap_or_default();
    let person = subject.rsplit('/').next().and_then(|id| id.parse::<ResourceId>().ok()).map(|id| id.pid);
    let identifier = order.get("identifier").map_or(&[][..], Node::items).first().and_then(|i| i.text("value"));
    let id = order.text("id").or(identifier).unwrap_or("draft").to_owned();
    let kind = if parameter("paperPrescription").is_some() { "paper-prescription" } else { "order" };
    let state = if order.text("status") == Some("draft") { "draft" } else { "active" };
    let (proof, items) = (None, Vec::new());
    let code = medicine.classes.iter().next().cloned().unwrap_or_default();
    Ok(Asked {
        order: Order { id, kind: kind.to_owned(), state: state.to_owned(), proof, items },
        person,
        medicine,
        code,
        include_own: parameter("includeOwn").and_then(|p| p.get("valueBoolean")).and_then(Node::as_bool) == Some(true),
    })
}

/// Parameters: whether anything clashes, and for each kind of clash a DetectedIssue that names no drug and no institution.
fn verdict(clashes: &[Clash]) -> serde_json::Value {
    let mut parameters = vec![
        serde_json::json!({"name": "clash", "valueBoolean": !clashes.is_empty()}),
        serde_json::json!({"name": "interactions", "valueString": medicines::interactions_release()}),
    ];
    for clash in clashes {
        let (code, display, severity) = match clash {
            Clash::Duplicate => ("DUPTHPY", "duplicate therapy", "moderate"),
            Clash::Contraindicated => ("DRG", "contraindicated combination", "high"),
        };
        let system = "http://terminology.hl7.org/CodeSystem/v3-ActCode";
        parameters.push(serde_json::json!({"name": "issue", "resource": {
            "resourceType": "DetectedIssue",
            "status": "final",
            "code": {"coding": [{"system": system, "code": code, "display": display}]},
            "severity": severity,
            "detail": "ask the person",
        }}));
    }
    serde_json::json!({"resourceType": "Parameters", "parameter": parameters})
}
