//! The way of verdicts: from a projector to the edge where a client waits for one. Within a process by a table of waiters, between
//! processes by topic `verdict`, in the partition that the edge named in the envelope.
//!
//! Within a process the submission goes the other way here, as the edge had it before it sealed it: the projector need not open it.
//!
//! A verdict that gets lost on its way costs a client a second, nothing else: the outcome is durable and in the tables before its
//! verdict sets out, and who waits looks there.

mod wait;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use prometheus::IntGauge;
use schemas::ids::SHARDS;
use schemas::search::ParamValue;
use schemas::submission::{Submission, Verdict, VerdictRecord};
use schemas::vocab::Topic;
use schemas::{SubmissionId, codec};
use tokio::sync::oneshot;

pub use self::wait::Wait;
use crate::crypto;
use crate::ledger::PendingEntry;
use crate::ports::keys::{Keys, KeysError, PlatformKey, Secret};
use crate::ports::log::{Append, Log, LogError, Record};
use crate::telemetry::metrics;

/// Records of topic `verdict` read at once.
const READ: usize = 1024;
/// After a failure to read.
const RETRY: Duration = Duration::from_millis(500);

/// A verdict and where it is waited for.
#[derive(Clone, Debug)]
pub struct Told {
    /// Partition of topic `verdict`, as the submission's record named it.
    pub reply_to: u16,
    pub submission: SubmissionId,
    pub verdict: Verdict,
}

/// A submission as it was before it was sealed.
pub struct Opened {
    pub submission: Arc<Submission>,
    /// Search values of the body of each change; empty where nobody has taken them out yet.
    pub search: Vec<Vec<ParamValue>>,
    /// Its id is random and this is its first record: nothing on the shelf comes from it yet, neither a verdict nor an item.
    pub is_fresh: bool,
    /// The entry of its writing, to become durable with its outcome.
    pub entry: Option<PendingEntry>,
}

/// Who waits for one submission: several, where a retry came while the first try is still open.
#[derive(Default)]
struct Waiters {
    senders: Vec<oneshot::Sender<Verdict>>,
    /// What was appended to the log, and what it holds.
    opened: Option<(Bytes, Opened)>,
}

/// Submissions of this process whose verdict is waited for.
static OPEN: LazyLock<IntGauge> = LazyLock::new(|| metrics::queue_depth("verdicts"));

/// Waiters of this process by submission.
#[derive(Default)]
pub struct Verdicts {
    waiting: Mutex<HashMap<SubmissionId, Waiters>>,
    /// Absent where no other process can wait.
    post: Option<Post>,
}

/// The way to other processes.
struct Post {
    log: Arc<dyn Log>,
    key: Secret,
    address: u16,
}

impl Verdicts {
    /// For a process among others: it waits in one of the partitions of topic `verdict`. Edges that chose the same one read each
    /// other's verdicts and pass them over.
    pub async fn among_others(log: Arc<dyn Log>, keys: &dyn Keys) -> Result<Self, KeysError> {
        let key = keys.platform_key(PlatformKey::Verdict).await?;
        let mut random = [0; 2];
        schemas::random::fill(&mut random);
        let address = u16::from_be_bytes(random) % log.partitions(Topic::Verdict).max(1);
        Ok(Self { waiting: Mutex::default(), post: Some(Post { log, key, address }) })
    }

    /// What a submission names as the place where its verdict is waited for.
    pub fn address(&self) -> u16 {
        self.post.as_ref().map_or(0, |post| post.address)
    }

    /// Whether what is appended in this process is also decided in it.
    pub fn hands_over(&self) -> bool {
        self.post.is_none()
    }

    /// Call before the append, so that no verdict is missed. `opened`: the record's value and what it holds, for [`Verdicts::opened`].
    pub fn wait_for(&self, submission: SubmissionId, opened: Option<(Bytes, Opened)>) -> Wait<'_> {
        let (sender, receiver) = oneshot::channel();
        let mut waiting = self.waiting.lock();
        let waiters = waiting.entry(submission).or_default();
        waiters.senders.push(sender);
        waiters.opened = opened.filter(|_| self.hands_over());
        OPEN.inc();
        Wait { verdicts: self, submission, receiver }
    }

    /// What a record of the log holds, if its edge waits here. INVARIANT: the record is, byte for byte, the one that was appended.
    pub fn opened(&self, submission: SubmissionId, record: &Bytes) -> Option<Opened> {
        let mut waiting = self.waiting.lock();
        let (_, opened) = waiting.get_mut(&submission)?.opened.take_if(|(appended, _)| appended == record)?;
        forget_if_done(waiting.entry(submission));
        Some(opened)
    }

    /// The record that was to be appended was not: nobody will ask what it holds.
    pub fn not_appended(&self, submission: SubmissionId) {
        if let Some(waiters) = self.waiting.lock().get_mut(&submission) {
            waiters.opened = None;
        }
    }

    /// Gives verdicts to all that wait for them here, and sends to where they are waited for those that nobody waited for here or
    /// that name another place: a retry may wait here for what another process submitted.
    pub async fn give_all(&self, verdicts: Vec<Told>) {
        let address = self.address();
        let is_done = |told: &Told| self.give(told.submission, &told.verdict) && told.reply_to == address;
        let absent: Vec<Told> = verdicts.into_iter().filter(|told| !is_done(told)).collect();
        let Some(post) = self.post.as_ref().filter(|_| !absent.is_empty()) else { return };
        let records = absent.iter().map(|told| post.record(told)).collect();
        if let Err(error) = post.log.append_all(records).await {
            tracing::warn!(%error, verdicts = absent.len(), "verdicts could not be sent; their clients ask by URL");
        }
    }

    /// The log takes no outcome: whoever waits here is told at once that no verdict comes. What is handed over stays, for the log may
    /// take it later. Between processes a verdict may come from another.
    pub fn give_up(&self) {
        if self.hands_over() {
            self.waiting.lock().retain(|_, waiters| {
                waiters.senders.clear();
                waiters.opened.is_some()
            });
        }
    }

    /// Whether somebody waited here.
    fn give(&self, submission: SubmissionId, verdict: &Verdict) -> bool {
        let waiters = self.waiting.lock().remove(&submission).unwrap_or_default();
        // A waiter that gave up (its client left) is no concern of ours.
        waiters.senders.into_iter().fold(false, |_, waiter| {
            let _gone = waiter.send(verdict.clone());
            true
        })
    }

    /// Reads the verdicts that others send here, from now on, until the log closes. Returns at once where there are no others.
    pub async fn follow(self: Arc<Self>) {
        let Some(post) = &self.post else { return };
        let mut next = None;
        loop {
            match self.step(post, &mut next).await {
                Ok(()) => {}
                Err(LogError::Closed) => return,
                Err(error) => {
                    tracing::warn!(%error, "verdicts cannot be read, trying again");
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }

    async fn step(&self, post: &Post, next: &mut Option<u64>) -> Result<(), LogError> {
        let at = match *next {
            Some(at) => at,
            None => post.log.end(Topic::Verdict, post.address).await?,
        };
        *next = Some(at);
        post.log.wait_for(Topic::Verdict, post.address, at).await?;
        let records = post.log.read(Topic::Verdict, post.address, at, READ).await?;
        for record in &records {
            match post.open(record) {
                Some((submission, verdict)) => {
                    self.give(submission, &verdict);
                }
                None => tracing::error!(offset = record.offset, "a verdict does not read; its client asks by URL"),
            }
        }
        *next = Some(at + records.len() as u64);
        Ok(())
    }
}

fn forget_if_done(waiters: Entry<'_, SubmissionId, Waiters>) {
    if let Entry::Occupied(waiters) = waiters
        && waiters.get().senders.is_empty()
        && waiters.get().opened.is_none()
    {
        waiters.remove();
    }
}

impl Post {
    fn record(&self, told: &Told) -> Append {
        let sealed = crypto::seal(&self.key, &told.submission.0, &codec::encode(&told.verdict));
        let value = Bytes::from(codec::encode(&VerdictRecord { submission: told.submission, sealed }));
        let partitions = self.log.partitions(Topic::Verdict).max(1);
        Append { topic: Topic::Verdict, shard: first_shard(told.reply_to % partitions, partitions), value }
    }

    fn open(&self, record: &Record) -> Option<(SubmissionId, Verdict)> {
        let record: VerdictRecord = codec::decode("verdict", &record.value).ok()?;
        let plain = crypto::open(&self.key, &record.submission.0, &record.sealed).ok()?;
        Some((record.submission, codec::decode("verdict", &plain).ok()?))
    }
}

/// The first shard of a partition, also where the number of partitions does not divide that of shards.
fn first_shard(partition: u16, partitions: u16) -> u16 {
    (u32::from(partition) * u32::from(SHARDS)).div_ceil(u32::from(partitions)) as u16
}

#[cfg(test)]
mod tests {
    use schemas::ids::partition_of;
    use schemas::submission::{Author, Command};

    use super::*;
    use crate::twins::{MemoryKeys, MemoryLog};

    #[test]
    fn a_verdict_goes_to_the_partition_that_was_named_however_many_there_are() {
        for partitions in 1..200 {
            (0..partitions).for_each(|p| assert_eq!(partition_of(first_shard(p, partitions), partitions), p));
        }
    }

    #[tokio::test]
    async fn a_retry_that_waits_here_does_not_keep_the_verdict_from_the_process_that_submitted() {
        let (log, keys) = (Arc::new(MemoryLog::default()), MemoryKeys::default());
        let here = Verdicts::among_others(log.clone(), &keys).await.unwrap();
        let there = Arc::new(Verdicts::among_others(log, &keys).await.unwrap());
        let id = SubmissionId([7; 16]);
        let (retry, first) = (here.wait_for(id, None), there.wait_for(id, None));
        let told = Told { reply_to: here.address() + 1, submission: id, verdict: Verdict::KeyReused };
        let post = there.post.as_ref().unwrap();
        let mut next = Some(post.log.end(Topic::Verdict, post.address).await.unwrap());
        here.give_all(vec![told]).await;
        there.step(post, &mut next).await.unwrap();
        assert_eq!((retry.await.unwrap(), first.await.unwrap()), (Verdict::KeyReused, Verdict::KeyReused));
    }

    fn opened(id: SubmissionId) -> Opened {
        let author = Author {
            client: "c".into(),
            organisation: "o".into(),
            practitioner: None,
            purpose: schemas::Purpose::Recordmgt,
            is_person: false,
        };
        let command = Command::CloseVisit { visit: schemas::LocalId([0; 10]) };
        let (policy_revision, request_hash, trace) = Default::default();
        let pid = schemas::Pid::random();
        let submission = Submission { id, pid, author, policy_revision, request_hash, command, trace };
        Opened { submission: Arc::new(submission), search: Vec::new(), is_fresh: true, entry: None }
    }

    #[tokio::test]
    async fn a_submission_is_handed_over_once_for_the_very_record_that_was_appended_also_when_its_client_is_gone() {
        let verdicts = Verdicts::default();
        let (id, record) = (SubmissionId([7; 16]), Bytes::from_static(b"as appended"));
        let wait = verdicts.wait_for(id, Some((record.clone(), opened(id))));
        assert!(verdicts.opened(id, &Bytes::from_static(b"another")).is_none());
        assert!(verdicts.opened(SubmissionId([8; 16]), &record).is_none());
        assert_eq!(verdicts.opened(id, &record).unwrap().submission.id, id);
        assert!(verdicts.opened(id, &record).is_none());
        let retry = verdicts.wait_for(id, None);
        drop(wait);
        assert_eq!(verdicts.waiting.lock().len(), 1, "the retry still waits");
        drop(retry);
        assert!(verdicts.waiting.lock().is_empty(), "nobody waits and nothing is left to hand over");
        drop(verdicts.wait_for(id, Some((record.clone(), opened(id)))));
        assert!(verdicts.opened(id, &record).is_some(), "its entry is made all the same");
        assert!(verdicts.waiting.lock().is_empty());
        let wait = verdicts.wait_for(id, Some((record.clone(), opened(id))));
        verdicts.not_appended(id);
        drop(wait);
        assert!(verdicts.waiting.lock().is_empty(), "what never came into the log is not kept");
        let wait = verdicts.wait_for(id, Some((record.clone(), opened(id))));
        verdicts.give_up();
        assert!(wait.await.is_err(), "told at once that no verdict comes");
        assert!(verdicts.opened(id, &record).is_some(), "the log may take its outcome later");
        assert!(verdicts.waiting.lock().is_empty());
        let others = Verdicts::among_others(Arc::new(MemoryLog::default()), &MemoryKeys::default()).await.unwrap();
        let _wait = others.wait_for(id, Some((record.clone(), opened(id))));
        assert!(others.opened(id, &record).is_none(), "where others may decide, the log alone says what was submitted");
    }
}
