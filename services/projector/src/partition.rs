//! One partition of topic `person` or `commons`, projected live.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use chassis::envelope;
use chassis::http::join_trace;
use chassis::ledger::append_with;
use chassis::ports::log::{Append, LogError, Record};
use chassis::ports::store::Batch;
use chassis::shelves::Shelves;
use chassis::verdicts::{Opened, Told};
use schemas::submission::{Envelope, EnvelopeKind, Outcome, Submission, Verdict};
use schemas::vocab::Topic;
use schemas::{SubmissionId, codec};
use tracing::{Instrument, Span};

use crate::policy::Rules;
use crate::records::{checkpoint_row, open_submission, read_checkpoint, read_verdict, replay_one, unless_erased};
use crate::rows::{TICKET, build_rows};
use crate::work::{States, Work};
use crate::{Deps, ProjectorError, policy};

/// Submissions decided together: one wait for the log, one write to the tables.
const BATCH: usize = 256;
/// Records read at once.
const READ: usize = 1024;

/// After a failure that may pass.
pub(crate) const RETRY: Duration = Duration::from_millis(500);

/// What became of an open submission.
enum Decided {
    /// Its id has an outcome already.
    Before(Outcome),
    /// The outcome, sealed for the log, and the rows that follow from it.
    Now(Outcome, Append, Batch),
}

pub(crate) struct Partition {
    deps: Deps,
    shelves: Shelves,
    rules: Rules,
    /// As the last batch left them.
    states: States,
    topic: Topic,
    partition: u16,
    next: u64,
    /// Submissions whose outcome has not been seen yet, by offset and by id.
    open: std::collections::BTreeMap<u64, (Record, Envelope)>,
    open_ids: HashMap<SubmissionId, u64>,
}

impl Partition {
    pub(crate) async fn open(deps: Deps, topic: Topic, partition: u16) -> Result<Self, ProjectorError> {
        let shelves = Shelves::new(deps.store.clone(), deps.keys.clone(), TICKET);
        let next = read_checkpoint(&*deps.store, topic, partition).await?;
        let (open, open_ids, states) = Default::default();
        let rules = Rules::new(deps.policies.clone());
        Ok(Self { deps, shelves, rules, states, topic, partition, next, open, open_ids })
    }

    pub(crate) async fn run(mut self) {
        self.deps.policies.prepare_thread();
        loop {
            match self.step().await {
                Ok(()) => {}
                Err(ProjectorError::Log(LogError::Closed)) => return,
                Err(error) if error.may_pass() => {
                    tracing::warn!(topic = %self.topic, partition = self.partition, %error, "projection starts again");
                    if matches!(error, ProjectorError::Log(LogError::NotWritable(_))) {
                        self.deps.verdicts.give_up();
                    }
                    tokio::time::sleep(RETRY).await;
                    while let Err(error) = self.start_again().await {
                        tracing::warn!(topic = %self.topic, partition = self.partition, %error, "no checkpoint can be read");
                        tokio::time::sleep(RETRY).await;
                    }
                }
                Err(error) => {
                    tracing::error!(topic = %self.topic, partition = self.partition, %error, "projection stopped");
                    return;
                }
            }
        }
    }

    /// Forgets what is only in memory: after a failure, or beside another process that projects, the log says what holds.
    async fn start_again(&mut self) -> Result<(), ProjectorError> {
        self.states = States::default();
        self.next = read_checkpoint(&*self.deps.store, self.topic, self.partition).await?;
        self.open.clear();
        self.open_ids.clear();
        Ok(())
    }

    /// Reads what is new; at the end of the log decides what is open; with nothing open waits.
    async fn step(&mut self) -> Result<(), ProjectorError> {
        let records = self.deps.log.read(self.topic, self.partition, self.next, READ).await?;
        if records.is_empty() {
            if self.open.is_empty() {
                self.deps.log.wait_for(self.topic, self.partition, self.next).await?;
                return Ok(());
            }
            return self.decide_open().await;
        }
        let mut outcomes = Vec::new();
        for record in records {
            let Some((_, envelope)) = self.take_in(record)? else { continue };
            // Another outcome is a second one: the first in log order won.
            if self.open_ids.contains_key(&envelope.submission) {
                outcomes.push(envelope);
            }
        }
        if !outcomes.is_empty() {
            self.apply_outcomes(outcomes).await?;
        }
        Ok(())
    }

    /// Moves on behind a record: keeps a submission as open, hands an outcome out with its offset.
    fn take_in(&mut self, record: Record) -> Result<Option<(u64, Envelope)>, ProjectorError> {
        self.next = record.offset + 1;
        let envelope: Envelope = codec::decode("envelope", &record.value).map_err(|source| ProjectorError::Record {
            topic: self.topic,
            offset: record.offset,
            source,
        })?;
        match envelope.kind {
            EnvelopeKind::Submission => {
                self.open_ids.entry(envelope.submission).or_insert(record.offset);
                self.open.insert(record.offset, (record, envelope));
                Ok(None)
            }
            EnvelopeKind::Outcome => Ok(Some((record.offset, envelope))),
        }
    }

    /// Reads up to the outcomes that were just appended: each must be the first of its submission in log order. An earlier one
    /// says that another process decides here.
    async fn read_back(&mut self, own: &HashMap<SubmissionId, u64>) -> Result<(), ProjectorError> {
        let Some(last) = own.values().max() else { return Ok(()) };
        while self.next <= *last {
            for record in self.deps.log.read(self.topic, self.partition, self.next, READ).await? {
                let Some((offset, envelope)) = self.take_in(record)? else { continue };
                let is_earlier = own.get(&envelope.submission).is_some_and(|own| offset < *own);
                if is_earlier || self.open_ids.contains_key(&envelope.submission) {
                    return Err(ProjectorError::Overtaken { topic: self.topic, partition: self.partition });
                }
            }
        }
        Ok(())
    }

    /// Outcomes found in the log (after a restart): rows are built, nothing is decided.
    async fn apply_outcomes(&mut self, outcomes: Vec<Envelope>) -> Result<(), ProjectorError> {
        let shelves = self.shelves.clone();
        self.states = States::default();
        let mut work = Work::new(&shelves, States::default());
        let mut batches = Vec::new();
        for envelope in outcomes {
            let Some(offset) = self.open_ids.remove(&envelope.submission) else { continue };
            let Some((_, submitted)) = self.open.remove(&offset) else { continue };
            let Some(batch) = replay_one(&shelves, &mut work, &submitted, &envelope).await? else { continue };
            batches.push(batch);
        }
        self.write(batches).await?;
        Ok(())
    }

    /// Decides open submissions in log order.
    async fn decide_open(&mut self) -> Result<(), ProjectorError> {
        let shelves = self.shelves.clone();
        // A failure on the way leaves none behind: they are read again.
        let mut work = Work::new(&shelves, std::mem::take(&mut self.states));
        let mut decided: Vec<(Arc<Submission>, Outcome)> = Vec::new();
        let mut verdicts: Vec<Told> = Vec::new();
        let mut batches = Vec::new();
        let mut appends = Vec::new();
        let mut entries = Vec::new();
        let mut persons = HashSet::new();
        for _ in 0..BATCH {
            let Some(next) = self.open.first_entry() else { break };
            // INVARIANT: where another process may decide too, no outcome is appended that builds on one which may lose: of each
            // person one, until it was read back.
            if !persons.insert(next.get().1.pid) && self.deps.log.owners_may_overlap() {
                break;
            }
            let (offset, (record, envelope)) = next.remove_entry();
            self.open_ids.remove(&envelope.submission);
            let handed = self.deps.verdicts.opened(envelope.submission, &record.value);
            let Some(mut opened) = open_submission(&shelves, &envelope, handed).await? else { continue };
            let (submission, entry) = (opened.submission.clone(), opened.entry.take());
            let told = |verdict| Told { reply_to: envelope.reply_to, submission: envelope.submission, verdict };
            let span = span_of(&submission);
            let one =
                self.decide_one(&mut work, &decided, opened, (offset, record.time)).instrument(span.clone()).await;
            match unless_erased(one)? {
                None => {}
                Some(Decided::Before(outcome)) => verdicts.push(told(repeated(&submission, outcome))),
                Some(Decided::Now(outcome, append, batch)) => {
                    if let Some(entry) = entry {
                        entries.extend(entry.seal(&outcome).instrument(span).await);
                    }
                    appends.push(append);
                    batches.push(batch);
                    verdicts.push(told(Verdict::Outcome(outcome.clone())));
                    decided.push((submission, outcome));
                }
            }
        }
        let (entries, writers): (Vec<_>, Vec<_>) = entries.into_iter().unzip();
        let mut receipts = Vec::new();
        // INVARIANT: outcome durable and the first of its submission, then rows, then verdict: what a client was told survives,
        // can be read at once, and is what every other process reads out of the log.
        if !appends.is_empty() {
            let (places, made) = append_with(&*self.deps.log, appends, entries).await?;
            receipts = made;
            let own =
                decided.iter().zip(places).map(|((submission, _), place)| (submission.id, place.offset)).collect();
            self.read_back(&own).await?;
        }
        if self.write(batches).await?.contains(&false) {
            return Err(ProjectorError::Overtaken { topic: self.topic, partition: self.partition });
        }
        // INVARIANT: where another process may decide too, the tables are asked each time.
        if !self.deps.log.owners_may_overlap() {
            self.states = work.into_states();
        }
        for (writer, receipt) in writers.into_iter().zip(receipts) {
            // A writer that went away has no use for it.
            drop(writer.send(receipt));
        }
        self.deps.verdicts.give_all(verdicts).await;
        Ok(())
    }

    async fn decide_one(
        &self,
        work: &mut Work<'_>,
        decided: &[(Arc<Submission>, Outcome)],
        opened: Opened,
        (position, logged): (u64, i64),
    ) -> Result<Decided, ProjectorError> {
        let (shelves, submission) = (&self.shelves, &*opened.submission);
        if !opened.is_fresh
            && let Some(outcome) = self.earlier(shelves, decided, submission).await?
        {
            return Ok(Decided::Before(outcome));
        }
        let outcome = self.decide(work, &opened, position, logged).await?;
        let secret = shelves.header_secret(submission.pid, schemas::header::Bucket::Long).await?;
        let sealed = envelope::seal_verdict(&secret, submission.id, &outcome);
        let append = envelope::outcome_record(submission.pid, submission.id, &sealed);
        let batch = build_rows(shelves, work, opened, (&outcome, sealed)).await?;
        Ok(Decided::Now(outcome, append, batch))
    }

    async fn decide(
        &self,
        work: &mut Work<'_>,
        Opened { submission, is_fresh, .. }: &Opened,
        position: u64,
        logged: i64,
    ) -> Result<Outcome, ProjectorError> {
        let clock = work.state(submission.pid).await?.map_or(0, |s| s.clock);
        let time = clock.max(logged);
        let result = policy::decide(&self.rules, work, (submission, *is_fresh), time).await?;
        Ok(Outcome {
            position,
            time,
            result,
            policy_revision: submission.policy_revision.clone(),
            request_hash: submission.request_hash,
            client: submission.author.client.clone(),
        })
    }

    /// The outcome that this submission id already has, in this batch or on the shelf.
    async fn earlier(
        &self,
        shelves: &Shelves,
        decided: &[(Arc<Submission>, Outcome)],
        submission: &Submission,
    ) -> Result<Option<Outcome>, ProjectorError> {
        if let Some((_, outcome)) = decided.iter().find(|(s, _)| s.id == submission.id && s.pid == submission.pid) {
            return Ok(Some(outcome.clone()));
        }
        read_verdict(shelves, submission.pid, submission.id).await
    }

    /// Applies rows and moves the checkpoint up to the oldest submission that is still open. For each batch, whether it was new.
    async fn write(&mut self, mut batches: Vec<Batch>) -> Result<Vec<bool>, ProjectorError> {
        if batches.is_empty() {
            return Ok(Vec::new());
        }
        let lower_bound = self.open.first_key_value().map_or(self.next, |(offset, _)| *offset);
        if let Some(last) = batches.last_mut() {
            last.rows.push(checkpoint_row(self.topic, self.partition, lower_bound));
        }
        Ok(self.deps.store.apply(batches).await?)
    }
}

/// A span of the request's trace; none where the request is in no trace.
fn span_of(submission: &Submission) -> Span {
    let Some(parent) = &submission.trace else { return Span::none() };
    let span = tracing::debug_span!("project");
    join_trace(&span, parent);
    span
}

fn repeated(submission: &Submission, outcome: Outcome) -> Verdict {
    if outcome.request_hash == submission.request_hash { Verdict::Outcome(outcome) } else { Verdict::KeyReused }
}
