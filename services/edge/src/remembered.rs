//! Decisions at the door that may be given again: on plain records they hang on the client and the registry, not on the person.

use chassis::session::Session;
use policies::Wanted;
use schemas::Category;
use schemas::vocab::Action;

/// Decisions kept.
pub(crate) const REMEMBERED: u64 = 20_000;

/// All that the decision on a plain record hangs on besides its expiry: while all are the same, so is the decision.
#[derive(PartialEq, Eq, Hash)]
pub(crate) struct DoorKey {
    /// Names client, actor, purpose, role and proof: they are fixed for a token.
    token_id: String,
    action: Action,
    categories: Vec<Category>,
    /// Covers registry and policy revision.
    registry_position: u64,
    stale: bool,
}

impl DoorKey {
    pub(crate) fn of(session: &Session, action: Action, wanted: &Wanted) -> Self {
        Self {
            token_id: session.caller.token_id.clone(),
            action,
            categories: wanted.categories.clone(),
            registry_position: session.standing.position,
            stale: session.stale,
        }
    }
}
