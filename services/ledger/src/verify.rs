//! `kiroku check` of the access lists: topic `access` is read from its beginning and compared with rows and heads.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use chassis::ports::keys::{Job, KeysError, Ticket};
use chassis::ports::log::Record;
use chassis::ports::store::{Row, Store, Table};
use schemas::access::{AccessHead, AccessList, AccessRow};
use schemas::vocab::Topic;

use crate::ListDeps;
use crate::fold::{follow_on, read_record, table_row};
use crate::follow::read_checkpoint;
use crate::list::{Guard, ListError, list_name};
use crate::reader::open_body;
use crate::recent::Recent;

/// Records read at once.
const READ: usize = 1024;
/// Differences kept with their place; more are only counted.
const KEPT: usize = 100;

const TICKET: Ticket = Ticket::for_job(Job::Operate);

/// What the check found. Names no list: partition and offset in the topic lead to it.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Report {
    /// Records in the topic.
    pub records: u64,
    /// Records that got no number, for their id stood shortly before.
    pub duplicates: u64,
    pub lists: u64,
    /// Rows that agree with the log.
    pub rows: u64,
    /// Records that are not numbered yet: the tables follow the log.
    pub pending: u64,
    /// Bodies that opened to their commitment.
    pub opened: u64,
    /// Bodies whose key was destroyed.
    pub without_key: u64,
    /// Number of differences, also of those that are not in the list.
    pub difference_count: u64,
    pub differences: Vec<Difference>,
}

impl Report {
    pub fn is_good(&self) -> bool {
        self.difference_count == 0
    }

    fn differ(&mut self, partition: u16, offset: Option<u64>, what: &'static str) {
        self.difference_count += 1;
        if self.differences.len() < KEPT {
            self.differences.push(Difference { partition, offset, what });
        }
    }
}

/// One disagreement between log and tables, or a record that does not read or open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    pub partition: u16,
    /// Offset of the record; `None` where it is about a whole list or table.
    pub offset: Option<u64>,
    pub what: &'static str,
}

/// A list as the log says it is.
#[derive(Default)]
struct Expected {
    head: Option<AccessHead>,
    /// The head row that is stored, and whether a state of the list agreed with it.
    stored: Option<Bytes>,
    agreed: bool,
    asked: bool,
}

struct Check<'a> {
    deps: &'a ListDeps,
    store: &'a dyn Store,
    guard: Guard,
    report: Report,
    /// Rows that must be there, to find rows that no record stands behind.
    expected_rows: u64,
}

/// Compares the lists in `store` with the log. `progress` is called with records read and records in all.
///
/// # Errors
/// Only where log, tables or keyring cannot be read at all; what is wrong in them is in the report.
pub async fn verify_lists(
    deps: &ListDeps,
    store: Arc<dyn Store>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Report, ListError> {
    let guard = Guard::new(&*deps.keys).await?;
    let mut check = Check { deps, store: &*store, guard, report: Report::default(), expected_rows: 0 };
    let partitions = deps.log.partitions(Topic::Access);
    let mut all = 0;
    for partition in 0..partitions {
        all += deps.log.end(Topic::Access, partition).await?;
    }
    for partition in 0..partitions {
        check.partition(partition, all, progress).await?;
    }
    check.surplus().await?;
    Ok(check.report)
}

impl Check<'_> {
    async fn partition(
        &mut self,
        partition: u16,
        all: u64,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<(), ListError> {
        let checkpoint = read_checkpoint(self.store, partition).await?;
        let mut lists: HashMap<AccessList, Expected> = HashMap::new();
        let (mut recent, mut next) = (Recent::default(), 0);
        loop {
            let records = self.deps.log.read(Topic::Access, partition, next, READ).await?;
            let Some(last) = records.last() else { break };
            next = last.offset + 1;
            for record in &records {
                self.record(record, checkpoint, &mut recent, &mut lists).await?;
            }
            progress(self.report.records, all);
        }
        if checkpoint > next {
            self.report.differ(partition, None, "the checkpoint lies behind the end of the log");
        }
        self.report.lists += lists.len() as u64;
        for expected in lists.values().filter(|e| e.stored.is_some() && !e.agreed) {
            self.report.differ(
                partition,
                expected.head.map(|h| h.next_offset - 1),
                "the head of the list is not what the log says",
            );
        }
        Ok(())
    }

    async fn record(
        &mut self,
        record: &Record,
        checkpoint: u64,
        recent: &mut Recent,
        lists: &mut HashMap<AccessList, Expected>,
    ) -> Result<(), ListError> {
        self.report.records += 1;
        let place = (record.partition, Some(record.offset));
        let Ok(entry) = read_record(record) else {
            self.report.differ(place.0, place.1, "the record does not read");
            return Ok(());
        };
        if recent.push(entry.id) {
            self.report.duplicates += 1;
            return Ok(());
        }
        let list = entry.list.clone();
        let expected = lists.entry(list.clone()).or_default();
        if !expected.asked {
            expected.asked = true;
            expected.stored = self.store.get(Table::AccessHead, &list_name(&list), b"").await?;
        }
        let (row, head) = follow_on(expected.head.as_ref(), record, entry);
        expected.head = Some(head);
        if expected.stored.as_ref() == Some(&self.guard.head_row(&list, &head).value) {
            expected.agreed = true;
        }
        let (wanted, has_head) = (table_row(&self.guard, &row), expected.stored.is_some());
        self.compare(&wanted, place, record.offset < checkpoint, has_head).await?;
        self.body(&row, place).await
    }

    async fn compare(
        &mut self,
        wanted: &Row,
        (partition, offset): (u16, Option<u64>),
        must_exist: bool,
        has_head: bool,
    ) -> Result<(), ListError> {
        match self.store.get(wanted.table, &wanted.partition, &wanted.key).await? {
            Some(stored) => {
                self.expected_rows += 1;
                if stored == wanted.value {
                    self.report.rows += 1;
                } else {
                    self.report.differ(partition, offset, "the row is not what the log says");
                }
                if !has_head {
                    self.report.differ(partition, offset, "the list has rows and no head");
                }
            }
            None if must_exist => self.report.differ(partition, offset, "the row is missing"),
            None => self.report.pending += 1,
        }
        Ok(())
    }

    async fn body(&mut self, row: &AccessRow, (partition, offset): (u16, Option<u64>)) -> Result<(), ListError> {
        match self.deps.keys.log_key(&row.record.list, row.record.year).await {
            Ok(key) => match open_body(&TICKET, &key, row) {
                Ok(_) => self.report.opened += 1,
                Err(_) => self.report.differ(partition, offset, "the body does not open to its commitment"),
            },
            Err(KeysError::NoKey) => self.report.without_key += 1,
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Rows that stand in the table without a record in the log.
    async fn surplus(&mut self) -> Result<(), ListError> {
        let (mut found, mut after) = (0u64, None);
        loop {
            let rows = self.store.scan(Table::Access, after, READ).await?;
            let Some(last) = rows.last() else { break };
            found += rows.len() as u64;
            after = Some((last.partition.clone(), last.key.clone()));
        }
        if found > self.expected_rows {
            self.report.differ(0, None, "there are rows without a record in the log");
        }
        Ok(())
    }
}
