//! The files of the log's folder besides the frames: identity, end marker, index of a full segment.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use chassis::ports::log::Append;
use minicbor::{Decode, Encode};
use schemas::ids::partition_of;
use schemas::vocab::Topic;

use super::frame::{Chain, first_chain};
use crate::embedded::disk::{create_private, replace_file};
use crate::embedded::error::{At, EngineError};

pub(crate) fn segment_path(folder: &Path, number: u32) -> PathBuf {
    folder.join(format!("{number:08}.seg"))
}
pub(crate) fn index_path(folder: &Path, number: u32) -> PathBuf {
    folder.join(format!("{number:08}.idx"))
}
pub(crate) fn spare_path(folder: &Path) -> PathBuf {
    folder.join("spare")
}
pub(crate) fn end_path(folder: &Path) -> PathBuf {
    folder.join("end")
}
fn identity_path(folder: &Path) -> PathBuf {
    folder.join("identity")
}

/// A stored value with a checksum behind it.
fn packed<T: Encode<()>>(value: &T) -> Vec<u8> {
    let mut out = schemas::codec::encode(value);
    let crc = crc32c::crc32c(&out);
    out.extend_from_slice(&crc.to_le_bytes());
    out
}

fn unpacked<T: for<'b> Decode<'b, ()>>(what: &'static str, bytes: &[u8]) -> Result<T, String> {
    let at = bytes.len().checked_sub(4).ok_or("too short")?;
    let (body, crc) = bytes.split_at(at);
    if crc32c::crc32c(body).to_le_bytes() != crc {
        return Err("checksum".to_owned());
    }
    schemas::codec::decode(what, body).map_err(|e| e.to_string())
}

/// Who this log is: made once, never changed.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Identity {
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    pub(crate) log_id: [u8; 16],
    /// Partitions of each topic, by the topic's number.
    #[n(1)]
    pub(crate) partitions: Vec<u16>,
}

impl Identity {
    /// Reads the identity, or makes one with `partitions` for `person` and `access`.
    pub(crate) fn open_or_create(folder: &Path, partitions: u16) -> Result<Self, EngineError> {
        let path = identity_path(folder);
        match std::fs::read(&path) {
            Ok(bytes) => {
                let identity: Self =
                    unpacked("identity", &bytes).map_err(|what| EngineError::Damaged { path: path.clone(), what })?;
                if identity.partitions.len() > Topic::ALL.len() {
                    return Err(EngineError::Newer { path, what: "it has topics unknown here".to_owned() });
                }
                Ok(identity)
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                if segment_path(folder, 1).exists() {
                    return Err(EngineError::Damaged { path, what: "it is missing beside segments".to_owned() });
                }
                let mut log_id = [0; 16];
                openssl::rand::rand_bytes(&mut log_id).map_err(io::Error::other).at(&path)?;
                let of =
                    |topic: &Topic| if matches!(topic, Topic::Person | Topic::Access) { partitions.max(1) } else { 1 };
                let identity = Self { log_id, partitions: Topic::ALL.iter().map(of).collect() };
                replace_file(&path, &packed(&identity)).at(&path)?;
                Ok(identity)
            }
            Err(source) => Err(EngineError::Io { path, source }),
        }
    }

    pub(crate) fn save_copy(&self, folder: &Path) -> Result<(), EngineError> {
        let path = identity_path(folder);
        replace_file(&path, &packed(self)).at(&path)
    }

    /// Partitions of all topics together.
    pub(crate) fn total(&self) -> usize {
        self.partitions.iter().map(|n| usize::from(*n)).sum()
    }

    /// Dense number of a partition over all topics.
    pub(crate) fn slot(&self, topic: u8, partition: u16) -> Option<usize> {
        let count = *self.partitions.get(usize::from(topic))?;
        let before: usize = self.partitions[..usize::from(topic)].iter().map(|n| usize::from(*n)).sum();
        (partition < count).then_some(before + usize::from(partition))
    }

    /// Slot and partition of a record to append. INVARIANT: its shard was checked.
    pub(crate) fn slot_of(&self, record: &Append) -> (usize, u16) {
        let partition = partition_of(record.shard, self.partitions[record.topic as usize]);
        (self.slot(record.topic as u8, partition).expect("shards were checked"), partition)
    }

    /// Topic and partition of a slot.
    pub(crate) fn place(&self, mut slot: usize) -> (Topic, u16) {
        for (topic, count) in Topic::ALL.iter().zip(&self.partitions) {
            if slot < usize::from(*count) {
                return (*topic, u16::try_from(slot).unwrap_or(u16::MAX));
            }
            slot -= usize::from(*count);
        }
        (Topic::Person, u16::MAX)
    }

    pub(crate) fn first_chain(&self) -> Chain {
        first_chain(&self.log_id)
    }
}

/// How far the log is known to be durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Number of the last commit; 0 before the first.
    pub commit: u64,
    /// Segment and byte behind that commit.
    pub segment: u32,
    pub position: u64,
    /// Hash chain over all commits up to it.
    pub chain: [u8; 32],
}

/// The end marker: two slots of 512 bytes, written in turn after each commit is durable. It is not synced itself (a thread
/// does so when the log rests), so after power loss it may lag; after a killed process it does not.
pub(crate) struct EndMarker {
    pub(crate) file: File,
}

const END_SLOT: u64 = 512;
const END_BYTES: usize = 8 + 4 + 8 + 32;

impl EndMarker {
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        let path = end_path(folder);
        let file = match File::options().read(true).write(true).open(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => create_private(&path)?,
            Err(e) => return Err(e),
        };
        Ok(Self { file })
    }

    pub(crate) fn write(&self, head: &Head) -> io::Result<()> {
        let mut out = Vec::with_capacity(END_BYTES + 4);
        out.extend_from_slice(&head.commit.to_le_bytes());
        out.extend_from_slice(&head.segment.to_le_bytes());
        out.extend_from_slice(&head.position.to_le_bytes());
        out.extend_from_slice(&head.chain);
        let crc = crc32c::crc32c(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        self.file.write_all_at(&out, (head.commit % 2) * END_SLOT)
    }

    /// The newest valid slot. `Err` if something was written but neither slot reads.
    pub(crate) fn read(&self) -> io::Result<Result<Option<Head>, String>> {
        let (mut best, mut written) = (None::<Head>, false);
        for slot in 0..2 {
            let mut bytes = [0u8; END_BYTES + 4];
            let mut have = 0;
            while have < bytes.len() {
                match self.file.read_at(&mut bytes[have..], slot * END_SLOT + have as u64)? {
                    0 => break,
                    n => have += n,
                }
            }
            if bytes.iter().all(|b| *b == 0) {
                continue;
            }
            written = true;
            let (body, crc) = bytes.split_at(END_BYTES);
            if crc32c::crc32c(body).to_le_bytes() != crc {
                tracing::warn!(slot, "a slot of the log's end marker does not read; the other one is used");
                continue;
            }
            let head = Head {
                commit: u64::from_le_bytes(body[..8].try_into().expect("8 bytes")),
                segment: u32::from_le_bytes(body[8..12].try_into().expect("4 bytes")),
                position: u64::from_le_bytes(body[12..20].try_into().expect("8 bytes")),
                chain: body[20..52].try_into().expect("32 bytes"),
            };
            if best.is_none_or(|b| b.commit < head.commit) {
                best = Some(head);
            }
        }
        Ok(if written && best.is_none() { Err("neither slot reads".to_owned()) } else { Ok(best) })
    }
}

/// What one partition has in one segment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub(crate) struct PartIndex {
    /// First offset in this segment, and the one behind its last.
    #[n(0)]
    pub(crate) first: u64,
    #[n(1)]
    pub(crate) end: u64,
    /// Some records (offset, position of their frame), ascending.
    #[n(2)]
    pub(crate) marks: Vec<(u64, u32)>,
}

/// Index of a full segment, so that a start need not read it. Derived: rebuilt from the segment if missing or damaged.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct SegmentIndex {
    #[n(0)]
    pub(crate) number: u32,
    #[n(1)]
    #[cbor(with = "minicbor::bytes")]
    pub(crate) log_id: [u8; 16],
    /// Bytes of frames; the file is cut to it.
    #[n(2)]
    pub(crate) length: u64,
    /// Commit before the first of this segment, and the last one in it.
    #[n(3)]
    pub(crate) commit_before: u64,
    #[n(4)]
    pub(crate) commit: u64,
    #[n(5)]
    #[cbor(with = "minicbor::bytes")]
    pub(crate) chain_before: Chain,
    #[n(6)]
    #[cbor(with = "minicbor::bytes")]
    pub(crate) chain: Chain,
    #[n(7)]
    pub(crate) time: i64,
    /// By slot.
    #[n(8)]
    pub(crate) parts: Vec<PartIndex>,
    /// First byte of the last commit.
    #[n(9)]
    pub(crate) last_commit_at: u64,
}

impl SegmentIndex {
    pub(crate) fn save(&self, folder: &Path) -> io::Result<()> {
        replace_file(&index_path(folder, self.number), &packed(self))
    }

    /// The stored index; `Ok(None)` if there is none, `Ok(Some(Err))` if it does not read.
    pub(crate) fn load(folder: &Path, number: u32) -> io::Result<Option<Result<Self, String>>> {
        match std::fs::read(index_path(folder, number)) {
            Ok(bytes) => Ok(Some(unpacked("segment index", &bytes))),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }
}

/// Numbers of the segments in the folder, ascending. A gap is damage.
pub(crate) fn list_segments(folder: &Path) -> Result<Vec<u32>, EngineError> {
    let mut numbers = Vec::new();
    for entry in std::fs::read_dir(folder).at(folder)? {
        let name = entry.at(folder)?.file_name();
        if let Some(number) = name.to_str().and_then(|n| n.strip_suffix(".seg")).and_then(|n| n.parse::<u32>().ok()) {
            numbers.push(number);
        }
    }
    numbers.sort_unstable();
    match numbers.iter().zip(1u32..).find(|(found, wanted)| *found != wanted) {
        Some((_, wanted)) => {
            Err(EngineError::DamagedLog { segment: wanted, position: 0, what: "the segment is missing".to_owned() })
        }
        None => Ok(numbers),
    }
}
