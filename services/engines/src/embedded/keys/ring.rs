//! Slots, erasures and the rule "durable before returned".

use std::collections::{BTreeMap, HashSet};
use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;

use chassis::ports::keys::{KeysError, Secret};
use openssl::sha::Sha256;
use parking_lot::{Mutex, RwLock};
use zeroize::Zeroizing;

use super::slots::{Head, Kind, Name, Slot, SlotFile};
use super::{unwrap, wrap};
use crate::embedded::disk::Disk;
use crate::embedded::error::EngineError;
use crate::embedded::journal::Journal;
use crate::embedded::sync_group::SyncGroup;

/// A key in the index: its slot, and the ticket to wait with until it is durable (0: it is).
#[derive(Clone)]
struct Entry {
    slot: Slot,
    ticket: u64,
}

struct State {
    file: SlotFile,
    head: Head,
    index: BTreeMap<Name, Entry>,
}

pub(crate) struct Ring {
    secret: Secret,
    state: Mutex<State>,
    erased: RwLock<HashSet<[u8; 16]>>,
    erasures: Journal,
    group: Arc<SyncGroup>,
    destroying: tokio::sync::Mutex<()>,
}

pub(crate) fn random_key() -> Result<Secret, KeysError> {
    let mut key = Zeroizing::new([0; 32]);
    let made = openssl::rand::rand_bytes(key.as_mut_slice());
    made.map_err(|_| KeysError::NotWritable("the system's random source failed".to_owned()))?;
    Ok(key)
}

/// What stands in the journal for an erased person: not the pid itself.
fn tombstone(keyring: &[u8; 16], subject: &[u8; 16]) -> [u8; 16] {
    let mut hash = Sha256::new();
    hash.update(b"kiroku erased");
    hash.update(keyring);
    hash.update(subject);
    hash.finish()[..16].try_into().expect("16 of 32 bytes")
}

pub(crate) fn check_name() -> Name {
    Name { subject: [0xff; 16], kind: Kind::Platform, year: 0 }
}

impl Ring {
    pub(crate) fn open(
        slots: &Path,
        secret: Secret,
        erasure_journal: &Path,
        disk: &Arc<dyn Disk>,
    ) -> Result<Self, EngineError> {
        let exists = slots.exists();
        let damaged = |path: &Path, what: &str| EngineError::Damaged { path: path.to_owned(), what: what.to_owned() };
        if exists && !erasure_journal.exists() {
            return Err(damaged(erasure_journal, "the erasure journal of this keyring is missing"));
        }
        if let Some(folder) = erasure_journal.parent() {
            std::fs::create_dir_all(folder).map_err(|source| EngineError::Io { path: folder.to_owned(), source })?;
        }
        let (erasures, records) = Journal::open(erasure_journal, Arc::clone(disk))?;
        let (file, head, used) = if exists {
            SlotFile::open(slots, Arc::clone(disk))?
        } else {
            let keyring = random_key()?[..16].try_into().expect("16 of 32 bytes");
            let check = wrap(&secret, &check_name(), &Zeroizing::new([0; 32]));
            let head = Head { keyring, erasures: 0, check };
            (SlotFile::create(slots, &head, Arc::clone(disk))?, head, Vec::new())
        };
        if unwrap(&secret, &check_name(), &head.check).is_err() {
            return Err(damaged(slots, "its key-encryption key is another one"));
        }
        if (records.len() as u64) < head.erasures {
            return Err(damaged(erasure_journal, "it is older than the keyring"));
        }
        let index = used.into_iter().map(|slot| (slot.name, Entry { slot, ticket: 0 })).collect();
        let synced = Arc::clone(&file.file);
        let syncing = Arc::clone(disk);
        let group = SyncGroup::new(Box::new(move || syncing.sync(&synced)));
        let erased = RwLock::new(HashSet::new());
        let ring = Self {
            secret,
            state: Mutex::new(State { file, head, index }),
            erased,
            erasures,
            group,
            destroying: tokio::sync::Mutex::default(),
        };
        ring.apply_erasures(&records)?;
        Ok(ring)
    }

    /// Destroys again what the journal says was destroyed.
    fn apply_erasures(&self, records: &[Vec<u8>]) -> Result<(), EngineError> {
        let marks: HashSet<&[u8]> = records.iter().map(Vec::as_slice).collect();
        let mut state = self.state.lock();
        let keyring = state.head.keyring;
        let subjects: HashSet<[u8; 16]> =
            state.index.keys().filter(|n| is_personal(n.kind)).map(|name| name.subject).collect();
        let mut cleared = 0u64;
        for subject in subjects.into_iter().filter(|s| marks.contains(tombstone(&keyring, s).as_slice())) {
            clear_subject(&mut state, &subject).map_err(KeysError::from)?;
            cleared += 1;
        }
        self.erased.write().extend(records.iter().filter_map(|r| <[u8; 16]>::try_from(r.as_slice()).ok()));
        if cleared > 0 || state.head.erasures != records.len() as u64 {
            state.head.erasures = records.len() as u64;
            state.file.write_head(&state.head).map_err(KeysError::from)?;
            state.file.file.sync_all().map_err(KeysError::from)?;
            tracing::info!(cleared, "keys that were destroyed before were found in the keyring and destroyed again");
        }
        Ok(())
    }

    pub(crate) fn counts(&self) -> (usize, u64) {
        (self.state.lock().index.len(), self.erasures.len())
    }

    pub(crate) fn is_erased(&self, subject: &[u8; 16]) -> bool {
        let keyring = self.state.lock().head.keyring;
        self.erased.read().contains(&tombstone(&keyring, subject))
    }

    /// First year of a log key.
    pub(crate) fn first_year(&self, subject: &[u8; 16], kind: Kind) -> Option<u16> {
        first_year(&self.state.lock(), subject, kind)
    }

    /// An existing key, once it is durable.
    pub(crate) async fn get(&self, name: Name) -> Result<Secret, KeysError> {
        let entry = self.state.lock().index.get(&name).cloned().ok_or(KeysError::NoKey)?;
        self.opened(entry).await
    }

    async fn opened(&self, entry: Entry) -> Result<Secret, KeysError> {
        if entry.ticket > 0 {
            self.group.synced(entry.ticket).await.map_err(KeysError::NotWritable)?;
        }
        unwrap(&self.secret, &entry.slot.name, &entry.slot.wrapped)
    }

    /// Adds fresh keys for `names`, of one subject, where missing. `None`: the person is erased, or `needs` does not exist.
    fn add(&self, state: &mut State, names: &[Name], needs: Option<Name>) -> Result<Option<Vec<Entry>>, KeysError> {
        self.group.check().map_err(KeysError::NotWritable)?;
        let Some(first) = names.first() else { return Ok(Some(Vec::new())) };
        let tombstone = tombstone(&state.head.keyring, &first.subject);
        if is_personal(first.kind) && self.erased.read().contains(&tombstone) {
            return Ok(None);
        }
        if needs.is_some_and(|needed| !state.index.contains_key(&needed)) {
            return Ok(None);
        }
        let mut entries = Vec::with_capacity(names.len());
        for name in names {
            if let Some(entry) = state.index.get(name) {
                entries.push(entry.clone());
                continue;
            }
            entries.push(self.insert(state, *name, &random_key()?)?);
        }
        Ok(Some(entries))
    }

    /// Names behind `after`, at most `limit`, in order.
    pub(crate) fn names(&self, after: Option<Name>, limit: usize) -> Vec<Name> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.state.lock().index.range((from, Bound::Unbounded)).take(limit).map(|(name, _)| *name).collect()
    }

    /// Takes keys of another keyring in; durable when it returns. A name that is there keeps its key.
    pub(crate) async fn take_in(&self, keys: &[(Name, Secret)]) -> Result<(), KeysError> {
        let mut last = 0;
        for (name, secret) in keys {
            let mut state = self.state.lock();
            if !state.index.contains_key(name) {
                last = self.insert(&mut state, *name, secret)?.ticket;
            }
        }
        if last > 0 {
            self.group.synced(last).await.map_err(KeysError::NotWritable)?;
        }
        Ok(())
    }

    fn insert(&self, state: &mut State, name: Name, secret: &Secret) -> Result<Entry, KeysError> {
        let slot = state.file.add(name, wrap(&self.secret, &name, secret)).map_err(|e| {
            // A half-written slot would be damage at the next open.
            self.group.fail("a key could not be written");
            KeysError::NotWritable(e.to_string())
        })?;
        let entry = Entry { slot, ticket: self.group.wrote() };
        state.index.insert(name, entry.clone());
        Ok(entry)
    }

    pub(crate) async fn get_or_create(&self, name: Name) -> Result<Secret, KeysError> {
        let entry =
            self.add(&mut self.state.lock(), &[name], None)?.and_then(|mut e| e.pop()).ok_or(KeysError::NoKey)?;
        self.opened(entry).await
    }

    /// The key of a year, made at its first use for a person who exists.
    pub(crate) async fn get_or_create_bucket(&self, name: Name, long: Name) -> Result<Secret, KeysError> {
        let entry =
            self.add(&mut self.state.lock(), &[name], Some(long))?.and_then(|mut e| e.pop()).ok_or(KeysError::NoKey)?;
        self.opened(entry).await
    }

    /// The first log key of a facility; of two callers at once, one makes it and both get it.
    pub(crate) async fn first_log_key(
        &self,
        subject: [u8; 16],
        kind: Kind,
        year: u16,
    ) -> Result<(u16, Secret), KeysError> {
        let (year, entry) = {
            let mut state = self.state.lock();
            let year = first_year(&state, &subject, kind).unwrap_or(year);
            (year, self.add(&mut state, &[Name { subject, kind, year }], None)?.and_then(|mut e| e.pop()))
        };
        Ok((year, self.opened(entry.ok_or(KeysError::NoKey)?).await?))
    }

    pub(crate) async fn create_person(&self, subject: [u8; 16], year: u16) -> Result<(), KeysError> {
        let record = Name { subject, kind: Kind::Record, year: 0 };
        let entries = {
            let mut state = self.state.lock();
            let year = first_year(&state, &subject, Kind::PersonLog).unwrap_or(year);
            // The record key last: a person whose record key exists has all keys.
            let names = [Name { subject, kind: Kind::PersonLog, year }, record];
            self.add(&mut state, &names, None)?.ok_or(KeysError::NoKey)?
        };
        let last = entries.iter().map(|e| e.ticket).max().unwrap_or(0);
        if last > 0 {
            self.group.synced(last).await.map_err(KeysError::NotWritable)?;
        }
        Ok(())
    }

    pub(crate) async fn destroy(&self, subject: [u8; 16]) -> Result<(), KeysError> {
        let keyring = self.state.lock().head.keyring;
        let mark = tombstone(&keyring, &subject);
        let _one_at_a_time = self.destroying.lock().await;
        // From here on no key is given or made.
        if self.erased.write().insert(mark)
            && let Err(why) = self.erasures.append(&mark).await
        {
            self.erased.write().remove(&mark);
            return Err(KeysError::NotWritable(why));
        }
        let ticket = {
            let mut state = self.state.lock();
            clear_subject(&mut state, &subject)?;
            state.head.erasures = self.erasures.len();
            let head = state.head;
            state.file.write_head(&head)?;
            self.group.wrote()
        };
        self.group.synced(ticket).await.map_err(KeysError::NotWritable)
    }
}

fn first_year(state: &State, subject: &[u8; 16], kind: Kind) -> Option<u16> {
    let from = Name { subject: *subject, kind, year: 0 };
    state.index.range(from..=Name { year: u16::MAX, ..from }).next().map(|(name, _)| name.year)
}

pub(crate) fn is_personal(kind: Kind) -> bool {
    matches!(kind, Kind::Record | Kind::PersonLog)
}

/// Overwrites all slots of a person.
fn clear_subject(state: &mut State, subject: &[u8; 16]) -> std::io::Result<()> {
    let names: Vec<Name> =
        state.index.keys().filter(|n| n.subject == *subject && is_personal(n.kind)).copied().collect();
    for name in names {
        if let Some(entry) = state.index.get(&name) {
            state.file.clear(entry.slot.number)?;
        }
        state.index.remove(&name);
    }
    Ok(())
}
