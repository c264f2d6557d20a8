//! The keyring in memory.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use async_trait::async_trait;
use parking_lot::Mutex;
use schemas::Pid;
use schemas::access::AccessList;
use schemas::header::Bucket;
use zeroize::Zeroizing;

use super::log::take;
use crate::clock::{Clock, SystemClock, year_of};
use crate::ports::keys::{Keys, KeysError, LogKey, PlatformKey, RecordKey, Secret};

/// Log keys are derived at most so many years ahead.
const MAX_YEARS: u16 = 150;

#[derive(Default)]
struct State {
    records: HashMap<(Pid, Bucket), Arc<RecordKey>>,
    logs: HashMap<AccessList, (u16, Secret)>,
    platform: HashMap<PlatformKey, Secret>,
    erased: HashSet<Pid>,
}

/// Keys that live as long as the process.
pub struct MemoryKeys {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    failing: AtomicBool,
    fail_next: AtomicU32,
}

impl Default for MemoryKeys {
    fn default() -> Self {
        Self::new(Arc::new(SystemClock))
    }
}

fn random() -> Secret {
    let mut key = Zeroizing::new([0; 32]);
    openssl::rand::rand_bytes(key.as_mut_slice()).expect("the system's random source works");
    key
}

impl MemoryKeys {
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, state: Mutex::default(), failing: AtomicBool::new(false), fail_next: AtomicU32::new(0) }
    }

    /// The next `count` calls fail with `NotWritable`.
    pub fn fail_next(&self, count: u32) {
        self.fail_next.store(count, Ordering::SeqCst);
    }

    /// Every call fails until switched off.
    pub fn fail_all(&self, failing: bool) {
        self.failing.store(failing, Ordering::SeqCst);
    }

    fn check(&self) -> Result<(), KeysError> {
        if self.failing.load(Ordering::SeqCst) || take(&self.fail_next) {
            return Err(KeysError::NotWritable("injected".to_owned()));
        }
        Ok(())
    }
}

#[async_trait]
impl Keys for MemoryKeys {
    async fn create_person(&self, pid: Pid) -> Result<(), KeysError> {
        self.check()?;
        let mut state = self.state.lock();
        if state.erased.contains(&pid) {
            return Err(KeysError::NoKey);
        }
        let year = year_of(self.clock.now());
        state.records.entry((pid, Bucket::Long)).or_insert_with(|| Arc::new(RecordKey::from_secret(random())));
        state.logs.entry(AccessList::Person(pid)).or_insert_with(|| (year, random()));
        Ok(())
    }

    async fn record_key(&self, pid: Pid, bucket: Bucket) -> Result<Arc<RecordKey>, KeysError> {
        self.check()?;
        let mut state = self.state.lock();
        if !state.records.contains_key(&(pid, Bucket::Long)) {
            return Err(KeysError::NoKey);
        }
        let make = || Arc::new(RecordKey::from_secret(random()));
        Ok(Arc::clone(state.records.entry((pid, bucket)).or_insert_with(make)))
    }

    async fn log_key(&self, list: &AccessList, year: u16) -> Result<Arc<LogKey>, KeysError> {
        self.check()?;
        let mut state = self.state.lock();
        if !state.logs.contains_key(list) {
            match list {
                AccessList::Person(_) => return Err(KeysError::NoKey),
                AccessList::Facility(_) => {
                    let first = year.min(year_of(self.clock.now()));
                    state.logs.insert(list.clone(), (first, random()));
                }
            }
        }
        let (first, secret) = &state.logs[list];
        if year < *first || year - first > MAX_YEARS {
            return Err(KeysError::NoKey);
        }
        let oldest = LogKey::from_secret(secret.clone());
        Ok(Arc::new((*first..year).fold(oldest, |key, _| LogKey::from_secret(key.next_year()))))
    }

    async fn platform_key(&self, key: PlatformKey) -> Result<Secret, KeysError> {
        self.check()?;
        Ok(self.state.lock().platform.entry(key).or_insert_with(random).clone())
    }

    async fn destroy_person(&self, pid: Pid) -> Result<(), KeysError> {
        self.check()?;
        let mut state = self.state.lock();
        state.erased.insert(pid);
        state.records.retain(|(owner, _), _| *owner != pid);
        state.logs.remove(&AccessList::Person(pid));
        Ok(())
    }
}
