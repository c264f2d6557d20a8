//! Log order to numbers: what the follower writes, a rebuild writes again and `check` compares. Nothing is decrypted.

use std::collections::HashMap;

use chassis::ports::log::Record;
use chassis::ports::store::{Row, Store, Table};
use schemas::access::{AccessHead, AccessList, AccessRecord, AccessRow};
use schemas::codec;

use crate::list::{Guard, ListError, list_name, next_chain, row_key, row_partition};

/// Reads a record of topic `access`.
pub(crate) fn read_record(record: &Record) -> Result<AccessRecord, ListError> {
    codec::decode("access record", &record.value)
        .map_err(|_| ListError::Record { partition: record.partition, offset: record.offset })
}

/// The row that follows on `head` (`None`: the list is empty), and the head after it.
pub(crate) fn follow_on(head: Option<&AccessHead>, record: &Record, entry: AccessRecord) -> (AccessRow, AccessHead) {
    let (count, chain) = head.map_or((0, [0; 32]), |h| (h.count, h.chain));
    let number = count + 1;
    let chain = next_chain(&chain, number, &entry.commitment);
    let year = entry.year;
    let head = AccessHead {
        count: number,
        chain,
        next_offset: record.offset + 1,
        first_year: head.map_or(year, |h| h.first_year.min(year)),
        last_year: head.map_or(year, |h| h.last_year.max(year)),
    };
    (AccessRow { person_seq: number, position: record.offset, logged_at: record.time, chain, record: entry }, head)
}

/// The stored form of a row.
pub(crate) fn table_row(guard: &Guard, row: &AccessRow) -> Row {
    let partition = row_partition(&row.record.list, row.record.year);
    guard.row(Table::Access, partition, &row_key(row.person_seq), codec::encode(row))
}

/// Heads of lists as last written, kept so that a busy list costs no read.
#[derive(Default)]
pub(crate) struct Heads(HashMap<AccessList, Option<AccessHead>>);

/// Lists remembered; beyond that all are forgotten and read again.
const HEADS: usize = 65_536;

impl Heads {
    pub(crate) async fn of(
        &mut self,
        store: &dyn Store,
        guard: &Guard,
        list: &AccessList,
    ) -> Result<Option<AccessHead>, ListError> {
        if let Some(head) = self.0.get(list) {
            return Ok(*head);
        }
        let head = match store.get(Table::AccessHead, &list_name(list), b"").await? {
            Some(stored) => Some(guard.read_head(list, &stored)?),
            None => None,
        };
        self.0.insert(list.clone(), head);
        Ok(head)
    }

    pub(crate) fn put(&mut self, list: AccessList, head: AccessHead) {
        self.0.insert(list, Some(head));
    }

    /// To be called between batches only.
    pub(crate) fn trim(&mut self) {
        if self.0.len() > HEADS {
            self.0.clear();
        }
    }
}
