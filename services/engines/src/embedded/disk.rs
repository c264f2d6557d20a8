//! The few calls by which acknowledged bytes reach the disk, as a dependency, so that tests can make them fail.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// Writing, syncing, allocating.
pub trait Disk: Send + Sync {
    /// Makes a file of `size` zeros, written (not sparse) and synced, so that later writes into it need no new space.
    fn allocate(&self, path: &Path, size: u64) -> io::Result<()>;
    /// The same for a file that is needed later: in small pieces with pauses, so that no sync of others waits behind it. False:
    /// `go_on` said no before it was done.
    fn allocate_slowly(&self, path: &Path, size: u64, go_on: &dyn Fn() -> bool) -> io::Result<bool>;
    /// Writes some of `bytes`; fewer than all is not an error (as `pwrite`).
    fn write_at(&self, file: &File, bytes: &[u8], position: u64) -> io::Result<usize>;
    /// `fdatasync`.
    fn sync(&self, file: &File) -> io::Result<()>;
}

/// Writes all of `bytes` or fails.
pub(crate) fn write_all_at(disk: &dyn Disk, file: &File, mut bytes: &[u8], mut position: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match disk.write_at(file, bytes, position) {
            Ok(0) => return Err(io::Error::new(io::ErrorKind::WriteZero, "the disk took no bytes")),
            Ok(n) => {
                bytes = &bytes[n..];
                position += n as u64;
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// Makes names in a folder durable (created, renamed, removed files).
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Replaces a small file in one piece: a reader sees the old or the new content, also after power loss.
pub(crate) fn replace_file(path: &Path, content: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    {
        let file = create_private(&new)?;
        file.write_all_at(content, 0)?;
        file.sync_all()?;
    }
    std::fs::rename(&new, path)?;
    sync_folder(path.parent().unwrap_or(Path::new(".")))
}

/// A new or emptied file that only its owner may read.
pub(crate) fn create_private(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(true).mode(0o600).open(path)
}

/// The machine's disk.
#[derive(Debug, Default, Clone, Copy)]
pub struct RealDisk;

/// A file that is needed later grows by so much at once, and waits so long before it goes on: 64 MiB in less than two seconds.
const PIECE: u64 = 512 * 1024;
const PAUSE: Duration = Duration::from_millis(10);

static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];

impl Disk for RealDisk {
    fn allocate(&self, path: &Path, size: u64) -> io::Result<()> {
        let file = create_private(path)?;
        zero_range(&file, 0, size)?;
        file.sync_all()
    }
    fn allocate_slowly(&self, path: &Path, size: u64, go_on: &dyn Fn() -> bool) -> io::Result<bool> {
        let file = create_private(path)?;
        let mut done = 0;
        while done < size {
            if !go_on() {
                return Ok(false);
            }
            let next = size.min(done + PIECE);
            zero_range(&file, done, next)?;
            file.sync_data()?;
            done = next;
            std::thread::sleep(PAUSE);
        }
        file.sync_all()?;
        Ok(true)
    }
    fn write_at(&self, file: &File, bytes: &[u8], position: u64) -> io::Result<usize> {
        file.write_at(bytes, position)
    }
    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }
}

/// Writes zeros from `from` to `to`.
pub(crate) fn zero_range(file: &File, mut from: u64, to: u64) -> io::Result<()> {
    while from < to {
        let n = ZEROS.len().min(usize::try_from(to - from).unwrap_or(usize::MAX));
        file.write_all_at(&ZEROS[..n], from)?;
        from += n as u64;
    }
    Ok(())
}

/// A disk with faults to switch on: for tests and the simulation.
#[derive(Debug, Default)]
pub struct FaultyDisk {
    /// `allocate` answers "no space left".
    pub full: AtomicBool,
    /// `sync` fails with an I/O error.
    pub sync_fails: AtomicBool,
    /// A `sync` takes so many milliseconds more.
    pub sync_delay_ms: AtomicU64,
    /// Number of bytes that may still be written before every write fails; `u64::MAX` (see [`FaultyDisk::new`]): no limit.
    pub bytes_left: AtomicU64,
    /// Writes take at most this many bytes at once; 0: no limit.
    pub longest_write: AtomicU64,
    /// Number of syncs so far.
    pub syncs: AtomicU64,
}

impl FaultyDisk {
    pub fn new() -> Self {
        Self { bytes_left: AtomicU64::new(u64::MAX), ..Self::default() }
    }
}

impl Disk for FaultyDisk {
    fn allocate(&self, path: &Path, size: u64) -> io::Result<()> {
        if self.full.load(Ordering::SeqCst) {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        RealDisk.allocate(path, size)
    }
    fn allocate_slowly(&self, path: &Path, size: u64, go_on: &dyn Fn() -> bool) -> io::Result<bool> {
        if self.full.load(Ordering::SeqCst) {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        RealDisk.allocate_slowly(path, size, go_on)
    }
    fn write_at(&self, file: &File, bytes: &[u8], position: u64) -> io::Result<usize> {
        let left = self.bytes_left.load(Ordering::SeqCst);
        let longest = match self.longest_write.load(Ordering::SeqCst) {
            0 => u64::MAX,
            n => n,
        };
        let n = (bytes.len() as u64).min(left).min(longest);
        if n == 0 {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        if left != u64::MAX {
            self.bytes_left.store(left - n, Ordering::SeqCst);
        }
        file.write_at(&bytes[..usize::try_from(n).unwrap_or(bytes.len())], position)
    }
    fn sync(&self, file: &File) -> io::Result<()> {
        if self.sync_fails.load(Ordering::SeqCst) {
            return Err(io::Error::other("injected fsync error"));
        }
        self.syncs.fetch_add(1, Ordering::SeqCst);
        std::thread::sleep(std::time::Duration::from_millis(self.sync_delay_ms.load(Ordering::SeqCst)));
        file.sync_data()
    }
}
