//! The embedded keyring: wrapped keys in slots, the key-encryption key in a file of its own, erasures in a journal outside
//! every backup.
//!
//! INVARIANT: a key is durable before it is returned. INVARIANT: an erasure is durable in the journal before a slot is touched,
//! and the journal is applied at every open, so that a restored backup stays erased.

mod cache;
mod ring;
mod slots;

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use chassis::clock::{Clock, year_of};
use chassis::crypto;
use chassis::ports::keys::{Keys, KeysError, LogKey, PlatformKey, RecordKey, Secret};
use openssl::sha::sha256;
use schemas::Pid;
use schemas::access::AccessList;
use schemas::header::Bucket;
use zeroize::Zeroizing;

use self::cache::Cache;
use self::ring::Ring;
#[cfg(feature = "distributed")]
pub(crate) use self::ring::{check_name, is_personal, random_key};
pub(crate) use self::slots::{Kind, Name};
use crate::carry::{CarriedKey, KeyName};
use crate::embedded::disk::{Disk, create_private, sync_folder};
use crate::embedded::error::{At, EngineError};

/// Where the keyring lies.
#[derive(Clone)]
pub struct KeysConfig {
    pub folder: PathBuf,
    /// 32 bytes, mode 0600; made at first start. To be kept apart from the backups of the folder.
    pub key_encryption_key: PathBuf,
    /// Outside the data folder's backups.
    pub erasure_journal: PathBuf,
    pub disk: Arc<dyn Disk>,
    pub clock: Arc<dyn Clock>,
}

pub struct EmbeddedKeys {
    ring: Ring,
    records: Cache<RecordKey>,
    logs: Cache<LogKey>,
    clock: Arc<dyn Clock>,
}

/// A log key is derived at most so many years ahead.
pub(crate) const MAX_YEARS: u16 = 150;
/// Subject of keys that belong to no person.
pub(crate) const PLATFORM: [u8; 16] = [0; 16];

fn facility_subject(organisation: &str) -> [u8; 16] {
    sha256(organisation.as_bytes())[..16].try_into().expect("16 of 32 bytes")
}

pub(crate) fn bucket_name(pid: Pid, bucket: Bucket) -> Name {
    let year = match bucket {
        Bucket::Long => 0,
        Bucket::Year(year) => year,
    };
    Name { subject: pid.0, kind: Kind::Record, year }
}

impl EmbeddedKeys {
    /// Opens or makes the keyring. Refuses if the key-encryption key or the erasure journal that belong to it are missing.
    pub fn open(config: KeysConfig) -> Result<Self, EngineError> {
        std::fs::create_dir_all(&config.folder).at(&config.folder)?;
        let slots = config.folder.join("slots");
        let exists = slots.exists();
        let secret = read_or_create_secret(&config.key_encryption_key, exists)?;
        let ring = Ring::open(&slots, secret, &config.erasure_journal, &config.disk)?;
        Ok(Self { ring, records: Cache::new(), logs: Cache::new(), clock: config.clock })
    }

    /// Number of keys, and of erasures so far.
    pub fn counts(&self) -> (usize, u64) {
        self.ring.counts()
    }

    /// Keys behind `after`; see [`crate::carry::Carrier::keys`].
    pub(super) async fn carried(&self, after: Option<KeyName>, limit: usize) -> Result<Vec<CarriedKey>, KeysError> {
        let mut keys = Vec::new();
        for name in self.ring.names(after.map(|name| name.0), limit) {
            keys.push(CarriedKey { name: KeyName(name), secret: self.ring.get(name).await? });
        }
        Ok(keys)
    }

    pub(super) async fn take_in(&self, keys: Vec<CarriedKey>) -> Result<(), KeysError> {
        let keys: Vec<(Name, Secret)> = keys.into_iter().map(|key| (key.name.0, key.secret)).collect();
        self.ring.take_in(&keys).await
    }

    /// The first log key of a list: name (with its first year) and secret.
    async fn first_log_key(&self, list: &AccessList, year: u16) -> Result<(u16, Secret), KeysError> {
        let (subject, kind) = log_subject(list);
        if let Some(first) = self.ring.first_year(&subject, kind) {
            return Ok((first, self.ring.get(Name { subject, kind, year: first }).await?));
        }
        match list {
            AccessList::Person(_) => Err(KeysError::NoKey),
            AccessList::Facility(_) => {
                self.ring.first_log_key(subject, kind, year.min(year_of(self.clock.now()))).await
            }
        }
    }
}

pub(crate) fn log_subject(list: &AccessList) -> ([u8; 16], Kind) {
    match list {
        AccessList::Person(pid) => (pid.0, Kind::PersonLog),
        AccessList::Facility(organisation) => (facility_subject(&organisation.0), Kind::FacilityLog),
    }
}

#[async_trait]
impl Keys for EmbeddedKeys {
    async fn create_person(&self, pid: Pid) -> Result<(), KeysError> {
        let year = year_of(self.clock.now());
        self.ring.create_person(pid.0, year).await
    }

    async fn record_key(&self, pid: Pid, bucket: Bucket) -> Result<Arc<RecordKey>, KeysError> {
        let name = bucket_name(pid, bucket);
        if let Some(key) = self.records.get(&name) {
            return Ok(key);
        }
        let secret = match bucket {
            Bucket::Long => self.ring.get(name).await?,
            Bucket::Year(_) => self.ring.get_or_create_bucket(name, bucket_name(pid, Bucket::Long)).await?,
        };
        let key = Arc::new(RecordKey::from_secret(secret));
        let valid = self.records.put(name, &key, || !self.ring.is_erased(&pid.0));
        if valid { Ok(key) } else { Err(KeysError::NoKey) }
    }

    async fn log_key(&self, list: &AccessList, year: u16) -> Result<Arc<LogKey>, KeysError> {
        let (subject, kind) = log_subject(list);
        let name = Name { subject, kind, year };
        if let Some(key) = self.logs.get(&name) {
            return Ok(key);
        }
        let (first, secret) = self.first_log_key(list, year).await?;
        if year < first || year - first > MAX_YEARS {
            return Err(KeysError::NoKey);
        }
        let key = (first..year).fold(LogKey::from_secret(secret), |key, _| LogKey::from_secret(key.next_year()));
        let key = Arc::new(key);
        let is_person = kind == Kind::PersonLog;
        let valid = self.logs.put(name, &key, || !(is_person && self.ring.is_erased(&subject)));
        if valid { Ok(key) } else { Err(KeysError::NoKey) }
    }

    async fn platform_key(&self, key: PlatformKey) -> Result<Secret, KeysError> {
        let name = Name { subject: PLATFORM, kind: Kind::Platform, year: platform_number(key) };
        self.ring.get_or_create(name).await
    }

    async fn destroy_person(&self, pid: Pid) -> Result<(), KeysError> {
        let destroyed = self.ring.destroy(pid.0).await;
        self.records.forget(&pid.0, Kind::Record);
        self.logs.forget(&pid.0, Kind::PersonLog);
        destroyed
    }
}

/// Stored numbers of the platform's keys.
pub(crate) fn platform_number(key: PlatformKey) -> u16 {
    match key {
        PlatformKey::Index => 1,
        PlatformKey::Commons => 2,
        PlatformKey::Receipt => 3,
        PlatformKey::Page => 4,
        PlatformKey::Authority => 5,
        PlatformKey::Token => 6,
        PlatformKey::Verdict => 7,
    }
}

/// The key-encryption key. With a keyring already there a missing file is an error, never a reason for a new key.
pub(crate) fn read_or_create_secret(path: &Path, keyring_exists: bool) -> Result<Secret, EngineError> {
    match read_secret(path) {
        Err(EngineError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound && !keyring_exists => {
            create_secret(path).at(path)?;
            read_secret(path)
        }
        other => other,
    }
}

fn read_secret(path: &Path) -> Result<Secret, EngineError> {
    let bytes = std::fs::read(path).map(Zeroizing::new).at(path)?;
    let bytes: [u8; 32] = bytes
        .as_slice()
        .try_into()
        .map_err(|_| EngineError::Damaged { path: path.to_owned(), what: "it does not hold 32 bytes".to_owned() })?;
    Ok(Zeroizing::new(bytes))
}

/// Puts a whole file there, unless another process was faster (where several share a keyring): then its file stays.
fn create_secret(path: &Path) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let mut secret = Zeroizing::new([0; 32]);
    openssl::rand::rand_bytes(secret.as_mut_slice()).map_err(io::Error::other)?;
    let mut chance = [0; 4];
    schemas::random::fill(&mut chance);
    let new = path.with_extension(format!("new{:08x}", u32::from_le_bytes(chance)));
    let file: File = create_private(&new)?;
    file.write_all_at(secret.as_slice(), 0).and_then(|()| file.sync_all())?;
    let linked = match std::fs::hard_link(&new, path) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    };
    std::fs::remove_file(&new)?;
    linked?;
    sync_folder(folder)
}

/// Wraps a key under the key-encryption key.
pub(crate) fn wrap(secret: &Secret, name: &Name, key: &Secret) -> [u8; slots::WRAPPED] {
    crypto::seal(secret, &name.aad(), key.as_slice()).try_into().expect("nonce, 32 bytes and tag")
}

pub(crate) fn unwrap(secret: &Secret, name: &Name, wrapped: &[u8]) -> Result<Secret, KeysError> {
    let plain = crypto::open(secret, &name.aad(), wrapped).map(Zeroizing::new);
    let plain = plain.map_err(|_| KeysError::Damaged("a wrapped key does not open".to_owned()))?;
    let bytes: [u8; 32] =
        plain.as_slice().try_into().map_err(|_| KeysError::Damaged("a wrapped key is too short".to_owned()))?;
    Ok(Zeroizing::new(bytes))
}
