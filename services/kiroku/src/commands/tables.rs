//! Two sets of tables, row by row. Sealed rows hold fresh nonces and are compared opened; rows of persons whose keys were
//! destroyed cannot be opened and need not be in the newer set.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use anyhow::Result;
use bytes::Bytes;
use chassis::envelope;
use chassis::ports::keys::{Job, Keys, KeysError, Secret, Ticket};
use chassis::ports::log::Log;
use chassis::ports::store::{Row, Store, Table};
use chassis::shelf;
use chassis::shelves::{Shelves, item_of_key};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use schemas::header::{Bucket, Header};
use schemas::shelf::PersonState;
use schemas::submission::Outcome;
use schemas::{ItemKey, Pid, ResourceId, SubmissionId};

const TICKET: Ticket = Ticket::for_job(Job::Operate);
const PAGE: usize = 1024;
/// Tables whose rows are counted at once: a database answers one page after the other.
const COUNTED_AT_ONCE: usize = 4;
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

    async fn next(&mut self) -> Result<Option<Row>> {
        if self.rows.is_empty() && !self.ended {
            let rows = self.store.scan(self.table, self.after.take(), PAGE).await?;
            self.after = rows.last().map(|row| (row.partition.clone(), row.key.clone()));
            self.ended = rows.is_empty();
            self.rows = rows.into();
        }
        Ok(self.rows.pop_front())
    }
}

/// Rows of one side, by partition and key, whose twin was not met yet.
type Waiting = BTreeMap<(Bytes, Bytes), Row>;

fn place(row: &Row) -> (Bytes, Bytes) {
    (row.partition.clone(), row.key.clone())
}

/// Tables with the keyring that opens them.
pub(super) struct Side {
    pub(super) store: Arc<dyn Store>,
    pub(super) keys: Arc<dyn Keys>,
}

/// Where the submissions of the log behind the live tables lie in the log behind the fresh ones.
pub(super) struct Moved<'a> {
    pub(super) before: Arc<dyn Log>,
    /// Of those that lie elsewhere, by partition and offset before.
    pub(super) places: &'a HashMap<(u16, u64), u64>,
}

pub(super) struct Comparison<'a> {
    live: Shelves,
    fresh: Shelves,
    moved: Option<Moved<'a>>,
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

impl<'a> Comparison<'a> {
    pub(super) fn new(live: Side, fresh: Side, pending: HashSet<Pid>) -> Self {
        let shelves = |side: Side| Shelves::new(side.store, side.keys, TICKET);
        let compared = Compared::default();
        Self { live: shelves(live), fresh: shelves(fresh), moved: None, pending, compared }
    }

    /// The fresh tables stand on a copied log.
    pub(super) fn moved(self, moved: Moved<'a>) -> Self {
        Self { moved: Some(moved), ..self }
    }

    /// The position in the log behind the fresh tables.
    fn position(&self, pid: Pid, position: u64) -> u64 {
        let Some(moved) = &self.moved else { return position };
        let partition = moved.before.partition_of(envelope::topic_of(pid), pid.shard());
        moved.places.get(&(partition, position)).copied().unwrap_or(position)
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
        // Each engine scans in an order of its own, the same in all generations: rows wait here for their twin, and where the
        // tables agree none waits long.
        let (mut only_live, mut only_fresh) = (Waiting::default(), Waiting::default());
        loop {
            let (ours, theirs) = (live.next().await?, fresh.next().await?);
            if ours.is_none() && theirs.is_none() {
                break;
            }
            if let Some(ours) = ours {
                match only_fresh.remove(&place(&ours)) {
                    Some(theirs) => self.pair(&ours, &theirs).await?,
                    None => drop(only_live.insert(place(&ours), ours)),
                }
            }
            if let Some(theirs) = theirs {
                match only_live.remove(&place(&theirs)) {
                    Some(ours) => self.pair(&ours, &theirs).await?,
                    None => drop(only_fresh.insert(place(&theirs), theirs)),
                }
            }
            progress(self.compared.rows);
        }
        for row in only_live.values() {
            self.only_live(row).await?;
        }
        only_fresh.values().for_each(|row| self.only_fresh(row));
        Ok(())
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
                let Some((mine, other)) = self.secrets(pid).await? else { return Ok(Stand::Erased) };
                let ours = shelf::open_state(&mine, pid, &ours.value).ok();
                let moved = |it: PersonState| PersonState { position: self.position(pid, it.position), ..it };
                same(ours.map(moved), shelf::open_state(&other, pid, &theirs.value).ok())
            }
            (Table::Verdict, Some(pid)) => {
                let Some((mine, other)) = self.secrets(pid).await? else { return Ok(Stand::Erased) };
                let Some(id) = ours.key.as_ref().try_into().ok().map(SubmissionId) else {
                    return Ok(Stand::Different("its key is no submission"));
                };
                let ours = envelope::open_verdict(&mine, id, &ours.value).ok();
                let moved = |it: Outcome| Outcome { position: self.position(pid, it.position), ..it };
                same(ours.map(moved), envelope::open_verdict(&other, id, &theirs.value).ok())
            }
            (Table::Header | Table::Version, Some(pid)) => self.headers(pid, ours, theirs).await?,
            // Opened with the header that names it.
            (Table::Body, _) => Stand::Same,
            _ if ours.value == theirs.value => Stand::Same,
            _ => Stand::Different("it does not hold what the log says"),
        })
    }

    /// The header keys of both sides; `None` where the person's keys were destroyed.
    async fn secrets(&self, pid: Pid) -> Result<Option<(Secret, Secret)>> {
        let mine = secret(&self.live, pid, Bucket::Long).await?;
        Ok(mine.zip(secret(&self.fresh, pid, Bucket::Long).await?))
    }

    async fn headers(&self, pid: Pid, ours: &Row, theirs: &Row) -> Result<Stand> {
        let Some(item) = item_of_key(&ours.key) else { return Ok(Stand::Different("its key is no item")) };
        let (Opened::Header(mine), Opened::Header(other)) =
            (open_header(&self.live, pid, &item, ours).await?, open_header(&self.fresh, pid, &item, theirs).await?)
        else {
            let gone = is_erased(&*self.live.keys, pid).await?;
            return Ok(if gone { Stand::Erased } else { Stand::Different("it does not open: its bytes are damaged") });
        };
        let mine = Box::new(Header { position: self.position(pid, mine.position), ..*mine });
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
async fn secret(shelves: &Shelves, pid: Pid, bucket: Bucket) -> Result<Option<Secret>> {
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
    let count = async |table: Table| {
        let (mut after, mut count) = (None, 0u64);
        loop {
            let rows = store.scan(table, after, PAGE).await?;
            let Some(last) = rows.last() else { return Ok((table.name(), count)) };
            count += rows.len() as u64;
            after = Some((last.partition.clone(), last.key.clone()));
        }
    };
    let tables = PROJECTED.into_iter().chain([Table::Access, Table::AccessHead]);
    stream::iter(tables.map(count)).buffer_unordered(COUNTED_AT_ONCE).try_collect().await
}
