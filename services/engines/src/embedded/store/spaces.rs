//! The engine's keyspaces: what is read together lies together, and what grows by reading apart from what is read.

use chassis::ports::store::Table;
use fjall::config::CompressionPolicy;
use fjall::{CompressionType, Database, Keyspace, KeyspaceCreateOptions, KvSeparationOptions};

/// One keyspace. Its number is its bit in a [`Touched`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Space {
    /// Small rows, marks, applied positions. Part of every write.
    Rows = 0,
    /// Bodies, their values apart from their keys.
    Blobs = 1,
    /// The access lists: every read adds to them, so they would fill the memory of the rows that reads look into.
    Lists = 2,
}

impl Space {
    pub(crate) const ALL: [Self; 3] = [Self::Rows, Self::Blobs, Self::Lists];

    pub(crate) fn of(table: Table) -> Self {
        match table {
            Table::Body => Self::Blobs,
            Table::Access | Table::AccessHead => Self::Lists,
            _ => Self::Rows,
        }
    }

    /// Where the applied position of a batch lies that begins with a row here: a list's with the list, all others with the rows.
    pub(crate) fn of_position(self) -> Self {
        if self == Self::Lists { self } else { Self::Rows }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Rows => "rows",
            Self::Blobs => "blobs",
            Self::Lists => "lists",
        }
    }
}

/// The keyspaces that a write touches: one bit each.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Touched(pub(crate) u8);

impl Touched {
    pub(crate) const ROWS: Self = Self(1);

    pub(crate) fn add(&mut self, space: Space) {
        self.0 |= 1 << space as u8;
    }

    pub(crate) fn has(self, space: Space) -> bool {
        self.0 & 1 << space as u8 != 0
    }
}

/// The open keyspaces of one generation.
pub(crate) struct Spaces([Keyspace; 3]);

impl Spaces {
    pub(crate) fn open(db: &Database, memtable_bytes: u64) -> fjall::Result<Self> {
        let options = move || {
            KeyspaceCreateOptions::default()
                .max_memtable_size(memtable_bytes)
                .data_block_compression_policy(CompressionPolicy::disabled())
        };
        let apart = || KvSeparationOptions::default().separation_threshold(512).compression(CompressionType::None);
        let open = |space: Space| match space {
            Space::Rows => db.keyspace(space.name(), options),
            Space::Blobs | Space::Lists => db.keyspace(space.name(), || options().with_kv_separation(Some(apart()))),
        };
        Ok(Self([open(Space::Rows)?, open(Space::Blobs)?, open(Space::Lists)?]))
    }

    pub(crate) fn get(&self, space: Space) -> &Keyspace {
        &self.0[space as usize]
    }

    pub(crate) fn of(&self, table: Table) -> &Keyspace {
        self.get(Space::of(table))
    }
}
