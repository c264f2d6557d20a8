//! The engine behind the ports, as the settings name it.

use std::sync::Arc;

use anyhow::Result;
use chassis::config::{EngineKind, Settings};
use chassis::ports::keys::Keys;
use chassis::ports::log::Log;
use chassis::ports::store::Generations;
use engines::carry::Carrier;
use engines::embedded::{self, Embedded};

#[cfg(feature = "distributed")]
mod client;
#[cfg(feature = "distributed")]
mod distributed;

/// Why a program without the feature cannot do it.
#[cfg(not(feature = "distributed"))]
const BUILT_WITHOUT: &str = "this program was built without Kafka and CQL: build it with `--features distributed`";

/// Log, tables and keys, whatever lies behind them.
pub struct Engine {
    pub log: Arc<dyn Log>,
    pub generations: Arc<dyn Generations>,
    pub keys: Arc<dyn Keys>,
    kind: Kind,
}

enum Kind {
    Embedded(Arc<Embedded>),
    #[cfg(feature = "distributed")]
    Distributed(Arc<distributed::Distributed>),
}

impl Engine {
    /// Opens what the settings name.
    ///
    /// # Errors
    /// What the engine says; for the distributed one also that this program was built without it.
    pub async fn open(settings: &Settings) -> Result<Self> {
        match settings.engine.kind {
            EngineKind::Embedded => Ok(Self::embedded(Arc::new(embedded::open(&embedded_config(settings))?))),
            #[cfg(feature = "distributed")]
            EngineKind::Distributed => distributed::open(settings).await,
            #[cfg(not(feature = "distributed"))]
            EngineKind::Distributed => anyhow::bail!(BUILT_WITHOUT),
        }
    }

    pub fn embedded(engine: Arc<Embedded>) -> Self {
        let (log, generations, keys) = (engine.log.clone(), engine.generations.clone(), engine.keys.clone());
        Self { log, generations, keys, kind: Kind::Embedded(engine) }
    }

    /// The data folder behind it, if it is one.
    pub fn as_embedded(&self) -> Option<&Arc<Embedded>> {
        match &self.kind {
            Kind::Embedded(engine) => Some(engine),
            #[cfg(feature = "distributed")]
            Kind::Distributed(_) => None,
        }
    }

    /// As one end of `kiroku copy`.
    pub fn carrier(&self) -> Arc<dyn Carrier> {
        match &self.kind {
            Kind::Embedded(engine) => engine.clone(),
            #[cfg(feature = "distributed")]
            Kind::Distributed(it) => it.clone(),
        }
    }

    /// Makes topics, tables and keys to be filled by `kiroku copy`; for the embedded engine the folder is opened or made before.
    ///
    /// # Errors
    /// As [`Engine::open`]; where topics exist that no unfinished copy has made.
    pub async fn make_to_carry(settings: &Settings) -> Result<Self> {
        #[cfg(feature = "distributed")]
        return distributed::open_to_carry(settings).await;
        #[cfg(not(feature = "distributed"))]
        anyhow::bail!("{BUILT_WITHOUT} ({:?} is set)", settings.engine.kind);
    }

    /// Whether other processes may work on the same log and tables.
    pub fn is_shared(&self) -> bool {
        !matches!(self.kind, Kind::Embedded(_))
    }

    /// Ends the log: appends and waits answer `Closed` from now on.
    pub async fn close(&self) -> Result<()> {
        match &self.kind {
            Kind::Embedded(engine) => Ok(engine.close().await?),
            #[cfg(feature = "distributed")]
            Kind::Distributed(it) => Ok(it.client.close().await?),
        }
    }
}

/// `kiroku topics`: makes the topics that are missing.
///
/// # Errors
/// Where a topic exists with settings that break a promise of the log: they are named, and left as they are.
pub async fn make_topics(settings: &Settings) -> Result<()> {
    #[cfg(feature = "distributed")]
    return distributed::make_topics(settings).await;
    #[cfg(not(feature = "distributed"))]
    anyhow::bail!("{BUILT_WITHOUT} ({:?} is set)", settings.engine.kind);
}

/// `kiroku schema`: brings keyspaces and tables up to what this program needs.
///
/// # Errors
/// Where a migration of the past was changed, or the database refuses one.
pub async fn make_schema(settings: &Settings) -> Result<()> {
    #[cfg(feature = "distributed")]
    return distributed::make_schema(settings).await;
    #[cfg(not(feature = "distributed"))]
    anyhow::bail!("{BUILT_WITHOUT} ({:?} is set)", settings.engine.kind);
}

/// The embedded engine's settings out of the process's.
pub fn embedded_config(settings: &Settings) -> embedded::Config {
    let mut config = embedded::Config::new(&settings.data);
    config.erasure_journal.clone_from(&settings.erasure_journal);
    config.key_encryption_key.clone_from(&settings.key_encryption_key_file);
    config.partitions = settings.partitions;
    config.store.cache_bytes = settings.store.cache_bytes;
    config
}
