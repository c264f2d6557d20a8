//! A data folder as one end of `kiroku copy`.

use async_trait::async_trait;
use chassis::ports::keys::KeysError;
use chassis::ports::log::{Appended, LogError};
use chassis::ports::store::StoreError;

use super::Embedded;
use crate::carry::{Carried, CarriedKey, Carrier, KeyName, UsedOnce};

#[async_trait]
impl Carrier for Embedded {
    async fn keys(&self, after: Option<KeyName>, limit: usize) -> Result<Vec<CarriedKey>, KeysError> {
        self.embedded_keys().carried(after, limit).await
    }

    async fn take_keys(&self, keys: Vec<CarriedKey>) -> Result<(), KeysError> {
        self.embedded_keys().take_in(keys).await
    }

    async fn used_once(&self, now: i64) -> Result<Vec<UsedOnce>, StoreError> {
        Ok(self.embedded_generations().once().used(now))
    }

    async fn take_used_once(&self, keys: Vec<UsedOnce>, _now: i64) -> Result<(), StoreError> {
        self.embedded_generations().once().take_in(keys).await
    }

    async fn carry(&self, records: Vec<Carried>) -> Result<Vec<Appended>, LogError> {
        self.embedded_log().carry(records).await
    }

    /// Nothing is to be done: this log takes records of others at any time, and no other process has it open.
    async fn end_carrying(&self) -> Result<(), LogError> {
        Ok(())
    }
}
