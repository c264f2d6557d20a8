//! The log in memory.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use async_trait::async_trait;
use parking_lot::Mutex;
use schemas::ids::partition_of;
use schemas::vocab::Topic;
use tokio::sync::watch;

use crate::clock::{Clock, SystemClock};
use crate::ports::log::{Append, Appended, Log, LogError, Record};

const MAX_RECORD: usize = 16 * 1024 * 1024;
const MAX_READ_BYTES: usize = 8 * 1024 * 1024;

#[derive(Default)]
struct State {
    records: HashMap<(Topic, u16), Vec<Record>>,
    time: i64,
}

/// A log that lives as long as the process.
pub struct MemoryLog {
    partitions: u16,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    changed: watch::Sender<()>,
    closed: AtomicBool,
    failing: AtomicBool,
    fail_next: AtomicU32,
    fail_next_reads: AtomicU32,
}

impl Default for MemoryLog {
    fn default() -> Self {
        Self::new(4, Arc::new(SystemClock))
    }
}

impl MemoryLog {
    /// `partitions` for `person` and `access`; the other topics have one.
    pub fn new(partitions: u16, clock: Arc<dyn Clock>) -> Self {
        Self {
            partitions: partitions.max(1),
            clock,
            state: Mutex::new(State { records: HashMap::new(), time: i64::MIN }),
            changed: watch::channel(()).0,
            closed: AtomicBool::new(false),
            failing: AtomicBool::new(false),
            fail_next: AtomicU32::new(0),
            fail_next_reads: AtomicU32::new(0),
        }
    }

    /// The next `count` calls of `append_all` fail with `NotWritable` and append nothing.
    pub fn fail_next_append(&self, count: u32) {
        self.fail_next.store(count, Ordering::SeqCst);
    }

    /// Every append fails until switched off: a log that cannot be written.
    pub fn fail_appends(&self, failing: bool) {
        self.failing.store(failing, Ordering::SeqCst);
    }

    /// The next `count` reads fail.
    pub fn fail_next_read(&self, count: u32) {
        self.fail_next_reads.store(count, Ordering::SeqCst);
    }

    /// From now on appends and waits answer `Closed`.
    pub fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.changed.send_replace(());
    }

    fn check_partition(&self, topic: Topic, partition: u16) -> Result<(), LogError> {
        if partition >= self.partitions(topic) {
            return Err(std::io::Error::other(format!("topic `{topic}` has no partition {partition}")).into());
        }
        Ok(())
    }
}

/// Takes one from a counter of failures to come.
pub(super) fn take(counter: &AtomicU32) -> bool {
    counter.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok()
}

#[async_trait]
impl Log for MemoryLog {
    fn partitions(&self, topic: Topic) -> u16 {
        if matches!(topic, Topic::Person | Topic::Access) { self.partitions } else { 1 }
    }

    async fn append_all(&self, records: Vec<Append>) -> Result<Vec<Appended>, LogError> {
        if let Some(size) = records.iter().map(|r| r.value.len()).find(|size| *size > MAX_RECORD) {
            return Err(LogError::TooLarge { size, limit: MAX_RECORD });
        }
        if self.closed.load(Ordering::SeqCst) {
            return Err(LogError::Closed);
        }
        if self.failing.load(Ordering::SeqCst) || take(&self.fail_next) {
            return Err(LogError::NotWritable("injected".to_owned()));
        }
        let appended = {
            let mut state = self.state.lock();
            let time = self.clock.now().max(state.time);
            state.time = time;
            let mut appended = Vec::with_capacity(records.len());
            for record in records {
                let partition = partition_of(record.shard, self.partitions(record.topic));
                let list = state.records.entry((record.topic, partition)).or_default();
                let offset = list.len() as u64;
                list.push(Record { partition, offset, time, value: record.value });
                appended.push(Appended { partition, offset, time });
            }
            appended
        };
        self.changed.send_replace(());
        Ok(appended)
    }

    async fn read(&self, topic: Topic, partition: u16, offset: u64, max: usize) -> Result<Vec<Record>, LogError> {
        self.check_partition(topic, partition)?;
        if take(&self.fail_next_reads) {
            return Err(std::io::Error::other("injected").into());
        }
        let state = self.state.lock();
        let Some(list) = state.records.get(&(topic, partition)) else { return Ok(Vec::new()) };
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(list.len());
        let mut bytes = 0;
        let records = list[from..].iter().take(max).take_while(|r| {
            let fits = bytes == 0 || bytes + r.value.len() <= MAX_READ_BYTES;
            bytes += r.value.len().max(1);
            fits
        });
        Ok(records.cloned().collect())
    }

    async fn end(&self, topic: Topic, partition: u16) -> Result<u64, LogError> {
        self.check_partition(topic, partition)?;
        Ok(self.state.lock().records.get(&(topic, partition)).map_or(0, |list| list.len() as u64))
    }

    async fn wait_for(&self, topic: Topic, partition: u16, offset: u64) -> Result<(), LogError> {
        let mut changed = self.changed.subscribe();
        loop {
            changed.borrow_and_update();
            if self.end(topic, partition).await? > offset {
                return Ok(());
            }
            if self.closed.load(Ordering::SeqCst) {
                return Err(LogError::Closed);
            }
            changed.changed().await.map_err(|_| LogError::Closed)?;
        }
    }
}
