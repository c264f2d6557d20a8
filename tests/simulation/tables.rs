//! Tables and keys as one process sees them.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chassis::ports::keys::{Keys, KeysError, LogKey, PlatformKey, RecordKey, Secret};
use chassis::ports::store::{Batch, Page, Row, Store, StoreError, Table};
use schemas::Pid;
use schemas::access::AccessList;
use schemas::header::Bucket;
use tokio::time::sleep;

use crate::incarnation::{Fault, Incarnation};
use crate::trace::Call;
use crate::world::Planted;

pub(crate) struct ProcessStore(pub(crate) Arc<Incarnation>);

fn refused() -> StoreError {
    StoreError::NotWritable("simulated".to_owned())
}

impl ProcessStore {
    async fn apply_with(&self, fault: Option<Fault>, mut batches: Vec<Batch>) -> Result<Vec<bool>, StoreError> {
        match fault {
            Some(Fault::Before) => return Err(refused()),
            Some(Fault::Part) => batches.truncate(self.0.world.dice.below(batches.len() as u64) as usize),
            _ => {}
        }
        // The others take long between the log and the tables: who gives his verdict without having read back comes first.
        if self.0.process != 0 && self.0.world.planted == Some(Planted::BlindReadBack) {
            sleep(Duration::from_millis(self.0.world.dice.between(0, 200))).await;
        }
        let careless = self.0.process == 0 && self.0.world.planted == Some(Planted::CarelessStore);
        let kept = if careless { batches.clone() } else { Vec::new() };
        let mut fresh = self.0.world.store.apply(batches).await?;
        for row in kept.into_iter().flat_map(|batch| batch.rows) {
            self.0.world.store.tamper(row.table, &row.partition, &row.key, Some(row.value));
            fresh.fill(true);
        }
        if fault.is_some() { Err(refused()) } else { Ok(fresh) }
    }

    /// A call that only reads.
    async fn reading<T>(&self, call: Call, read: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        let fate = self.0.enter(call, &[Fault::Before]).await;
        let read = match fate.fault {
            None => read.await,
            Some(_) => Err(StoreError::Io("simulated".to_owned())),
        };
        self.0.leave(call, fate).await;
        read
    }
}

#[async_trait]
impl Store for ProcessStore {
    async fn apply(&self, batches: Vec<Batch>) -> Result<Vec<bool>, StoreError> {
        let call = Call::of("apply", batches.len());
        let fate = self.0.enter(call, &[Fault::Before, Fault::After, Fault::Part]).await;
        let applied = self.apply_with(fate.fault, batches).await;
        self.0.leave(call, fate).await;
        applied
    }

    async fn get(&self, table: Table, partition: &[u8], key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        self.reading(Call::of(table.name(), key.len()), self.0.world.store.get(table, partition, key)).await
    }

    async fn range(
        &self,
        table: Table,
        partition: &[u8],
        from: &[u8],
        to: &[u8],
        limit: usize,
    ) -> Result<Page, StoreError> {
        let read = self.0.world.store.range(table, partition, from, to, limit);
        self.reading(Call::of("range", from.len()), read).await
    }

    async fn range_back(
        &self,
        table: Table,
        partition: &[u8],
        before: &[u8],
        limit: usize,
    ) -> Result<Page, StoreError> {
        let read = self.0.world.store.range_back(table, partition, before, limit);
        self.reading(Call::of("range back", before.len()), read).await
    }

    async fn once(&self, key: &[u8], until: i64, now: i64) -> Result<bool, StoreError> {
        self.reading(Call::of("once", key.len()), self.0.world.store.once(key, until, now)).await
    }

    async fn sync(&self) -> Result<(), StoreError> {
        self.reading(Call::of("sync", 0), self.0.world.store.sync()).await
    }

    async fn scan(&self, table: Table, after: Option<(Bytes, Bytes)>, limit: usize) -> Result<Vec<Row>, StoreError> {
        self.reading(Call::of("scan", limit), self.0.world.store.scan(table, after, limit)).await
    }

    async fn drop_partition(&self, table: Table, partition: &[u8]) -> Result<(), StoreError> {
        self.reading(Call::of("drop", partition.len()), self.0.world.store.drop_partition(table, partition)).await
    }
}

pub(crate) struct ProcessKeys(pub(crate) Arc<Incarnation>);

impl ProcessKeys {
    async fn asking<T>(
        &self,
        name: &'static str,
        ask: impl Future<Output = Result<T, KeysError>>,
    ) -> Result<T, KeysError> {
        let call = Call::of(name, 0);
        let fate = self.0.enter(call, &[Fault::Before]).await;
        let answer = match fate.fault {
            None => ask.await,
            Some(_) => Err(KeysError::NotWritable("simulated".to_owned())),
        };
        self.0.leave(call, fate).await;
        answer
    }
}

#[async_trait]
impl Keys for ProcessKeys {
    async fn create_person(&self, pid: Pid) -> Result<(), KeysError> {
        self.asking("create person", self.0.world.keys.create_person(pid)).await
    }

    async fn record_key(&self, pid: Pid, bucket: Bucket) -> Result<Arc<RecordKey>, KeysError> {
        self.asking("record key", self.0.world.keys.record_key(pid, bucket)).await
    }

    async fn log_key(&self, list: &AccessList, year: u16) -> Result<Arc<LogKey>, KeysError> {
        self.asking("log key", self.0.world.keys.log_key(list, year)).await
    }

    async fn platform_key(&self, key: PlatformKey) -> Result<Secret, KeysError> {
        self.asking("platform key", platform_key(key)).await
    }

    async fn destroy_person(&self, pid: Pid) -> Result<(), KeysError> {
        self.asking("destroy person", self.0.world.keys.destroy_person(pid)).await
    }
}

/// The keys of the platform are the same in all seeds, so that one token is good in all of them.
pub(crate) async fn platform_key(key: PlatformKey) -> Result<Secret, KeysError> {
    Ok(Secret::new([PlatformKey::ALL.iter().position(|k| *k == key).unwrap_or(0) as u8 + 1; 32]))
}

/// Keys without faults: for the checks.
pub(crate) struct CalmKeys(pub(crate) Arc<chassis::twins::MemoryKeys>);

#[async_trait]
impl Keys for CalmKeys {
    async fn create_person(&self, pid: Pid) -> Result<(), KeysError> {
        self.0.create_person(pid).await
    }
    async fn record_key(&self, pid: Pid, bucket: Bucket) -> Result<Arc<RecordKey>, KeysError> {
        self.0.record_key(pid, bucket).await
    }
    async fn log_key(&self, list: &AccessList, year: u16) -> Result<Arc<LogKey>, KeysError> {
        self.0.log_key(list, year).await
    }
    async fn platform_key(&self, key: PlatformKey) -> Result<Secret, KeysError> {
        platform_key(key).await
    }
    async fn destroy_person(&self, pid: Pid) -> Result<(), KeysError> {
        self.0.destroy_person(pid).await
    }
}
