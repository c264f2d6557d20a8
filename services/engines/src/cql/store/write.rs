//! Applying batches.
//!
//! The rows of a batch lie in several partitions, and CQL has no transaction over them. So: first the rows of other partitions
//! (bodies, indexes), which nothing points to yet; then the home partition with the position applied, in one mutation; and after
//! all batches of a call the checkpoints. A crash in between leaves rows that nobody finds and that the replay writes again.
//!
//! A mutation may have 16 MiB. A home partition's share of one submission is above [`LARGEST`] only with tens of thousands of
//! entries; then headers and versions go ahead in pieces, and state, verdict and position follow in the last one. Readers that
//! start from the state never miss a row; one that looks at headers meanwhile may see a header newer than the state it read,
//! which it must expect anyway, since it reads the two one after the other. Other partitions are written in pieces of
//! [`PIECE`], but never a body in two: its parts belong to one sealing, and only a mutation is replaced as a whole.

use std::collections::HashMap;

use bytes::Bytes;
use chassis::ports::store::{Batch, Row, StoreError, Table};
use futures_util::stream::{self, StreamExt, TryStreamExt};

use super::CqlStore;
use super::place::{Applied, BODY, POSITION, home, pk, place};
use super::table::Text;
use crate::cql::client::WriteRow;
use crate::cql::error::{read_error, write_error};

/// Subjects written at once.
const SUBJECTS: usize = 32;
/// Mutations of one subject at once.
const MUTATIONS: usize = 8;
/// Bytes of rows in a mutation: with room below the servers' 16 MiB. A body has at most 10 MiB.
const LARGEST: usize = 12 << 20;
/// Bytes of rows in a mutation that need not be one. A larger one takes as much direct memory of a server at once.
const PIECE: usize = 1 << 20;
/// Mutations above [`PIECE`] of this process at once.
pub(super) const LARGE_AT_ONCE: usize = 2;
/// What a row costs beside its key and value.
const ROW: usize = 40;

/// Bits of a write time below the position: chance. Two processes (or two tries) that apply the same position seal it with
/// different nonces; with equal write times the servers would choose cell by cell, and mix the parts of a body.
const TIE_BITS: u32 = 14;
/// Write time of drops: above every position (10^11 of a partition), and in the past of every clock, because ScyllaDB refuses
/// write times that lie in the future.
pub(super) const DROPPED: i64 = 1_760_000_000_000_000;

/// The write time of the rows of a position.
pub(super) fn stamp(position: u64) -> Result<i64, StoreError> {
    let mut chance = [0; 2];
    schemas::random::fill(&mut chance);
    let chance = i64::from(u16::from_le_bytes(chance)) & ((1 << TIE_BITS) - 1);
    let above = |p: u64| i64::try_from(p).ok()?.checked_add(1)?.checked_mul(1 << TIE_BITS);
    let time = above(position).map(|base| base | chance).filter(|time| *time < DROPPED);
    time.ok_or_else(|| StoreError::NotWritable(format!("position {position} is too large for a write time")))
}

/// A row in its place.
struct Cell {
    kind: i8,
    key: Bytes,
    value: Bytes,
    stamp: i64,
}

impl Cell {
    fn bytes(&self) -> usize {
        ROW + self.key.len() + self.value.len()
    }
}

/// Rows of one partition of one table.
struct Mutation {
    table: usize,
    pk: Bytes,
    cells: Vec<Cell>,
}

/// The rows of a batch, in the order in which they must be written.
struct Parts {
    others: Vec<Mutation>,
    home: Mutation,
    checkpoints: Vec<(Bytes, Cell)>,
}

fn split(batch: &Batch, stamp: i64) -> Parts {
    let (home_table, home_pk) = (home(batch.stream), pk(&batch.subject));
    let mut home = Mutation { table: home_table, pk: home_pk, cells: Vec::with_capacity(batch.rows.len() + 1) };
    let mut others: HashMap<(usize, Bytes), Vec<Cell>> = HashMap::new();
    let (mut last, mut checkpoints) = (Vec::new(), Vec::new());
    for Row { table, partition, key, value } in &batch.rows {
        let place = place(*table);
        let (pk, key) = place.pk_and_key(partition, key);
        let cell = Cell { kind: place.kind, key, value: value.clone(), stamp };
        if *table == Table::Checkpoint {
            checkpoints.push((pk, cell));
        } else if place.table != home.table || pk != home.pk {
            others.entry((place.table, pk)).or_default().push(cell);
        } else if place.last {
            last.push(cell);
        } else {
            home.cells.push(cell);
        }
    }
    let position = Bytes::copy_from_slice(&batch.position.to_be_bytes());
    last.push(Cell { kind: POSITION, key: batch.stream.as_bytes().into(), value: position, stamp });
    home.cells.extend(last);
    let others = others.into_iter().map(|((table, pk), cells)| Mutation { table, pk, cells }).collect();
    Parts { others, home, checkpoints }
}

impl Mutation {
    /// Pieces to be written one after the other; what must be seen last, or together, is in the last one.
    fn pieces(&self) -> Vec<&[Cell]> {
        let is_body = self.table == BODY;
        let is_home = self.cells.last().is_some_and(|cell| cell.kind == POSITION);
        // The key of a part of a body ends with the part's number (2 bytes).
        let body = |cell: &Cell| cell.key.len().checked_sub(2).map(|end| cell.key.slice(..end));
        let (mut pieces, mut end, mut bytes) = (Vec::new(), self.cells.len(), 0);
        for (n, cell) in self.cells.iter().enumerate().rev() {
            let together = is_home || (is_body && self.cells.get(n + 1).is_some_and(|next| body(next) == body(cell)));
            let most = if together { LARGEST } else { PIECE };
            if bytes + cell.bytes() > most && bytes > 0 {
                pieces.push(&self.cells[n + 1..end]);
                (end, bytes) = (n + 1, 0);
            }
            bytes += cell.bytes();
        }
        pieces.push(&self.cells[..end]);
        pieces.reverse();
        pieces
    }
}

impl CqlStore {
    pub(super) async fn apply_batches(&self, batches: Vec<Batch>) -> Result<Vec<bool>, StoreError> {
        let mut fresh = vec![false; batches.len()];
        let mut subjects: HashMap<Bytes, Vec<(usize, &Batch)>> = HashMap::new();
        for (n, batch) in batches.iter().enumerate() {
            subjects.entry(batch.subject.clone()).or_default().push((n, batch));
        }
        let applied: Vec<_> = subjects.into_values().map(|batches| self.apply_subject(batches)).collect();
        let applied: Vec<_> = stream::iter(applied).buffer_unordered(SUBJECTS).try_collect().await?;
        let mut checkpoints: HashMap<Bytes, Vec<Cell>> = HashMap::new();
        for (n, new, cells) in applied.into_iter().flatten() {
            fresh[n] = new;
            cells.into_iter().for_each(|(pk, cell)| checkpoints.entry(pk).or_default().push(cell));
        }
        let table = place(Table::Checkpoint).table;
        for (pk, cells) in checkpoints {
            self.write(&Mutation { table, pk, cells }).await?;
        }
        Ok(fresh)
    }

    /// Applies the batches of one subject in order: number, whether it was new, its checkpoints (not written yet).
    async fn apply_subject(
        &self,
        batches: Vec<(usize, &Batch)>,
    ) -> Result<Vec<(usize, bool, Vec<(Bytes, Cell)>)>, StoreError> {
        let mut done = Vec::with_capacity(batches.len());
        for (n, batch) in batches {
            let name = (batch.stream, batch.subject.clone());
            if self.last_applied(&name).await?.is_some_and(|last| batch.position <= last) {
                done.push((n, false, Vec::new()));
                continue;
            }
            let parts = split(batch, stamp(batch.position)?);
            let others: Vec<_> = parts.others.iter().map(|mutation| self.write(mutation)).collect();
            stream::iter(others).buffer_unordered(MUTATIONS).try_collect::<()>().await?;
            self.write(&parts.home).await?;
            self.applied.insert(name, batch.position);
            done.push((n, true, parts.checkpoints));
        }
        Ok(done)
    }

    async fn last_applied(&self, name: &Applied) -> Result<Option<u64>, StoreError> {
        if let Some(position) = self.applied.get(name) {
            return Ok(Some(position));
        }
        let (stream, subject) = name;
        let statement = self.tables.statement(&self.client, home(stream), Text::Read).await.map_err(read_error)?;
        let values = (pk(subject), POSITION, stream.as_bytes());
        let rows = self.client.rows::<(Bytes,)>(statement, values).await.map_err(read_error)?;
        let Some((value,)) = rows.into_iter().next() else { return Ok(None) };
        let bytes = <[u8; 8]>::try_from(&value[..]);
        let position =
            bytes.map_err(|_| StoreError::Damaged("an applied position does not have 8 bytes".to_owned()))?;
        let position = u64::from_be_bytes(position);
        self.applied.insert(name.clone(), position);
        Ok(Some(position))
    }

    /// In one mutation, unless it is too large (see [`Mutation::pieces`]).
    async fn write(&self, mutation: &Mutation) -> Result<(), StoreError> {
        let Mutation { table, pk, .. } = mutation;
        let statement = self.tables.statement(&self.client, *table, Text::Write).await.map_err(write_error)?;
        for piece in mutation.pieces() {
            let is_large = piece.iter().map(Cell::bytes).sum::<usize>() > PIECE;
            let _turn = if is_large { self.large.acquire().await.ok() } else { None };
            let rows: Vec<WriteRow<'_>> = piece.iter().map(|c| (pk, c.kind, &c.key, &c.value, c.stamp)).collect();
            self.client.write(statement, &rows).await.map_err(write_error)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_position_has_a_later_write_time_and_a_drop_the_latest() {
        for position in [0, 1, 2, 1 << 20, 100_000_000_000] {
            assert!(stamp(position).unwrap() < stamp(position + 1).unwrap());
        }
        assert!(stamp(1 << 40).is_err() && stamp(u64::MAX).is_err());
    }

    #[test]
    fn a_large_home_partition_is_cut_so_that_state_verdict_and_position_come_last() {
        let row = |table, key: u16, bytes| Row {
            table,
            partition: Bytes::from_static(b"p"),
            key: key.to_be_bytes().to_vec().into(),
            value: vec![0; bytes].into(),
        };
        let mut rows = vec![row(Table::Verdict, 0, 500), row(Table::State, 0, 500)];
        rows.extend((0..40_000).map(|n| row(Table::Header, n, 800)));
        rows.push(row(Table::Checkpoint, 1, 8));
        let batch = Batch { subject: Bytes::from_static(b"p"), stream: "person", position: 7, rows };
        let parts = split(&batch, 1);
        assert_eq!((parts.others.len(), parts.checkpoints.len()), (0, 1));
        let pieces = parts.home.pieces();
        assert_eq!(pieces.iter().map(|p| p.len()).sum::<usize>(), 40_003);
        assert!(pieces.len() > 2 && pieces.iter().all(|p| p.iter().map(Cell::bytes).sum::<usize>() <= LARGEST));
        let kinds: Vec<i8> = pieces.last().unwrap().iter().rev().take(3).map(|c| c.kind).collect();
        assert_eq!(kinds, [POSITION, place(Table::State).kind, place(Table::Verdict).kind]);
        assert!(pieces[..pieces.len() - 1].iter().all(|p| p.iter().all(|c| c.kind == place(Table::Header).kind)));
    }

    #[test]
    fn bodies_are_written_in_small_pieces_and_none_of_them_in_two() {
        let part = |body: u8, part: u16| Cell {
            kind: 1,
            key: [&[body][..], &part.to_be_bytes()].concat().into(),
            value: vec![0; 400_000].into(),
            stamp: 1,
        };
        let mut cells: Vec<Cell> = (0..20).map(|body| part(body, 0)).collect();
        cells.extend((0..20).map(|n| part(30, n)));
        cells.extend((40..50).map(|body| part(body, 0)));
        let mutation = Mutation { table: BODY, pk: pk(b"p"), cells };
        let pieces = mutation.pieces();
        assert_eq!(pieces.iter().map(|p| p.len()).sum::<usize>(), 50);
        assert_eq!(pieces.iter().filter(|p| p.iter().any(|c| c.key[0] == 30)).count(), 1, "a large body in one piece");
        assert!(pieces.iter().filter(|p| p.len() <= 2).count() >= 14, "small bodies in small pieces");
    }
}
