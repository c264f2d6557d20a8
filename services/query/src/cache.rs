//! What was opened and may be asked again: states, headers by person and type, decisions. Every copy is compared with the
//! position in the state row, which is read in each request, so nothing here outlives a write.

use std::sync::Arc;

use moka::sync::Cache as Moka;
use policies::Remembered;
use schemas::header::Header;
use schemas::shelf::PersonState;
use schemas::{Pid, ResourceType};

/// Rough size of a header in memory besides its search values, bytes.
const HEADER_BYTES: usize = 320;
/// Rough size of one search value in memory, bytes.
const VALUE_BYTES: usize = 110;
const STATES: u64 = 100_000;
const DECISIONS: u64 = 100_000;

/// The newest headers of one type of one person.
pub(crate) struct TypeHeaders {
    position: u64,
    pub(crate) headers: Vec<Arc<Header>>,
}

/// What a remembered decision hangs on besides its expiry: while all are the same, so is the decision.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct DecisionKey {
    /// Names actor, client, purpose, role and proof: they are fixed for a token.
    pub(crate) token_id: String,
    pub(crate) pid: Pid,
    pub(crate) action: schemas::vocab::Action,
    /// Covers person, consents, visits, grants.
    pub(crate) state_position: u64,
    /// Covers registry, cases, decrees and policy revision.
    pub(crate) registry_position: u64,
    pub(crate) stale: bool,
}

pub(crate) struct Cache {
    states: Moka<Pid, Arc<PersonState>>,
    headers: Moka<(Pid, ResourceType), Arc<TypeHeaders>>,
    pub(crate) decisions: Remembered<DecisionKey>,
}

impl Cache {
    pub(crate) fn new(header_bytes: u64) -> Self {
        let weigh = |_: &(Pid, ResourceType), entry: &Arc<TypeHeaders>| {
            let bytes: usize = entry.headers.iter().map(|h| HEADER_BYTES + h.search.len() * VALUE_BYTES).sum();
            u32::try_from(bytes + 64).unwrap_or(u32::MAX)
        };
        Self {
            states: Moka::new(STATES),
            headers: Moka::builder().weigher(weigh).max_capacity(header_bytes).build(),
            decisions: Remembered::new(DECISIONS),
        }
    }

    pub(crate) fn state(&self, pid: Pid, position: u64) -> Option<Arc<PersonState>> {
        self.states.get(&pid).filter(|state| state.position == position)
    }

    pub(crate) fn keep_state(&self, state: Arc<PersonState>) {
        self.states.insert(state.pid, state);
    }

    pub(crate) fn headers(&self, pid: Pid, resource_type: ResourceType, position: u64) -> Option<Arc<TypeHeaders>> {
        self.headers.get(&(pid, resource_type)).filter(|entry| entry.position == position)
    }

    pub(crate) fn keep_headers(
        &self,
        pid: Pid,
        resource_type: ResourceType,
        position: u64,
        headers: Vec<Header>,
    ) -> Arc<TypeHeaders> {
        let entry = Arc::new(TypeHeaders { position, headers: headers.into_iter().map(Arc::new).collect() });
        self.headers.insert((pid, resource_type), entry.clone());
        entry
    }
}
