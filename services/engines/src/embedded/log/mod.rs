//! The embedded log: one physical log for all topics, checksummed, hash-chained, with group commit and no writer thread.
//!
//! Layout and promises: `services/engines/README.md`. The sync runs in the leader's task and blocks its worker for one sync; it
//! can move to a thread behind the same trait.

mod files;
mod frame;
mod keeper;
mod queue;
mod reader;
mod recover;
mod scan;
mod scrub;
mod shared;
mod snapshot;
mod view;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread::JoinHandle;

use async_trait::async_trait;
use chassis::clock::{Clock, SystemClock};
use chassis::ports::log::{Append, Appended, Log, LogError, Record};
use parking_lot::Mutex;
use schemas::vocab::Topic;
use tokio::runtime::{Handle, RuntimeFlavor};

pub use self::files::Head;
use self::files::{EndMarker, Identity, end_path};
use self::reader::{MAX_READ_BYTES, Wanted, read_records};
pub use self::scrub::Scrub;
use self::shared::{Leading, Parts, Shared, lead};
pub use self::snapshot::SegmentInfo;
use crate::carry::Carried;
use crate::embedded::disk::{Disk, RealDisk};
use crate::embedded::error::{At, EngineError};

/// Settings of the log.
#[derive(Clone)]
pub struct LogConfig {
    pub folder: PathBuf,
    /// Partitions of `person` and `access`; read only when the log is made, then fixed for ever.
    pub partitions: u16,
    /// Bytes of a segment file.
    pub segment_bytes: u64,
    /// Bytes of newest records kept in memory.
    pub tail_bytes: usize,
    pub disk: Arc<dyn Disk>,
    pub clock: Arc<dyn Clock>,
}

impl LogConfig {
    /// The defaults for `folder`: 2 partitions, segments and tail of 64 MiB.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            partitions: 2,
            segment_bytes: 64 * 1024 * 1024,
            tail_bytes: 64 * 1024 * 1024,
            disk: Arc::new(RealDisk),
            clock: Arc::new(SystemClock),
        }
    }
}

/// The log in a folder. One process may have it open (held by the lock of the data folder).
pub struct EmbeddedLog {
    shared: Arc<Shared>,
    keeper: Mutex<Option<JoinHandle<()>>>,
}

impl EmbeddedLog {
    /// Opens or makes the log. Refuses if anything acknowledged does not read ([`EngineError::DamagedLog`]).
    pub fn open(config: LogConfig) -> Result<Self, EngineError> {
        let folder = &config.folder;
        std::fs::create_dir_all(folder).at(folder)?;
        let identity = Identity::open_or_create(folder, config.partitions)?;
        let marker = EndMarker::open(folder).at(&end_path(folder))?;
        let found = recover::recover(folder, &identity, &marker, config.segment_bytes, config.tail_bytes)?;
        let head = found.view.head;
        if head.commit > 0 {
            marker.write(&head).and_then(|()| marker.file.sync_all()).at(&end_path(folder))?;
        }
        let parts = Parts {
            folder: config.folder,
            identity,
            disk: config.disk,
            clock: config.clock,
            segment_size: config.segment_bytes,
            marker,
        };
        let shared = Arc::new(Shared::new(parts, found.writer, found.view));
        let (work, todo) = channel();
        *shared.keeper.lock() = Some(work);
        let kept = Arc::clone(&shared);
        let keeper = std::thread::Builder::new().name("log-keeper".into()).spawn(move || keeper::run(&kept, &todo));
        let keeper = keeper.at(&shared.folder)?;
        Ok(Self { shared, keeper: Mutex::new(Some(keeper)) })
    }

    /// The last durable commit.
    pub fn head(&self) -> Head {
        self.shared.view.read().head
    }

    pub fn folder(&self) -> &Path {
        &self.shared.folder
    }

    /// Finishes what is being committed, then refuses; syncs the end marker. May be called again.
    pub fn close(&self) {
        self.shared.close();
        drop(self.shared.keeper.lock().take());
        if let Some(keeper) = self.keeper.lock().take()
            && keeper.join().is_err()
        {
            tracing::warn!("the log's helper thread had panicked");
        }
    }

    /// Appends records under the times that another log has stamped on them; see [`crate::carry::Carrier::carry`].
    pub(super) async fn carry(&self, records: Vec<Carried>) -> Result<Vec<Appended>, LogError> {
        let (records, times) = records.into_iter().map(|carried| (carried.append, carried.time)).unzip();
        self.commit(records, Some(times)).await
    }

    async fn commit(&self, records: Vec<Append>, times: Option<Vec<i64>>) -> Result<Vec<Appended>, LogError> {
        records.iter().try_for_each(|record| self.check(record))?;
        if records.is_empty() {
            return Ok(Vec::new());
        }
        self.wait_for_commit(records, times).await
    }

    /// Whether `record` fits and has a place.
    fn check(&self, record: &Append) -> Result<(), LogError> {
        let size = record.value.len();
        if size > frame::MAX_RECORD {
            return Err(LogError::TooLarge { size, limit: frame::MAX_RECORD });
        }
        let partition = schemas::ids::partition_of(record.shard, self.partitions(record.topic));
        self.slot(record.topic, partition).map(drop)
    }

    async fn wait_for_commit(&self, records: Vec<Append>, times: Option<Vec<i64>>) -> Result<Vec<Appended>, LogError> {
        let (waiting, must_lead) = self.shared.enqueue(records, times)?;
        match Handle::try_current() {
            // A thread that serves requests commits between them, so that many share a commit.
            Ok(runtime) if runtime.runtime_flavor() == RuntimeFlavor::CurrentThread => {
                if must_lead {
                    drop(runtime.spawn(lead(Leading(Arc::clone(&self.shared)))));
                }
            }
            // Nobody else waits for this thread, and those whose leader is busy come along.
            _ => self.shared.commit_now(must_lead),
        }
        waiting.await.unwrap_or(Err(LogError::Closed))
    }

    fn slot(&self, topic: Topic, partition: u16) -> Result<usize, LogError> {
        self.shared
            .identity
            .slot(topic as u8, partition)
            .ok_or_else(|| LogError::Io(std::io::Error::other(format!("topic `{topic}` has no partition {partition}"))))
    }
}

impl Drop for EmbeddedLog {
    fn drop(&mut self) {
        self.close();
    }
}

#[async_trait]
impl Log for EmbeddedLog {
    fn partitions(&self, topic: Topic) -> u16 {
        self.shared.identity.partitions.get(topic as usize).copied().unwrap_or(0)
    }

    async fn append_all(&self, records: Vec<Append>) -> Result<Vec<Appended>, LogError> {
        self.commit(records, None).await
    }

    async fn append_early(&self, record: Append) -> Result<(), LogError> {
        self.check(&record)?;
        match self.shared.append_early(record)? {
            Ok(()) => Ok(()),
            Err(too_many_wait) => self.commit(vec![too_many_wait], None).await.map(drop),
        }
    }

    async fn settle(&self) -> Result<(), LogError> {
        self.wait_for_commit(Vec::new(), None).await.map(drop)
    }

    async fn read(&self, topic: Topic, partition: u16, offset: u64, max: usize) -> Result<Vec<Record>, LogError> {
        let slot = self.slot(topic, partition)?;
        let wanted = {
            let view = self.shared.view.read();
            if offset >= view.end(slot) || max == 0 {
                return Ok(Vec::new());
            }
            if let Some(records) = view.read_tail(slot, offset, max, MAX_READ_BYTES) {
                return Ok(records);
            }
            Wanted {
                folder: self.shared.folder.clone(),
                topic,
                partition,
                offset,
                end: view.written(slot),
                max,
                marks: view.marks_from(slot, offset, max.min(1024) + 1),
                last_segment: view.head.segment,
            }
        };
        match Handle::try_current() {
            Ok(runtime) => {
                let read = runtime.spawn_blocking(move || read_records(&wanted)).await;
                read.map_err(|_| LogError::Closed)?
            }
            Err(_) => read_records(&wanted),
        }
    }

    async fn end(&self, topic: Topic, partition: u16) -> Result<u64, LogError> {
        let slot = self.slot(topic, partition)?;
        Ok(self.shared.view.read().end(slot))
    }

    fn check_writable(&self) -> Result<(), LogError> {
        self.shared.writable()
    }

    async fn wait_for(&self, topic: Topic, partition: u16, offset: u64) -> Result<(), LogError> {
        let slot = self.slot(topic, partition)?;
        self.shared.wait_for(slot, offset).await
    }
}
