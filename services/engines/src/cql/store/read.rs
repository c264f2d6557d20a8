//! Reading rows: one, a range, all.

use bytes::Bytes;
use chassis::ports::store::{Page, Row, StoreError, Table};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use scylla::deserialize::row::DeserializeRow;
use scylla::serialize::row::SerializeRow;

use super::CqlStore;
use super::place::{Place, place};
use super::table::Text;
use crate::cql::error::read_error;

/// Partitions of a shared table whose names are read at once, and whose rows are.
const PARTITIONS: i32 = 512;
const AT_ONCE: usize = 16;

/// A limit of the port as one of CQL.
fn cql_limit(limit: usize) -> i32 {
    i32::try_from(limit).unwrap_or(i32::MAX)
}

/// From one row more than asked for.
fn page(mut rows: Vec<(Bytes, Bytes)>, limit: usize) -> Page {
    let more = rows.len() > limit;
    rows.truncate(limit);
    Page { rows, more }
}

impl CqlStore {
    async fn select<R>(&self, place: Place, text: Text, values: impl SerializeRow + Clone) -> Result<Vec<R>, StoreError>
    where
        R: for<'frame> DeserializeRow<'frame, 'frame>,
    {
        let statement = self.tables.statement(&self.client, place.table, text).await.map_err(read_error)?;
        self.client.rows::<R>(statement, values).await.map_err(read_error)
    }

    pub(super) async fn read_row(
        &self,
        table: Table,
        partition: &[u8],
        key: &[u8],
    ) -> Result<Option<Bytes>, StoreError> {
        let place = place(table);
        let (pk, key) = place.pk_and_key(partition, key);
        let rows = self.select::<(Bytes,)>(place, Text::Read, (&pk, place.kind, &key)).await?;
        Ok(rows.into_iter().next().map(|(value,)| value))
    }

    pub(super) async fn read_range(
        &self,
        table: Table,
        partition: &[u8],
        (from, to): (&[u8], &[u8]),
        limit: usize,
    ) -> Result<Page, StoreError> {
        let place = place(table);
        let pk = place.pk_of_partition(partition)?;
        // The servers refuse a range that holds nothing.
        if !to.is_empty() && from >= to {
            return Ok(Page::default());
        }
        let most = cql_limit(limit.saturating_add(1));
        let rows = if to.is_empty() {
            self.select(place, Text::From, (&pk, place.kind, from, most)).await?
        } else {
            self.select(place, Text::FromTo, (&pk, place.kind, from, to, most)).await?
        };
        Ok(page(rows, limit))
    }

    pub(super) async fn read_back(
        &self,
        table: Table,
        partition: &[u8],
        before: &[u8],
        limit: usize,
    ) -> Result<Page, StoreError> {
        let place = place(table);
        let pk = place.pk_of_partition(partition)?;
        let most = cql_limit(limit.saturating_add(1));
        let rows = if before.is_empty() {
            self.select(place, Text::Back, (&pk, place.kind, most)).await?
        } else {
            self.select(place, Text::BackFrom, (&pk, place.kind, before, most)).await?
        };
        Ok(page(rows, limit))
    }

    /// Partitions come in the order of their tokens: hashes, the same at each scan. (Two partitions with the same 64 bits would
    /// be skipped at the border of a page; of a billion partitions none are to be expected.)
    pub(super) async fn scan_rows(
        &self,
        table: Table,
        after: Option<(Bytes, Bytes)>,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        let place = place(table);
        let mut found: Vec<(Bytes, Bytes, Bytes)> = Vec::new();
        let last = after.map(|(partition, key)| place.pk_and_key(&partition, &key));
        if limit == 0 {
            return Ok(Vec::new());
        }
        if let Some((pk, key)) = &last {
            let rows: Vec<(Bytes, Bytes)> =
                self.select(place, Text::After, (pk, place.kind, key, cql_limit(limit))).await?;
            found.extend(rows.into_iter().map(|(key, value)| (pk.clone(), key, value)));
        }
        let last = last.map(|(pk, _)| pk);
        if found.len() < limit {
            if place.shared {
                self.scan_shared(place, last, limit, &mut found).await?;
            } else {
                found.extend(self.scan_own(place, last, limit - found.len()).await?);
            }
        }
        let row = |(pk, key, value)| {
            let (partition, key) = place.split(&pk, key)?;
            Ok(Row { table, partition, key, value })
        };
        found.into_iter().map(row).collect()
    }

    async fn scan_own(
        &self,
        place: Place,
        last: Option<Bytes>,
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes, Bytes)>, StoreError> {
        match last {
            None => self.select(place, Text::All, (cql_limit(limit),)).await,
            Some(pk) => self.select(place, Text::AllAfter, (pk, cql_limit(limit))).await,
        }
    }

    /// Of a table with several kinds: the names of partitions first, then the rows of this kind in each.
    async fn scan_shared(
        &self,
        place: Place,
        mut last: Option<Bytes>,
        limit: usize,
        found: &mut Vec<(Bytes, Bytes, Bytes)>,
    ) -> Result<(), StoreError> {
        let wanted = i32::min(PARTITIONS, cql_limit(limit));
        while found.len() < limit {
            let partitions: Vec<(Bytes,)> = match &last {
                None => self.select(place, Text::Partitions, (wanted,)).await?,
                Some(pk) => self.select(place, Text::PartitionsAfter, (pk, wanted)).await?,
            };
            let Some((end,)) = partitions.last().cloned() else { return Ok(()) };
            let rest = cql_limit(limit - found.len());
            let rows = partitions.into_iter().map(async |(pk,)| {
                let values = (&pk, place.kind, &b""[..], rest);
                let rows: Vec<(Bytes, Bytes)> = self.select(place, Text::From, values).await?;
                Ok::<_, StoreError>(rows.into_iter().map(|(key, value)| (pk.clone(), key, value)).collect::<Vec<_>>())
            });
            let mut rows = stream::iter(rows).buffered(AT_ONCE);
            while let Some(some) = rows.try_next().await? {
                found.extend(some);
                if found.len() >= limit {
                    found.truncate(limit);
                    return Ok(());
                }
            }
            last = Some(end);
        }
        Ok(())
    }
}
