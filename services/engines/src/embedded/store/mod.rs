//! The embedded store: one generation of the tables in fjall (LSM), in three keyspaces ([`spaces`]).

mod generations;
mod growing;
mod key;
mod marks;
mod memtables;
mod once;
mod recent;
mod spaces;
mod syncer;
mod workers;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use chassis::ports::store::{Batch, Page, Row, Store, StoreError, Table};
use fjall::{Database, OwnedWriteBatch, PersistMode};
use parking_lot::Mutex;

pub use self::generations::EmbeddedGenerations;
use self::key::{behind, prefix, row_key, split};
pub use self::marks::{Marks, StreamMarks, position_hash};
pub(crate) use self::once::Once;
use self::recent::Recent;
use self::spaces::{Space, Spaces, Touched};
use self::syncer::Syncer;

/// Table bytes that are no [`Table`].
const APPLIED: u8 = 0xf0;
const BATCH: u8 = 0xf1;
const MARKS: u8 = 0xf2;

/// Rows of one engine batch, about: bounds memory and the time that a reader of the newest row waits.
const MAX_WRITE_BYTES: usize = 4 * 1024 * 1024;
/// Applied positions remembered in each of two halves.
const REMEMBERED: usize = 50_000;

/// Errors of the engine name files and kinds, never rows.
pub(crate) fn engine_error(error: &fjall::Error) -> StoreError {
    match error {
        fjall::Error::Io(e) => StoreError::Io(e.to_string()),
        fjall::Error::Poisoned => StoreError::NotWritable("an earlier write failed, a restart is needed".to_owned()),
        fjall::Error::Locked => StoreError::Io("the tables are in use by another process".to_owned()),
        fjall::Error::Storage(fjall::LsmError::Io(e)) => StoreError::Io(e.to_string()),
        other => StoreError::Damaged(other.to_string()),
    }
}

/// Settings of the tables.
#[derive(Clone, Copy, Debug)]
pub struct StoreConfig {
    /// Bytes kept in memory of what was read: one half the engine's blocks, one half single rows.
    pub cache_bytes: u64,
    /// Bytes of newest rows in memory before they are written out, for each of the keyspaces.
    pub memtable_bytes: u64,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self { cache_bytes: 64 * 1024 * 1024, memtable_bytes: 64 * 1024 * 1024 }
    }
}

/// Last positions by (stream, subject), and the marks; locked while a batch is written.
struct Applied {
    newer: HashMap<Vec<u8>, u64>,
    older: HashMap<Vec<u8>, u64>,
    marks: Marks,
}

impl Applied {
    fn remember(&mut self, key: Vec<u8>, position: u64) {
        if self.newer.len() >= REMEMBERED {
            self.older = std::mem::take(&mut self.newer);
        }
        self.newer.insert(key, position);
    }
}

/// One generation of tables.
pub struct EmbeddedStore {
    // First, so that it ends first: its thread uses the keyspaces.
    syncer: Syncer,
    db: Database,
    spaces: Spaces,
    applied: Mutex<Applied>,
    recent: Recent,
    once: Arc<Once>,
}

/// What one engine batch will have changed when it is written.
struct Pending {
    batch: OwnedWriteBatch,
    bytes: usize,
    touched: Touched,
    marks: Marks,
    positions: HashMap<Vec<u8>, u64>,
    /// Rows of tables that [`Recent`] keeps.
    kept: Vec<(Table, Vec<u8>, Bytes)>,
}

impl Pending {
    fn insert(&mut self, spaces: &Spaces, space: Space, key: Vec<u8>, value: &[u8]) {
        self.touched.add(space);
        self.batch.insert(spaces.get(space), key, value);
    }
}

impl EmbeddedStore {
    /// Opens or makes the tables in `folder`. [`StoreError::Damaged`]: rows are missing that later ones build on, or do not
    /// read; rebuild from the log.
    pub(crate) fn open(folder: &Path, config: StoreConfig, once: Arc<Once>) -> Result<Self, StoreError> {
        let open = || -> fjall::Result<_> {
            let db = Database::builder(folder)
                .cache_size(config.cache_bytes / 2)
                .max_journaling_size(256 * 1024 * 1024)
                .manual_journal_persist(true)
                .worker_threads(workers::COUNT)
                .open()?;
            let spaces = Spaces::open(&db, config.memtable_bytes)?;
            Ok((db, spaces))
        };
        let (db, spaces) = open().map_err(|e| engine_error(&e))?;
        let marks = Marks::load(&spaces)?;
        let syncer = Syncer::start(folder, &spaces).map_err(|e| StoreError::Io(e.to_string()))?;
        let recent = Recent::new(config.cache_bytes / 2);
        let applied = Applied { newer: HashMap::new(), older: HashMap::new(), marks };
        Ok(Self { syncer, db, spaces, applied: Mutex::new(applied), recent, once })
    }

    /// Counts and sums of all that was applied (see [`Marks`]).
    pub fn marks(&self) -> Marks {
        self.applied.lock().marks.clone()
    }

    fn pending(&self, marks: Marks) -> Pending {
        let (positions, kept) = Default::default();
        Pending { batch: self.db.batch(), bytes: 0, touched: Touched::ROWS, marks, positions, kept }
    }

    /// `space`: where the position lies, beside the rows of its batch.
    fn last_applied(
        &self,
        (applied, pending): (&Applied, &Pending),
        space: Space,
        key: &[u8],
    ) -> Result<Option<u64>, StoreError> {
        let known = pending.positions.get(key).or_else(|| applied.newer.get(key)).or_else(|| applied.older.get(key));
        if let Some(position) = known {
            return Ok(Some(*position));
        }
        match self.spaces.get(space).get(key).map_err(|e| engine_error(&e))? {
            Some(bytes) => {
                let bytes = bytes[..].try_into().map_err(|_| StoreError::Damaged("an applied position".to_owned()))?;
                Ok(Some(u64::from_be_bytes(bytes)))
            }
            None => Ok(None),
        }
    }

    /// Writes what is pending.
    fn write(&self, applied: &mut Applied, mut pending: Pending) -> Result<(), StoreError> {
        let marks = pending.marks.sign(&mut pending.batch, &self.spaces, pending.touched);
        let batch = pending.batch.durability(Some(PersistMode::Buffer));
        batch.commit().map_err(|e| match engine_error(&e) {
            StoreError::Io(why) => StoreError::NotWritable(why),
            other => other,
        })?;
        applied.marks = marks;
        pending.positions.into_iter().for_each(|(key, position)| applied.remember(key, position));
        pending.kept.into_iter().for_each(|(table, key, row)| self.recent.written(table, key, row));
        self.syncer.touch();
        Ok(())
    }

    /// Rows between two engine keys.
    fn collect(
        &self,
        table: Table,
        from: Vec<u8>,
        to: Vec<u8>,
        limit: usize,
        backwards: bool,
    ) -> Result<(Vec<(Bytes, Bytes)>, bool), StoreError> {
        let mut found = Vec::new();
        if from >= to {
            return Ok((found, false));
        }
        let mut range = self.spaces.of(table).range(from..to);
        while let Some(row) = if backwards { range.next_back() } else { range.next() } {
            if found.len() == limit {
                return Ok((found, true));
            }
            let (key, value) = row.into_inner().map_err(|e| engine_error(&e))?;
            found.push((Bytes::copy_from_slice(&key), to_bytes(value)));
        }
        Ok((found, false))
    }
}

/// Large values are shared with the engine's memory, small ones copied.
fn to_bytes(value: fjall::UserValue) -> Bytes {
    if value.len() > 4096 { Bytes::from_owner(value) } else { Bytes::copy_from_slice(&value) }
}

fn applied_key(stream: &str, subject: &[u8]) -> Vec<u8> {
    row_key(APPLIED, stream.as_bytes(), subject)
}

#[async_trait]
impl Store for EmbeddedStore {
    async fn apply(&self, batches: Vec<Batch>) -> Result<Vec<bool>, StoreError> {
        self.syncer.check()?;
        let mut applied = self.applied.lock();
        let mut pending = self.pending(applied.marks.clone());
        let mut fresh = Vec::with_capacity(batches.len());
        for one in batches {
            let key = applied_key(one.stream, &one.subject);
            let beside = one.rows.first().map_or(Space::Rows, |row| Space::of(row.table)).of_position();
            let last = self.last_applied((&applied, &pending), beside, &key)?;
            let is_new = last.is_none_or(|last| one.position > last);
            fresh.push(is_new);
            if !is_new {
                continue;
            }
            for row in one.rows {
                pending.bytes += row.value.len() + row.key.len() + row.partition.len();
                let key = row_key(row.table as u8, &row.partition, &row.key);
                if Recent::keeps(row.table) {
                    pending.kept.push((row.table, key.clone(), row.value.clone()));
                }
                pending.insert(&self.spaces, Space::of(row.table), key, &row.value);
            }
            pending.insert(&self.spaces, beside, key.clone(), &one.position.to_be_bytes());
            let stream = pending.marks.streams.entry(one.stream.to_owned()).or_default();
            stream.add(one.stream, &one.subject, one.position);
            pending.positions.insert(key, one.position);
            if pending.bytes > MAX_WRITE_BYTES {
                self.write(&mut applied, pending)?;
                pending = self.pending(applied.marks.clone());
            }
        }
        if !pending.positions.is_empty() {
            self.write(&mut applied, pending)?;
        }
        Ok(fresh)
    }

    async fn get(&self, table: Table, partition: &[u8], key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        let key = row_key(table as u8, partition, key);
        let find = || Ok(self.spaces.of(table).get(&key).map_err(|e| engine_error(&e))?.map(to_bytes));
        if Recent::keeps(table) { self.recent.get_or_find(&key, find) } else { find() }
    }

    async fn range(
        &self,
        table: Table,
        partition: &[u8],
        from: &[u8],
        to: &[u8],
        limit: usize,
    ) -> Result<Page, StoreError> {
        let start = prefix(table as u8, partition);
        let skip = start.len();
        let last = if to.is_empty() { behind(start) } else { row_key(table as u8, partition, to) };
        let (rows, more) = self.collect(table, row_key(table as u8, partition, from), last, limit, false)?;
        Ok(Page { rows: rows.into_iter().map(|(k, v)| (k.slice(skip..), v)).collect(), more })
    }

    async fn range_back(
        &self,
        table: Table,
        partition: &[u8],
        before: &[u8],
        limit: usize,
    ) -> Result<Page, StoreError> {
        let start = prefix(table as u8, partition);
        let skip = start.len();
        let last = if before.is_empty() { behind(start.clone()) } else { row_key(table as u8, partition, before) };
        let (rows, more) = self.collect(table, start, last, limit, true)?;
        Ok(Page { rows: rows.into_iter().map(|(k, v)| (k.slice(skip..), v)).collect(), more })
    }

    async fn once(&self, key: &[u8], until: i64, now: i64) -> Result<bool, StoreError> {
        self.once.first(key, until, now).await
    }

    async fn sync(&self) -> Result<(), StoreError> {
        self.syncer.check()?;
        self.db.persist(PersistMode::SyncAll).map_err(|e| engine_error(&e))
    }

    async fn scan(&self, table: Table, after: Option<(Bytes, Bytes)>, limit: usize) -> Result<Vec<Row>, StoreError> {
        let from = match &after {
            Some((partition, key)) => {
                let mut from = row_key(table as u8, partition, key);
                from.push(0);
                from
            }
            None => vec![table as u8],
        };
        let (rows, _) = self.collect(table, from, behind(vec![table as u8]), limit, false)?;
        let row = |(key, value): (Bytes, Bytes)| {
            let (partition, key) =
                split(&key[1..]).ok_or_else(|| StoreError::Damaged("the key of a row".to_owned()))?;
            Ok(Row { table, partition, key, value })
        };
        rows.into_iter().map(row).collect()
    }

    async fn drop_partition(&self, table: Table, partition: &[u8]) -> Result<(), StoreError> {
        self.syncer.check()?;
        let start = prefix(table as u8, partition);
        loop {
            let mut applied = self.applied.lock();
            let mut pending = self.pending(applied.marks.clone());
            pending.touched.add(Space::of(table));
            let mut some = false;
            for row in self.spaces.of(table).range(start.clone()..behind(start.clone())).take(1000) {
                pending.batch.remove(self.spaces.of(table), row.key().map_err(|e| engine_error(&e))?);
                some = true;
            }
            if !some {
                return Ok(());
            }
            self.write(&mut applied, pending)?;
            self.recent.clear();
        }
    }
}
