//! The way of verdicts: from a projector to the edge where a client waits for one. Within a process by a table of waiters, between
//! processes by topic `verdict`, in the partition that the edge named in the envelope.
//!
//! A verdict that gets lost on its way costs a client ten seconds and a question by URL, nothing else: the outcome is durable and
//! in the tables before its verdict sets out.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use schemas::ids::SHARDS;
use schemas::submission::{Verdict, VerdictRecord};
use schemas::vocab::Topic;
use schemas::{SubmissionId, codec};
use tokio::sync::oneshot;

use crate::crypto;
use crate::ports::keys::{Keys, KeysError, PlatformKey, Secret};
use crate::ports::log::{Append, Log, LogError, Record};

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

/// Waiters of this process by submission. Several may wait for one submission (a retry while the first try is still open).
#[derive(Default)]
pub struct Verdicts {
    waiting: Mutex<HashMap<SubmissionId, Vec<oneshot::Sender<Verdict>>>>,
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

    /// Call before the append, so that no verdict is missed.
    pub fn wait_for(&self, submission: SubmissionId) -> oneshot::Receiver<Verdict> {
        let (sender, receiver) = oneshot::channel();
        self.waiting.lock().entry(submission).or_default().push(sender);
        receiver
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

    /// Whether somebody waited here.
    fn give(&self, submission: SubmissionId, verdict: &Verdict) -> bool {
        let waiters = self.waiting.lock().remove(&submission).unwrap_or_default();
        // A waiter that gave up (its client left) is no concern of ours.
        waiters.into_iter().fold(false, |_, waiter| {
            let _gone = waiter.send(verdict.clone());
            true
        })
    }

    /// Forgets waiters that gave up.
    pub fn sweep(&self) {
        self.waiting.lock().retain(|_, waiters| {
            waiters.retain(|w| !w.is_closed());
            !waiters.is_empty()
        });
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
        let (retry, first) = (here.wait_for(id), there.wait_for(id));
        let told = Told { reply_to: here.address() + 1, submission: id, verdict: Verdict::KeyReused };
        let post = there.post.as_ref().unwrap();
        let mut next = Some(post.log.end(Topic::Verdict, post.address).await.unwrap());
        here.give_all(vec![told]).await;
        there.step(post, &mut next).await.unwrap();
        assert_eq!((retry.await.unwrap(), first.await.unwrap()), (Verdict::KeyReused, Verdict::KeyReused));
    }
}
