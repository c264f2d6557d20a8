//! Cancelled safety checks: R25 counts the checks of a professional that no order followed, and stops who probes.

use actix_web::{HttpRequest, web};
use bytes::Bytes;
use chassis::http::{Refusal, RequestInfo};
use chassis::release::Answer;
use schemas::authority::Professional;
use schemas::submission::Command;
use schemas::vocab::Action;
use schemas::{PractitionerId, Problem, ProblemCode};
use serde::Deserialize;

use super::request_id;
use super::visit::{act, not_available, person_of};
use crate::Edge;

/// Body of `POST /checks/cancel`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cancelled {
    /// `Patient/<id>`, the id of a Patient of this person, or the person's id.
    person: String,
    /// Who had asked for the check: a registered professional of this facility.
    professional: PractitionerId,
}

/// `POST /checks/cancel`: the order that was checked is not written. Sent by the facility's system, which alone knows.
pub(crate) async fn cancel(
    edge: web::Data<Edge>,
    request: HttpRequest,
    info: RequestInfo,
    body: Bytes,
) -> Result<Answer, Refusal> {
    let session = edge.deps.gate.admit(&request, info)?;
    session.require_right("records.write")?;
    let cancelled: Cancelled = serde_json::from_slice(&body).map_err(|_| unreadable())?;
    let pid = person_of(&cancelled.person).filter(|pid| session.caller.may_ask_about(*pid));
    let pid = pid.ok_or_else(not_available)?;
    let registry = edge.deps.gate.registry.state();
    let works_here = |p: &Professional| p.roles.iter().any(|(at, _)| *at == session.caller.organisation);
    if !registry.professional(&cancelled.professional).is_some_and(|p| works_here(p)) {
        let text = "no professional of your organisation is registered under this id";
        return Err(Refusal::unprocessable(vec![Problem::new(ProblemCode::NotFound, "professional", text)]));
    }
    let id = request_id(&edge, &request, &session.caller.client, &body).await?;
    let command = Command::CancelCheck { practitioner: cancelled.professional };
    let answer = act(&edge, &session, (pid, id), (Action::CancelCheck, command)).await?;
    Ok(answer(200, serde_json::json!({"status": "cancelled"})))
}

fn unreadable() -> Refusal {
    let text = "send {person, professional: who had asked for the check}";
    Refusal::bad_request(vec![Problem::new(ProblemCode::Structure, "", text)])
}
