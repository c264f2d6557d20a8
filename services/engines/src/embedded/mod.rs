//! The embedded engine: log, tables and keyring in the files of one data folder, for one process.

mod carry;
pub mod disk;
pub mod error;
mod journal;
pub mod keys;
pub mod log;
pub mod store;
mod sync_group;

use std::fs::{File, TryLockError};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chassis::clock::{Clock, SystemClock};
use chassis::ports::keys::Keys;
use chassis::ports::log::Log;
use chassis::ports::store::{Generations, StoreError};

use self::disk::{Disk, RealDisk, create_private, replace_file};
use self::error::At;
pub use self::error::EngineError;
use self::keys::{EmbeddedKeys, KeysConfig};
use self::log::{EmbeddedLog, LogConfig};
use self::store::{EmbeddedGenerations, Once, StoreConfig};

/// Format of the data folder as a whole.
const FORMAT: &str = "kiroku data folder, format 1\n";

/// Settings of the embedded engine.
#[derive(Clone)]
pub struct Config {
    pub data: PathBuf,
    /// Default: `DATA.erasures` beside the data folder, so that a copy of the folder does not hold it.
    pub erasure_journal: Option<PathBuf>,
    /// Default: `DATA/kek`.
    pub key_encryption_key: Option<PathBuf>,
    /// Partitions of `person` and `access`; read only when the folder is made.
    pub partitions: u16,
    pub segment_bytes: u64,
    pub tail_bytes: usize,
    pub store: StoreConfig,
    pub clock: Arc<dyn Clock>,
    pub disk: Arc<dyn Disk>,
}

impl Config {
    pub fn new(data: impl Into<PathBuf>) -> Self {
        let log = LogConfig::new("");
        Self {
            data: data.into(),
            erasure_journal: None,
            key_encryption_key: None,
            partitions: log.partitions,
            segment_bytes: log.segment_bytes,
            tail_bytes: log.tail_bytes,
            store: StoreConfig::default(),
            clock: Arc::new(SystemClock),
            disk: Arc::new(RealDisk),
        }
    }
}

/// The open data folder. The concrete types are there for `check`, `backup` and `rebuild`.
pub struct Embedded {
    pub log: Arc<dyn Log>,
    pub generations: Arc<dyn Generations>,
    pub keys: Arc<dyn Keys>,
    embedded_log: Arc<EmbeddedLog>,
    embedded_generations: Arc<EmbeddedGenerations>,
    embedded_keys: Arc<EmbeddedKeys>,
    /// Held as long as the folder is open.
    _lock: File,
}

impl Embedded {
    /// The log, for [`EmbeddedLog::scrub`], [`EmbeddedLog::copy_to`], [`EmbeddedLog::check_writable`].
    pub fn embedded_log(&self) -> &Arc<EmbeddedLog> {
        &self.embedded_log
    }
    /// The tables, for [`store::EmbeddedStore::marks`].
    pub fn embedded_generations(&self) -> &Arc<EmbeddedGenerations> {
        &self.embedded_generations
    }
    pub fn embedded_keys(&self) -> &Arc<EmbeddedKeys> {
        &self.embedded_keys
    }

    /// Refuses further appends, syncs everything.
    pub async fn close(&self) -> Result<(), StoreError> {
        self.embedded_log.close();
        self.embedded_generations.close().await
    }
}

/// Opens or makes the data folder. Blocks while the last segment of the log is read.
///
/// The tables are opened by `generations.open(live)`; if that answers `StoreError::Damaged`, rebuild them from the log.
pub fn open(config: &Config) -> Result<Embedded, EngineError> {
    let data = &config.data;
    make_private_folder(data)?;
    let lock = lock_folder(data)?;
    check_format(data)?;
    let erasure_journal = config.erasure_journal.clone().unwrap_or_else(|| beside(data));
    let keys = EmbeddedKeys::open(KeysConfig {
        folder: data.join("keys"),
        key_encryption_key: config.key_encryption_key.clone().unwrap_or_else(|| data.join("kek")),
        erasure_journal,
        disk: Arc::clone(&config.disk),
        clock: Arc::clone(&config.clock),
    })?;
    let log = EmbeddedLog::open(LogConfig {
        folder: data.join("log"),
        partitions: config.partitions,
        segment_bytes: config.segment_bytes,
        tail_bytes: config.tail_bytes,
        disk: Arc::clone(&config.disk),
        clock: Arc::clone(&config.clock),
    })?;
    let once_folder = data.join("once");
    std::fs::create_dir_all(&once_folder).at(&once_folder)?;
    let once = Once::open(&once_folder.join("journal"), config.clock.now(), Arc::clone(&config.disk))?;
    let generations = EmbeddedGenerations::open_folder(&data.join("tables"), config.store, Arc::new(once))?;
    let (log, generations, keys) = (Arc::new(log), Arc::new(generations), Arc::new(keys));
    Ok(Embedded {
        log: log.clone(),
        generations: generations.clone(),
        keys: keys.clone(),
        embedded_log: log,
        embedded_generations: generations,
        embedded_keys: keys,
        _lock: lock,
    })
}

fn beside(data: &Path) -> PathBuf {
    let mut name = data.as_os_str().to_owned();
    name.push(".erasures");
    name.into()
}

fn make_private_folder(data: &Path) -> Result<(), EngineError> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(data).at(data)?;
    std::fs::set_permissions(data, std::fs::Permissions::from_mode(0o700)).at(data)
}

fn lock_folder(data: &Path) -> Result<File, EngineError> {
    let path = data.join("lock");
    let file = create_private(&path).at(&path)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(EngineError::Locked(data.to_owned())),
        Err(TryLockError::Error(source)) => Err(EngineError::Io { path, source }),
    }
}

fn check_format(data: &Path) -> Result<(), EngineError> {
    let path = data.join("format");
    match std::fs::read_to_string(&path) {
        Ok(text) if text == FORMAT => Ok(()),
        Ok(_) => Err(EngineError::Newer { path, what: "the format of the folder is unknown here".to_owned() }),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => replace_file(&path, FORMAT.as_bytes()).at(&path),
        Err(source) => Err(EngineError::Io { path, source }),
    }
}
