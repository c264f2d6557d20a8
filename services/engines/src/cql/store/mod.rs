//! The tables of one generation on CQL servers.
//!
//! Write times. A row's write time is made of the log's position ([`write::stamp`]), never of a clock: of two writes of a row
//! the one of the later position wins, whenever it arrives. Only `drop_partition` writes above all positions.
//!
//! A row is written by one stream only: positions of two streams cannot be compared.

mod generations;
mod once;
mod parts;
mod place;
mod read;
mod table;
mod write;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use chassis::ports::store::{Batch, Page, Row, Store, StoreError, Table};

pub(super) use self::generations::{CqlGenerations, make_live_generation};
pub(super) use self::once::Once;
use self::place::{Applied, place};
use self::table::{Tables, Text};
use super::client::Client;
use super::error::write_error;

/// Positions remembered; of others the last one is read before a batch is applied.
const APPLIED: u64 = 200_000;

pub(crate) struct CqlStore {
    client: Arc<Client>,
    tables: Tables,
    once: Arc<Once>,
    /// Last position applied, by stream and subject. Never higher than what the tables hold.
    applied: moka::sync::Cache<Applied, u64>,
    /// Turns of large mutations.
    large: tokio::sync::Semaphore,
}

impl CqlStore {
    pub(super) fn new(client: Arc<Client>, generation: u32, once: Arc<Once>) -> Self {
        let tables = Tables::new(&client.keyspace, generation);
        Self {
            client,
            tables,
            once,
            applied: moka::sync::Cache::new(APPLIED),
            large: tokio::sync::Semaphore::new(write::LARGE_AT_ONCE),
        }
    }
}

#[async_trait]
impl Store for CqlStore {
    async fn apply(&self, batches: Vec<Batch>) -> Result<Vec<bool>, StoreError> {
        self.apply_batches(batches).await
    }

    async fn get(&self, table: Table, partition: &[u8], key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        self.read_row(table, partition, key).await
    }

    async fn range(
        &self,
        table: Table,
        partition: &[u8],
        from: &[u8],
        to: &[u8],
        limit: usize,
    ) -> Result<Page, StoreError> {
        self.read_range(table, partition, (from, to), limit).await
    }

    async fn range_back(
        &self,
        table: Table,
        partition: &[u8],
        before: &[u8],
        limit: usize,
    ) -> Result<Page, StoreError> {
        self.read_back(table, partition, before, limit).await
    }

    async fn once(&self, key: &[u8], until: i64, now: i64) -> Result<bool, StoreError> {
        self.once.first(key, until, now).await
    }

    /// Nothing is left to do: the servers sync their commit log before they acknowledge (`commitlog_sync: batch`).
    async fn sync(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn scan(&self, table: Table, after: Option<(Bytes, Bytes)>, limit: usize) -> Result<Vec<Row>, StoreError> {
        self.scan_rows(table, after, limit).await
    }

    /// Above the write time of every position, so that no late or repeated write brings a row back: expiry and erasure are for
    /// ever within a generation. A rebuild does not write these rows again: their keys are gone, or their year is over.
    async fn drop_partition(&self, table: Table, partition: &[u8]) -> Result<(), StoreError> {
        let place = place(table);
        let pk = place.pk_of_partition(partition)?;
        let text = if place.shared { Text::DropKind } else { Text::Drop };
        let statement = self.tables.statement(&self.client, place.table, text).await.map_err(write_error)?;
        let done = if place.shared {
            self.client.execute(statement, (write::DROPPED, &pk, place.kind)).await
        } else {
            self.client.execute(statement, (write::DROPPED, &pk)).await
        };
        done.map(drop).map_err(write_error)
    }
}
