//! The owner of one partition of topic `access`: reads it in order and writes the lists.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chassis::ports::log::{Log, LogError, Record};
use chassis::ports::store::{Batch, Row, Store, StoreError, Table};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use schemas::access::{AccessHead, AccessList};
use schemas::vocab::Topic;
use tokio::sync::{Notify, watch};

use crate::fold::{Heads, follow_on, read_record, table_row};
use crate::list::{Guard, ListError, list_name};
use crate::recent::Recent;

/// Records numbered together: those of one list share one head.
const GATHERED: usize = 4096;
/// Rows of lists that go to the tables at once, about. Whoever writes something else there waits for no more than these.
const WRITE: usize = 512;
/// How long new entries gather before they are numbered, unless a reader of a list waits. Work for lists gives way to requests:
/// without the pause each request would cost a write of its own, and at a database two. Below the 2 s that a reader of the list waits
/// where another process numbers, and far below the 60 s within which an entry must be readable.
const GATHER: Duration = Duration::from_millis(500);
/// Between writes, so that a backlog does not take a core from the requests.
const BREATH: Duration = Duration::from_millis(2);
/// Partitions that a rebuild numbers at once.
const AT_ONCE: usize = 8;
/// After an error that may pass.
const RETRY: Duration = Duration::from_millis(500);
/// Stream name of the batches.
const STREAM: &str = "access";

/// How far a partition is numbered, and a way to hurry.
#[derive(Clone)]
pub(crate) struct Progress {
    pub(crate) next: watch::Receiver<u64>,
    pub(crate) hurry: Arc<Notify>,
}

pub(crate) struct Follower {
    log: Arc<dyn Log>,
    store: Arc<dyn Store>,
    guard: Guard,
    partition: u16,
    next: u64,
    recent: Recent,
    heads: Heads,
    told: watch::Sender<u64>,
    hurry: Arc<Notify>,
}

impl Follower {
    /// Goes on where the checkpoint stands; the ids before it are read again, for duplicates.
    pub(crate) async fn open(
        log: Arc<dyn Log>,
        store: Arc<dyn Store>,
        guard: Guard,
        partition: u16,
    ) -> Result<Self, ListError> {
        let next = read_checkpoint(&*store, partition).await?;
        let recent = recent_before(&*log, partition, next).await?;
        let (told, hurry) = (watch::channel(next).0, Arc::new(Notify::new()));
        Ok(Self { log, store, guard, partition, next, recent, heads: Heads::default(), told, hurry })
    }

    pub(crate) fn progress(&self) -> Progress {
        Progress { next: self.told.subscribe(), hurry: self.hurry.clone() }
    }

    pub(crate) async fn run(mut self) {
        let mut failed = false;
        loop {
            // INVARIANT: after a failure nothing is numbered before the tables were read again. The ids of what was not written would
            // make duplicates of its second reading, and the entries would stand in no list.
            let turn = if failed { self.start_again().await } else { self.turn().await };
            failed = match turn {
                Ok(()) => false,
                Err(ListError::Log(LogError::Closed)) => return,
                Err(error) if may_pass(&error) => {
                    tracing::warn!(partition = self.partition, %error, "access lists could not be written, trying again");
                    tokio::time::sleep(RETRY).await;
                    true
                }
                Err(error) => {
                    tracing::error!(partition = self.partition, %error, "numbering of access lists stopped");
                    return;
                }
            };
        }
    }

    async fn turn(&mut self) -> Result<(), ListError> {
        if self.step(BREATH).await? == 0 {
            self.log.wait_for(Topic::Access, self.partition, self.next).await?;
            let _ = tokio::time::timeout(GATHER, self.hurry.notified()).await;
        }
        Ok(())
    }

    /// Forgets what is only in memory: after a failed write it may be ahead of the tables.
    async fn start_again(&mut self) -> Result<(), ListError> {
        self.heads = Heads::default();
        let next = read_checkpoint(&*self.store, self.partition).await?;
        self.recent = recent_before(&*self.log, self.partition, next).await?;
        self.next = next;
        Ok(())
    }

    /// Numbers the next records, with a pause after each write; how many there were.
    pub(crate) async fn step(&mut self, pause: Duration) -> Result<usize, ListError> {
        let records = self.log.read(Topic::Access, self.partition, self.next, GATHERED).await?;
        let Some(last) = records.last() else { return Ok(0) };
        let next = last.offset + 1;
        let (batches, heads) = self.number(&records).await?;
        // After a crash between two writes the heads say which lists have their rows: those behind are numbered then.
        for write in writes(batches) {
            if self.store.apply(write).await?.contains(&false) {
                return Err(ListError::Diverged);
            }
            tokio::time::sleep(pause).await;
        }
        // Unlike a list's this may be old after a crash: a list's head says what it has.
        self.store.apply(vec![self.checkpoint(next)]).await?;
        heads.into_iter().for_each(|(list, head)| self.heads.put(list, head));
        self.heads.trim();
        self.next = next;
        self.told.send_replace(next);
        Ok(records.len())
    }

    /// One batch for each list that the records touch, and the heads after them.
    async fn number(&mut self, records: &[Record]) -> Result<(Vec<Batch>, HashMap<AccessList, AccessHead>), ListError> {
        let mut heads: HashMap<AccessList, AccessHead> = HashMap::new();
        let mut rows: HashMap<AccessList, Vec<Row>> = HashMap::new();
        for record in records {
            let entry = read_record(record)?;
            if self.recent.push(entry.id) {
                continue;
            }
            let list = entry.list.clone();
            let head = match heads.get(&list) {
                Some(head) => Some(*head),
                None => self.heads.of(&*self.store, &self.guard, &list).await?,
            };
            if head.is_some_and(|h| record.offset < h.next_offset) {
                continue;
            }
            let (row, head) = follow_on(head.as_ref(), record, entry);
            rows.entry(list.clone()).or_default().push(table_row(&self.guard, &row));
            heads.insert(list, head);
        }
        let batch = |(list, mut rows): (AccessList, Vec<Row>)| {
            let head = heads[&list];
            rows.push(self.guard.head_row(&list, &head));
            Batch { subject: list_name(&list).into(), stream: STREAM, position: head.next_offset - 1, rows }
        };
        Ok((rows.into_iter().map(batch).collect(), heads.clone()))
    }

    fn checkpoint(&self, next: u64) -> Batch {
        let key = checkpoint_key(self.partition);
        let value = next.to_be_bytes().to_vec().into();
        let row = Row { table: Table::Checkpoint, partition: CHECKPOINT.into(), key: key.clone().into(), value };
        let subject = [b"checkpoint ", &key[..]].concat().into();
        Batch { subject, stream: STREAM, position: next - 1, rows: vec![row] }
    }
}

/// Batches in groups of about [`WRITE`] rows.
fn writes(batches: Vec<Batch>) -> Vec<Vec<Batch>> {
    let (mut writes, mut write, mut rows) = (Vec::new(), Vec::new(), 0);
    for batch in batches {
        rows += batch.rows.len();
        write.push(batch);
        if rows >= WRITE {
            rows = 0;
            writes.push(std::mem::take(&mut write));
        }
    }
    writes.push(write);
    writes
}

/// Damage does not pass: it ends the numbering of this partition, and the role is no longer ready.
fn may_pass(error: &ListError) -> bool {
    matches!(
        error,
        // Another process numbers the same entries, in the same way: its heads are read and it goes on from there.
        ListError::Diverged
            | ListError::Log(LogError::Io(_))
            | ListError::Store(StoreError::NotWritable(_) | StoreError::Io(_))
            | ListError::Keys(_)
    )
}

/// Partition of [`Table::Checkpoint`].
const CHECKPOINT: &[u8] = b"ledger";

fn checkpoint_key(partition: u16) -> Vec<u8> {
    [Topic::Access.as_str().as_bytes(), b"/", &partition.to_be_bytes()].concat()
}

/// First offset that may not be in the lists yet.
pub async fn read_checkpoint(store: &dyn Store, partition: u16) -> Result<u64, ListError> {
    let value = store.get(Table::Checkpoint, CHECKPOINT, &checkpoint_key(partition)).await?;
    Ok(value.and_then(|v| v.as_ref().try_into().ok()).map_or(0, u64::from_be_bytes))
}

async fn recent_before(log: &dyn Log, partition: u16, next: u64) -> Result<Recent, ListError> {
    let mut recent = Recent::default();
    let mut at = Recent::first_offset(next);
    while at < next {
        let max = usize::try_from(next - at).unwrap_or(usize::MAX).min(4096);
        let records = log.read(Topic::Access, partition, at, max).await?;
        let Some(last) = records.last() else { break };
        at = last.offset + 1;
        for record in &records {
            recent.push(read_record(record)?.id);
        }
    }
    Ok(recent)
}

/// Fills the access lists of `store` from the log up to its present end, for `kiroku rebuild`. `progress` is called with the
/// number of records read so far. Returns that number.
pub async fn replay_lists(
    deps: &crate::ListDeps,
    store: Arc<dyn Store>,
    progress: &mut (dyn FnMut(u64) + Send),
) -> Result<u64, ListError> {
    let guard = Guard::new(&*deps.keys).await?;
    let lists = (0..deps.log.partitions(Topic::Access)).map(async |partition| {
        let mut follower = Follower::open(deps.log.clone(), store.clone(), guard.clone(), partition).await?;
        let mut read = 0;
        loop {
            match follower.step(Duration::ZERO).await? {
                0 => return Ok::<_, ListError>(read),
                count => read += count as u64,
            }
        }
    });
    let (mut lists, mut read) = (stream::iter(lists).buffer_unordered(AT_ONCE), 0);
    while let Some(count) = lists.try_next().await? {
        read += count;
        progress(read);
    }
    drop(lists);
    store.sync().await?;
    Ok(read)
}
