//! Topic `identity`, one partition: births and further identifiers, decided one after the other, so that an identifier
//! belongs to one person without any lock. A pure fold over the log: replaying it gives the same index.

use chassis::ports::log::{LogError, Record};
use chassis::ports::store::{Batch, Store, Table};
use chassis::verdicts::Told;
use schemas::submission::{IdentifierHash, IdentityEvent, IdentityRecord, Verdict};
use schemas::vocab::Topic;
use schemas::{LocalId, Pid, Problem, ProblemCode, SubmissionId, codec};
use std::collections::HashMap;

use crate::partition::RETRY;
use crate::records::{checkpoint_row, read_checkpoint};
use crate::rows::row;
use crate::{Deps, ProjectorError};

const READ: usize = 512;

pub(crate) struct Identity {
    deps: Deps,
    next: u64,
}

/// Who holds an identifier: the person, and the submission that said so first.
#[derive(Clone, Copy)]
struct Holder {
    pid: Pid,
    submission: SubmissionId,
}

impl Identity {
    pub(crate) async fn open(deps: Deps) -> Result<Self, ProjectorError> {
        let next = read_checkpoint(&*deps.store, Topic::Identity, 0).await?;
        Ok(Self { deps, next })
    }

    pub(crate) async fn run(mut self) {
        loop {
            match self.follow().await {
                Err(ProjectorError::Log(LogError::Closed)) | Ok(()) => return,
                Err(error) if error.may_pass() => {
                    tracing::warn!(%error, "projection of identities starts again");
                    tokio::time::sleep(RETRY).await;
                }
                Err(error) => {
                    tracing::error!(%error, "projection of identities stopped");
                    return;
                }
            }
        }
    }

    /// Returns only with an error.
    async fn follow(&mut self) -> Result<(), ProjectorError> {
        loop {
            let records = self.deps.log.read(Topic::Identity, 0, self.next, READ).await?;
            let Some(last) = records.last() else {
                self.deps.log.wait_for(Topic::Identity, 0, self.next).await?;
                continue;
            };
            let next = last.offset + 1;
            let (batches, verdicts, born) = fold(&*self.deps.store, &records).await?;
            // Keys before the index: whoever finds the person finds the keys.
            for pid in born {
                self.deps.keys.create_person(pid).await?;
            }
            self.deps.store.apply(batches).await?;
            // Only now: after a failure the same records are folded again, which changes nothing where they were applied.
            self.next = next;
            self.deps.verdicts.give_all(verdicts).await;
        }
    }
}

type Folded = (Vec<Batch>, Vec<Told>, Vec<Pid>);

/// Rows, verdicts and newborn persons of some records, in order.
pub(crate) async fn fold(store: &dyn Store, records: &[Record]) -> Result<Folded, ProjectorError> {
    let mut fresh: HashMap<IdentifierHash, Holder> = HashMap::new();
    let (mut batches, mut verdicts, mut born) = (Vec::new(), Vec::new(), Vec::new());
    for record in records {
        let identity: IdentityRecord = codec::decode("identity record", &record.value)
            .map_err(|source| ProjectorError::Record { topic: Topic::Identity, offset: record.offset, source })?;
        let (pid, identifiers, patient, birth) = match &identity.event {
            IdentityEvent::Birth { pid, identifiers, patient } => (*pid, identifiers, *patient, true),
            IdentityEvent::AddIdentifiers { pid, identifiers, patient } => (*pid, identifiers, *patient, false),
        };
        let mut holders = Vec::new();
        for hash in identifiers {
            let holder = match fresh.get(hash) {
                Some(holder) => Some(*holder),
                None => find_holder(store, hash).await?,
            };
            holders.extend(holder);
        }
        let earlier_try = holders.iter().find(|h| birth && h.submission == identity.submission).map(|h| h.pid);
        let stranger = holders.iter().any(|h| h.pid != pid);
        let verdict = match earlier_try {
            Some(pid) => Verdict::Identity(pid),
            None if stranger => Verdict::IdentityRefused(taken()),
            None => Verdict::Identity(pid),
        };
        // A repeat after a write that failed half way brings the identifiers that are missing.
        if verdict == Verdict::Identity(pid) && earlier_try.is_none_or(|earlier| earlier == pid) {
            let holder = Holder { pid, submission: identity.submission };
            // Identifiers that are known keep the Patient that brought them.
            let new: Vec<_> = new_identifiers(store, &fresh, identifiers).await?;
            fresh.extend(new.iter().map(|hash| (*hash, holder)));
            batches.push(index_batch(record.offset, &new, holder, patient));
            born.extend(birth.then_some(pid));
        }
        verdicts.push(Told { reply_to: identity.reply_to.unwrap_or(0), submission: identity.submission, verdict });
    }
    Ok((batches, verdicts, born))
}

async fn new_identifiers(
    store: &dyn Store,
    fresh: &HashMap<IdentifierHash, Holder>,
    identifiers: &[IdentifierHash],
) -> Result<Vec<IdentifierHash>, ProjectorError> {
    let mut new = Vec::new();
    for hash in identifiers {
        if !fresh.contains_key(hash) && find_holder(store, hash).await?.is_none() {
            new.push(*hash);
        }
    }
    Ok(new)
}

fn index_batch(offset: u64, identifiers: &[IdentifierHash], holder: Holder, patient: LocalId) -> Batch {
    let value = [&holder.pid.0[..], &holder.submission.0, &patient.0].concat();
    let index = |hash: &IdentifierHash| row(Table::PersonIndex, &hash.0, bytes::Bytes::new(), value.clone().into());
    let mut rows: Vec<_> = identifiers.iter().map(index).collect();
    rows.push(checkpoint_row(Topic::Identity, 0, offset));
    Batch { subject: b"identity".as_slice().into(), stream: Topic::Identity.as_str(), position: offset, rows }
}

async fn find_holder(store: &dyn Store, hash: &IdentifierHash) -> Result<Option<Holder>, ProjectorError> {
    let Some(value) = store.get(Table::PersonIndex, &hash.0, b"").await? else { return Ok(None) };
    let part = |from: usize| value.get(from..from + 16).and_then(|b| <[u8; 16]>::try_from(b).ok());
    match (part(0), part(16)) {
        (Some(pid), Some(submission)) => Ok(Some(Holder { pid: Pid(pid), submission: SubmissionId(submission) })),
        _ => {
            Err(chassis::ports::store::StoreError::Damaged("a row of table `person_index` is too short".to_owned())
                .into())
        }
    }
}

fn taken() -> Problem {
    let text = "one of these identifiers belongs to a person already; send records with it, or correct it";
    Problem::new(ProblemCode::Duplicate, "Patient.identifier", text)
}
