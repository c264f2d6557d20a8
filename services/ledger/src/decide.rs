//! The decision on reading a list, and the entries that reading and refusing leave.

use chassis::entry::draft;
use chassis::http::Refusal;
use chassis::ledger::{LedgerError, Receipt};
use chassis::ports::keys::KeysError;
use chassis::session::Session;
use policies::{Authority, Decision, Input, Stage, Wanted};
use schemas::access::{Access, AccessOutcome};
use schemas::shelf::PersonState;
use schemas::vocab::{AccessKind, Action};
use schemas::{Category, Pid, Problem, ProblemCode};

use crate::LedgerRole;

/// The constant that a reader without rights is told.
pub(crate) fn not_available() -> Refusal {
    Refusal::forbidden(Problem::new(ProblemCode::Forbidden, "", "not available"))
}

/// What a person is told whose keys were destroyed. Everybody else is told what they are told of an unknown person.
pub(crate) fn erased() -> Refusal {
    let text = "the records of this person were erased, and with them the list of who looked";
    Refusal::new(410, vec![Problem::new(ProblemCode::NotFound, "", text).with_rule("R61")])
}

/// What an entry about a list says of the question.
#[derive(Clone, Default)]
pub(crate) struct Question {
    /// Path pattern and parameters, without identifiers of a person.
    pub(crate) query: String,
    /// `case/<id>` for a regulator.
    pub(crate) subject: String,
}

impl LedgerRole {
    /// Decides whether the caller may read the list of `state`'s person, or of a facility (`None`).
    pub(crate) fn decide(
        &self,
        session: &Session,
        state: Option<&PersonState>,
        authority: Option<Authority>,
    ) -> Decision {
        self.policies.decide(&input(session, state, authority))
    }

    /// Appends the entry of a reading. INVARIANT: nothing of a list leaves before this returned.
    pub(crate) async fn log_read(
        &self,
        session: &Session,
        person: Option<Pid>,
        decision: &Decision,
        question: Question,
        shown: usize,
    ) -> Result<Receipt, Refusal> {
        let mut access = draft(&session.asker(), person, AccessKind::LogRead, AccessOutcome::Success, self.clock.now());
        decision.explain(&mut access);
        access.categories = vec![Category::Log];
        access.count = u32::try_from(shown).unwrap_or(u32::MAX);
        (access.query, access.subject) = (question.query, question.subject);
        let appended = self.ledger.append(access).await;
        appended.map(|(receipt, _)| receipt).map_err(|error| Refusal::unavailable(&error, 5))
    }

    /// Appends the entry of a refusal and gives the refusal with its receipt. A person who asks for what is not theirs finds
    /// the attempt in the own list.
    pub(crate) async fn refuse(
        &self,
        session: &Session,
        person: Option<Pid>,
        decision: Option<&Decision>,
        question: Question,
        refusal: Refusal,
    ) -> Refusal {
        let own = session.caller.person.filter(|_| session.caller.is_person);
        let mut access =
            draft(&session.asker(), person.or(own), AccessKind::Denied, AccessOutcome::Denied, self.clock.now());
        match decision.filter(|d| !d.is_permit()) {
            Some(decision) => decision.explain(&mut access),
            None => {
                access.rules = vec!["R51".to_owned()];
                policies::reasons::NOT_PERMITTED.clone_into(&mut access.reason);
            }
        }
        access.categories = vec![Category::Log];
        (access.query, access.subject) = (question.query, question.subject);
        let appended = match self.ledger.append(access.clone()).await {
            // The list of a person who was erased takes no more entries; the facility's does.
            Err(LedgerError::Keys(KeysError::NoKey)) => self.ledger.append(Access { person: None, ..access }).await,
            appended => appended,
        };
        match appended {
            Ok((receipt, _)) => refusal.with_receipt(&receipt),
            Err(error) => Refusal::unavailable(&error, 5),
        }
    }
}

fn input(session: &Session, state: Option<&PersonState>, authority: Option<Authority>) -> Input {
    let asking = session.asking();
    let mut input = Input::of(&asking, Stage::Whole, Action::ReadLog, state.map(|s| s.pid));
    if let Some(state) = state {
        input = input.about(&asking, state);
    }
    input.authority = authority;
    input.wanted = Wanted { categories: vec![Category::Log], ..Wanted::default() };
    input
}
