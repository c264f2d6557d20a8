//! What must become of a person's submissions, told by a few lines of their own: one after the other in the order of the log.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use schemas::submission::{Change, Command, Effect, Op, OutcomeResult, Submission};
use schemas::{ItemKey, OrganisationId, ProblemCode};

use crate::history::Entry;

/// An item as it stands.
struct Item {
    organisation: OrganisationId,
    name: String,
    version: u32,
    deleted: bool,
}

/// Checks the outcomes of one person. `may_refuse`: the two versions of the rules differ about her records.
pub(crate) fn check(entries: &[&Entry], may_refuse: bool) -> Result<()> {
    let mut items: BTreeMap<ItemKey, Item> = BTreeMap::new();
    for entry in entries {
        let outcome = entry.outcome.as_ref().context("a submission without an outcome")?;
        let Command::Write(changes) = &entry.submission.command else { continue };
        let change = changes.first().context("a write without a change")?;
        match &outcome.result {
            OutcomeResult::Refused(problems) if problems.iter().any(|p| p.code == ProblemCode::Forbidden) => {
                ensure!(
                    may_refuse,
                    "position {}: the policy refused a record that both versions of the rules take",
                    entry.position
                );
            }
            result => {
                let wanted = decide(&items, &entry.submission, change);
                ensure!(
                    said(result) == wanted,
                    "position {} ({:?}): the log says {:?}, in order it would be {wanted:?}",
                    entry.position,
                    change.op,
                    said(result)
                );
                if let Ok((item, version, effect)) = wanted {
                    apply(&mut items, &entry.submission, change, (item, version, effect));
                }
            }
        }
    }
    Ok(())
}

type Decision = Result<(ItemKey, u32, Effect), ProblemCode>;

fn said(result: &OutcomeResult) -> Decision {
    match result {
        OutcomeResult::Accepted(written) => match written.as_slice() {
            [one] => Ok((one.item, one.version, one.effect)),
            _ => Err(ProblemCode::Invariant),
        },
        OutcomeResult::Refused(problems) => Err(problems.first().map_or(ProblemCode::Invariant, |p| p.code)),
    }
}

fn decide(items: &BTreeMap<ItemKey, Item>, submission: &Submission, change: &Change) -> Decision {
    let organisation = &submission.author.organisation;
    let own =
        |key: &ItemKey| items.get(key).filter(|item| item.organisation == *organisation).ok_or(ProblemCode::NotFound);
    let seen = |item: &Item, if_match: Option<u32>| match if_match {
        Some(version) if version != item.version => Err(ProblemCode::Conflict),
        _ => Ok(()),
    };
    match &change.op {
        Op::Create => Ok((change.item, 1, Effect::Created)),
        Op::CreateIfNone(query) => {
            let name = query.rsplit('|').next().unwrap_or_default();
            let matches = |item: &Item| item.organisation == *organisation && item.name == name && !item.deleted;
            let found: Vec<_> = items.iter().filter(|(_, item)| matches(item)).collect();
            match found.as_slice() {
                [] => Ok((change.item, 1, Effect::Created)),
                [(key, item)] => Ok((**key, item.version, Effect::Matched)),
                _ => Err(ProblemCode::MultipleMatches),
            }
        }
        Op::Update { if_match } => {
            let item = own(&change.item)?;
            seen(item, *if_match)?;
            Ok((change.item, item.version + 1, Effect::Updated))
        }
        Op::Delete { if_match } => {
            let item = own(&change.item)?;
            seen(item, *if_match)?;
            Ok(match item.deleted {
                true => (change.item, item.version, Effect::None),
                false => (change.item, item.version + 1, Effect::Deleted),
            })
        }
        Op::UpdateMatch(_) => Err(ProblemCode::NotSupported),
    }
}

fn apply(
    items: &mut BTreeMap<ItemKey, Item>,
    submission: &Submission,
    change: &Change,
    (key, version, effect): (ItemKey, u32, Effect),
) {
    let deleted = effect == Effect::Deleted;
    match effect {
        Effect::Matched | Effect::None => {}
        Effect::Deleted => {
            if let Some(item) = items.get_mut(&key) {
                (item.version, item.deleted) = (version, true);
            }
        }
        Effect::Created | Effect::Updated => {
            let body: serde_json::Value = serde_json::from_slice(&change.body).unwrap_or_default();
            let name = body["identifier"][0]["value"].as_str().unwrap_or_default().to_owned();
            items.insert(key, Item { organisation: submission.author.organisation.clone(), name, version, deleted });
        }
    }
}
