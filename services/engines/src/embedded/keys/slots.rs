//! The slot file: a head of 512 bytes, then slots of 128 bytes, so that none crosses a sector. A slot is written once and
//! overwritten with zeros when its key is destroyed. The file grows by zeros in steps.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use crate::embedded::disk::{Disk, create_private, sync_folder, write_all_at, zero_range};
use crate::embedded::error::{At, EngineError};

const HEAD: u64 = 512;
const SLOT: usize = 128;
/// Slots added at once.
const STEP: u64 = 4096;
const MAGIC: &[u8; 8] = b"kirokeys";
const FORMAT: u8 = 1;

/// Nonce, 32 bytes, tag.
pub(crate) const WRAPPED: usize = 12 + 32 + 16;

/// What a key is for; the numbers are stored.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Kind {
    Record = 1,
    PersonLog = 2,
    FacilityLog = 3,
    Platform = 4,
}

impl Kind {
    pub(crate) fn from_byte(byte: u8) -> Option<Self> {
        [Self::Record, Self::PersonLog, Self::FacilityLog, Self::Platform].into_iter().find(|k| *k as u8 == byte)
    }
}

/// Names one key. `year`: the bucket (0: long), the first year of a log key, or the number of a platform key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Name {
    pub(crate) subject: [u8; 16],
    pub(crate) kind: Kind,
    pub(crate) year: u16,
}

impl Name {
    /// Bound into the wrapping: a slot copied under another name does not open.
    pub(crate) fn aad(&self) -> [u8; 19] {
        let mut out = [0; 19];
        out[0] = self.kind as u8;
        out[1..3].copy_from_slice(&self.year.to_le_bytes());
        out[3..].copy_from_slice(&self.subject);
        out
    }
}

/// A slot in use.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    pub(crate) number: u64,
    pub(crate) name: Name,
    pub(crate) wrapped: [u8; WRAPPED],
}

/// Identity of a keyring and a count that only grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) keyring: [u8; 16],
    /// Erasures that the journal must hold at least.
    pub(crate) erasures: u64,
    /// Opens under the right key-encryption key only.
    pub(crate) check: [u8; WRAPPED],
}

pub(crate) struct SlotFile {
    pub(crate) file: Arc<File>,
    disk: Arc<dyn Disk>,
    free: Vec<u64>,
    slots: u64,
}

impl SlotFile {
    pub(crate) fn create(path: &Path, head: &Head, disk: Arc<dyn Disk>) -> Result<Self, EngineError> {
        let new = path.with_extension("new");
        let file = create_private(&new).at(&new)?;
        file.write_all_at(&pack_head(head), 0).and_then(|()| file.sync_all()).at(&new)?;
        std::fs::rename(&new, path).at(path)?;
        sync_folder(path.parent().unwrap_or(Path::new("."))).at(path)?;
        Ok(Self { file: Arc::new(file), disk, free: Vec::new(), slots: 0 })
    }

    /// Reads all slots. A slot that does not read is damage: it may hold anybody's key.
    pub(crate) fn open(path: &Path, disk: Arc<dyn Disk>) -> Result<(Self, Head, Vec<Slot>), EngineError> {
        let bytes = std::fs::read(path).at(path)?;
        let damaged = |what: String| EngineError::Damaged { path: path.to_owned(), what };
        let head_bytes = bytes.get(..HEAD as usize).ok_or_else(|| damaged("it is too short".to_owned()))?;
        let head = unpack_head(head_bytes).ok_or_else(|| damaged("its head does not read".to_owned()))?;
        let (mut used, mut free) = (Vec::new(), Vec::new());
        let all = &bytes[HEAD as usize..];
        // A last slot that is not whole: the file was growing, and only zeros are written then.
        if all.chunks_exact(SLOT).remainder().iter().any(|b| *b != 0) {
            return Err(damaged("its end is no slot".to_owned()));
        }
        for (number, slot) in (0u64..).zip(all.chunks_exact(SLOT)) {
            if slot.iter().all(|b| *b == 0) {
                free.push(number);
                continue;
            }
            let (name, wrapped) = unpack(slot).ok_or_else(|| damaged(format!("slot {number} does not read")))?;
            used.push(Slot { number, name, wrapped });
        }
        free.reverse();
        let file = File::options().read(true).write(true).open(path).at(path)?;
        let slots = (all.len() / SLOT) as u64;
        Ok((Self { file: Arc::new(file), disk, free, slots }, head, used))
    }

    /// Writes a key into a free slot; not yet synced.
    pub(crate) fn add(&mut self, name: Name, wrapped: [u8; WRAPPED]) -> io::Result<Slot> {
        if self.free.is_empty() {
            let (from, to) = (HEAD + self.slots * SLOT as u64, HEAD + (self.slots + STEP) * SLOT as u64);
            zero_range(&self.file, from, to)?;
            self.file.sync_all()?;
            self.free.extend((self.slots..self.slots + STEP).rev());
            self.slots += STEP;
        }
        let number = *self.free.last().expect("grown above");
        write_all_at(&*self.disk, &self.file, &pack(&name, &wrapped), HEAD + number * SLOT as u64)?;
        self.free.pop();
        Ok(Slot { number, name, wrapped })
    }

    /// Overwrites a slot with zeros; not yet synced.
    pub(crate) fn clear(&mut self, number: u64) -> io::Result<()> {
        write_all_at(&*self.disk, &self.file, &[0; SLOT], HEAD + number * SLOT as u64)?;
        self.free.push(number);
        Ok(())
    }

    pub(crate) fn write_head(&self, head: &Head) -> io::Result<()> {
        write_all_at(&*self.disk, &self.file, &pack_head(head), 0)
    }
}

fn pack(name: &Name, wrapped: &[u8; WRAPPED]) -> [u8; SLOT] {
    let mut out = [0; SLOT];
    out[4..23].copy_from_slice(&name.aad());
    out[32..32 + WRAPPED].copy_from_slice(wrapped);
    let crc = crc32c::crc32c(&out[4..]);
    out[..4].copy_from_slice(&crc.to_le_bytes());
    out
}

fn unpack(slot: &[u8]) -> Option<(Name, [u8; WRAPPED])> {
    if crc32c::crc32c(&slot[4..]).to_le_bytes() != slot[..4] {
        return None;
    }
    let name = Name {
        kind: Kind::from_byte(slot[4])?,
        year: u16::from_le_bytes([slot[5], slot[6]]),
        subject: slot[7..23].try_into().ok()?,
    };
    Some((name, slot[32..32 + WRAPPED].try_into().ok()?))
}

fn pack_head(head: &Head) -> [u8; HEAD as usize] {
    let mut out = [0; HEAD as usize];
    out[4..12].copy_from_slice(MAGIC);
    out[12] = FORMAT;
    out[16..32].copy_from_slice(&head.keyring);
    out[32..40].copy_from_slice(&head.erasures.to_le_bytes());
    out[40..40 + WRAPPED].copy_from_slice(&head.check);
    let crc = crc32c::crc32c(&out[4..]);
    out[..4].copy_from_slice(&crc.to_le_bytes());
    out
}

fn unpack_head(bytes: &[u8]) -> Option<Head> {
    if crc32c::crc32c(&bytes[4..]).to_le_bytes() != bytes[..4] || bytes[4..12] != *MAGIC || bytes[12] != FORMAT {
        return None;
    }
    Some(Head {
        keyring: bytes[16..32].try_into().ok()?,
        erasures: u64::from_le_bytes(bytes[32..40].try_into().ok()?),
        check: bytes[40..40 + WRAPPED].try_into().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Head and first slot of the first release, each without the zeros behind it.
    const GOLDEN: [&str; 2] = [
        concat!(
            "9668fccd6b69726f6b65797301000000",
            "01010101010101010101010101010101",
            "0200000000000000",
            "030303030303030303030303030303030303030303030303030303030303",
            "030303030303030303030303030303030303030303030303030303030303"
        ),
        concat!(
            "8dd0b75302ea07",
            "04040404040404040404040404040404",
            "000000000000000000",
            "050505050505050505050505050505050505050505050505050505050505",
            "050505050505050505050505050505050505050505050505050505050505"
        ),
    ];

    /// Keyrings of earlier releases must open for as long as records are kept.
    #[test]
    fn slots_are_written_and_read_as_they_always_were() {
        let head = Head { keyring: [1; 16], erasures: 2, check: [3; WRAPPED] };
        let name = Name { subject: [4; 16], kind: Kind::PersonLog, year: 2026 };
        let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
        let written = [hex(&pack_head(&head)), hex(&pack(&name, &[5; WRAPPED]))];
        assert_eq!(written.each_ref().map(|text| text.trim_end_matches('0')), GOLDEN);
        assert_eq!(unpack_head(&pack_head(&head)), Some(head));
        assert_eq!(unpack(&pack(&name, &[5; WRAPPED])), Some((name, [5; WRAPPED])));
    }
}
