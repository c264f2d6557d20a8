//! (state, submission, outcome) -> the next state. Called when tables are built: live, and again in a rebuild.

use schemas::Pid;
use schemas::consent::StoredConsent;
use schemas::shelf::{PersonState, Visit};
use schemas::submission::{Change, Command, Effect, Outcome, OutcomeResult, Submission, Written};
use schemas::vocab::LinkState;

/// Consents and visits leave the state this long after they ended (milliseconds): no rule looks further back.
const KEEP_ENDED: i64 = 40 * 86_400_000;

/// A shelf without history.
pub fn new_state(submission: &Submission, birth_date: &str) -> PersonState {
    PersonState {
        pid: submission.pid,
        position: 0,
        clock: 0,
        link: LinkState::Ok,
        link_kind: String::new(),
        birth_date: birth_date.to_owned(),
        consents: Vec::new(),
        visits: Vec::new(),
        objections: Vec::new(),
        emergency_switch: "normal".to_owned(),
        checks_cancelled: Vec::new(),
        submissions: 0,
    }
}

/// The state after `outcome`. `None` only if there is none before and this is no birth.
pub fn apply(state: Option<&PersonState>, submission: &Submission, outcome: &Outcome) -> Option<PersonState> {
    let mut next = match (state, &submission.command) {
        (Some(state), _) => state.clone(),
        (None, Command::Born { birth_date }) => new_state(submission, birth_date),
        // The commons have a state too: its position tells readers what is new.
        (None, Command::Write(_)) if submission.pid == Pid::COMMONS => new_state(submission, ""),
        (None, _) => return None,
    };
    next.position = outcome.position;
    next.clock = outcome.time;
    next.submissions += 1;
    if let OutcomeResult::Accepted(written) = &outcome.result {
        apply_accepted(&mut next, submission, written, outcome.time);
    }
    forget_ended(&mut next);
    Some(next)
}

fn apply_accepted(state: &mut PersonState, submission: &Submission, written: &[Written], time: i64) {
    match &submission.command {
        Command::Born { .. } | Command::Quarantine { .. } => {}
        Command::Write(changes) => {
            changes.iter().zip(written).for_each(|(change, written)| apply_change(state, change, written, time));
        }
        Command::OpenVisit { visit, facility, kind, team, proof } => state.visits.push(Visit {
            id: *visit,
            facility: facility.clone(),
            kind: *kind,
            opened_at: time,
            closed_at: None,
            team: team.clone(),
            proof: *proof,
        }),
        Command::CloseVisit { visit } => {
            state.visits.iter_mut().filter(|v| v.id == *visit).for_each(|v| v.closed_at = Some(time));
        }
        Command::SetLink { link, kind } => {
            state.link = *link;
            kind.clone_into(&mut state.link_kind);
        }
        Command::CancelCheck { practitioner } => state.checks_cancelled.push((time, practitioner.clone())),
    }
}

fn apply_change(state: &mut PersonState, change: &Change, written: &Written, time: i64) {
    match written.effect {
        Effect::Matched | Effect::None => {}
        Effect::Deleted => {
            state.consents.retain(|c| c.item != written.item);
            state.objections.retain(|o| o.item != written.item);
        }
        Effect::Created | Effect::Updated => {
            state.consents.retain(|c| c.item != written.item);
            state.objections.retain(|o| o.item != written.item);
            if let Some(artefact) = &change.consent {
                state.consents.push(StoredConsent {
                    item: written.item,
                    version: written.version,
                    artefact: artefact.clone(),
                    given_at: time,
                });
            }
            if let Some(objection) = &change.objection {
                state.objections.push(schemas::shelf::Objection { item: written.item, ..objection.clone() });
            }
        }
    }
}

fn forget_ended(state: &mut PersonState) {
    let oldest = state.clock - KEEP_ENDED;
    state.visits.retain(|v| v.closed_at.is_none_or(|at| at > oldest));
    state.consents.retain(|c| c.artefact.valid_until.is_none_or(|at| at > oldest));
    state.objections.retain(|o| o.until.is_none_or(|at| at > oldest));
    state.checks_cancelled.retain(|(at, _)| *at > state.clock - 86_400_000);
}
