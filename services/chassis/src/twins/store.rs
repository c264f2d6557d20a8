//! The store in memory.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;

use super::log::take;
use crate::ports::store::{Batch, Generations, Page, Row, Store, StoreError, Table};

type Once = Arc<Mutex<HashMap<Vec<u8>, i64>>>;

#[derive(Default)]
struct State {
    rows: BTreeMap<(Table, Bytes, Bytes), Bytes>,
    applied: HashMap<(&'static str, Bytes), u64>,
}

/// One generation of tables.
#[derive(Default)]
pub struct MemoryStore {
    state: Mutex<State>,
    once: Once,
    /// Writes that still succeed; `None`: all.
    left: Mutex<Option<u32>>,
    fail_next: AtomicU32,
}

impl MemoryStore {
    pub fn new() -> Self {
        Self::default()
    }

    /// The next `count` calls of `apply` and `once` fail with `NotWritable` and change nothing.
    pub fn fail_next_apply(&self, count: u32) {
        self.fail_next.store(count, Ordering::SeqCst);
    }

    /// Every write fails until switched off.
    pub fn fail_applies(&self, failing: bool) {
        *self.left.lock() = failing.then_some(0);
    }

    /// Every write after the next `count` fails, until [`Self::fail_applies`] switches that off.
    pub fn fail_after(&self, count: u32) {
        *self.left.lock() = Some(count);
    }

    /// Overwrites or removes a row behind the port's back: for tests of damage.
    pub fn tamper(&self, table: Table, partition: &[u8], key: &[u8], value: Option<Bytes>) {
        let place = (table, Bytes::copy_from_slice(partition), Bytes::copy_from_slice(key));
        let mut state = self.state.lock();
        match value {
            Some(value) => state.rows.insert(place, value),
            None => state.rows.remove(&place),
        };
    }

    fn check_writable(&self) -> Result<(), StoreError> {
        let mut left = self.left.lock();
        if *left == Some(0) || take(&self.fail_next) {
            return Err(StoreError::NotWritable("injected".to_owned()));
        }
        *left = left.map(|count| count - 1);
        Ok(())
    }
}

fn place(table: Table, partition: &[u8], key: &[u8]) -> (Table, Bytes, Bytes) {
    (table, Bytes::copy_from_slice(partition), Bytes::copy_from_slice(key))
}

fn page<'a>(rows: impl Iterator<Item = (&'a (Table, Bytes, Bytes), &'a Bytes)>, limit: usize) -> Page {
    let mut rows = rows.map(|((_, _, key), value)| (key.clone(), value.clone()));
    let found = rows.by_ref().take(limit).collect();
    Page { rows: found, more: rows.next().is_some() }
}

#[async_trait]
impl Store for MemoryStore {
    async fn apply(&self, batches: Vec<Batch>) -> Result<Vec<bool>, StoreError> {
        self.check_writable()?;
        let mut state = self.state.lock();
        let mut fresh = Vec::with_capacity(batches.len());
        for batch in batches {
            let subject = (batch.stream, batch.subject);
            let is_new = state.applied.get(&subject).is_none_or(|last| batch.position > *last);
            fresh.push(is_new);
            if is_new {
                state.applied.insert(subject, batch.position);
                state.rows.extend(batch.rows.into_iter().map(|r| ((r.table, r.partition, r.key), r.value)));
            }
        }
        Ok(fresh)
    }

    async fn get(&self, table: Table, partition: &[u8], key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        Ok(self.state.lock().rows.get(&place(table, partition, key)).cloned())
    }

    async fn range(
        &self,
        table: Table,
        partition: &[u8],
        from: &[u8],
        to: &[u8],
        limit: usize,
    ) -> Result<Page, StoreError> {
        let state = self.state.lock();
        let rows = state.rows.range(place(table, partition, from)..);
        let inside =
            |(t, p, k): &(Table, Bytes, Bytes)| *t == table && p[..] == *partition && (to.is_empty() || k[..] < *to);
        Ok(page(rows.take_while(|(k, _)| inside(k)), limit))
    }

    async fn range_back(
        &self,
        table: Table,
        partition: &[u8],
        before: &[u8],
        limit: usize,
    ) -> Result<Page, StoreError> {
        let state = self.state.lock();
        let rows = state
            .rows
            .range(place(table, partition, b"")..)
            .take_while(|((t, p, k), _)| *t == table && p[..] == *partition && (before.is_empty() || k[..] < *before));
        let all: Vec<_> = rows.collect();
        Ok(page(all.into_iter().rev(), limit))
    }

    async fn once(&self, key: &[u8], until: i64, now: i64) -> Result<bool, StoreError> {
        self.check_writable()?;
        let mut once = self.once.lock();
        if once.get(key).is_some_and(|known| *known > now) {
            return Ok(false);
        }
        once.insert(key.to_vec(), until);
        Ok(true)
    }

    async fn sync(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn scan(&self, table: Table, after: Option<(Bytes, Bytes)>, limit: usize) -> Result<Vec<Row>, StoreError> {
        let state = self.state.lock();
        let from = match after {
            Some((partition, key)) => Bound::Excluded((table, partition, key)),
            None => Bound::Included((table, Bytes::new(), Bytes::new())),
        };
        let rows = state.rows.range((from, Bound::Unbounded)).take_while(|(k, _)| k.0 == table).take(limit);
        let row = |((table, partition, key), value): (&(Table, Bytes, Bytes), &Bytes)| Row {
            table: *table,
            partition: partition.clone(),
            key: key.clone(),
            value: value.clone(),
        };
        Ok(rows.map(row).collect())
    }

    async fn drop_partition(&self, table: Table, partition: &[u8]) -> Result<(), StoreError> {
        self.check_writable()?;
        self.state.lock().rows.retain(|(t, p, _), _| *t != table || p[..] != *partition);
        Ok(())
    }
}

/// Generations in memory.
pub struct MemoryGenerations {
    live: AtomicU32,
    stores: Mutex<BTreeMap<u32, Arc<MemoryStore>>>,
    once: Once,
}

impl Default for MemoryGenerations {
    fn default() -> Self {
        Self { live: AtomicU32::new(1), stores: Mutex::default(), once: Once::default() }
    }
}

impl MemoryGenerations {
    pub fn new() -> Self {
        Self::default()
    }

    /// As `open`, with the twin's own type.
    pub fn open_memory(&self, generation: u32) -> Arc<MemoryStore> {
        let mut stores = self.stores.lock();
        let make = || Arc::new(MemoryStore { once: Arc::clone(&self.once), ..MemoryStore::default() });
        Arc::clone(stores.entry(generation).or_insert_with(make))
    }
}

#[async_trait]
impl Generations for MemoryGenerations {
    fn live(&self) -> u32 {
        self.live.load(Ordering::SeqCst)
    }
    async fn open(&self, generation: u32) -> Result<Arc<dyn Store>, StoreError> {
        Ok(self.open_memory(generation))
    }
    async fn switch(&self, generation: u32) -> Result<(), StoreError> {
        if !self.stores.lock().contains_key(&generation) {
            return Err(StoreError::NoGeneration(generation));
        }
        self.live.store(generation, Ordering::SeqCst);
        Ok(())
    }
    async fn list(&self) -> Result<Vec<u32>, StoreError> {
        Ok(self.stores.lock().keys().copied().collect())
    }
    async fn remove(&self, generation: u32) -> Result<(), StoreError> {
        if generation == self.live() {
            return Err(StoreError::NotWritable(format!("generation {generation} serves")));
        }
        let mut stores = self.stores.lock();
        match stores.get(&generation) {
            None => Err(StoreError::NoGeneration(generation)),
            Some(store) if Arc::strong_count(store) > 1 => {
                Err(StoreError::NotWritable(format!("generation {generation} is still read")))
            }
            Some(_) => {
                stores.remove(&generation);
                Ok(())
            }
        }
    }
}
