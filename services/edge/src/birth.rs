//! Births of persons and further identifiers: asked of the one partition that decides them in order.

use chassis::http::Refusal;
use chassis::session::Session;
use fhir::json::Node;
use schemas::submission::{Command, IdentityEvent, IdentityRecord, Verdict};
use schemas::{LocalId, Pid, Problem, ProblemCode};

use crate::Edge;
use crate::submit::{RequestId, Submitted};

impl Edge {
    /// Registers a new person with the identifiers of a Patient. A retry finds the same person.
    pub(crate) async fn bear(
        &self,
        session: &Session,
        id: RequestId,
        patient: &Node,
        local: LocalId,
    ) -> Result<Pid, Refusal> {
        session.require_right("persons.register")?;
        let identifiers = self.identifiers_of(patient);
        if identifiers.is_empty() {
            let text = "a person is registered with at least one identifier (system and value)";
            return Err(Refusal::unprocessable(vec![Problem::new(ProblemCode::Required, "Patient.identifier", text)]));
        }
        let Some(birth_date) = patient.text("birthDate").map(ToOwned::to_owned) else {
            let text = "a person is registered with a birth date";
            return Err(Refusal::unprocessable(vec![Problem::new(ProblemCode::Required, "Patient.birthDate", text)]));
        };
        let record = IdentityRecord {
            submission: id.submission.derived("birth"),
            client: session.caller.client.clone(),
            event: IdentityEvent::Birth { pid: Pid::random(), identifiers, patient: local },
            reply_to: Some(self.deps.verdicts.address()),
        };
        let pid = match self.submit_identity(record).await? {
            Some(Verdict::Identity(pid)) => pid,
            Some(Verdict::IdentityRefused(problem)) => return Err(Refusal::conflict(problem)),
            _ => return Err(timed_out()),
        };
        let born = RequestId { hash: [0; 32], ..id.step("born") };
        match self.submit(session, pid, born, Command::Born { birth_date }).await? {
            Submitted::Outcome(_) => Ok(pid),
            Submitted::Later(_) => Err(timed_out()),
        }
    }

    /// Makes the identifiers of a Patient known as this person's. `false`: one of them is another person's.
    pub(crate) async fn add_identifiers(
        &self,
        session: &Session,
        (id, pid): (RequestId, Pid),
        patient: &Node,
        local: LocalId,
    ) -> Result<bool, Refusal> {
        let mut new = Vec::new();
        for hash in self.identifiers_of(patient) {
            if self.indexed(&hash).await.map_err(|e| Refusal::internal(&e))?.is_none() {
                new.push(hash);
            }
        }
        if new.is_empty() {
            return Ok(true);
        }
        let record = IdentityRecord {
            submission: id.submission.derived("identifiers"),
            client: session.caller.client.clone(),
            event: IdentityEvent::AddIdentifiers { pid, identifiers: new, patient: local },
            reply_to: Some(self.deps.verdicts.address()),
        };
        match self.submit_identity(record).await? {
            Some(Verdict::Identity(_)) => Ok(true),
            Some(Verdict::IdentityRefused(_)) => Ok(false),
            _ => Err(timed_out()),
        }
    }
}

fn timed_out() -> Refusal {
    let problem =
        Problem::new(ProblemCode::Timeout, "", "not decided in time; repeat the request with the same Idempotency-Key");
    Refusal::new(503, vec![problem]).with_header("retry-after", "5")
}
