//! Rows that nearly every request reads, kept beside the engine: it would look through its memory, filters and blocks for each.

use std::collections::HashMap;

use bytes::Bytes;
use parking_lot::RwLock;

/// Bytes kept in each of two halves; the older is let go when the newer is full.
const HALF_BYTES: usize = 16 * 1024 * 1024;
/// Of one row beside its bytes, about.
const ROW_BYTES: usize = 96;

#[derive(Default)]
struct Halves {
    newer: HashMap<Vec<u8>, Bytes>,
    older: HashMap<Vec<u8>, Bytes>,
    /// Of the newer half.
    bytes: usize,
}

/// Rows by their engine key. INVARIANT: rows are put in and let go under the lock that is held while the engine is written, so
/// what is kept is what the engine holds.
#[derive(Default)]
pub(crate) struct Hot(RwLock<Halves>);

impl Hot {
    pub(crate) fn get(&self, key: &[u8]) -> Option<Bytes> {
        let halves = self.0.read();
        halves.newer.get(key).or_else(|| halves.older.get(key)).cloned()
    }

    pub(crate) fn put(&self, key: Vec<u8>, value: Bytes) {
        let mut halves = self.0.write();
        if halves.bytes > HALF_BYTES {
            halves.older = std::mem::take(&mut halves.newer);
            halves.bytes = 0;
        }
        halves.bytes += key.len() + value.len() + ROW_BYTES;
        halves.newer.insert(key, value);
    }

    pub(crate) fn clear(&self) {
        *self.0.write() = Halves::default();
    }
}
