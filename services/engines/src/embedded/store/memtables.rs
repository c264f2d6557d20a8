//! Frees flushed rows outside of the engine's locks.
//!
//! The engine lets go of a flushed memtable under the lock that every read takes, and half a million rows are freed one by one:
//! nobody reads for a tenth of a second. Who holds the last reference frees, so one to each memtable is kept here until it is
//! the last.

use std::any::Any;
use std::sync::Arc;

use fjall::{AbstractTree, Keyspace};

/// The memtables of one keyspace that are still in use, oldest first; the last is the one that is written to.
pub(crate) struct Memtables {
    keyspace: Keyspace,
    held: Vec<Arc<dyn Any + Send + Sync>>,
}

impl Memtables {
    pub(crate) fn of(keyspace: Keyspace) -> Self {
        Self { keyspace, held: Vec::new() }
    }

    /// Takes a reference to the newest, frees those that nobody else holds. To be called more often than a memtable fills.
    pub(crate) fn free_unused(&mut self) {
        // `tree` is public but hidden in fjall's documentation: its next release may want another way.
        let active = self.keyspace.tree.active_memtable();
        let is_known = self.held.last().is_some_and(|last| std::ptr::addr_eq(Arc::as_ptr(last), Arc::as_ptr(&active)));
        if !is_known {
            self.held.push(active);
        }
        self.held.retain(|memtable| Arc::strong_count(memtable) > 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flushed_memtables_are_let_go_when_nobody_else_holds_them_and_the_active_one_never() {
        let folder = tempfile::tempdir().unwrap();
        let db = fjall::Database::builder(folder.path()).open().unwrap();
        let keyspace = db.keyspace("rows", fjall::KeyspaceCreateOptions::default).unwrap();
        let mut memtables = Memtables::of(keyspace.clone());
        for n in 0..20u8 {
            keyspace.insert([n], [n]).unwrap();
            memtables.free_unused();
            let newest = memtables.held.last().map(|held| Arc::as_ptr(held).cast::<()>());
            assert_eq!(newest, Some(Arc::as_ptr(&keyspace.tree.active_memtable()).cast::<()>()));
            // The engine keeps a version or two for readers that are under way.
            assert!(memtables.held.len() <= 4, "{} are held", memtables.held.len());
            keyspace.rotate_memtable_and_wait().unwrap();
        }
    }
}
