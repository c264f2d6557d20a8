//! Role edge: the door for records. Authenticate, authorise, check, resolve, append, await the verdict.
//!
//! Reads no table but its two indexes (persons, commons), the verdicts by URL and `once`. Seals with keys it can only wrap.

mod birth;
mod changes;
mod draft;
mod handlers;
mod policy;
mod quarantine;
mod references;
mod remembered;
mod reply;
mod resolve;
mod routes;
mod submit;

use std::sync::Arc;
use std::time::Duration;

use chassis::auth::person::PersonSignIn;
use chassis::auth::tokens::TokenService;
use chassis::clock::Clock;
use chassis::ledger::Ledger;
use chassis::ports::keys::{Keys, KeysError, PlatformKey, Secret};
use chassis::ports::log::Log;
use chassis::ports::store::Store;
use chassis::session::Gate;
use chassis::verdicts::Verdicts;
use fhir::check::CheckRules;
use policies::{Policies, Remembered};

use self::remembered::{DoorKey, REMEMBERED};
pub use routes::{configure, shared};

/// What the role needs.
#[derive(Clone)]
pub struct Deps {
    pub log: Arc<dyn Log>,
    /// For the two indexes and the verdicts by URL.
    pub store: Arc<dyn Store>,
    pub keys: Arc<dyn Keys>,
    pub ledger: Arc<dyn Ledger>,
    pub policies: Arc<Policies>,
    pub gate: Arc<Gate>,
    pub verdicts: Arc<Verdicts>,
    pub tokens: Arc<TokenService>,
    pub sign_in: Arc<PersonSignIn>,
    pub clock: Arc<dyn Clock>,
    /// Base of the URLs in answers, without a slash at the end: `https://host/fhir`.
    pub base_url: String,
    pub rules: CheckRules,
    /// After this long without a verdict: 202 and the URL of the verdict.
    pub verdict_timeout: Duration,
    /// The data folder and the free bytes below which records are refused, so that the log can always be finished.
    pub disk: (std::path::PathBuf, u64),
}

/// The role's state, shared by all workers.
pub struct Edge {
    pub(crate) deps: Deps,
    pub(crate) index_key: Secret,
    pub(crate) quarantine_key: Secret,
    pub(crate) remembered: Remembered<DoorKey>,
}

impl Edge {
    pub async fn new(deps: Deps) -> Result<Arc<Self>, KeysError> {
        let index_key = deps.keys.platform_key(PlatformKey::Index).await?;
        let quarantine_key = deps.keys.platform_key(PlatformKey::Authority).await?;
        Ok(Arc::new(Self { deps, index_key, quarantine_key, remembered: Remembered::new(REMEMBERED) }))
    }
}
