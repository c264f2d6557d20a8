//! One partition of topic `person` or `commons`, projected live.

use std::collections::HashMap;

use chassis::envelope;
use chassis::http::join_trace;
use chassis::ports::keys::KeysError;
use chassis::ports::log::{Append, Record};
use chassis::ports::store::{Batch, Table};
use chassis::shelves::{ShelfError, Shelves};
use chassis::verdicts::Verdict;
use schemas::submission::{Envelope, EnvelopeKind, Outcome, OutcomeResult, Submission};
use schemas::vocab::Topic;
use schemas::{Pid, Problem, ProblemCode, SubmissionId, codec};
use tracing::{Instrument, Span};

use crate::rows::{TICKET, build_rows, row};
use crate::work::Work;
use crate::{Deps, ProjectorError, policy};

/// Submissions decided together: one wait for the log, one write to the tables.
const BATCH: usize = 256;
/// Records read at once.
const READ: usize = 1024;

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
        let next = read_checkpoint(&deps, topic, partition).await?;
        let (open, open_ids) = Default::default();
        Ok(Self { deps, shelves, topic, partition, next, open, open_ids })
    }

    pub(crate) async fn run(mut self) {
        self.deps.policies.prepare_thread();
        loop {
            if let Err(error) = self.step().await {
                match error {
                    ProjectorError::Log(chassis::ports::log::LogError::Closed) => return,
                    error => {
                        tracing::error!(topic = %self.topic, partition = self.partition, %error, "projection stopped");
                        return;
                    }
                }
            }
        }
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
            self.next = record.offset + 1;
            let envelope: Envelope = codec::decode("envelope", &record.value)
                .map_err(|source| ProjectorError::Record { topic: self.topic, offset: record.offset, source })?;
            match envelope.kind {
                EnvelopeKind::Submission => {
                    self.open_ids.entry(envelope.submission).or_insert(record.offset);
                    self.open.insert(record.offset, (record, envelope));
                }
                EnvelopeKind::Outcome if self.open_ids.contains_key(&envelope.submission) => outcomes.push(envelope),
                // Of our own making and applied already, or a second outcome: the first one in log order won.
                EnvelopeKind::Outcome => {}
            }
        }
        if !outcomes.is_empty() {
            self.apply_outcomes(outcomes).await?;
        }
        Ok(())
    }

    /// Outcomes found in the log (after a restart): rows are built, nothing is decided.
    async fn apply_outcomes(&mut self, outcomes: Vec<Envelope>) -> Result<(), ProjectorError> {
        let shelves = self.shelves.clone();
        let mut work = Work::new(&shelves);
        let mut batches = Vec::new();
        for envelope in outcomes {
            let Some(offset) = self.open_ids.remove(&envelope.submission) else { continue };
            let Some((_, submitted)) = self.open.remove(&offset) else { continue };
            let Some(batch) = replay_one(&shelves, &mut work, &submitted, &envelope).await? else { continue };
            batches.push(batch);
        }
        self.write(batches).await
    }

    /// Decides open submissions in log order.
    async fn decide_open(&mut self) -> Result<(), ProjectorError> {
        let shelves = self.shelves.clone();
        let mut work = Work::new(&shelves);
        let mut decided: Vec<(Submission, Outcome)> = Vec::new();
        let mut verdicts: Vec<(SubmissionId, Verdict)> = Vec::new();
        let mut batches = Vec::new();
        let mut appends = Vec::new();
        for _ in 0..BATCH {
            let Some((offset, (record, envelope))) = self.open.pop_first() else { break };
            self.open_ids.remove(&envelope.submission);
            let Some(submission) = open_submission(&shelves, &envelope).await? else { continue };
            let span = span_of(&submission);
            let one = self.decide_one(&mut work, &decided, &submission, (offset, record.time)).instrument(span).await;
            match unless_erased(one)? {
                None => {}
                Some(Decided::Before(outcome)) => verdicts.push((submission.id, repeated(&submission, outcome))),
                Some(Decided::Now(outcome, append, batch)) => {
                    appends.push(append);
                    batches.push(batch);
                    verdicts.push((submission.id, Verdict::Outcome(outcome.clone())));
                    decided.push((submission, outcome));
                }
            }
        }
        // INVARIANT: outcome durable, then rows, then verdict: what a client was told survives, and can be read at once.
        if !appends.is_empty() {
            self.deps.log.append_all(appends).await?;
        }
        self.write(batches).await?;
        verdicts.iter().for_each(|(id, verdict)| self.deps.verdicts.give(*id, verdict));
        Ok(())
    }

    async fn decide_one(
        &self,
        work: &mut Work<'_>,
        decided: &[(Submission, Outcome)],
        submission: &Submission,
        (position, logged): (u64, i64),
    ) -> Result<Decided, ProjectorError> {
        let shelves = &self.shelves;
        if let Some(outcome) = self.earlier(shelves, decided, submission).await? {
            return Ok(Decided::Before(outcome));
        }
        let outcome = self.decide(work, submission, position, logged).await?;
        let secret = shelves.header_secret(submission.pid, schemas::header::Bucket::Long).await?;
        let append = envelope::seal_outcome(&secret, submission.pid, submission.id, &outcome);
        let batch = build_rows(shelves, work, submission, &outcome).await?;
        Ok(Decided::Now(outcome, append, batch))
    }

    async fn decide(
        &self,
        work: &mut Work<'_>,
        submission: &Submission,
        position: u64,
        logged: i64,
    ) -> Result<Outcome, ProjectorError> {
        let clock = work.state(submission.pid).await?.map_or(0, |s| s.clock);
        let time = clock.max(logged);
        let result = policy::decide(&self.deps.policies, work, submission, time).await?;
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
        decided: &[(Submission, Outcome)],
        submission: &Submission,
    ) -> Result<Option<Outcome>, ProjectorError> {
        if let Some((_, outcome)) = decided.iter().find(|(s, _)| s.id == submission.id && s.pid == submission.pid) {
            return Ok(Some(outcome.clone()));
        }
        read_verdict(shelves, submission.pid, submission.id).await
    }

    /// Applies rows and moves the checkpoint up to the oldest submission that is still open.
    async fn write(&mut self, mut batches: Vec<Batch>) -> Result<(), ProjectorError> {
        if batches.is_empty() {
            return Ok(());
        }
        let lower_bound = self.open.first_key_value().map_or(self.next, |(offset, _)| *offset);
        if let Some(last) = batches.last_mut() {
            last.rows.push(checkpoint_row(self.topic, self.partition, lower_bound));
        }
        self.deps.store.apply(batches).await?;
        Ok(())
    }
}

/// A span of the request's trace; none where the request is in no trace.
fn span_of(submission: &Submission) -> Span {
    let Some(parent) = &submission.trace else { return Span::none() };
    let span = tracing::debug_span!("project");
    join_trace(&span, parent);
    span
}

/// Opens a submission; `None` where the person's keys were destroyed.
pub(crate) async fn open_submission(
    shelves: &Shelves,
    envelope: &Envelope,
) -> Result<Option<Submission>, ProjectorError> {
    let damaged = |e| ProjectorError::Shelf(ShelfError::row(Table::Submission, e));
    let bucket = envelope::submission_bucket(envelope).map_err(damaged)?;
    match shelves.keys.record_key(envelope.pid, bucket).await {
        Ok(key) => Ok(Some(envelope::open_submission(&TICKET, &key, envelope).map_err(damaged)?)),
        Err(KeysError::NoKey) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Rows of a submission whose outcome stands in the log; `None` where the person's keys were destroyed.
pub(crate) async fn replay_one(
    shelves: &Shelves,
    work: &mut Work<'_>,
    submitted: &Envelope,
    outcome: &Envelope,
) -> Result<Option<Batch>, ProjectorError> {
    let Some(submission) = open_submission(shelves, submitted).await? else { return Ok(None) };
    let replayed = async {
        let secret = shelves.header_secret(outcome.pid, schemas::header::Bucket::Long).await?;
        let outcome = envelope::open_verdict(&secret, outcome.submission, &outcome.sealed)
            .map_err(|e| ProjectorError::Shelf(ShelfError::row(Table::Verdict, e)))?;
        build_rows(shelves, work, &submission, &outcome).await
    };
    unless_erased(replayed.await)
}

/// `None` where the keys were destroyed while the submission was worked on: of an erased person nothing more is written, and
/// the others go on.
fn unless_erased<T>(result: Result<T, ProjectorError>) -> Result<Option<T>, ProjectorError> {
    match result {
        Err(ProjectorError::Keys(KeysError::NoKey) | ProjectorError::Shelf(ShelfError::Keys(KeysError::NoKey))) => {
            Ok(None)
        }
        other => other.map(Some),
    }
}

/// The outcome in the verdict row of a submission.
pub(crate) async fn read_verdict(
    shelves: &Shelves,
    pid: Pid,
    id: SubmissionId,
) -> Result<Option<Outcome>, ProjectorError> {
    let Some(sealed) = shelves.store.get(Table::Verdict, &pid.0, &id.0).await? else { return Ok(None) };
    let secret = shelves.header_secret(pid, schemas::header::Bucket::Long).await?;
    let outcome = envelope::open_verdict(&secret, id, &sealed)
        .map_err(|e| ProjectorError::Shelf(ShelfError::row(Table::Verdict, e)))?;
    Ok(Some(outcome))
}

fn repeated(submission: &Submission, outcome: Outcome) -> Verdict {
    if outcome.request_hash == submission.request_hash { Verdict::Outcome(outcome) } else { Verdict::KeyReused }
}

fn checkpoint_key(topic: Topic, partition: u16) -> Vec<u8> {
    [topic.as_str().as_bytes(), b"/", &partition.to_be_bytes()].concat()
}

pub(crate) fn checkpoint_row(topic: Topic, partition: u16, next: u64) -> chassis::ports::store::Row {
    let key = checkpoint_key(topic, partition);
    row(Table::Checkpoint, b"projector", key.into(), next.to_be_bytes().to_vec().into())
}

/// First offset that may not be in the tables yet.
pub(crate) async fn read_checkpoint(deps: &Deps, topic: Topic, partition: u16) -> Result<u64, ProjectorError> {
    let value = deps.store.get(Table::Checkpoint, b"projector", &checkpoint_key(topic, partition)).await?;
    Ok(value.and_then(|v| v.as_ref().try_into().ok()).map_or(0, u64::from_be_bytes))
}

/// What is said of a submission on which the rules themselves failed.
pub(crate) fn internal() -> OutcomeResult {
    let problem = Problem::new(
        ProblemCode::Exception,
        "",
        "the server failed on this record; it is kept and its operator was told",
    );
    OutcomeResult::Refused(vec![problem.with_rule("internal")])
}
