//! Where the rows of each table of the port lie.

use bytes::Bytes;
use chassis::ports::store::{StoreError, Table};

/// Stream and subject of a position.
pub(super) type Applied = (&'static str, Bytes);

/// Names of the tables of a generation, without its number.
pub(super) const NAMES: [&str; 10] = [
    "shelf",
    "list",
    "body",
    "access",
    "submission",
    "person_index",
    "commons_index",
    "quarantine",
    "checkpoint",
    "meta",
];
const SHELF: usize = 0;
const LIST: usize = 1;
pub(super) const BODY: usize = 2;

/// Kind of the row that holds the position applied; its key is the stream.
pub(super) const POSITION: i8 = 0;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place {
    /// Index in [`NAMES`].
    pub(super) table: usize,
    pub(super) kind: i8,
    /// The table holds rows of several kinds.
    pub(super) shared: bool,
    /// Partition and key together are the CQL partition: read by the whole key only.
    whole_key: bool,
    /// Written with the position, behind all other rows of its batch: readers judge by it that the rest is there.
    pub(super) last: bool,
}

/// Tables that are ranged keep the port's partitions; those are bounded by a person, a year or an identifier. The index of
/// commons has one partition for all, and its readers know the whole key.
pub(super) fn place(table: Table) -> Place {
    let own = |table| Place { table, kind: 1, shared: false, whole_key: false, last: false };
    match table {
        Table::State => Place { shared: true, last: true, ..own(SHELF) },
        Table::Header => Place { shared: true, kind: 2, ..own(SHELF) },
        Table::Version => Place { shared: true, kind: 3, ..own(SHELF) },
        Table::Verdict => Place { shared: true, kind: 4, last: true, ..own(SHELF) },
        Table::AccessHead => Place { shared: true, last: true, ..own(LIST) },
        Table::Body => own(BODY),
        Table::Access => own(3),
        Table::Submission => own(4),
        Table::PersonIndex => own(5),
        Table::CommonsIndex => Place { whole_key: true, ..own(6) },
        Table::Quarantine => own(7),
        Table::Checkpoint => own(8),
        Table::Meta => own(9),
    }
}

/// The table that holds the positions of a stream: that of the rows which change with them.
pub(super) fn home(stream: &str) -> usize {
    if stream == schemas::vocab::Topic::Access.as_str() { LIST } else { SHELF }
}

/// A CQL partition key may not be empty.
const PARTITION: u8 = 1;
const WHOLE_KEY: u8 = 2;

pub(super) fn pk(partition: &[u8]) -> Bytes {
    [&[PARTITION], partition].concat().into()
}

impl Place {
    /// CQL partition and key of a row.
    pub(super) fn pk_and_key(&self, partition: &[u8], key: &[u8]) -> (Bytes, Bytes) {
        if !self.whole_key {
            return (pk(partition), Bytes::copy_from_slice(key));
        }
        let length = u16::try_from(partition.len()).unwrap_or(u16::MAX).to_be_bytes();
        ([&[WHOLE_KEY], &length[..], partition, key].concat().into(), Bytes::new())
    }

    /// CQL partition of a partition of the port.
    pub(super) fn pk_of_partition(&self, partition: &[u8]) -> Result<Bytes, StoreError> {
        if self.whole_key {
            return Err(StoreError::Io(format!("table `{}` is read by the whole key only", NAMES[self.table])));
        }
        Ok(pk(partition))
    }

    /// Partition and key of the port, of a row as it is stored.
    pub(super) fn split(&self, pk: &Bytes, key: Bytes) -> Result<(Bytes, Bytes), StoreError> {
        let damaged = || StoreError::Damaged(format!("a key of table `{}` does not read", NAMES[self.table]));
        match pk.first() {
            Some(&PARTITION) if !self.whole_key => Ok((pk.slice(1..), key)),
            Some(&WHOLE_KEY) if self.whole_key => {
                let length = pk.get(1..3).and_then(|b| <[u8; 2]>::try_from(b).ok()).ok_or_else(damaged)?;
                let end = 3 + usize::from(u16::from_be_bytes(length));
                if pk.len() < end {
                    return Err(damaged());
                }
                Ok((pk.slice(3..end), pk.slice(end..)))
            }
            _ => Err(damaged()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_do_not_overlap_and_keys_read_back() {
        let mut seen = std::collections::HashSet::new();
        for table in Table::ALL {
            let place = place(table);
            assert!(place.kind != POSITION && seen.insert((place.table, place.kind)), "{table:?}");
            for (partition, key) in [(&b""[..], &b""[..]), (b"p", b""), (b"", b"k"), (b"p\0", b"\xff")] {
                let (pk, stored) = place.pk_and_key(partition, key);
                assert!(!pk.is_empty());
                let (p, k) = place.split(&pk, stored).unwrap();
                assert_eq!((&p[..], &k[..]), (partition, key));
            }
        }
        assert!(Table::ALL.iter().all(|t| NAMES[place(*t).table].len() > 3));
    }
}
