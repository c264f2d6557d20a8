//! Which actions a submission takes: what the policy is asked about, at the door and again at log time.

use schemas::consent::ConsentStatus;
use schemas::submission::{Change, Op};
use schemas::vocab::Action;

/// The action that a change takes.
pub fn action_of(change: &Change) -> Action {
    match (&change.op, &change.objection, &change.consent) {
        (Op::Delete { .. }, _, _) => Action::Delete,
        (_, Some(_), _) => Action::Object,
        (_, None, Some(consent)) if consent.status == ConsentStatus::Active => Action::GiveConsent,
        (_, None, Some(_)) => Action::WithdrawConsent,
        (Op::Update { .. } | Op::UpdateMatch(_), None, None) => Action::Update,
        (Op::Create | Op::CreateIfNone(_), None, None) => Action::Create,
    }
}

/// The changes by action, in the order of their first. Consents and objections stand alone: each is a fact of its own.
pub fn by_action(changes: &[Change]) -> Vec<(Action, Vec<&Change>)> {
    let mut groups: Vec<(Action, Vec<&Change>)> = Vec::new();
    for change in changes {
        let action = action_of(change);
        let alone = matches!(action, Action::GiveConsent | Action::WithdrawConsent | Action::Object);
        match groups.iter_mut().find(|(a, _)| *a == action && !alone) {
            Some((_, group)) => group.push(change),
            None => groups.push((action, vec![change])),
        }
    }
    groups
}
