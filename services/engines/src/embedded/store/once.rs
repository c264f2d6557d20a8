//! `once`: keys that may be used one time until they expire, durable before the answer, shared by all generations.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use chassis::ports::store::StoreError;
use openssl::sha::sha256;
use parking_lot::Mutex;

use crate::carry::UsedOnce;
use crate::embedded::disk::Disk;
use crate::embedded::error::EngineError;
use crate::embedded::journal::Journal;

/// Expired records stay in the file until there are so many more records than live keys.
const SLACK: u64 = 10_000;

pub(crate) struct Once {
    journal: Journal,
    /// Hash of the key -> until (milliseconds since 1970).
    keys: Mutex<HashMap<[u8; 32], i64>>,
}

fn payload(hash: &[u8; 32], until: i64) -> [u8; 40] {
    let mut out = [0; 40];
    out[..32].copy_from_slice(hash);
    out[32..].copy_from_slice(&until.to_le_bytes());
    out
}

impl Once {
    pub(crate) fn open(path: &Path, now: i64, disk: Arc<dyn Disk>) -> Result<Self, EngineError> {
        let (journal, records) = Journal::open(path, disk)?;
        let mut keys = HashMap::new();
        for record in records {
            let damaged = || EngineError::Damaged { path: path.to_owned(), what: "length of a record".to_owned() };
            let (hash, until) = record.split_at_checked(32).ok_or_else(damaged)?;
            let until = i64::from_le_bytes(until.try_into().map_err(|_| damaged())?);
            if until > now {
                keys.insert(hash.try_into().expect("32 bytes"), until);
            }
        }
        let once = Self { journal, keys: Mutex::new(keys) };
        once.purge(now).map_err(|source| EngineError::Io { path: path.to_owned(), source })?;
        Ok(once)
    }

    /// See `Store::once`.
    pub(crate) async fn first(&self, key: &[u8], until: i64, now: i64) -> Result<bool, StoreError> {
        let hash = sha256(key);
        if self.journal.len() > SLACK + 2 * self.keys.lock().len() as u64 {
            self.purge(now).map_err(|e| StoreError::NotWritable(e.to_string()))?;
        }
        {
            let mut keys = self.keys.lock();
            if keys.get(&hash).is_some_and(|known| *known > now) {
                return Ok(false);
            }
            keys.insert(hash, until);
        }
        match self.journal.append(&payload(&hash, until)).await {
            Ok(()) => Ok(true),
            Err(why) => {
                self.keys.lock().remove(&hash);
                Err(StoreError::NotWritable(why))
            }
        }
    }

    pub(crate) fn used(&self, now: i64) -> Vec<UsedOnce> {
        let keys = self.keys.lock();
        keys.iter()
            .filter(|(_, until)| **until > now)
            .map(|(hash, until)| UsedOnce { hash: *hash, until: *until })
            .collect()
    }

    pub(crate) async fn take_in(&self, used: Vec<UsedOnce>) -> Result<(), StoreError> {
        for UsedOnce { hash, until } in used {
            self.journal.append(&payload(&hash, until)).await.map_err(StoreError::NotWritable)?;
            self.keys.lock().insert(hash, until);
        }
        Ok(())
    }

    fn purge(&self, now: i64) -> std::io::Result<()> {
        let mut keys = self.keys.lock();
        keys.retain(|_, until| *until > now);
        let live: Vec<_> = keys.iter().map(|(hash, until)| payload(hash, *until)).collect();
        self.journal.rewrite(live.iter().map(|p| &p[..]))
    }
}
