//! Keyring and used-once keys as one end of `kiroku copy`.

use std::sync::Arc;

use chassis::ports::keys::KeysError;
use chassis::ports::store::StoreError;

use super::keys::CqlKeys;
use super::store::Once;
use crate::carry::{CarriedKey, KeyName, UsedOnce};

/// What [`crate::carry::Carrier`] asks of the CQL half of the distributed engine.
pub struct CqlCarrier {
    keys: Arc<CqlKeys>,
    once: Arc<Once>,
}

impl CqlCarrier {
    pub(super) fn new(keys: Arc<CqlKeys>, once: Arc<Once>) -> Self {
        Self { keys, once }
    }

    pub async fn keys(&self, after: Option<KeyName>, limit: usize) -> Result<Vec<CarriedKey>, KeysError> {
        self.keys.carried(after, limit).await
    }

    pub async fn take_keys(&self, keys: Vec<CarriedKey>) -> Result<(), KeysError> {
        self.keys.take_in(keys).await
    }

    pub async fn used_once(&self, now: i64) -> Result<Vec<UsedOnce>, StoreError> {
        self.once.used(now).await
    }

    pub async fn take_used_once(&self, keys: Vec<UsedOnce>, now: i64) -> Result<(), StoreError> {
        self.once.take_in(keys, now).await
    }
}
