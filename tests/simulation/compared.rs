//! The tables that served against tables made anew from the log. Sealed rows hold fresh nonces and are compared opened.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use chassis::ports::keys::Keys;
use chassis::ports::store::{Row, Store, Table};
use chassis::shelves::{Shelves, item_of_key};
use chassis::{envelope, shelf};
use schemas::header::Bucket;
use schemas::{Pid, SubmissionId};

use crate::history::TICKET;

const TABLES: [Table; 11] = [
    Table::State,
    Table::Header,
    Table::Version,
    Table::Body,
    Table::Verdict,
    Table::Submission,
    Table::PersonIndex,
    Table::CommonsIndex,
    Table::Quarantine,
    Table::Access,
    Table::AccessHead,
];

/// Both sets of tables must say the same.
pub(crate) async fn check(live: Arc<dyn Store>, fresh: Arc<dyn Store>, keys: Arc<dyn Keys>) -> Result<()> {
    let live = Shelves::new(live, keys.clone(), TICKET);
    let fresh = Shelves::new(fresh, keys, TICKET);
    for table in TABLES {
        let (ours, theirs) = (rows(&live, table).await?, rows(&fresh, table).await?);
        let places = |rows: &[Row]| rows.iter().map(|r| (r.partition.clone(), r.key.clone())).collect::<BTreeSet<_>>();
        let (have, want) = (places(&ours), places(&theirs));
        let (more, less) = (have.difference(&want).count(), want.difference(&have).count());
        ensure!(
            more + less == 0,
            "table `{}`: {more} rows that the log does not give, {less} are missing",
            table.name()
        );
        for (ours, theirs) in ours.iter().zip(&theirs) {
            same(&live, &fresh, ours, theirs).await.with_context(|| format!("table `{}`", table.name()))?;
        }
    }
    Ok(())
}

async fn rows(shelves: &Shelves, table: Table) -> Result<Vec<Row>> {
    Ok(shelves.store.scan(table, None, usize::MAX).await?)
}

async fn same(live: &Shelves, fresh: &Shelves, ours: &Row, theirs: &Row) -> Result<()> {
    let pid =
        || ours.partition.get(..16).and_then(|b| b.try_into().ok()).map(Pid).context("a shelf's row names no person");
    match ours.table {
        Table::State => {
            let (mine, other) =
                (live.open_state(pid()?, &ours.value).await?, fresh.open_state(pid()?, &theirs.value).await?);
            ensure!(mine == other, "a state is not what the log says: {mine:?} instead of {other:?}");
        }
        Table::Verdict => {
            let key = live.header_secret(pid()?, Bucket::Long).await?;
            let id = SubmissionId(ours.key.as_ref().try_into()?);
            let open = |row: &Bytes| envelope::open_verdict(&key, id, row);
            let (mine, other) = (open(&ours.value)?, open(&theirs.value)?);
            ensure!(mine == other, "the verdict of {id} is not what the log says: {mine:?} instead of {other:?}");
        }
        Table::Header | Table::Version => headers(live, fresh, pid()?, (ours, theirs)).await?,
        // Opened with the header that names it.
        Table::Body => {}
        _ => ensure!(ours.value == theirs.value, "a row is not what the log says"),
    }
    Ok(())
}

async fn headers(live: &Shelves, fresh: &Shelves, pid: Pid, (ours, theirs): (&Row, &Row)) -> Result<()> {
    let item = item_of_key(&ours.key).context("the key of a header is no item")?;
    let mut opened = Vec::new();
    for (shelves, row) in [(live, ours), (fresh, theirs)] {
        let key = shelves.header_secret(pid, shelf::header_bucket(&row.value)?).await?;
        let mut header = shelf::open_header(&key, &item, &row.value)?;
        let body = match header.body {
            Some(_) => shelves.body_inside(pid, &header).await?,
            None => Vec::new(),
        };
        // Its bytes follow from the sealing; what it says is compared opened.
        header.body = None;
        opened.push((header, body));
    }
    ensure!(opened[0] == opened[1], "a header or its body is not what the log says: {opened:?}");
    Ok(())
}
