//! Port `store`: rows of one person in one partition, applied in one piece, ranged in key order.

use async_trait::async_trait;
use bytes::Bytes;

/// The tables. A generation (a rebuild, a new row format) holds a full set of its own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Table {
    /// (pid) -> position, sealed person state.
    State,
    /// (pid; type, local) -> sealed header of the newest version.
    Header,
    /// (pid; type, local, version) -> sealed header.
    Version,
    /// (pid, bucket; type, local, version, chunk) -> sealed part of a body.
    Body,
    /// (pid; submission) -> sealed outcome.
    Verdict,
    /// (submission) -> pid, for `GET /submissions/{id}`.
    Submission,
    /// (list, year; person_seq) -> sealed access row. Written by the ledger's owner only.
    Access,
    /// (list) -> count and chain head.
    AccessHead,
    /// (identifier hash) -> pid: the person index.
    PersonIndex,
    /// (type, identifier hash) -> local: the commons index.
    CommonsIndex,
    /// (submission) -> the sealed request in quarantine; (identifier hash; submission) -> nothing.
    Quarantine,
    /// (topic, partition) -> next offset to project: a lower bound, written later than the rows.
    Checkpoint,
    /// Counters for `check`.
    Meta,
}

impl Table {
    pub const ALL: [Table; 13] = [
        Self::State,
        Self::Header,
        Self::Version,
        Self::Body,
        Self::Verdict,
        Self::Submission,
        Self::Access,
        Self::AccessHead,
        Self::PersonIndex,
        Self::CommonsIndex,
        Self::Quarantine,
        Self::Checkpoint,
        Self::Meta,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Header => "header",
            Self::Version => "version",
            Self::Body => "body",
            Self::Verdict => "verdict",
            Self::Submission => "submission",
            Self::Access => "access",
            Self::AccessHead => "access_head",
            Self::PersonIndex => "person_index",
            Self::CommonsIndex => "commons_index",
            Self::Quarantine => "quarantine",
            Self::Checkpoint => "checkpoint",
            Self::Meta => "meta",
        }
    }
}

/// One row to write. Rows are added or replaced, never removed (erasure and expiry excepted, which have their own calls).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub table: Table,
    pub partition: Bytes,
    pub key: Bytes,
    pub value: Bytes,
}

/// All rows that one record of the log makes for one person (or one list).
#[derive(Clone, Debug)]
pub struct Batch {
    /// What the batch is about: the pid, or the name of a list. Positions are compared within one subject and stream.
    pub subject: Bytes,
    /// Which stream of positions: `person`, `access`, ... (a topic's name).
    pub stream: &'static str,
    /// Offset of the record in its partition.
    pub position: u64,
    pub rows: Vec<Row>,
}

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the store cannot be written: {0}")]
    NotWritable(String),
    #[error("the store is damaged: {0}")]
    Damaged(String),
    #[error("input or output of the store failed: {0}")]
    Io(String),
    #[error("generation {0} does not exist")]
    NoGeneration(u32),
}

/// What a range returned.
#[derive(Clone, Debug, Default)]
pub struct Page {
    pub rows: Vec<(Bytes, Bytes)>,
    /// There are more rows behind the last one.
    pub more: bool,
}

/// The tables of one generation.
///
/// Contract (tests/ports): a batch is applied whole or not at all; a batch at or below the last position applied for its
/// subject and stream changes nothing (`false` is returned); batches of one subject come in order; a range returns keys in byte
/// order; rows may be lost by a crash only from the end of the order in which batches were applied (the log replays them).
#[async_trait]
pub trait Store: Send + Sync {
    /// Applies batches in order; for each, whether it was new. Batches of one call may be written together.
    async fn apply(&self, batches: Vec<Batch>) -> Result<Vec<bool>, StoreError>;

    async fn get(&self, table: Table, partition: &[u8], key: &[u8]) -> Result<Option<Bytes>, StoreError>;

    /// Rows of one partition with `from <= key < to` (empty `to`: to the end), at most `limit`, ascending.
    async fn range(
        &self,
        table: Table,
        partition: &[u8],
        from: &[u8],
        to: &[u8],
        limit: usize,
    ) -> Result<Page, StoreError>;

    /// The last `limit` rows of a partition with key < `before` (empty: from the end), descending.
    async fn range_back(&self, table: Table, partition: &[u8], before: &[u8], limit: usize)
    -> Result<Page, StoreError>;

    /// True for the first caller with this key until `until` (milliseconds since 1970); durable before it returns, shared by
    /// all generations.
    async fn once(&self, key: &[u8], until: i64, now: i64) -> Result<bool, StoreError>;

    /// Makes all that was applied so far survive a crash.
    async fn sync(&self) -> Result<(), StoreError>;

    /// Every row of a table, for `check` and `rebuild`; from behind `after` (partition, key). The rows of a partition come
    /// together, in key order; the order of partitions is the engine's own, the same at each scan of each generation (of a
    /// table that is only read by the whole key, the order of rows is).
    async fn scan(&self, table: Table, after: Option<(Bytes, Bytes)>, limit: usize) -> Result<Vec<Row>, StoreError>;

    /// Removes a whole partition of a table (expiry of a year of accesses; erasure).
    async fn drop_partition(&self, table: Table, partition: &[u8]) -> Result<(), StoreError>;
}

/// The generations of the tables.
#[async_trait]
pub trait Generations: Send + Sync {
    /// The generation that serves.
    fn live(&self) -> u32;
    /// Opens (or makes) the tables of a generation.
    async fn open(&self, generation: u32) -> Result<std::sync::Arc<dyn Store>, StoreError>;
    /// Makes `generation` the one that serves, durably.
    async fn switch(&self, generation: u32) -> Result<(), StoreError>;
    /// The generations that have tables, ascending; also those that an interrupted command left behind.
    async fn list(&self) -> Result<Vec<u32>, StoreError>;
    /// Removes the tables of a generation that does not serve.
    async fn remove(&self, generation: u32) -> Result<(), StoreError>;
}
