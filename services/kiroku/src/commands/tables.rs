//! Two sets of tables, row by row. Sealed rows hold fresh nonces and are compared opened; rows of persons whose keys were
//! destroyed cannot be opened and need not be in the newer set.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::Arc;

use anyhow::Result;
use bytes::Bytes;
use chassis::envelope;
use chassis::ports::keys::{Job, Keys, KeysError, Ticket};
use chassis::ports::store::{Row, Store, Table};
use chassis::shelf;
use chassis::shelves::{Shelves, item_of_key};
use schemas::header::{Bucket, Header};
use schemas::{ItemKey, Pid, ResourceId, SubmissionId};

const TICKET: Ticket = Ticket::for_job(Job::Operate);
const PAGE: usize = 1024;
/// Findings kept as sentences; more are only counted.
const KEPT: usize = 100;

/// The tables that follow from topics `identity`, `commons` and `person`. Accesses are compared by the ledger.
pub(super) const PROJECTED: [Table; 9] = [
    Table::State,
    Table::Header,
    Table::Version,
    Table::Body,
    Table::Verdict,
    Table::Submission,
    Table::PersonIndex,
    Table::CommonsIndex,
    Table::Quarantine,
];

/// What a comparison found.
#[derive(Default)]
pub(super) struct Compared {
    pub(super) rows: u64,
    /// Rows of persons whose keys were destroyed.
    pub(super) erased: u64,
    /// Rows that the tables which serve do not have yet.
    pub(super) pending: u64,
    pub(super) finding_count: u64,
    pub(super) findings: Vec<String>,
}

impl Compared {
    fn find(&mut self, what: String) {
        self.finding_count += 1;
        if self.findings.len() < KEPT {
            self.findings.push(what);
        }
    }
}

/// A table, read in order.
struct Cursor<'a> {
    store: &'a dyn Store,
    table: Table,
    rows: VecDeque<Row>,
    after: Option<(Bytes, Bytes)>,
    ended: bool,
}

impl<'a> Cursor<'a> {
    fn new(store: &'a dyn Store, table: Table) -> Self {
        Self { store, table, rows: VecDeque::new(), after: None, ended: false }
    }

    async fn fill(&mut self) -> Result<()> {
        if self.rows.is_empty() && !self.ended {
            let rows = self.store.scan(self.table, self.after.take(), PAGE).await?;
            self.after = rows.last().map(|row| (row.partition.clone(), row.key.clone()));
            self.ended = rows.is_empty();
            self.rows = rows.into();
        }
        Ok(())
    }
}

pub(super) struct Comparison {
    live: Shelves,
    fresh: Shelves,
    /// Persons of whom the tables that serve do not have everything yet.
    pending: HashSet<Pid>,
    compared: Compared,
}

/// How two rows of the same place stand to one another.
enum Stand {
    Same,
    Erased,
    Different(&'static str),
}

impl Comparison {
    pub(super) fn new(live: Arc<dyn Store>, fresh: Arc<dyn Store>, keys: Arc<dyn Keys>, pending: HashSet<Pid>) -> Self {
        let live = Shelves::new(live, keys.clone(), TICKET);
        Self { live, fresh: Shelves::new(fresh, keys, TICKET), pending, compared: Compared::default() }
    }

    /// Compares all tables. `progress` is called with the number of rows so far.
    pub(super) async fn run(mut self, progress: &mut dyn FnMut(u64)) -> Result<Compared> {
        for table in PROJECTED {
            self.table(table, progress).await?;
        }
        Ok(self.compared)
    }

    async fn table(&mut self, table: Table, progress: &mut dyn FnMut(u64)) -> Result<()> {
        let (live_store, fresh_store) = (self.live.store.clone(), self.fresh.store.clone());
        let (mut live, mut fresh) = (Cursor::new(&*live_store, table), Cursor::new(&*fresh_store, table));
        loop {
            live.fill().await?;
            fresh.fill().await?;
            let place = |row: &Row| (row.partition.clone(), row.key.clone());
            let (ours, theirs) = (live.rows.front().map(place), fresh.rows.front().map(place));
            match (ours, theirs) {
                (None, None) => return Ok(()),
                (Some(ours), Some(theirs)) if ours == theirs => {
                    let pair = live.rows.pop_front().zip(fresh.rows.pop_front());
                    let Some((ours, theirs)) = pair else { return Ok(()) };
                    self.pair(&ours, &theirs).await?;
                }
                (Some(ours), theirs) if theirs.as_ref().is_none_or(|theirs| ours < *theirs) => {
                    let Some(row) = live.rows.pop_front() else { return Ok(()) };
                    self.only_live(&row).await?;
                }
                _ => {
                    let Some(row) = fresh.rows.pop_front() else { return Ok(()) };
                    self.only_fresh(&row);
                }
            }
            progress(self.compared.rows);
        }
    }

    async fn pair(&mut self, ours: &Row, theirs: &Row) -> Result<()> {
        self.compared.rows += 1;
        let waits = owner(ours).is_some_and(|pid| self.pending.contains(&pid));
        match self.stand(ours, theirs).await? {
            Stand::Same => {}
            Stand::Erased => self.compared.erased += 1,
            Stand::Different(_) if waits => self.compared.pending += 1,
            Stand::Different(what) => {
                let place = name(ours);
                self.compared.find(format!("{place}: {what}"));
            }
        }
        Ok(())
    }

    async fn only_live(&mut self, row: &Row) -> Result<()> {
        self.compared.rows += 1;
        match owner(row) {
            Some(pid) if is_erased(&*self.live.keys, pid).await? => self.compared.erased += 1,
            _ => self.compared.find(format!("{}: the log gives no such row", name(row))),
        }
        Ok(())
    }

    fn only_fresh(&mut self, row: &Row) {
        match owner(row) {
            Some(pid) if self.pending.contains(&pid) => self.compared.pending += 1,
            _ => self.compared.find(format!("{}: the row is missing", name(row))),
        }
    }

    async fn stand(&self, ours: &Row, theirs: &Row) -> Result<Stand> {
        let pid = owner(ours);
        Ok(match (ours.table, pid) {
            (Table::State, Some(pid)) => {
                let Some(key) = secret(&self.live, pid, Bucket::Long).await? else { return Ok(Stand::Erased) };
                same(shelf::open_state(&key, pid, &ours.value).ok(), shelf::open_state(&key, pid, &theirs.value).ok())
            }
            (Table::Verdict, Some(pid)) => {
                let Some(key) = secret(&self.live, pid, Bucket::Long).await? else { return Ok(Stand::Erased) };
                let Some(id) = ours.key.as_ref().try_into().ok().map(SubmissionId) else {
                    return Ok(Stand::Different("its key is no submission"));
                };
                let open = |row: &Row| envelope::open_verdict(&key, id, &row.value).ok();
                same(open(ours), open(theirs))
            }
            (Table::Header | Table::Version, Some(pid)) => self.headers(pid, ours, theirs).await?,
            // Opened with the header that names it.
            (Table::Body, _) => Stand::Same,
            _ if ours.value == theirs.value => Stand::Same,
            _ => Stand::Different("it does not hold what the log says"),
        })
    }

    async fn headers(&self, pid: Pid, ours: &Row, theirs: &Row) -> Result<Stand> {
        let Some(item) = item_of_key(&ours.key) else { return Ok(Stand::Different("its key is no item")) };
        let (Opened::Header(mine), Opened::Header(other)) =
            (open_header(&self.live, pid, &item, ours).await?, open_header(&self.fresh, pid, &item, theirs).await?)
        else {
            let gone = is_erased(&*self.live.keys, pid).await?;
            return Ok(if gone { Stand::Erased } else { Stand::Different("it does not open: its bytes are damaged") });
        };
        if mine != other {
            return Ok(Stand::Different("it does not hold what the log says"));
        }
        if mine.body.is_none() {
            return Ok(Stand::Same);
        }
        let Ok(body) = self.live.body_inside(pid, &mine).await else {
            return Ok(Stand::Different("its body does not open: bytes are damaged or missing"));
        };
        Ok(match self.fresh.body_inside(pid, &other).await {
            Ok(again) if again == body => Stand::Same,
            _ => Stand::Different("its body is not what the log says"),
        })
    }
}

enum Opened {
    Header(Box<Header>),
    Closed,
}

async fn open_header(shelves: &Shelves, pid: Pid, item: &ItemKey, row: &Row) -> Result<Opened> {
    let Ok(bucket) = shelf::header_bucket(&row.value) else { return Ok(Opened::Closed) };
    // A damaged bucket would make a key: only years in which there was a record are asked for.
    if matches!(bucket, Bucket::Year(year) if !(2000..2200).contains(&year)) {
        return Ok(Opened::Closed);
    }
    let Some(key) = secret(shelves, pid, bucket).await? else { return Ok(Opened::Closed) };
    Ok(shelf::open_header(&key, item, &row.value).map_or(Opened::Closed, |header| Opened::Header(Box::new(header))))
}

fn same<T: PartialEq>(ours: Option<T>, theirs: Option<T>) -> Stand {
    match (ours, theirs) {
        (Some(ours), Some(theirs)) if ours == theirs => Stand::Same,
        (None, _) => Stand::Different("it does not open: its bytes are damaged"),
        _ => Stand::Different("it does not hold what the log says"),
    }
}

/// The header key; `None` where the person's keys were destroyed.
async fn secret(shelves: &Shelves, pid: Pid, bucket: Bucket) -> Result<Option<chassis::ports::keys::Secret>> {
    match shelves.header_secret(pid, bucket).await {
        Ok(key) => Ok(Some(key)),
        Err(KeysError::NoKey) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// True where the keys of a person were destroyed.
pub(super) async fn is_erased(keys: &dyn Keys, pid: Pid) -> Result<bool> {
    match keys.record_key(pid, Bucket::Long).await {
        Ok(_) => Ok(false),
        Err(KeysError::NoKey) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

/// The shelf that a row belongs to.
fn owner(row: &Row) -> Option<Pid> {
    let bytes = match row.table {
        Table::Submission | Table::PersonIndex => row.value.get(..16),
        Table::State | Table::Header | Table::Version | Table::Body | Table::Verdict => row.partition.get(..16),
        Table::CommonsIndex => return Some(Pid::COMMONS),
        Table::Quarantine => return Some(Pid::QUARANTINE),
        _ => None,
    };
    bytes.and_then(|b| b.try_into().ok()).map(Pid)
}

/// What a row is, for people: table and the id under which it is read.
fn name(row: &Row) -> String {
    let table = row.table.name();
    match (owner(row), item_of_key(&row.key)) {
        (Some(pid), Some(item)) if matches!(row.table, Table::Header | Table::Version | Table::Body) => {
            format!("table `{table}`, {}/{}", item.resource_type, ResourceId { pid, local: item.local })
        }
        (Some(pid), _) => format!("table `{table}`, shelf {pid}"),
        (None, _) => format!("table `{table}`"),
    }
}

/// Number of rows in each table, those of the access lists too.
pub(super) async fn count_rows(store: &dyn Store) -> Result<BTreeMap<&'static str, u64>> {
    let mut counts = BTreeMap::new();
    for table in PROJECTED.into_iter().chain([Table::Access, Table::AccessHead]) {
        let mut after = None;
        let mut count = 0u64;
        loop {
            let rows = store.scan(table, after, PAGE).await?;
            let Some(last) = rows.last() else { break };
            count += rows.len() as u64;
            after = Some((last.partition.clone(), last.key.clone()));
        }
        counts.insert(table.name(), count);
    }
    Ok(counts)
}
