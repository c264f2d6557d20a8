//! Between log and tables: opening submissions and outcomes, rows of what was decided before, checkpoints.

use std::sync::Arc;

use bytes::Bytes;
use chassis::envelope;
use chassis::ports::keys::KeysError;
use chassis::ports::store::{Batch, Store, StoreError, Table};
use chassis::shelves::{ShelfError, Shelves};
use chassis::verdicts::Opened;
use schemas::submission::{Envelope, Outcome, OutcomeResult};
use schemas::vocab::Topic;
use schemas::{Pid, Problem, ProblemCode, SubmissionId};

use crate::ProjectorError;
use crate::rows::{TICKET, build_rows, row};
use crate::work::Work;

/// Opens a submission, unless it was `handed` over as it was before it was sealed; `None` where the person's keys were destroyed.
pub(crate) async fn open_submission(
    shelves: &Shelves,
    envelope: &Envelope,
    handed: Option<Opened>,
) -> Result<Option<Opened>, ProjectorError> {
    let damaged = |e| ProjectorError::Shelf(ShelfError::row(Table::Submission, e));
    let bucket = envelope::submission_bucket(envelope).map_err(damaged)?;
    match (shelves.keys.record_key(envelope.pid, bucket).await, handed) {
        (Ok(_), Some(opened)) => Ok(Some(opened)),
        (Ok(key), None) => {
            let submission = envelope::open_submission(&TICKET, &key, envelope).map_err(damaged)?;
            Ok(Some(Opened { submission: Arc::new(submission), search: Vec::new(), is_fresh: false, entry: None }))
        }
        (Err(KeysError::NoKey), _) => Ok(None),
        (Err(error), _) => Err(error.into()),
    }
}

/// Rows of a submission whose outcome stands in the log; `None` where the person's keys were destroyed, and where the shelf holds
/// it already: a state into which it is folded a second time would be wrong for all that follow.
pub(crate) async fn replay_one(
    shelves: &Shelves,
    work: &mut Work<'_>,
    submitted: &Envelope,
    outcome: &Envelope,
) -> Result<Option<Batch>, ProjectorError> {
    let Some(opened) = open_submission(shelves, submitted, None).await? else { return Ok(None) };
    let replayed = async {
        let secret = shelves.header_secret(outcome.pid, schemas::header::Bucket::Long).await?;
        let sealed = Bytes::copy_from_slice(&outcome.sealed);
        let outcome = envelope::open_verdict(&secret, outcome.submission, &sealed)
            .map_err(|e| ProjectorError::Shelf(ShelfError::row(Table::Verdict, e)))?;
        if work.state(opened.submission.pid).await?.is_some_and(|state| state.position >= outcome.position) {
            return Ok(None);
        }
        build_rows(shelves, work, opened, (&outcome, sealed)).await.map(Some)
    };
    unless_erased(replayed.await).map(Option::flatten)
}

/// `None` where the keys were destroyed while the submission was worked on: of an erased person nothing more is written, and
/// the others go on.
pub(crate) fn unless_erased<T>(result: Result<T, ProjectorError>) -> Result<Option<T>, ProjectorError> {
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

fn checkpoint_key(topic: Topic, partition: u16) -> Vec<u8> {
    [topic.as_str().as_bytes(), b"/", &partition.to_be_bytes()].concat()
}

pub(crate) fn checkpoint_row(topic: Topic, partition: u16, next: u64) -> chassis::ports::store::Row {
    let key = checkpoint_key(topic, partition);
    row(Table::Checkpoint, b"projector", key.into(), next.to_be_bytes().to_vec().into())
}

/// First offset that may not be in the tables yet.
pub async fn read_checkpoint(store: &dyn Store, topic: Topic, partition: u16) -> Result<u64, StoreError> {
    let value = store.get(Table::Checkpoint, b"projector", &checkpoint_key(topic, partition)).await?;
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
