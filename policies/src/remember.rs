//! Decisions that may be given again: while all they hang on is the same, so is the decision.

use std::hash::Hash;
use std::sync::Arc;
use std::time::Instant;

use moka::sync::Cache;
use schemas::Purpose;

use crate::{Decision, Input, Policies};

/// Decisions by what they hang on besides their expiry and the revision of the policies. The key must name all else that the
/// input would be made of.
pub struct Remembered<K>(Cache<K, Arc<Decision>>);

impl<K: Hash + Eq + Send + Sync + 'static> Remembered<K> {
    /// Room for so many decisions.
    pub fn new(capacity: u64) -> Self {
        Self(Cache::new(capacity))
    }

    /// The decision of `policies` for `key` at `now` (milliseconds since 1970): the one that was made, or a new one on `input`.
    pub fn get_or(
        &self,
        policies: &Policies,
        key: K,
        (purpose, now): (Purpose, i64),
        input: impl FnOnce() -> Input,
    ) -> Arc<Decision> {
        let started = Instant::now();
        let holds =
            |decision: &Arc<Decision>| decision.expires > now && decision.policy_revision == policies.revision();
        if let Some(decision) = self.0.get(&key).filter(holds) {
            policies.tell(purpose, &decision, (started, Made::Before));
            return decision;
        }
        let decision = Arc::new(policies.decide(&input()));
        self.0.insert(key, decision.clone());
        decision
    }
}

/// When a decision that is given was made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Made {
    /// On its own input.
    Now,
    /// It is remembered.
    Before,
}
