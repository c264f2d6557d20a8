//! Where the rows of an access list lie, how they are chained, and the mark that makes every byte of a row count.

use bytes::Bytes;
use chassis::crypto;
use chassis::ports::keys::{Keys, KeysError, PlatformKey, Secret};
use chassis::ports::log::LogError;
use chassis::ports::store::{Row, StoreError, Table};
use openssl::sha::Sha256;
use schemas::access::{AccessHead, AccessList, Commitment};
use schemas::codec;

/// Bytes of the mark behind a row.
const MARK: usize = 16;

/// What can go wrong between topic, table and reader. Texts hold no value of a person.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Keys(#[from] KeysError),
    #[error("record {offset} of topic `access`, partition {partition}, does not read")]
    Record { partition: u16, offset: u64 },
    /// A row that is missing, altered, out of place, or does not open to its commitment: said, never skipped.
    #[error("entry {number} of an access list is damaged: {what}")]
    Damaged { number: u64, what: &'static str },
    #[error("the head of an access list is damaged")]
    Head,
    /// The tables hold a later position of a list than its head says.
    #[error("the tables refused a row of an access list as already applied")]
    Diverged,
}

/// Name of a list: subject of its batches, partition of its head.
pub fn list_name(list: &AccessList) -> Vec<u8> {
    match list {
        AccessList::Person(pid) => [b"p", &pid.0[..]].concat(),
        AccessList::Facility(organisation) => [b"f", organisation.0.as_bytes()].concat(),
    }
}

/// Partition of the rows of one year (of the log key) of a list, so that a year can be dropped whole.
pub fn row_partition(list: &AccessList, year: u16) -> Vec<u8> {
    let mut name = list_name(list);
    name.extend_from_slice(&year.to_be_bytes());
    name
}

/// Key of row `number` within its partition.
pub fn row_key(number: u64) -> [u8; 8] {
    number.to_be_bytes()
}

/// Chain hash of a row: SHA-256(chain of the row before it, number, commitment); the first follows on 32 zeros.
pub(crate) fn next_chain(previous: &[u8; 32], number: u64, commitment: &Commitment) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(previous);
    hash.update(&number.to_be_bytes());
    hash.update(&commitment.0);
    hash.finish()
}

/// Puts a keyed mark behind each row, over its place and its bytes. The commitment covers the entry's body only; log time,
/// position and place would otherwise change unseen.
#[derive(Clone)]
pub(crate) struct Guard(Secret);

impl Guard {
    pub(crate) async fn new(keys: &dyn Keys) -> Result<Self, KeysError> {
        let key = keys.platform_key(PlatformKey::Receipt).await?;
        Ok(Self(crypto::derive(&key, b"access rows", b"")))
    }

    /// The row to store. [`codec::decode`] reads its value with or without the mark.
    pub(crate) fn row(&self, table: Table, partition: Vec<u8>, key: &[u8], mut value: Vec<u8>) -> Row {
        let mark = self.mark(table, &partition, key, &value);
        value.extend_from_slice(&mark);
        Row { table, partition: partition.into(), key: Bytes::copy_from_slice(key), value: value.into() }
    }

    /// The value without its mark; `None` if any byte of row or place is not as it was written.
    pub(crate) fn check<'a>(&self, table: Table, partition: &[u8], key: &[u8], stored: &'a [u8]) -> Option<&'a [u8]> {
        let (value, mark) = stored.split_at_checked(stored.len().checked_sub(MARK)?)?;
        crypto::same(mark, &self.mark(table, partition, key, value)).then_some(value)
    }

    pub(crate) fn head_row(&self, list: &AccessList, head: &AccessHead) -> Row {
        self.row(Table::AccessHead, list_name(list), b"", codec::encode(head))
    }

    pub(crate) fn read_head(&self, list: &AccessList, stored: &[u8]) -> Result<AccessHead, ListError> {
        let value = self.check(Table::AccessHead, &list_name(list), b"", stored).ok_or(ListError::Head)?;
        codec::decode("access head", value).map_err(|_| ListError::Head)
    }

    fn mark(&self, table: Table, partition: &[u8], key: &[u8], value: &[u8]) -> [u8; MARK] {
        let length = (partition.len() as u32).to_be_bytes();
        let mac = crypto::hmac(&self.0, &[table.name().as_bytes(), &length, partition, key, value]);
        mac[..MARK].try_into().expect("a MAC is longer than a mark")
    }
}
