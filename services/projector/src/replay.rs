//! Building the tables again from the log, and deciding again only to compare.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use chassis::ports::log::Log;
use chassis::ports::store::Store;
use chassis::shelves::Shelves;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use schemas::submission::{Envelope, EnvelopeKind};
use schemas::vocab::Topic;
use schemas::{SubmissionId, codec};

use crate::policy::Rules;
use crate::records::{checkpoint_row, open_submission, replay_one};
use crate::rows::TICKET;
use crate::work::{States, Work};
use crate::{Deps, ProjectorError, identity, policy};

const READ: usize = 1024;

/// Partitions that are replayed at once: while the tables of one are written, the records of others are opened.
const AT_ONCE: usize = 8;

/// Fills the tables of `store` from the log up to its present end: nothing is decided, nothing is appended.
/// `progress` is called with the number of records read so far.
pub async fn replay(
    deps: &Deps,
    store: Arc<dyn Store>,
    progress: &mut (dyn FnMut(u64) + Send),
) -> Result<u64, ProjectorError> {
    let read = Reading(Mutex::new((0, progress)));
    replay_identity(&*deps.log, &*store, &read).await?;
    replay_partition(deps, &store, (Topic::Commons, 0), &read).await?;
    let partitions = (0..deps.log.partitions(Topic::Person))
        .map(|partition| replay_partition(deps, &store, (Topic::Person, partition), &read));
    stream::iter(partitions).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
    store.sync().await?;
    let (read, _) = read.0.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(read)
}

/// Records read so far, and who is told.
struct Reading<'a>(Mutex<(u64, &'a mut (dyn FnMut(u64) + Send))>);

impl Reading<'_> {
    fn add(&self, records: usize) {
        let mut reading = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        reading.0 += records as u64;
        let read = reading.0;
        (reading.1)(read);
    }
}

async fn replay_identity(log: &dyn Log, store: &dyn Store, read: &Reading<'_>) -> Result<(), ProjectorError> {
    let mut next = 0;
    loop {
        let records = log.read(Topic::Identity, 0, next, READ).await?;
        let Some(last) = records.last() else { return Ok(()) };
        next = last.offset + 1;
        let (batches, _, _) = identity::fold(store, &records).await?;
        store.apply(batches).await?;
        read.add(records.len());
    }
}

async fn replay_partition(
    deps: &Deps,
    store: &Arc<dyn Store>,
    (topic, partition): (Topic, u16),
    read: &Reading<'_>,
) -> Result<(), ProjectorError> {
    let shelves = Shelves::new(store.clone(), deps.keys.clone(), TICKET);
    let mut open: HashMap<SubmissionId, (u64, Envelope)> = HashMap::new();
    let mut closed: HashSet<SubmissionId> = HashSet::new();
    let mut next = 0;
    loop {
        let records = deps.log.read(topic, partition, next, READ).await?;
        let Some(last) = records.last() else { return Ok(()) };
        next = last.offset + 1;
        let mut work = Work::new(&shelves, States::default());
        let mut batches = Vec::new();
        for record in &records {
            let envelope: Envelope = codec::decode("envelope", &record.value)
                .map_err(|source| ProjectorError::Record { topic, offset: record.offset, source })?;
            match envelope.kind {
                // A repeated submission gets no outcome of its own.
                EnvelopeKind::Submission if closed.contains(&envelope.submission) => {}
                EnvelopeKind::Submission => {
                    open.entry(envelope.submission).or_insert((record.offset, envelope));
                }
                EnvelopeKind::Outcome => {
                    // A second outcome finds no open submission: the first one in log order won.
                    let Some((_, submitted)) = open.remove(&envelope.submission) else { continue };
                    closed.insert(envelope.submission);
                    batches.extend(replay_one(&shelves, &mut work, &submitted, &envelope).await?);
                }
            }
        }
        let lower_bound = open.values().map(|(offset, _)| *offset).min().unwrap_or(next);
        if let Some(last) = batches.last_mut() {
            last.rows.push(checkpoint_row(topic, partition, lower_bound));
        }
        store.apply(batches).await?;
        read.add(records.len());
    }
}

/// What deciding again found.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Checked {
    pub submissions: u64,
    pub outcomes: u64,
    /// Submissions without an outcome and without an earlier one of the same id.
    pub open: u64,
    /// Offsets (topic, partition, offset) whose outcome would differ today. Not an error: a corrected rule does not change
    /// the past.
    pub different: Vec<(Topic, u16, u64)>,
    /// Submissions whose keys were destroyed.
    pub erased: u64,
}

/// Decides every submission again under today's rules, in a fresh set of tables (`scratch`), and compares with the log.
pub async fn check_decisions(
    deps: &Deps,
    scratch: Arc<dyn Store>,
    progress: &mut dyn FnMut(u64),
) -> Result<Checked, ProjectorError> {
    let mut checked = Checked::default();
    for topic in [Topic::Commons, Topic::Person] {
        for partition in 0..deps.log.partitions(topic) {
            check_partition(deps, &scratch, (topic, partition), &mut checked, progress).await?;
        }
    }
    Ok(checked)
}

async fn check_partition(
    deps: &Deps,
    scratch: &Arc<dyn Store>,
    (topic, partition): (Topic, u16),
    checked: &mut Checked,
    progress: &mut dyn FnMut(u64),
) -> Result<(), ProjectorError> {
    let shelves = Shelves::new(scratch.clone(), deps.keys.clone(), TICKET);
    let rules = Rules::new(deps.policies.clone());
    let mut open: HashMap<SubmissionId, (u64, i64, Envelope)> = HashMap::new();
    let mut closed: HashSet<SubmissionId> = HashSet::new();
    let mut next = 0;
    loop {
        let records = deps.log.read(topic, partition, next, READ).await?;
        let Some(last) = records.last() else { break };
        next = last.offset + 1;
        for record in &records {
            let envelope: Envelope = codec::decode("envelope", &record.value)
                .map_err(|source| ProjectorError::Record { topic, offset: record.offset, source })?;
            match envelope.kind {
                EnvelopeKind::Submission => {
                    checked.submissions += 1;
                    if !closed.contains(&envelope.submission) {
                        open.entry(envelope.submission).or_insert((record.offset, record.time, envelope));
                    }
                }
                EnvelopeKind::Outcome => {
                    let Some((offset, time, submitted)) = open.remove(&envelope.submission) else { continue };
                    closed.insert(envelope.submission);
                    checked.outcomes += 1;
                    let place = (topic, partition, offset, time);
                    compare_one((&shelves, &rules), place, (&submitted, &envelope), checked).await?;
                }
            }
        }
        progress(checked.submissions);
    }
    checked.open += open.len() as u64;
    Ok(())
}

async fn compare_one(
    (shelves, rules): (&Shelves, &Rules),
    (topic, partition, offset, logged): (Topic, u16, u64, i64),
    (submitted, envelope): (&Envelope, &Envelope),
    checked: &mut Checked,
) -> Result<(), ProjectorError> {
    let mut work = Work::new(shelves, States::default());
    let Some(opened) = open_submission(shelves, submitted, None).await? else {
        checked.erased += 1;
        return Ok(());
    };
    let submission = opened.submission.clone();
    let secret = shelves.header_secret(envelope.pid, schemas::header::Bucket::Long).await?;
    let sealed = Bytes::copy_from_slice(&envelope.sealed);
    let outcome = chassis::envelope::open_verdict(&secret, envelope.submission, &sealed)
        .map_err(|e| chassis::shelves::ShelfError::row(chassis::ports::store::Table::Verdict, e))?;
    let clock = work.state(submission.pid).await?.map_or(0, |s| s.clock);
    let again = policy::decide(rules, &mut work, (&submission, false), clock.max(logged)).await?;
    if again != outcome.result || outcome.time != clock.max(logged) {
        checked.different.push((topic, partition, offset));
    }
    // The past stands: the tables go on from the outcome that the log holds.
    let batch = crate::rows::build_rows(shelves, &mut work, opened, (&outcome, sealed)).await?;
    shelves.store.apply(vec![batch]).await?;
    Ok(())
}
