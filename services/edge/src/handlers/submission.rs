//! `GET /submissions/{id}`: the verdict by URL, for the client whose submission it is.

use actix_web::{HttpRequest, web};
use chassis::envelope;
use chassis::http::{Plain, Refusal, RequestInfo};
use chassis::ports::keys::{Job, Ticket};
use chassis::ports::store::Table;
use schemas::header::Bucket;
use schemas::submission::{Effect, Outcome, OutcomeResult};
use schemas::{Pid, ResourceId, SubmissionId};

use crate::Edge;

/// Opens outcomes only: ids, versions and codes, nothing clinical.
const TICKET: Ticket = Ticket::for_job(Job::ScanHeaders);

impl Edge {
    /// The outcome of a submission, as the tables have it.
    pub(crate) async fn outcome(&self, pid: Pid, id: SubmissionId) -> Result<Option<Outcome>, Refusal> {
        let sealed = self.deps.store.get(Table::Verdict, &pid.0, &id.0).await.map_err(|e| Refusal::internal(&e))?;
        let Some(sealed) = sealed else { return Ok(None) };
        let key = self.deps.keys.record_key(pid, Bucket::Long).await.map_err(|_| Refusal::not_found())?;
        envelope::open_verdict(&key.header_key(&TICKET), id, &sealed).map(Some).map_err(|e| Refusal::internal(&e))
    }
}

/// `GET /submissions/{id}`
pub(crate) async fn status(
    edge: web::Data<Edge>,
    request: HttpRequest,
    info: RequestInfo,
    path: web::Path<String>,
) -> Result<Plain, Refusal> {
    let session = edge.deps.gate.admit(&request, info)?;
    let id: SubmissionId = path.parse().map_err(|_| Refusal::not_found())?;
    let store = &edge.deps.store;
    let row = store.get(Table::Submission, &id.0, b"").await.map_err(|e| Refusal::internal(&e))?;
    let Some(pid) = row.and_then(|row| row.get(..16)?.try_into().ok()).map(Pid) else {
        return Err(Refusal::not_found());
    };
    let outcome = edge.outcome(pid, id).await?.ok_or_else(Refusal::not_found)?;
    // Ids of submissions cannot be guessed, and only their own client is told.
    if outcome.client != session.caller.client {
        return Err(Refusal::not_found());
    }
    Ok(Plain::json(200, &told(&id, pid, &outcome)))
}

fn told(id: &SubmissionId, pid: Pid, outcome: &Outcome) -> serde_json::Value {
    let (status, details) = match &outcome.result {
        OutcomeResult::Accepted(_) if pid == Pid::QUARANTINE => (
            "quarantined",
            serde_json::json!({
                "what": "the person is not known or in doubt; send the record again when the person is registered"
            }),
        ),
        OutcomeResult::Accepted(written) => {
            let items: Vec<_> = written
                .iter()
                .filter(|w| w.effect != Effect::None)
                .map(|w| {
                    format!(
                        "{}/{}/_history/{}",
                        w.item.resource_type,
                        ResourceId { pid, local: w.item.local },
                        w.version
                    )
                })
                .collect();
            ("accepted", serde_json::json!(items))
        }
        OutcomeResult::Refused(problems) => ("refused", schemas::problem::operation_outcome(problems)),
    };
    serde_json::json!({"submission": id.to_string(), "status": status, "details": details})
}
