//! (facts, submission, time) -> what happens.

use std::collections::BTreeSet;

use schemas::shelf::PersonState;
use schemas::submission::{Change, Command, Effect, Op, OutcomeResult, Submission, Written};
use schemas::{ItemKey, Label, OrganisationId, Pid, Problem, ProblemCode};

use crate::facts::Facts;

/// Decides a submission. Refusals carry paths and rule names, never values.
pub fn decide(facts: &Facts<'_>, submission: &Submission) -> OutcomeResult {
    if !facts.refused.is_empty() {
        return OutcomeResult::Refused(facts.refused.to_vec());
    }
    let result = match &submission.command {
        // The shelves that belong to nobody have no state; births make one.
        Command::Born { .. } | Command::Quarantine { .. } => Ok(Vec::new()),
        Command::Write(changes) if submission.pid == Pid::COMMONS => decide_write(facts, changes),
        command => match facts.state {
            Some(state) => decide_on_shelf(facts, state, submission, command),
            None => Err(Problem::new(ProblemCode::NotFound, "", "this person is not known")),
        },
    };
    match result {
        Ok(written) => OutcomeResult::Accepted(written),
        Err(problem) => OutcomeResult::Refused(vec![problem]),
    }
}

fn decide_on_shelf(
    facts: &Facts<'_>,
    state: &PersonState,
    submission: &Submission,
    command: &Command,
) -> Result<Vec<Written>, Problem> {
    match command {
        Command::Write(changes) => decide_write(facts, changes),
        Command::OpenVisit { visit, .. } => match state.visits.iter().any(|v| v.id == *visit) {
            true => Err(Problem::new(ProblemCode::Duplicate, "", "this visit is open already")),
            false => Ok(Vec::new()),
        },
        Command::CloseVisit { visit } => {
            let open = |facility: &OrganisationId| {
                state.visits.iter().any(|v| v.id == *visit && v.facility == *facility && v.closed_at.is_none())
            };
            match open(&submission.author.organisation) {
                true => Ok(Vec::new()),
                false => Err(Problem::new(ProblemCode::NotFound, "", "no open visit of this facility has this id")),
            }
        }
        Command::Born { .. } | Command::Quarantine { .. } | Command::SetLink { .. } | Command::CancelCheck { .. } => {
            Ok(Vec::new())
        }
    }
}

fn decide_write(facts: &Facts<'_>, changes: &[Change]) -> Result<Vec<Written>, Problem> {
    let mut touched: BTreeSet<ItemKey> = BTreeSet::new();
    let mut written = Vec::with_capacity(changes.len());
    for (index, change) in changes.iter().enumerate() {
        let at = || if changes.len() == 1 { String::new() } else { format!("Bundle.entry[{index}]") };
        let matches = facts.matches.get(index).map_or(&[][..], Vec::as_slice);
        let (item, version, effect) = decide_change(facts, change, matches).map_err(|p| Problem { path: at(), ..p })?;
        if effect != Effect::Matched && !touched.insert(item) {
            return Err(Problem::new(
                ProblemCode::Invariant,
                at(),
                "two entries change the same resource; send one of them",
            ));
        }
        written.push(Written { item, version, effect, untold: is_untold(facts, change, (&item, effect)) });
    }
    Ok(written)
}

/// Whether the content written, or what stands there and is deleted or matched, is kept from the person for now.
fn is_untold(facts: &Facts<'_>, change: &Change, (item, effect): (&ItemKey, Effect)) -> bool {
    match (&change.meta, effect) {
        (Some(meta), Effect::Created | Effect::Updated) => meta.labels.contains(&Label::Untold),
        _ => (facts.current)(item).is_some_and(|current| current.untold),
    }
}

/// What a change does, to which item, and the version after it.
type Done = (ItemKey, u32, Effect);

fn decide_change(facts: &Facts<'_>, change: &Change, matches: &[ItemKey]) -> Result<Done, Problem> {
    match &change.op {
        Op::Create => create(facts, change.item),
        Op::CreateIfNone(_) => match matches {
            [] => create(facts, change.item),
            [one] => {
                let version = (facts.current)(one).map_or(1, |c| c.version);
                Ok((*one, version, Effect::Matched))
            }
            _ => Err(many()),
        },
        Op::Update { if_match } => update(facts, change.item, *if_match),
        Op::UpdateMatch(_) => match matches {
            [] => create(facts, change.item),
            [one] => update(facts, *one, None),
            _ => Err(many()),
        },
        Op::Delete { if_match } => delete(facts, change.item, *if_match),
    }
}

fn create(facts: &Facts<'_>, item: ItemKey) -> Result<Done, Problem> {
    match (facts.current)(&item) {
        None => Ok((item, 1, Effect::Created)),
        Some(_) => Err(Problem::new(ProblemCode::Duplicate, "", "this id is taken")),
    }
}

fn update(facts: &Facts<'_>, item: ItemKey, if_match: Option<u32>) -> Result<Done, Problem> {
    let current = (facts.current)(&item).ok_or_else(unknown)?;
    check_version(current.version, if_match)?;
    Ok((item, current.version + 1, Effect::Updated))
}

fn delete(facts: &Facts<'_>, item: ItemKey, if_match: Option<u32>) -> Result<Done, Problem> {
    let current = (facts.current)(&item).ok_or_else(unknown)?;
    check_version(current.version, if_match)?;
    match current.deleted {
        true => Ok((item, current.version, Effect::None)),
        false => Ok((item, current.version + 1, Effect::Deleted)),
    }
}

fn check_version(current: u32, if_match: Option<u32>) -> Result<(), Problem> {
    match if_match {
        Some(seen) if seen != current => {
            Err(Problem::new(ProblemCode::Conflict, "", "the resource has changed since; read it again and repeat")
                .with_rule("if-match"))
        }
        _ => Ok(()),
    }
}

fn unknown() -> Problem {
    Problem::new(
        ProblemCode::NotFound,
        "",
        "no resource of your organisation has this id; create it first (ids are given by the server)",
    )
}

fn many() -> Problem {
    Problem::new(
        ProblemCode::MultipleMatches,
        "",
        "the condition matches more than one of your resources; make it narrower",
    )
}
