//! The one decision of a request: remembered while all it hangs on is the same.

use std::sync::Arc;

use chassis::session::Session;
use policies::{Decision, Input, Stage};
use schemas::shelf::PersonState;
use schemas::vocab::Action;

use crate::Query;
use crate::cache::DecisionKey;

impl Query {
    /// Decides for reading; the same answer is given again while token, person, registry and revision are the same.
    #[tracing::instrument(name = "decide", level = "debug", skip_all)]
    pub(crate) fn decide(&self, session: &Session, state: &PersonState, action: Action) -> Arc<Decision> {
        let key = DecisionKey {
            token_id: session.caller.token_id.clone(),
            pid: state.pid,
            action,
            state_position: state.position,
            registry_position: session.standing.position,
            stale: session.stale,
        };
        let at = (session.caller.purpose, session.now);
        self.cache.decisions.get_or(&self.policies, key, at, || input(session, state, action))
    }
}

/// The input of the decision on reading one person.
pub(crate) fn input(session: &Session, state: &PersonState, action: Action) -> Input {
    let asking = session.asking();
    Input::of(&asking, Stage::Whole, action, Some(state.pid)).about(&asking, state)
}
