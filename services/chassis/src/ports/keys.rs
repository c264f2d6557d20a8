//! Port `keys`: record keys of persons, log keys of lists, keys of the platform; destroying a key erases what it sealed.
//!
//! A [`RecordKey`] never shows its bytes. What it opens depends on what is shown to it: nothing (it only wraps), a
//! [`Ticket`] (work inside), or a commit of the ledger (release).

use std::sync::Arc;

use async_trait::async_trait;
use schemas::Pid;
use schemas::access::AccessList;
use schemas::header::{Bucket, ItemVersion};
use zeroize::Zeroizing;

use crate::crypto::{self, CryptoError};

/// 32 secret bytes.
pub type Secret = Zeroizing<[u8; 32]>;

#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The person's keys were destroyed or never made: what they sealed is gone.
    #[error("no key: destroyed or never made")]
    NoKey,
    #[error("the keyring cannot be written: {0}")]
    NotWritable(String),
    #[error("the keyring is damaged: {0}")]
    Damaged(String),
    #[error("input or output of the keyring failed: {0}")]
    Io(#[from] std::io::Error),
}

/// Permission to open inside the process, never outward. INVARIANT: not serialisable, and no door or reader of bodies makes one
/// (held by the architecture test).
#[derive(Debug, Clone, Copy)]
pub struct Ticket {
    job: Job,
}

/// The inside jobs that may open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Job {
    /// Log to tables.
    Project,
    /// Scanning headers and state for a decision and a search.
    ScanHeaders,
    /// The safety check over medicines (R25): computes inside, shows severity only.
    SafetyCheck,
    /// `kiroku check`, `kiroku rebuild`.
    Operate,
    /// The owner of an access partition and the reader of the log (whose release is an entry of its own).
    AccessList,
}

impl Ticket {
    pub const fn for_job(job: Job) -> Self {
        Self { job }
    }
    pub const fn job(&self) -> Job {
        self.job
    }
}

/// The record key of a person for one bucket.
pub struct RecordKey(Secret);

impl RecordKey {
    /// For engines: from the bytes that the keyring holds.
    pub fn from_secret(secret: Secret) -> Self {
        Self(secret)
    }

    /// A fresh data key and its form wrapped under this key: all that an edge may do.
    pub fn wrap_data_key(&self) -> (Secret, Vec<u8>) {
        let mut data = Zeroizing::new([0u8; 32]);
        schemas::random::fill(data.as_mut_slice());
        let wrapped = crypto::seal(&crypto::derive(&self.0, b"wrap", b""), b"data key", data.as_slice());
        (data, wrapped)
    }

    /// The data key of a submission.
    pub fn unwrap_data_key(&self, _ticket: &Ticket, wrapped: &[u8]) -> Result<Secret, CryptoError> {
        let plain = crypto::open(&crypto::derive(&self.0, b"wrap", b""), b"data key", wrapped)?;
        let bytes: [u8; 32] = plain.as_slice().try_into().map_err(|_| CryptoError)?;
        Ok(Zeroizing::new(bytes))
    }

    /// The key of headers and state of this bucket.
    pub fn header_key(&self, _ticket: &Ticket) -> Secret {
        crypto::derive(&self.0, b"header", b"")
    }

    /// The key of one body row, for work inside.
    pub fn row_key(&self, _ticket: &Ticket, version: &ItemVersion) -> Secret {
        self.row(version)
    }

    pub(crate) fn row(&self, version: &ItemVersion) -> Secret {
        crypto::derive(&self.0, b"row", &crypto::item_bytes(version))
    }
}

/// The log key of a list for one year; next year's follows from it, last year's does not.
pub struct LogKey(Secret);

impl LogKey {
    pub fn from_secret(secret: Secret) -> Self {
        Self(secret)
    }

    /// The key of the following year (ratchet).
    pub fn next_year(&self) -> Secret {
        crypto::derive(&self.0, b"next year", b"")
    }

    /// r of one entry: opens its commitment.
    pub fn entry_opening(&self, entry: &schemas::EntryId) -> Secret {
        crypto::derive(&self.0, b"entry r", &entry.0)
    }

    /// The key that seals the body of one entry.
    pub fn entry_key(&self, entry: &schemas::EntryId) -> Secret {
        crypto::derive(&self.0, b"entry body", &entry.0)
    }
}

/// Keys that belong to no person.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum PlatformKey {
    /// HMAC of identifiers in the person and commons index.
    Index,
    /// Seals commons and their records.
    Commons,
    /// MAC of receipts.
    Receipt,
    /// Seals page tokens.
    Page,
    /// Seals the authority topic's records and quarantined submissions.
    Authority,
    /// Signs access tokens (seed of the signing key).
    Token,
    /// Seals verdicts on their way between processes.
    Verdict,
}

impl PlatformKey {
    pub const ALL: [PlatformKey; 7] =
        [Self::Index, Self::Commons, Self::Receipt, Self::Page, Self::Authority, Self::Token, Self::Verdict];
}

/// The keyring.
///
/// Contract (tests/ports): a key returned once is returned again until destroyed, also after a crash; keys are durable before
/// they are returned; after `destroy_person` no call returns a key of that person again.
#[async_trait]
pub trait Keys: Send + Sync {
    /// Makes the keys of a person; does nothing if they exist. After an erasure: `NoKey`.
    async fn create_person(&self, pid: Pid) -> Result<(), KeysError>;

    /// The record key of an existing person; a bucket's key is made at its first use.
    async fn record_key(&self, pid: Pid, bucket: Bucket) -> Result<Arc<RecordKey>, KeysError>;

    /// The log key of a list for a year (calendar year, UTC); a facility's is made at first use.
    async fn log_key(&self, list: &AccessList, year: u16) -> Result<Arc<LogKey>, KeysError>;

    async fn platform_key(&self, key: PlatformKey) -> Result<Secret, KeysError>;

    /// Destroys all keys of a person, overwriting them on disk; durable when it returns.
    async fn destroy_person(&self, pid: Pid) -> Result<(), KeysError>;
}
