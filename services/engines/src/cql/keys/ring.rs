//! What the servers hold of one subject, and how it is changed: read, decide, let Paxos decide between those who decide at once,
//! read again. What is returned is always what was read.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use chassis::ports::keys::{KeysError, Secret};
use scylla::statement::batch::{Batch, BatchType};
use scylla::statement::prepared::PreparedStatement;
use scylla::value::CqlValue;

use crate::cql::client::{Client, Use};
use crate::cql::error::{Failure, keys_read_error, keys_write_error};
use crate::cql::statements::keys;
use crate::embedded::keys::{Kind, Name};

/// Others may be in the way; then it is tried again.
const PATIENCE: Duration = Duration::from_secs(15);

pub(super) const LIVE: &str = "live";
pub(super) const ERASED: &str = "erased";

/// The partition of a subject.
#[derive(Default, Debug)]
pub(super) struct Kept {
    pub(super) status: Option<String>,
    /// By kind and year, wrapped.
    keys: BTreeMap<(i8, i16), Bytes>,
}

fn place(name: &Name) -> (i8, i16) {
    // Kinds and years are small numbers.
    (i8::try_from(name.kind as u8).unwrap_or(i8::MAX), i16::try_from(name.year).unwrap_or(i16::MAX))
}

impl Kept {
    pub(super) fn is_live(&self) -> bool {
        self.status.as_deref() == Some(LIVE)
    }
    pub(super) fn is_erased(&self) -> bool {
        self.status.as_deref() == Some(ERASED)
    }
    pub(super) fn get(&self, name: &Name) -> Option<&Bytes> {
        self.keys.get(&place(name))
    }
    /// The smallest year of a kind.
    pub(super) fn first_year(&self, kind: Kind) -> Option<u16> {
        let kind = kind as u8;
        self.keys.keys().find(|(k, _)| u8::try_from(*k) == Ok(kind)).and_then(|(_, year)| u16::try_from(*year).ok())
    }
    /// Keys of these kinds.
    pub(super) fn has_any(&self, kinds: &[Kind]) -> bool {
        kinds.iter().any(|kind| self.first_year(*kind).is_some())
    }
}

/// One part of a conditional change of a partition; all parts take effect or none.
pub(super) enum Change {
    /// Only if the status is the first.
    Status(Option<&'static str>, &'static str),
    Add(Name, Vec<u8>),
    /// Only if it is not there yet.
    AddNew(Name, Vec<u8>),
    /// All keys of a kind that were seen.
    Remove(Kind),
}

pub(super) enum Step<T> {
    Done(T),
    Write(Vec<Change>),
}

pub(super) struct Ring {
    client: Arc<Client>,
    read: PreparedStatement,
    serial_read: PreparedStatement,
    status: PreparedStatement,
    status_first: PreparedStatement,
    add: PreparedStatement,
    add_new: PreparedStatement,
    remove: PreparedStatement,
    mark: PreparedStatement,
    marked: PreparedStatement,
}

impl Ring {
    pub(super) async fn new(client: Arc<Client>) -> Result<Self, Failure> {
        let prepare = async |text, kind| client.prepare(text, "", kind).await;
        Ok(Self {
            read: prepare(keys::READ, Use::Read).await?,
            serial_read: prepare(keys::READ, Use::SerialRead).await?,
            status: prepare(keys::STATUS, Use::Decide).await?,
            status_first: prepare(keys::STATUS_FIRST, Use::Decide).await?,
            add: prepare(keys::ADD, Use::Decide).await?,
            add_new: prepare(keys::ADD_NEW, Use::Decide).await?,
            remove: prepare(keys::REMOVE, Use::Decide).await?,
            mark: prepare(keys::MARK, Use::Write).await?,
            marked: prepare(keys::MARKED, Use::Read).await?,
            client,
        })
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// What was decided when the read began, or later.
    pub(super) async fn read(&self, subject: &[u8; 16]) -> Result<Kept, KeysError> {
        self.read_with(&self.read, subject).await.map_err(keys_read_error)
    }

    async fn read_with(&self, statement: &PreparedStatement, subject: &[u8; 16]) -> Result<Kept, Failure> {
        type Stored = (Option<i8>, Option<i16>, Option<Bytes>, Option<String>);
        let rows = self.client.rows::<Stored>(statement, (&subject[..],)).await?;
        let mut kept = Kept::default();
        for (kind, year, wrapped, status) in rows {
            kept.status = status;
            if let (Some(kind), Some(year), Some(wrapped)) = (kind, year, wrapped) {
                kept.keys.insert((kind, year), wrapped);
            }
        }
        Ok(kept)
    }

    /// Reads the subject and does what `decide` says of it, until it is done. A change whose answer was lost is not
    /// guessed at: the next read tells, at SERIAL, so that also one under way is brought to its end.
    pub(super) async fn decide<T>(
        &self,
        subject: &[u8; 16],
        mut decide: impl FnMut(&Kept) -> Result<Step<T>, KeysError> + Send,
    ) -> Result<T, KeysError> {
        let start = Instant::now();
        let mut pause = Duration::from_millis(10);
        loop {
            let failure = match self.read_with(&self.serial_read, subject).await {
                Ok(kept) => match decide(&kept)? {
                    Step::Done(done) => return Ok(done),
                    Step::Write(changes) => match self.change(subject, &kept, changes).await {
                        Ok(()) => continue_after(start),
                        Err(failure) => Some(failure),
                    },
                },
                Err(failure) => Some(failure),
            };
            if let Some(failure) = failure {
                if !failure.may_pass || start.elapsed() > PATIENCE {
                    return Err(keys_write_error(failure));
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(1));
            }
        }
    }

    async fn change(&self, subject: &[u8; 16], kept: &Kept, changes: Vec<Change>) -> Result<(), Failure> {
        let mut batch = Batch::new(BatchType::Unlogged);
        batch.set_retry_policy(self.status.get_retry_policy().cloned());
        batch.set_request_timeout(self.status.get_request_timeout());
        let mut values: Vec<Vec<CqlValue>> = Vec::new();
        let blob = |bytes: &[u8]| CqlValue::Blob(bytes.to_vec());
        let row = |(kind, year): (i8, i16)| vec![blob(subject), CqlValue::TinyInt(kind), CqlValue::SmallInt(year)];
        for change in changes {
            match change {
                Change::Status(None, to) => {
                    batch.append_statement(self.status_first.clone());
                    values.push(vec![CqlValue::Text(to.to_owned()), blob(subject)]);
                }
                Change::Status(Some(from), to) => {
                    batch.append_statement(self.status.clone());
                    values.push(vec![CqlValue::Text(to.to_owned()), blob(subject), CqlValue::Text(from.to_owned())]);
                }
                Change::Add(name, wrapped) | Change::AddNew(name, wrapped) if wrapped.is_empty() => {
                    return Err(Failure::form(format!("an empty key of kind {}", name.kind as u8)));
                }
                Change::Add(name, wrapped) => {
                    batch.append_statement(self.add.clone());
                    values.push([row(place(&name)), vec![CqlValue::Blob(wrapped)]].concat());
                }
                Change::AddNew(name, wrapped) => {
                    batch.append_statement(self.add_new.clone());
                    values.push([row(place(&name)), vec![CqlValue::Blob(wrapped)]].concat());
                }
                Change::Remove(kind) => {
                    for place in kept.keys.keys().filter(|(k, _)| u8::try_from(*k) == Ok(kind as u8)) {
                        batch.append_statement(self.remove.clone());
                        values.push(row(*place));
                    }
                }
            }
        }
        Ok(self.client.session().batch(&batch, values).await.map(drop)?)
    }

    /// Writes into the journal of erasures; durable when it returns.
    pub(super) async fn mark(&self, mark: &Secret, at: i64) -> Result<(), KeysError> {
        let written = self.client.execute(&self.mark, (&mark[..], at)).await;
        written.map(drop).map_err(keys_write_error)
    }

    pub(super) async fn is_marked(&self, mark: &Secret) -> Result<bool, KeysError> {
        let rows = self.client.rows::<(Bytes,)>(&self.marked, (&mark[..],)).await.map_err(keys_read_error)?;
        Ok(!rows.is_empty())
    }
}

/// A change that was answered is read back at once; only one who is overtaken again and again gives up.
fn continue_after(start: Instant) -> Option<Failure> {
    (start.elapsed() > PATIENCE).then(|| Failure::form("others changed the same keys for too long"))
}
