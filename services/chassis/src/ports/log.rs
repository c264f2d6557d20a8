//! Port `log`: append, read by position, wait. The order within one partition is the only order that is promised.

use async_trait::async_trait;
use bytes::Bytes;
use schemas::ids::partition_of;
use schemas::vocab::Topic;
use tokio::sync::watch;

/// A record to append. The partition follows from `shard`.
#[derive(Clone, Debug)]
pub struct Append {
    pub topic: Topic,
    /// 0 to 4095 ([`schemas::Pid::shard`]); 0 for topics with one partition.
    pub shard: u16,
    pub value: Bytes,
}

/// Where an append came to lie, and the time the log stamped on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    pub partition: u16,
    /// Dense within the partition, from 0.
    pub offset: u64,
    /// Milliseconds since 1970; never smaller than that of the record before it.
    pub time: i64,
}

/// One record as read.
#[derive(Clone, Debug)]
pub struct Record {
    pub partition: u16,
    pub offset: u64,
    pub time: i64,
    pub value: Bytes,
}

#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// Nothing was acknowledged; the same append may be tried again (the reader drops duplicates by id).
    #[error("the log cannot be written: {0}")]
    NotWritable(String),
    #[error("record of {size} bytes is larger than the limit of {limit}")]
    TooLarge { size: usize, limit: usize },
    /// Damage: said, never skipped.
    #[error("the log is damaged in partition {partition} of `{topic}` at offset {offset}: {what}")]
    Damaged { topic: Topic, partition: u16, offset: u64, what: String },
    #[error("input or output of the log failed: {0}")]
    Io(#[from] std::io::Error),
    #[error("the log is closed")]
    Closed,
}

/// The durable log.
///
/// Contract (tests/ports): an append that returned Ok, unless it was an early one, survives power loss; offsets are dense per
/// partition; records of one call lie in its order; a failed append is not acknowledged and may or may not be found later;
/// reading at or behind the end returns an empty list; nothing is promised across partitions.
#[async_trait]
pub trait Log: Send + Sync {
    /// Number of partitions of `topic`, fixed for the life of the log. 1 for `identity`, `commons`, `authority`.
    fn partitions(&self, topic: Topic) -> u16;

    /// Appends all records, durable when it returns. One wait for many records and many callers (group commit).
    async fn append_all(&self, records: Vec<Append>) -> Result<Vec<Appended>, LogError>;

    /// Records from `offset` on, at most `max` (and at most about 8 MiB, but at least one if there is one).
    /// Only durable records are seen, and early ones of this process.
    async fn read(&self, topic: Topic, partition: u16, offset: u64, max: usize) -> Result<Vec<Record>, LogError>;

    /// First offset that [`Log::read`] does not show in the partition.
    async fn end(&self, topic: Topic, partition: u16) -> Result<u64, LogError>;

    /// Returns once the partition shows a record at `offset` (at once if it does already); `Closed` when the log closes.
    async fn wait_for(&self, topic: Topic, partition: u16, offset: u64) -> Result<(), LogError>;

    /// Appends one record.
    async fn append(&self, record: Append) -> Result<Appended, LogError> {
        let all = self.append_all(vec![record]).await?;
        Ok(all[0])
    }

    /// Appends one record that readers in this process may see before it is durable. It becomes durable at the latest with the next
    /// append that returns Ok after it was seen, or with [`Log::settle`]; nobody outside may learn of it earlier.
    async fn append_early(&self, record: Append) -> Result<(), LogError> {
        self.append(record).await.map(drop)
    }

    /// Makes durable what this process appended early.
    async fn settle(&self) -> Result<(), LogError> {
        Ok(())
    }

    /// The partition of `shard` in `topic`.
    fn partition_of(&self, topic: Topic, shard: u16) -> u16 {
        partition_of(shard, self.partitions(topic))
    }

    /// An error while appends are known to fail: the node says that it is not ready.
    fn check_writable(&self) -> Result<(), LogError> {
        Ok(())
    }

    /// How far this process's clock is ahead of the log's, milliseconds (negative: behind), as the newest append showed; 0 where
    /// both may be the same. The embedded log stamps this process's own time: 0.
    fn clock_ahead_ms(&self) -> i64 {
        0
    }

    /// Whether another process may think that it owns the same partition ([`Log::ownership`]).
    fn owners_may_overlap(&self) -> bool {
        false
    }

    /// Partitions of `topic` that this process owns (may project), and each change of that. Two processes may think for a while
    /// that they own the same one. The embedded log: all, for ever.
    fn ownership(&self, topic: Topic) -> watch::Receiver<Vec<u16>> {
        watch::channel((0..self.partitions(topic)).collect()).1
    }
}
