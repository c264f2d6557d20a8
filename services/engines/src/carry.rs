//! What `kiroku copy` takes from one engine to another: records with the times that were stamped on them, opened keys, used-once
//! keys. Tables are never carried; they are made again from the log.

use async_trait::async_trait;
use chassis::ports::keys::{KeysError, Secret};
use chassis::ports::log::{Append, Appended, LogError};
use chassis::ports::store::StoreError;

use crate::embedded::keys::Name;

/// A record, and the time (milliseconds since 1970) that the log which it comes from stamped on it.
pub struct Carried {
    pub append: Append,
    pub time: i64,
}

/// Which key it is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct KeyName(pub(crate) Name);

/// A key between two keyrings: opened, for each keyring wraps with a key-encryption key of its own. Wiped when dropped.
pub struct CarriedKey {
    pub name: KeyName,
    pub(crate) secret: Secret,
}

/// A key of `Store::once` that was used.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct UsedOnce {
    /// SHA-256 of the key.
    pub(crate) hash: [u8; 32],
    /// Milliseconds since 1970.
    pub(crate) until: i64,
}

/// An engine that can be copied from, and to while it is empty and nobody else uses it.
#[async_trait]
pub trait Carrier: Send + Sync {
    /// Keys behind `after`, about `limit`, in the keyring's own order; empty at the end. Those of erased persons are gone.
    async fn keys(&self, after: Option<KeyName>, limit: usize) -> Result<Vec<CarriedKey>, KeysError>;

    /// Takes keys in; durable when it returns. A name that is there keeps its key.
    async fn take_keys(&self, keys: Vec<CarriedKey>) -> Result<(), KeysError>;

    /// Used-once keys that have not expired at `now`.
    async fn used_once(&self, now: i64) -> Result<Vec<UsedOnce>, StoreError>;

    /// Takes used-once keys in; durable when it returns.
    async fn take_used_once(&self, keys: Vec<UsedOnce>, now: i64) -> Result<(), StoreError>;

    /// Appends records in order, under their own times (or that of the record before, if that is later); durable when it
    /// returns.
    async fn carry(&self, records: Vec<Carried>) -> Result<Vec<Appended>, LogError>;

    /// From now on the log stamps its own time, and other processes may open it.
    async fn end_carrying(&self) -> Result<(), LogError>;
}
