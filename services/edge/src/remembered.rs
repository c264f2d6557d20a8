//! Decisions at the door that may be given again: on plain records they hang on the client and the registry, not on the person.

use std::sync::Arc;

use chassis::session::Session;
use moka::sync::Cache;
use policies::{Decision, Wanted};
use schemas::Category;
use schemas::vocab::Action;

const REMEMBERED: u64 = 20_000;

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

pub(crate) struct Remembered(Cache<DoorKey, Arc<Decision>>);

impl Default for Remembered {
    fn default() -> Self {
        Self(Cache::new(REMEMBERED))
    }
}

impl Remembered {
    /// The decision for `key` at `now` (milliseconds since 1970): the one that was made, or a new one.
    pub(crate) fn get_or(&self, key: DoorKey, now: i64, decide: impl FnOnce() -> Decision) -> Arc<Decision> {
        if let Some(decision) = self.0.get(&key).filter(|decision| decision.expires > now) {
            return decision;
        }
        let decision = Arc::new(decide());
        self.0.insert(key, decision.clone());
        decision
    }
}
