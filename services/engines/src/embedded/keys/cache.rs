//! Opened keys in memory: a look-up takes one shared lock of one of 64 shards. Keys are wiped when the last user lets go.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use parking_lot::RwLock;

use super::slots::{Kind, Name};

const SHARDS: usize = 64;
/// Keys per shard; a shard that is full starts anew.
const SHARD_KEYS: usize = 8192;

/// Subjects are random ids or hashes: their first bytes need no hashing.
#[derive(Default)]
pub(crate) struct FirstBytes(u64);

impl Hasher for FirstBytes {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.0 = (self.0 ^ u64::from_le_bytes(word)).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
        }
    }
}

type Map<T> = HashMap<Name, Arc<T>, BuildHasherDefault<FirstBytes>>;

pub(crate) struct Cache<T>(Vec<RwLock<Map<T>>>);

impl<T> Cache<T> {
    pub(crate) fn new() -> Self {
        Self((0..SHARDS).map(|_| RwLock::default()).collect())
    }

    fn shard(&self, subject: &[u8; 16]) -> &RwLock<Map<T>> {
        &self.0[usize::from(subject[0]) % SHARDS]
    }

    pub(crate) fn get(&self, name: &Name) -> Option<Arc<T>> {
        self.shard(&name.subject).read().get(name).cloned()
    }

    /// Puts a key in, unless `still_valid` says that it was destroyed meanwhile.
    pub(crate) fn put(&self, name: Name, key: &Arc<T>, still_valid: impl FnOnce() -> bool) -> bool {
        let mut shard = self.shard(&name.subject).write();
        if !still_valid() {
            return false;
        }
        if shard.len() >= SHARD_KEYS {
            shard.clear();
        }
        shard.insert(name, Arc::clone(key));
        true
    }

    /// Forgets the keys of a subject, of one kind.
    pub(crate) fn forget(&self, subject: &[u8; 16], kind: Kind) {
        self.shard(subject).write().retain(|name, _| name.subject != *subject || name.kind != kind);
    }
}
