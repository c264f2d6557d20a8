//! A file of small records, appended and never changed: 64 bytes each (CRC-32C, length, up to 59 bytes), so that none crosses
//! a sector. A record is there whole or not at all; zeros at the end are records that were never acknowledged.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use super::disk::{Disk, create_private, replace_file, sync_folder, write_all_at};
use super::error::{At, EngineError};
use super::sync_group::SyncGroup;

const RECORD: usize = 64;
pub(crate) const MAX_PAYLOAD: usize = RECORD - 5;

pub(crate) struct Journal {
    path: PathBuf,
    disk: Arc<dyn Disk>,
    at: Mutex<u64>,
    file: Arc<Mutex<Arc<File>>>,
    group: Arc<SyncGroup>,
}

fn pack(payload: &[u8]) -> [u8; RECORD] {
    let mut out = [0u8; RECORD];
    out[4] = u8::try_from(payload.len()).expect("at most 59 bytes");
    out[5..5 + payload.len()].copy_from_slice(payload);
    let crc = crc32c::crc32c(&out[4..]);
    out[..4].copy_from_slice(&crc.to_le_bytes());
    out
}

fn unpack(record: &[u8]) -> Option<Vec<u8>> {
    let crc = crc32c::crc32c(&record[4..]);
    (crc.to_le_bytes() == record[..4]).then(|| record[5..5 + usize::from(record[4]).min(MAX_PAYLOAD)].to_vec())
}

impl Journal {
    /// Opens or makes the journal; with the records in it.
    pub(crate) fn open(path: &Path, disk: Arc<dyn Disk>) -> Result<(Self, Vec<Vec<u8>>), EngineError> {
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                create_private(path).and_then(|f| f.sync_all()).at(path)?;
                sync_folder(path.parent().unwrap_or(Path::new("."))).at(path)?;
                Vec::new()
            }
            Err(source) => return Err(EngineError::Io { path: path.to_owned(), source }),
        };
        let written = bytes.iter().rposition(|b| *b != 0).map_or(0, |last| last + 1).div_ceil(RECORD) * RECORD;
        let mut records = Vec::new();
        for (n, record) in bytes[..written.min(bytes.len())].chunks(RECORD).enumerate() {
            let payload = if record.len() == RECORD { unpack(record) } else { None };
            let damaged = || EngineError::Damaged { path: path.to_owned(), what: format!("record {n} does not read") };
            records.push(payload.ok_or_else(damaged)?);
        }
        let file = File::options().read(true).write(true).open(path).at(path)?;
        file.set_len(written as u64).and_then(|()| file.sync_all()).at(path)?;
        let file = Arc::new(Mutex::new(Arc::new(file)));
        let (current, syncing) = (Arc::clone(&file), Arc::clone(&disk));
        let group = SyncGroup::new(Box::new(move || {
            let file = Arc::clone(&current.lock());
            syncing.sync(&file)
        }));
        Ok((Self { path: path.to_owned(), disk, at: Mutex::new(written as u64), file, group }, records))
    }

    /// Appends a record; durable when it returns.
    pub(crate) async fn append(&self, payload: &[u8]) -> Result<(), String> {
        self.group.check()?;
        let ticket = {
            let mut at = self.at.lock();
            let file = Arc::clone(&self.file.lock());
            if let Err(e) = write_all_at(&*self.disk, &file, &pack(payload), *at) {
                // Nothing of a torn record may stay in front of a later one.
                if file.write_all_at(&[0; RECORD], *at).is_err() {
                    self.group.fail("a record was written half");
                }
                return Err(e.to_string());
            }
            *at += RECORD as u64;
            self.group.wrote()
        };
        self.group.synced(ticket).await
    }

    /// Number of records.
    pub(crate) fn len(&self) -> u64 {
        *self.at.lock() / RECORD as u64
    }

    /// Replaces the content in one piece.
    pub(crate) fn rewrite<'p>(&self, payloads: impl Iterator<Item = &'p [u8]>) -> io::Result<()> {
        let mut at = self.at.lock();
        let content: Vec<u8> = payloads.flat_map(pack).collect();
        replace_file(&self.path, &content)?;
        *self.file.lock() = Arc::new(File::options().read(true).write(true).open(&self.path)?);
        *at = content.len() as u64;
        Ok(())
    }
}
