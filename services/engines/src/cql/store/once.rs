//! `once`: keys that may be used one time until they expire, decided by Paxos, shared by all generations.

use std::sync::Arc;

use bytes::Bytes;
use chassis::crypto::sha256;
use chassis::ports::store::StoreError;
use scylla::statement::prepared::PreparedStatement;

use crate::carry::UsedOnce;
use crate::cql::client::{Client, Use, took_effect};
use crate::cql::error::{Failure, read_error, write_error};
use crate::cql::statements::once;

/// A row outlives its key by this many seconds, so that clocks may differ; `until` decides, not the row's absence.
const AFTERLIFE: i64 = 60;
/// The longest TTL of the servers, in seconds.
const LONGEST: i64 = 20 * 365 * 86_400;
/// Tries of a decision that timed out or was overtaken.
const TRIES: u32 = 6;

pub(in crate::cql) struct Once {
    client: Arc<Client>,
    take: PreparedStatement,
    take_over: PreparedStatement,
    read: PreparedStatement,
}

impl Once {
    pub(super) async fn new(client: Arc<Client>) -> Result<Self, Failure> {
        let take = client.prepare(once::TAKE, "", Use::Decide).await?;
        let take_over = client.prepare(once::TAKE_OVER, "", Use::Decide).await?;
        let read = client.prepare(once::READ, "", Use::SerialRead).await?;
        Ok(Self { client, take, take_over, read })
    }

    /// See `Store::once`.
    ///
    /// The row tells who took the key, so that a try whose answer was lost knows its own success: whatever a try answers,
    /// the row is read back, and only what it holds counts.
    pub(super) async fn first(&self, key: &[u8], until: i64, now: i64) -> Result<bool, StoreError> {
        self.first_of(&sha256(key), until, now).await
    }

    /// Used-once keys that have not expired at `now`.
    pub(in crate::cql) async fn used(&self, now: i64) -> Result<Vec<UsedOnce>, StoreError> {
        let all = self.client.prepare(once::ALL, "", Use::Read).await.map_err(read_error)?;
        let rows = self.client.rows::<(Bytes, i64)>(&all, ()).await.map_err(read_error)?;
        let mut used = Vec::new();
        for (key, until) in rows.into_iter().filter(|(_, until)| *until > now) {
            let hash = key[..].try_into().map_err(|_| StoreError::Damaged("a used-once key is no hash".to_owned()))?;
            used.push(UsedOnce { hash, until });
        }
        Ok(used)
    }

    pub(in crate::cql) async fn take_in(&self, used: Vec<UsedOnce>, now: i64) -> Result<(), StoreError> {
        for UsedOnce { hash, until } in used {
            // Taken before: the same.
            let _ = self.first_of(&hash, until, now).await?;
        }
        Ok(())
    }

    async fn first_of(&self, key: &[u8; 32], until: i64, now: i64) -> Result<bool, StoreError> {
        let key = Bytes::copy_from_slice(key);
        let mut by = [0u8; 16];
        schemas::random::fill(&mut by);
        let ttl = (until.saturating_sub(now) / 1000).saturating_add(AFTERLIFE).clamp(AFTERLIFE, LONGEST);
        let ttl = i32::try_from(ttl).unwrap_or(i32::MAX);
        let taken = self.client.execute(&self.take, (&key, until, &by[..], ttl)).await;
        let mut last = match taken.and_then(took_effect) {
            Ok(true) => return Ok(true),
            Ok(false) => None,
            Err(failure) if !failure.may_pass => return Err(write_error(failure)),
            Err(failure) => Some(failure),
        };
        for turn in 0..TRIES {
            if turn > 0 {
                tokio::time::sleep(std::time::Duration::from_millis(20 << turn)).await;
            }
            let rows = match self.client.rows::<(i64, Bytes)>(&self.read, (&key,)).await {
                Ok(rows) => rows,
                Err(failure) => {
                    last = Some(failure);
                    continue;
                }
            };
            let again = match rows.first() {
                Some((_, owner)) if owner[..] == by => return Ok(true),
                Some((known, _)) if *known > now => return Ok(false),
                Some((known, _)) => self.client.execute(&self.take_over, (ttl, until, &by[..], &key, *known)).await,
                None => self.client.execute(&self.take, (&key, until, &by[..], ttl)).await,
            };
            match again.and_then(took_effect) {
                Ok(true) => return Ok(true),
                Ok(false) => {}
                Err(failure) => last = Some(failure),
            }
        }
        Err(last.map_or_else(|| StoreError::NotWritable("too many want the same key".to_owned()), write_error))
    }
}
