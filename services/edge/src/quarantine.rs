//! Requests about unknown or doubtful persons are kept whole, never dropped (R48): 202, a status page, and an exit when the
//! sender tries again and the person has become known.

use chassis::crypto;
use chassis::http::Refusal;
use chassis::session::Session;
use schemas::submission::{Command, Outcome, OutcomeResult};
use schemas::vocab::Action;
use schemas::{Pid, Problem, ProblemCode, ResourceType};

use crate::Edge;
use crate::draft::Draft;
use crate::submit::{RequestId, Submitted};

impl Edge {
    /// Keeps the request and answers 202 with the URL of its status; with an entry in the facility's list.
    pub(crate) async fn quarantine(&self, session: &Session, id: RequestId, draft: &Draft, raw: &[u8]) -> Refusal {
        let patients = draft.entries.iter().filter(|e| e.resource_type == ResourceType::Patient);
        let identifiers = patients.flat_map(|e| self.identifiers_of(&e.node)).collect();
        let request = crypto::seal(&self.quarantine_key, &id.submission.0, raw);
        let kept = id.step("quarantine");
        let command = Command::Quarantine { identifiers, request };
        let refusal = match self.submit(session, Pid::QUARANTINE, kept, command).await {
            Ok(Submitted::Outcome(Outcome { result: OutcomeResult::Accepted(_), .. })) => {
                let text = "this person is not known or in doubt; the record is kept in quarantine, send it again with the same Idempotency-Key when the person is registered";
                let mut problem = Problem::new(ProblemCode::Incomplete, "", text).with_rule("R48");
                problem.severity = schemas::problem::Severity::Warning;
                Refusal::new(202, vec![problem])
                    .with_header("content-location", format!("/submissions/{}", kept.submission))
            }
            Ok(_) => Refusal::new(503, vec![Problem::new(ProblemCode::Timeout, "", "not kept in time; send it again")]),
            Err(refusal) => refusal,
        };
        self.log_refusal(session, None, None, (Action::Create, refusal)).await
    }
}
