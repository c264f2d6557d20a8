//! Reads a list, newest entry first. Every row is checked on every read: place, mark, number, chain, commitment.

use std::collections::HashMap;
use std::sync::Arc;

use chassis::crypto;
use chassis::ports::keys::{Job, Keys, KeysError, LogKey, Ticket};
use chassis::ports::store::{Store, Table};
use schemas::EntryId;
use schemas::access::{Access, AccessHead, AccessList, AccessRow};
use schemas::codec;

use crate::list::{Guard, ListError, list_name, next_chain, row_key, row_partition};

/// One entry of a list.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) row: AccessRow,
    /// `None` where the list's key was destroyed: the row stays, its words are gone.
    pub(crate) access: Option<Access>,
}

/// Opens lists. The release of what it opens is an entry of its own.
#[derive(Clone)]
pub(crate) struct Reader {
    store: Arc<dyn Store>,
    keys: Arc<dyn Keys>,
    guard: Guard,
    ticket: Ticket,
}

/// A list as it stood when the reading began.
pub(crate) struct Opened<'a> {
    reader: &'a Reader,
    pub(crate) list: AccessList,
    pub(crate) head: AccessHead,
    keys: HashMap<u16, Option<Arc<LogKey>>>,
}

impl Reader {
    pub(crate) fn new(store: Arc<dyn Store>, keys: Arc<dyn Keys>, guard: Guard) -> Self {
        Self { store, keys, guard, ticket: Ticket::for_job(Job::AccessList) }
    }

    /// The list; `None` if it has no entry yet.
    pub(crate) async fn list(&self, list: AccessList) -> Result<Option<Opened<'_>>, ListError> {
        let Some(stored) = self.store.get(Table::AccessHead, &list_name(&list), b"").await? else { return Ok(None) };
        let head = self.guard.read_head(&list, &stored)?;
        Ok(Some(Opened { reader: self, list, head, keys: HashMap::new() }))
    }
}

fn damaged(number: u64, what: &'static str) -> ListError {
    ListError::Damaged { number, what }
}

impl Opened<'_> {
    /// At most `limit` rows below number `before`, descending and without a gap.
    pub(crate) async fn rows(&self, before: u64, limit: usize) -> Result<Vec<AccessRow>, ListError> {
        let newest = before.saturating_sub(1).min(self.head.count);
        // One row more than asked for: the chain of the last one hangs on it.
        let wanted = usize::try_from(newest).unwrap_or(usize::MAX).min(limit.saturating_add(1));
        let mut rows: Vec<AccessRow> = Vec::with_capacity(wanted);
        let mut year = self.head.last_year;
        while rows.len() < wanted {
            let expected = newest - rows.len() as u64;
            let had = rows.len();
            self.rows_of_year(year, expected, wanted, &mut rows).await?;
            if rows.len() == had {
                year = self.year_of(expected).await?;
                self.rows_of_year(year, expected, wanted, &mut rows).await?;
            }
        }
        self.check_chain(newest, &rows)?;
        rows.truncate(limit);
        Ok(rows)
    }

    /// Adds the rows from number `expected` downward that lie in this year without a gap.
    async fn rows_of_year(
        &self,
        year: u16,
        expected: u64,
        wanted: usize,
        rows: &mut Vec<AccessRow>,
    ) -> Result<(), ListError> {
        let partition = row_partition(&self.list, year);
        let limit = wanted - rows.len();
        let page = self.reader.store.range_back(Table::Access, &partition, &row_key(expected + 1), limit).await?;
        for ((key, stored), number) in page.rows.iter().zip((1..=expected).rev()) {
            if key[..] != row_key(number) {
                break;
            }
            let value = self.reader.guard.check(Table::Access, &partition, key, stored);
            let value = value.ok_or_else(|| damaged(number, "its bytes are not as they were written"))?;
            let row: AccessRow = codec::decode("access row", value).map_err(|_| damaged(number, "it does not read"))?;
            if row.person_seq != number || row.record.list != self.list || row.record.year != year {
                return Err(damaged(number, "it belongs to another place"));
            }
            rows.push(row);
        }
        Ok(())
    }

    /// The year in which row `number` lies: around New Year two years take turns.
    async fn year_of(&self, number: u64) -> Result<u16, ListError> {
        for year in (self.head.first_year..=self.head.last_year).rev() {
            let partition = row_partition(&self.list, year);
            if self.reader.store.get(Table::Access, &partition, &row_key(number)).await?.is_some() {
                return Ok(year);
            }
        }
        Err(damaged(number, "it is missing"))
    }

    fn check_chain(&self, newest: u64, rows: &[AccessRow]) -> Result<(), ListError> {
        if newest == self.head.count && rows.first().is_some_and(|row| row.chain != self.head.chain) {
            return Err(damaged(newest, "the head of the list does not follow from it"));
        }
        for (at, row) in rows.iter().enumerate() {
            let previous = match rows.get(at + 1) {
                Some(previous) => &previous.chain,
                None if row.person_seq == 1 => &[0; 32],
                None => continue,
            };
            if row.chain != next_chain(previous, row.person_seq, &row.record.commitment) {
                return Err(damaged(row.person_seq, "it does not follow from the entry before it"));
            }
        }
        Ok(())
    }

    /// Opens the body of a row and checks it against its commitment.
    pub(crate) async fn open(&mut self, row: AccessRow) -> Result<Entry, ListError> {
        let Some(key) = self.key(row.record.year).await? else { return Ok(Entry { row, access: None }) };
        let access = open_body(&self.reader.ticket, &key, &row)?;
        Ok(Entry { row, access: Some(access) })
    }

    async fn key(&mut self, year: u16) -> Result<Option<Arc<LogKey>>, ListError> {
        if let Some(key) = self.keys.get(&year) {
            return Ok(key.clone());
        }
        let key = match self.reader.keys.log_key(&self.list, year).await {
            Ok(key) => Some(key),
            Err(KeysError::NoKey) => None,
            Err(error) => return Err(error.into()),
        };
        self.keys.insert(year, key.clone());
        Ok(key)
    }

    /// The row of an entry. Reads back through the list; nothing is opened.
    pub(crate) async fn find(&self, id: EntryId) -> Result<Option<AccessRow>, ListError> {
        let mut before = self.head.count + 1;
        while before > 1 {
            let rows = self.rows(before, 512).await?;
            before = rows.last().map_or(1, |row| row.person_seq);
            if let Some(row) = rows.into_iter().find(|row| row.record.id == id) {
                return Ok(Some(row));
            }
        }
        Ok(None)
    }
}

/// The body of `row`, if it opens and is what the row is committed to. Opening is work inside: it takes a ticket, and what
/// leaves of it leaves with the receipt of a reading.
pub(crate) fn open_body(_ticket: &Ticket, key: &LogKey, row: &AccessRow) -> Result<Access, ListError> {
    let record = &row.record;
    let body = crypto::open(&key.entry_key(&record.id), &record.id.0, &record.sealed)
        .map_err(|_| damaged(row.person_seq, "its body does not open"))?;
    let commitment = crypto::hmac(&key.entry_opening(&record.id), &[&body]);
    if !crypto::same(&commitment, &record.commitment.0) {
        return Err(damaged(row.person_seq, "its body is not what it is committed to"));
    }
    let access: Access =
        codec::decode("access", &body).map_err(|_| damaged(row.person_seq, "its body does not read"))?;
    let belongs = access.id == record.id
        && match &record.list {
            AccessList::Person(pid) => access.person == Some(*pid),
            AccessList::Facility(organisation) => access.person.is_none() && access.organisation == *organisation,
        };
    if belongs { Ok(access) } else { Err(damaged(row.person_seq, "its body belongs to another list")) }
}
