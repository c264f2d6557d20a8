//! The rows of batches, sorted into mutations.
//!
//! A mutation may have 16 MiB. A home partition's share of one submission is above [`LARGEST`] only with tens of thousands of
//! entries; then headers and versions go ahead in pieces, and state, verdict and position follow in the last one. Readers that
//! start from the state never miss a row; one that looks at headers meanwhile may see a header newer than the state it read,
//! which it must expect anyway, since it reads the two one after the other. Other partitions are written in pieces of
//! [`PIECE`], but never a body in two: its parts belong to one sealing, and only a mutation is replaced as a whole.

use std::collections::HashMap;

use bytes::Bytes;
use chassis::ports::store::{Batch, Row, Table};

use super::place::{BODY, POSITION, home, pk, place};

/// Bytes of rows in a mutation: with room below the servers' 16 MiB. A body has at most 10 MiB.
const LARGEST: usize = 12 << 20;
/// Bytes of rows in a mutation that need not be one. A larger one takes as much direct memory of a server at once.
pub(super) const PIECE: usize = 1 << 20;
/// What a row costs beside its key and value.
const ROW: usize = 40;

/// A row in its place.
pub(super) struct Cell {
    pub(super) kind: i8,
    pub(super) key: Bytes,
    pub(super) value: Bytes,
    pub(super) stamp: i64,
}

impl Cell {
    pub(super) fn bytes(&self) -> usize {
        ROW + self.key.len() + self.value.len()
    }
}

/// Rows of one partition of one table.
pub(super) struct Mutation {
    pub(super) table: usize,
    pub(super) pk: Bytes,
    pub(super) cells: Vec<Cell>,
}

/// Rows that are written after all subjects, with their partitions.
pub(super) type Checkpoints = Vec<(Bytes, Cell)>;

/// The rows of batches of one subject, in the order in which they must be written. What several of them write goes into the same
/// mutations: each row keeps the write time of its own batch.
pub(super) struct Parts {
    others: HashMap<(usize, Bytes), Vec<Cell>>,
    home: Mutation,
    /// Of the home, to be seen when all else is: state, verdicts, position.
    last: Vec<Cell>,
    checkpoints: Checkpoints,
    /// Of all rows but the positions.
    pub(super) bytes: usize,
}

impl Parts {
    pub(super) fn new(batch: &Batch) -> Self {
        let home = Mutation { table: home(batch.stream), pk: pk(&batch.subject), cells: Vec::new() };
        let (others, last, checkpoints, bytes) = Default::default();
        Self { others, home, last, checkpoints, bytes }
    }

    pub(super) fn take(&mut self, batch: &Batch, stamp: i64) {
        for Row { table, partition, key, value } in &batch.rows {
            let place = place(*table);
            let (pk, key) = place.pk_and_key(partition, key);
            let cell = Cell { kind: place.kind, key, value: value.clone(), stamp };
            self.bytes += cell.bytes();
            if *table == Table::Checkpoint {
                self.checkpoints.push((pk, cell));
            } else if place.table != self.home.table || pk != self.home.pk {
                self.others.entry((place.table, pk)).or_default().push(cell);
            } else if place.last {
                self.put_last(cell);
            } else {
                self.home.cells.push(cell);
            }
        }
        let position = Bytes::copy_from_slice(&batch.position.to_be_bytes());
        self.put_last(Cell { kind: POSITION, key: batch.stream.as_bytes().into(), value: position, stamp });
    }

    /// In the place of what an earlier batch has written there: state and position are written by each.
    fn put_last(&mut self, cell: Cell) {
        self.last.retain(|before| before.kind != cell.kind || before.key != cell.key);
        self.last.push(cell);
    }

    /// What is written before the home, the home, and what is written after all subjects.
    pub(super) fn split(self) -> (Vec<Mutation>, Mutation, Checkpoints) {
        let Self { others, mut home, last, checkpoints, .. } = self;
        home.cells.extend(last);
        let others = others.into_iter().map(|((table, pk), cells)| Mutation { table, pk, cells }).collect();
        (others, home, checkpoints)
    }
}

impl Mutation {
    /// Pieces to be written one after the other; what must be seen last, or together, is in the last one.
    pub(super) fn pieces(&self) -> Vec<&[Cell]> {
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

#[cfg(test)]
mod tests {
    use super::*;

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
        let mut parts = Parts::new(&batch);
        parts.take(&batch, 1);
        let (others, home, checkpoints) = parts.split();
        assert_eq!((others.len(), checkpoints.len()), (0, 1));
        let pieces = home.pieces();
        assert_eq!(pieces.iter().map(|p| p.len()).sum::<usize>(), 40_003);
        assert!(pieces.len() > 2 && pieces.iter().all(|p| p.iter().map(Cell::bytes).sum::<usize>() <= LARGEST));
        let kinds: Vec<i8> = pieces.last().unwrap().iter().rev().take(3).map(|c| c.kind).collect();
        assert_eq!(kinds, [POSITION, place(Table::State).kind, place(Table::Verdict).kind]);
        assert!(pieces[..pieces.len() - 1].iter().all(|p| p.iter().all(|c| c.kind == place(Table::Header).kind)));
    }

    #[test]
    fn batches_of_one_person_share_mutations_and_the_newest_state_and_position_alone_are_written() {
        let row = |table, partition: &'static [u8], key: u8, value: u8| Row {
            table,
            partition: Bytes::from_static(partition),
            key: vec![key].into(),
            value: vec![value].into(),
        };
        let batch = |position: u8| Batch {
            subject: Bytes::from_static(b"p"),
            stream: "person",
            position: u64::from(position),
            rows: vec![
                row(Table::Header, b"p", position, 1),
                row(Table::Body, b"p-2026", position, 1),
                row(Table::State, b"p", 0, position),
                row(Table::Verdict, b"p", position, 1),
            ],
        };
        let mut parts = Parts::new(&batch(1));
        (1..=3).for_each(|position| parts.take(&batch(position), i64::from(position) * 100));
        let (others, home, _) = parts.split();
        assert_eq!((others.len(), others[0].cells.len()), (1, 3), "three bodies in one mutation");
        let cells: Vec<_> = home.cells.iter().map(|c| (c.kind, c.stamp)).collect();
        let kind = |table| place(table).kind;
        let (header, verdict, state) = (kind(Table::Header), kind(Table::Verdict), kind(Table::State));
        let mut expected = vec![(header, 100), (header, 200), (header, 300), (verdict, 100), (verdict, 200)];
        expected.extend([(state, 300), (verdict, 300), (POSITION, 300)]);
        assert_eq!(cells, expected, "each under the write time of its own position");
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
