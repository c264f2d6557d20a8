//! The first decision on a write: at the door, on what hangs on actor and registry (R46 without the link, R49, R51).

use std::sync::Arc;

use chassis::http::Refusal;
use chassis::session::Session;
use policies::{Assurance, Decision, Input, Person, Proof, ProofIssuer, Stage, Wanted, Write};
use schemas::submission::Change;
use schemas::vocab::Action;
use schemas::{Pid, Problem, ProblemCode};

use crate::Edge;
use crate::remembered::DoorKey;

impl Edge {
    /// Asks the policy for each action of the changes. The last permit is returned for the entry, or the first refusal.
    #[tracing::instrument(name = "decide", level = "debug", skip_all)]
    pub(crate) fn decide_changes(
        &self,
        session: &Session,
        (pid, card): (Pid, Option<(Pid, i64)>),
        changes: &[Change],
    ) -> Result<(Action, Arc<Decision>), (Action, Arc<Decision>)> {
        let attestation = card.filter(|(holder, _)| *holder == pid).map(|(_, authenticated_at)| Proof {
            issuer: ProofIssuer::National,
            assurance: Assurance::ReaderPin,
            authenticated_at,
        });
        let mut last = None;
        for (action, group) in domain::by_action(changes) {
            let decision = self.decide_group(session, (pid, attestation), action, &group);
            if !decision.is_permit() {
                return Err((action, decision));
            }
            last = Some((action, decision));
        }
        Ok(last.expect("a submission about a person has an entry about her"))
    }

    fn decide_group(
        &self,
        session: &Session,
        (pid, attestation): (Pid, Option<Proof>),
        action: Action,
        group: &[&Change],
    ) -> Arc<Decision> {
        let is_plain = !session.caller.is_person
            && attestation.is_none()
            && group.iter().all(|change| change.consent.is_none() && change.objection.is_none());
        let input = |pid| door_input(session, (pid, attestation), action, group);
        if !is_plain {
            return Arc::new(self.deps.policies.decide(&input(pid)));
        }
        let key = DoorKey::of(session, action, &wanted(group));
        let at = (session.caller.purpose, session.now);
        // Nobody in particular: what is remembered is the same for all persons.
        self.remembered.get_or(&self.deps.policies, key, at, || input(Pid::COMMONS))
    }

    /// Asks the policy for an action without changes (visits, cancelled checks).
    pub(crate) fn decide_action(&self, session: &Session, pid: Pid, action: Action) -> Result<Decision, Box<Decision>> {
        let decision = self.deps.policies.decide(&door_input(session, (pid, None), action, &[]));
        if decision.is_permit() { Ok(decision) } else { Err(Box::new(decision)) }
    }
}

/// What a refused writer is told.
pub(crate) fn refusal(decision: &Decision) -> Refusal {
    let rule = decision.rules.first().map_or("R51", String::as_str);
    let text = match decision.outcome {
        policies::Outcome::StepUp => "a fresh proof of identity is needed for this",
        _ => "not permitted",
    };
    Refusal::forbidden(Problem::new(ProblemCode::Forbidden, "", text).with_rule(rule))
}

fn wanted(group: &[&Change]) -> Wanted {
    Wanted::categories(group.iter().filter_map(|c| c.meta.as_ref()).map(|m| m.category))
}

fn door_input(session: &Session, (pid, attestation): (Pid, Option<Proof>), action: Action, group: &[&Change]) -> Input {
    let asking = session.asking();
    let mut input = Input::of(&asking, Stage::Door, action, session.caller.person);
    input.person = Some(Person::unknown(pid));
    input.wanted = wanted(group);
    input.write = Some(Write {
        author_organisation: session.caller.organisation.clone(),
        existing_author_organisation: None,
        visit: None,
        biometrics: false,
        consent: group.first().and_then(|c| c.consent.clone()),
        objection: group.first().and_then(|c| c.objection.as_ref()).map(policies::ObjectionFact::from),
        attestation,
    });
    input
}
