//! Role query: read, search, history, everything, check. Appends nothing but accesses, and nothing leaves without one.
//!
//! The way out of every request: state (read in this request) -> one decision -> headers through `filter.admits` -> the page
//! -> the access entry -> receipt and keys of exactly those items -> open -> answer.

mod cache;
mod decide;
mod find;
mod handlers;
mod page;
mod release;
mod routes;
mod view;

use std::sync::Arc;

use chassis::clock::Clock;
use chassis::ledger::Ledger;
use chassis::ports::keys::{Job, Keys, KeysError, PlatformKey, Secret, Ticket};
use chassis::ports::store::Store;
use chassis::session::Gate;
use chassis::shelves::Shelves;
use policies::Policies;

pub use routes::{configure, shared};

/// What the role needs.
#[derive(Clone)]
pub struct Deps {
    pub store: Arc<dyn Store>,
    pub keys: Arc<dyn Keys>,
    pub ledger: Arc<dyn Ledger>,
    pub policies: Arc<Policies>,
    pub gate: Arc<Gate>,
    pub clock: Arc<dyn Clock>,
    /// Base of the URLs in answers, without a slash at the end: `https://host/fhir`.
    pub base_url: String,
    /// Memory for headers kept open, bytes.
    pub header_cache_bytes: u64,
}

/// The role's state, shared by all workers.
pub struct Query {
    pub(crate) shelves: Shelves,
    /// Opens medicines for the safety check, inside.
    pub(crate) safety_shelves: Shelves,
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) policies: Arc<Policies>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) base_url: String,
    pub(crate) cache: cache::Cache,
    pub(crate) page_key: Secret,
    pub(crate) index_key: Secret,
}

impl Query {
    pub async fn new(deps: Deps) -> Result<Arc<Self>, KeysError> {
        let page_key = deps.keys.platform_key(PlatformKey::Page).await?;
        let index_key = deps.keys.platform_key(PlatformKey::Index).await?;
        Ok(Arc::new(Self {
            safety_shelves: Shelves::new(deps.store.clone(), deps.keys.clone(), Ticket::for_job(Job::SafetyCheck)),
            shelves: Shelves::new(deps.store, deps.keys, Ticket::for_job(Job::ScanHeaders)),
            ledger: deps.ledger,
            policies: deps.policies,
            gate: deps.gate,
            clock: deps.clock,
            base_url: deps.base_url,
            cache: cache::Cache::new(deps.header_cache_bytes),
            page_key,
            index_key,
        }))
    }
}
