//! Applying batches.
//!
//! The rows of a batch lie in several partitions, and CQL has no transaction over them. So: first the rows of other partitions
//! (bodies, indexes), which nothing points to yet; then the home partition with the position applied, in one mutation; and after
//! all batches of a call the checkpoints. A crash in between leaves rows that nobody finds and that the replay writes again.
//!
//! Batches of one subject that are applied together (a rebuild, a list) share their mutations.

use std::collections::HashMap;

use bytes::Bytes;
use chassis::ports::store::{Batch, StoreError, Table};
use futures_util::stream::{self, StreamExt, TryStreamExt};

use super::CqlStore;
use super::parts::{Cell, Checkpoints, Mutation, PIECE, Parts};
use super::place::{Applied, POSITION, home, pk, place};
use super::table::Text;
use crate::cql::client::WriteRow;
use crate::cql::error::{read_error, write_error};

/// Subjects written at once.
const SUBJECTS: usize = 32;
/// Mutations of one subject at once.
const MUTATIONS: usize = 8;
/// Mutations above [`PIECE`] of this process at once.
pub(super) const LARGE_AT_ONCE: usize = 2;

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
        for (done, cells) in applied {
            done.into_iter().for_each(|(n, is_new)| fresh[n] = is_new);
            cells.into_iter().for_each(|(pk, cell)| checkpoints.entry(pk).or_default().push(cell));
        }
        let table = place(Table::Checkpoint).table;
        for (pk, cells) in checkpoints {
            self.write(&Mutation { table, pk, cells }).await?;
        }
        Ok(fresh)
    }

    /// Applies the batches of one subject in order. Returns the number of each and whether it was new, and the checkpoints, which
    /// are not written yet.
    async fn apply_subject(
        &self,
        batches: Vec<(usize, &Batch)>,
    ) -> Result<(Vec<(usize, bool)>, Checkpoints), StoreError> {
        let (mut done, mut checkpoints) = (Vec::with_capacity(batches.len()), Checkpoints::new());
        let mut together: Option<(Applied, u64, Parts)> = None;
        for (n, batch) in batches {
            let name = (batch.stream, batch.subject.clone());
            let pending = together.as_ref().filter(|(of, ..)| *of == name).map(|(_, position, _)| *position);
            let last = match pending {
                Some(position) => Some(position),
                None => self.last_applied(&name).await?,
            };
            let is_new = last.is_none_or(|last| batch.position > last);
            done.push((n, is_new));
            if !is_new {
                continue;
            }
            if together.as_ref().is_some_and(|(of, _, parts)| *of != name || parts.bytes > PIECE) {
                checkpoints.extend(self.write_parts(together.take()).await?);
            }
            let (_, position, parts) = together.get_or_insert_with(|| (name, batch.position, Parts::new(batch)));
            *position = batch.position;
            parts.take(batch, stamp(batch.position)?);
        }
        checkpoints.extend(self.write_parts(together).await?);
        Ok((done, checkpoints))
    }

    async fn write_parts(&self, together: Option<(Applied, u64, Parts)>) -> Result<Checkpoints, StoreError> {
        let Some((name, position, parts)) = together else { return Ok(Checkpoints::new()) };
        let (others, home, checkpoints) = parts.split();
        let others: Vec<_> = others.iter().map(|mutation| self.write(mutation)).collect();
        stream::iter(others).buffer_unordered(MUTATIONS).try_collect::<()>().await?;
        self.write(&home).await?;
        self.applied.insert(name, position);
        Ok(checkpoints)
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
}
