//! Visits: presence at a desk. Until the role eligibility exists they come through this door.

use actix_web::{HttpRequest, web};
use bytes::Bytes;
use chassis::http::{Negotiation, Refusal, RequestInfo};
use chassis::release::Answer;
use chassis::session::Session;
use schemas::shelf::{VisitKind, VisitProof};
use schemas::submission::{Command, OutcomeResult};
use schemas::vocab::Action;
use schemas::{LocalId, Pid, PractitionerId, Problem, ProblemCode, ResourceId};
use serde::Deserialize;

use super::request_id;
use crate::Edge;
use crate::handlers::batch::later;
use crate::submit::Submitted;

/// Body of `POST /visits`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewVisit {
    /// `Patient/<id>`, the id of a Patient of this person, or the person's id.
    person: String,
    kind: VisitKind,
    /// The care team: registered professionals of this facility.
    team: Vec<PractitionerId>,
    proof: VisitProof,
}

/// `POST /visits`
pub(crate) async fn open(
    edge: web::Data<Edge>,
    request: HttpRequest,
    info: RequestInfo,
    body: Bytes,
) -> Result<Answer, Refusal> {
    let session = edge.deps.gate.admit(&request, info)?;
    session.require_right("visits")?;
    let new: NewVisit = serde_json::from_slice(&body).map_err(|_| unreadable())?;
    let pid = person_of(&new.person).filter(|pid| session.caller.may_ask_about(*pid)).ok_or_else(not_available)?;
    let id = request_id(&edge, &request, &session.caller.client, &body).await?;
    if new.proof == VisitProof::Card && id.card.is_none_or(|(holder, _)| holder != pid) {
        let text = "a visit proven by the card needs the card's signature in the header Kiroku-Card";
        let problem = Problem::new(ProblemCode::Security, "proof", text).with_rule("R03");
        return Err(edge.log_refusal(&session, None, None, (Action::OpenVisit, Refusal::forbidden(problem))).await);
    }
    let visit = LocalId::of_entry(&id.submission, 0);
    let facility = session.caller.organisation.clone();
    let command = Command::OpenVisit { visit, facility, kind: new.kind, team: new.team, proof: new.proof };
    let answer = act(&edge, &session, (pid, id), (Action::OpenVisit, command)).await?;
    let visit_id = ResourceId { pid, local: visit };
    Ok(answer(201, serde_json::json!({"visit": visit_id.to_string(), "status": "open"}))
        .with_header("location", format!("/visits/{visit_id}")))
}

/// `POST /visits/{id}/close`
pub(crate) async fn close(
    edge: web::Data<Edge>,
    request: HttpRequest,
    info: RequestInfo,
    path: web::Path<String>,
) -> Result<Answer, Refusal> {
    let session = edge.deps.gate.admit(&request, info)?;
    session.require_right("visits")?;
    let visit: ResourceId = path.parse().map_err(|_| Refusal::not_found())?;
    let id = request_id(&edge, &request, &session.caller.client, b"").await?;
    let command = Command::CloseVisit { visit: visit.local };
    let answer = act(&edge, &session, (visit.pid, id), (Action::CloseVisit, command)).await?;
    Ok(answer(200, serde_json::json!({"visit": visit.to_string(), "status": "closed"})))
}

/// Decides, submits, logs; gives a function that forms the answer.
pub(super) async fn act(
    edge: &Edge,
    session: &Session,
    (pid, id): (Pid, crate::submit::RequestId),
    (action, command): (Action, Command),
) -> Result<impl FnOnce(u16, serde_json::Value) -> Answer, Refusal> {
    let decision = match edge.decide_action(session, pid, action) {
        Ok(decision) => decision,
        Err(decision) => {
            let refusal = crate::policy::refusal(&decision);
            return Err(edge.log_refusal(session, Some(pid), Some(&decision), (action, refusal)).await);
        }
    };
    if !edge.is_known(pid).await? {
        return Err(edge.log_refusal(session, None, Some(&decision), (action, not_available())).await);
    }
    let outcome = match edge.submit(session, pid, id, command).await? {
        Submitted::Outcome(outcome) => outcome,
        Submitted::Later(submission) => return Err(later(&submission)),
    };
    let receipt = edge.log_write(session, pid, &decision, &outcome, (action, &[])).await?;
    if let OutcomeResult::Refused(problems) = &outcome.result {
        return Err(crate::reply::refusal(problems).with_receipt(&receipt));
    }
    let form = Negotiation::default();
    Ok(move |status, body: serde_json::Value| {
        Answer::about_person(receipt, status, form.form(body.to_string().into_bytes()))
    })
}

impl Edge {
    /// Whether anybody has this pid: the keys port knows, without any table.
    pub(crate) async fn is_known(&self, pid: Pid) -> Result<bool, Refusal> {
        use chassis::ports::keys::KeysError;
        match self.deps.keys.record_key(pid, schemas::header::Bucket::Long).await {
            Ok(_) => Ok(pid.is_person()),
            Err(KeysError::NoKey) => Ok(false),
            Err(other) => Err(Refusal::unavailable(&other, 5)),
        }
    }
}

/// The person that `Patient/<id>`, a Patient's id or a pid names.
pub(super) fn person_of(text: &str) -> Option<Pid> {
    let id = text.strip_prefix("Patient/").unwrap_or(text);
    let pid = id.parse::<ResourceId>().map(|id| id.pid).or_else(|_| id.parse::<Pid>()).ok()?;
    pid.is_person().then_some(pid)
}

pub(super) fn not_available() -> Refusal {
    Refusal::new(404, vec![Problem::new(ProblemCode::NotFound, "", "not available")])
}

fn unreadable() -> Refusal {
    let text = "send {person, kind: outpatient|inpatient|pharmacy|telehealth|home, team: [practitioner ids], proof: card|certificate|paper|booking}";
    Refusal::bad_request(vec![Problem::new(ProblemCode::Structure, "", text)])
}
