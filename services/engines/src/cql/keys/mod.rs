//! The keyring on CQL servers: wrapped keys in a keyspace of their own, erasures in another one outside of its backups.
//!
//! INVARIANT: a key is durable before it is returned, and it is the one that the servers hold: creators at once agree by Paxos.
//! INVARIANT: an erasure stands in the journal before a key is removed, and the journal is asked whenever a person's keys are
//! read or made, so that a restored backup of the keys stays erased.
//!
//! An opened key is used from memory for [`Config::key_cache`] at most; within this an erasure by another process is seen.

mod carried;
mod ring;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chassis::clock::{Clock, year_of};
use chassis::crypto;
use chassis::ports::keys::{Keys, KeysError, LogKey, PlatformKey, RecordKey, Secret};
use parking_lot::RwLock;
use schemas::Pid;
use schemas::access::AccessList;
use schemas::header::Bucket;

use self::ring::{Change, ERASED, Kept, LIVE, Ring, Step};
use super::Config;
use super::client::Client;
use super::error::CqlError;
use crate::embedded::keys::{
    Kind, MAX_YEARS, Name, PLATFORM, bucket_name, check_name, is_personal, log_subject, platform_number, random_key,
    read_or_create_secret, unwrap, wrap,
};

/// Opened keys in memory, of each sort.
const OPENED: u64 = 500_000;
/// Persons known to be erased.
const ERASED_KNOWN: u64 = 100_000;
/// Of the time that an opened key may be used: the read that it came from began earlier.
const READ_TIME: Duration = Duration::from_secs(5);

pub(crate) struct CqlKeys {
    ring: Ring,
    /// The key-encryption key.
    secret: Secret,
    /// Makes the marks in the journal of erasures: whoever reads it learns of no person.
    mark_key: Secret,
    clock: Arc<dyn Clock>,
    records: moka::sync::Cache<Name, Arc<RecordKey>>,
    logs: moka::sync::Cache<Name, Arc<LogKey>>,
    platform: RwLock<HashMap<PlatformKey, Secret>>,
    erased: moka::sync::Cache<[u8; 16], ()>,
    /// Makers of keys in this process wait for one another here rather than in the way of one another at the servers.
    making: [tokio::sync::Mutex<()>; 64],
}

/// What the journal holds from the day on which the keyring was made.
const JOURNAL: &[u8] = b"journal of erasures";

fn mark(mark_key: &Secret, subject: &[u8]) -> Secret {
    crypto::derive(mark_key, b"erased", subject)
}

/// A row that only the right key-encryption key opens; it holds the key of the marks.
async fn read_or_create_mark_key(ring: &Ring, config: &Config) -> Result<(Secret, Secret), CqlError> {
    let (name, path) = (check_name(), &config.key_encryption_key);
    let exists = ring.read(&name.subject).await?.get(&name).is_some();
    let secret = read_or_create_secret(path, exists)?;
    let fresh = random_key()?;
    if !exists {
        // The journal first: should this process end here, nothing refers to its row.
        ring.mark(&mark(&fresh, JOURNAL), config.clock.now()).await?;
    }
    let wrapped = ring
        .decide(&name.subject, |kept| {
            Ok(match kept.get(&name) {
                Some(wrapped) => Step::Done(wrapped.clone()),
                None => Step::Write(vec![Change::AddNew(name, wrap(&secret, &name, &fresh).to_vec())]),
            })
        })
        .await?;
    let mark_key = unwrap(&secret, &name, &wrapped).map_err(|_| {
        let what = format!("`{}` is not the one that the keyring was made with", path.display());
        CqlError::Setting { name: "key_encryption_key", what }
    })?;
    if !ring.is_marked(&mark(&mark_key, JOURNAL)).await? {
        let what = "the journal of erasures that belongs to the keyring is missing".to_owned();
        return Err(CqlError::Keys(KeysError::Damaged(what)));
    }
    Ok((secret, mark_key))
}

impl CqlKeys {
    pub(super) async fn open(config: &Config, client: Arc<Client>) -> Result<Self, CqlError> {
        let ring = Ring::new(client).await?;
        let (secret, mark_key) = read_or_create_mark_key(&ring, config).await?;
        let lasting = config.key_cache.saturating_sub(READ_TIME).max(config.key_cache / 2);
        let records = moka::sync::Cache::builder().support_invalidation_closures();
        let logs = moka::sync::Cache::builder().support_invalidation_closures();
        Ok(Self {
            ring,
            secret,
            mark_key,
            clock: Arc::clone(&config.clock),
            records: records.max_capacity(OPENED).time_to_live(lasting).build(),
            logs: logs.max_capacity(OPENED).time_to_live(lasting).build(),
            platform: RwLock::default(),
            erased: moka::sync::Cache::new(ERASED_KNOWN),
            making: std::array::from_fn(|_| tokio::sync::Mutex::default()),
        })
    }

    fn fresh(&self, name: Name) -> Result<Vec<u8>, KeysError> {
        Ok(wrap(&self.secret, &name, &random_key()?).to_vec())
    }

    async fn one_maker(&self, subject: &[u8; 16]) -> tokio::sync::MutexGuard<'_, ()> {
        self.making[usize::from(subject[0] ^ subject[15]) % self.making.len()].lock().await
    }

    /// `NoKey` if the journal says that the person was erased, whatever the keyring holds.
    async fn refuse_erased(&self, subject: &[u8; 16]) -> Result<(), KeysError> {
        if self.erased.contains_key(subject) {
            return Err(KeysError::NoKey);
        }
        if self.ring.is_marked(&mark(&self.mark_key, subject)).await? {
            self.forget(subject);
            return Err(KeysError::NoKey);
        }
        Ok(())
    }

    /// From here on this process gives no key of the person.
    fn forget(&self, subject: &[u8; 16]) {
        self.erased.insert(*subject, ());
        let subject = *subject;
        let records = self.records.invalidate_entries_if(move |name, _| name.subject == subject);
        let logs = self.logs.invalidate_entries_if(move |n, _| n.subject == subject && n.kind == Kind::PersonLog);
        if records.and(logs).is_err() {
            self.records.invalidate_all();
            self.logs.invalidate_all();
        }
    }

    /// The subject's keys, by a person only if not erased.
    async fn read(&self, subject: &[u8; 16], kind: Kind) -> Result<Kept, KeysError> {
        if !is_personal(kind) {
            return self.ring.read(subject).await;
        }
        let (kept, ()) = tokio::try_join!(self.ring.read(subject), self.refuse_erased(subject))?;
        if !kept.is_live() {
            return Err(KeysError::NoKey);
        }
        Ok(kept)
    }

    fn opened(&self, kept: &Kept, name: &Name) -> Result<Option<Secret>, KeysError> {
        kept.get(name).map(|wrapped| unwrap(&self.secret, name, wrapped)).transpose()
    }

    async fn make_bucket(&self, name: Name) -> Result<Secret, KeysError> {
        let _one = self.one_maker(&name.subject).await;
        let long = Name { year: 0, ..name };
        self.ring
            .decide(&name.subject, |kept| {
                if !kept.is_live() || kept.get(&long).is_none() {
                    return Err(KeysError::NoKey);
                }
                Ok(match self.opened(kept, &name)? {
                    Some(secret) => Step::Done(secret),
                    // Under the condition that the person is still there: never a key for one who was erased meanwhile.
                    None => {
                        Step::Write(vec![Change::Status(Some(LIVE), LIVE), Change::AddNew(name, self.fresh(name)?)])
                    }
                })
            })
            .await
    }

    /// The first log key of a list: its first year, and the secret.
    async fn first_log_key(&self, list: &AccessList, year: u16) -> Result<(u16, Secret), KeysError> {
        let (subject, kind) = log_subject(list);
        let first = |kept: &Kept| -> Result<Option<(u16, Secret)>, KeysError> {
            let Some(year) = kept.first_year(kind) else { return Ok(None) };
            Ok(self.opened(kept, &Name { subject, kind, year })?.map(|secret| (year, secret)))
        };
        if let Some(found) = first(&self.read(&subject, kind).await?)? {
            return Ok(found);
        }
        if is_personal(kind) {
            return Err(KeysError::NoKey);
        }
        let name = Name { subject, kind, year: year.min(year_of(self.clock.now())) };
        let _one = self.one_maker(&subject).await;
        self.ring
            .decide(&subject, |kept| {
                Ok(match first(kept)? {
                    Some(found) => Step::Done(found),
                    None => Step::Write(vec![Change::Status(None, LIVE), Change::Add(name, self.fresh(name)?)]),
                })
            })
            .await
    }
}

#[async_trait]
impl Keys for CqlKeys {
    async fn create_person(&self, pid: Pid) -> Result<(), KeysError> {
        self.refuse_erased(&pid.0).await?;
        let record = bucket_name(pid, Bucket::Long);
        let log = Name { subject: pid.0, kind: Kind::PersonLog, year: year_of(self.clock.now()) };
        let _one = self.one_maker(&pid.0).await;
        self.ring
            .decide(&pid.0, |kept| {
                if kept.is_erased() {
                    return Err(KeysError::NoKey);
                }
                if kept.is_live() {
                    return Ok(Step::Done(()));
                }
                let add = |name| Ok::<_, KeysError>(Change::Add(name, self.fresh(name)?));
                Ok(Step::Write(vec![Change::Status(None, LIVE), add(log)?, add(record)?]))
            })
            .await
    }

    async fn record_key(&self, pid: Pid, bucket: Bucket) -> Result<Arc<RecordKey>, KeysError> {
        let name = bucket_name(pid, bucket);
        if let Some(key) = self.records.get(&name) {
            return Ok(key);
        }
        let kept = self.read(&pid.0, Kind::Record).await?;
        let secret = match (self.opened(&kept, &name)?, bucket) {
            (Some(secret), _) => secret,
            (None, Bucket::Long) => return Err(KeysError::NoKey),
            (None, Bucket::Year(_)) => self.make_bucket(name).await?,
        };
        let key = Arc::new(RecordKey::from_secret(secret));
        self.records.insert(name, Arc::clone(&key));
        if self.erased.contains_key(&pid.0) {
            self.records.invalidate(&name);
            return Err(KeysError::NoKey);
        }
        Ok(key)
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
        self.logs.insert(name, Arc::clone(&key));
        if is_personal(kind) && self.erased.contains_key(&subject) {
            self.logs.invalidate(&name);
            return Err(KeysError::NoKey);
        }
        Ok(key)
    }

    async fn platform_key(&self, key: PlatformKey) -> Result<Secret, KeysError> {
        if let Some(secret) = self.platform.read().get(&key) {
            return Ok(secret.clone());
        }
        let name = Name { subject: PLATFORM, kind: Kind::Platform, year: platform_number(key) };
        let secret = self
            .ring
            .decide(&PLATFORM, |kept| {
                Ok(match self.opened(kept, &name)? {
                    Some(secret) => Step::Done(secret),
                    None => Step::Write(vec![Change::AddNew(name, self.fresh(name)?)]),
                })
            })
            .await?;
        self.platform.write().insert(key, secret.clone());
        Ok(secret)
    }

    /// Once the journal has its mark the person is erased for everyone, also where the rest fails; another call ends it.
    async fn destroy_person(&self, pid: Pid) -> Result<(), KeysError> {
        self.ring.mark(&mark(&self.mark_key, &pid.0), self.clock.now()).await?;
        self.forget(&pid.0);
        let personal = [Kind::Record, Kind::PersonLog];
        self.ring
            .decide(&pid.0, |kept| {
                let remove = personal.map(Change::Remove);
                let status = match kept.status.as_deref() {
                    None => Change::Status(None, ERASED),
                    Some(LIVE) => Change::Status(Some(LIVE), ERASED),
                    Some(_) if !kept.has_any(&personal) => return Ok(Step::Done(())),
                    Some(_) => Change::Status(Some(ERASED), ERASED),
                };
                Ok(Step::Write(std::iter::once(status).chain(remove).collect()))
            })
            .await
    }
}
