//! Rows that were read lately, kept beside the engine, which would look through its memory, filters and blocks for each.

use bytes::Bytes;
use chassis::ports::store::{StoreError, Table};
use quick_cache::Weighter;
use quick_cache::sync::Cache;

/// Of one row beside its bytes, about.
const ROW_BYTES: u64 = 128;
/// A state, a header, a body with its key, on average; only the first size of the cache's tables follows from it.
const USUAL_BYTES: u64 = 1024;

#[derive(Clone)]
struct Weight;

impl Weighter<Vec<u8>, Bytes> for Weight {
    fn weight(&self, key: &Vec<u8>, row: &Bytes) -> u64 {
        (key.len() + row.len()) as u64 + ROW_BYTES
    }
}

/// Rows by their engine key. INVARIANT: what is kept is what the engine holds. A row that is looked up has a place in the cache
/// before the engine is asked, and a writer empties or fills that place after the engine has the new row: then the look-up
/// finds its place gone and keeps nothing.
pub(crate) struct Recent(Cache<Vec<u8>, Bytes, Weight>);

impl Recent {
    /// Keeps about so many bytes.
    pub(crate) fn new(bytes: u64) -> Self {
        Self(Cache::with_weighter(usize::try_from(bytes / USUAL_BYTES).unwrap_or(0), bytes, Weight))
    }

    /// Whether rows of the table are kept: those that every read needs.
    pub(crate) fn keeps(table: Table) -> bool {
        matches!(table, Table::State | Table::Header | Table::Body)
    }

    /// The row, kept or found. Of several that look for one row at the same time the first asks the engine and the others wait:
    /// whoever read a new row never reads the older one afterwards, which the first may have found before.
    pub(crate) fn get_or_find(
        &self,
        key: &[u8],
        find: impl FnOnce() -> Result<Option<Bytes>, StoreError>,
    ) -> Result<Option<Bytes>, StoreError> {
        match self.0.get_or_insert_with(key, || find().map_err(Some)?.ok_or(None)) {
            Ok(row) => Ok(Some(row)),
            Err(None) => Ok(None),
            Err(Some(error)) => Err(error),
        }
    }

    /// The engine holds this row now. A state is read next by whoever comes; others only if somebody asks for them.
    pub(crate) fn written(&self, table: Table, key: Vec<u8>, row: Bytes) {
        if table == Table::State {
            self.0.insert(key, row);
        } else {
            self.0.remove(&key);
        }
    }

    /// Rows are gone from the engine.
    pub(crate) fn clear(&self) {
        self.0.clear();
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    const KEY: &[u8] = b"key";
    const OLD: Bytes = Bytes::from_static(b"old");
    const NEW: Bytes = Bytes::from_static(b"new");

    #[test]
    fn a_row_is_asked_for_once_and_a_missing_one_each_time() {
        let recent = Recent::new(1 << 20);
        assert_eq!(recent.get_or_find(KEY, || Ok(None)).unwrap(), None);
        assert_eq!(recent.get_or_find(KEY, || Ok(Some(OLD))).unwrap(), Some(OLD));
        assert_eq!(recent.get_or_find(KEY, || unreachable!()).unwrap(), Some(OLD));
    }

    #[test]
    fn whoever_looks_while_a_row_is_written_or_dropped_leaves_nothing_old_behind() {
        for written in [Some(Table::State), Some(Table::Header), Some(Table::Body), None] {
            let recent = Recent::new(1 << 20);
            let find = || {
                match written {
                    Some(table) => recent.written(table, KEY.to_vec(), NEW),
                    None => recent.clear(),
                }
                Ok(Some(OLD))
            };
            assert_eq!(recent.get_or_find(KEY, find).unwrap(), Some(OLD), "it looked before");
            assert_eq!(recent.get_or_find(KEY, || Ok(Some(NEW))).unwrap(), Some(NEW));
        }
    }

    #[test]
    fn of_two_that_look_at_the_same_time_one_asks_and_both_see_the_same_row() {
        let recent = Recent::new(1 << 20);
        std::thread::scope(|scope| {
            let mut other = None;
            let find = || {
                other = Some(scope.spawn(|| recent.get_or_find(KEY, || Ok(Some(NEW))).unwrap()));
                Ok(Some(OLD))
            };
            assert_eq!(recent.get_or_find(KEY, find).unwrap(), Some(OLD));
            assert_eq!(other.unwrap().join().unwrap(), Some(OLD));
        });
    }

    #[test]
    fn old_rows_go_when_new_ones_need_their_room() {
        let recent = Recent::new(64 * 1024);
        for n in 0..1_000_u32 {
            let row = Bytes::from(vec![0; 1_000]);
            assert!(recent.get_or_find(&n.to_be_bytes(), || Ok(Some(row.clone()))).unwrap().is_some());
        }
        assert!(recent.0.weight() <= 64 * 1024);
    }
}
