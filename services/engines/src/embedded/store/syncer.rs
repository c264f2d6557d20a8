//! What the engine would do in one piece or under its locks, done from outside in small ones: syncs its newest journal (it would
//! do so 64 MB at once) and the files that a flush is writing ([`super::growing`]), frees what was flushed ([`super::memtables`]).
//! The verdict does not wait for it: after power loss the log replays what is missing.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use chassis::ports::store::StoreError;

use super::growing::{Growing, newest};
use super::memtables::Memtables;
use super::spaces::{Space, Spaces};
use super::workers;

const EVERY: Duration = Duration::from_millis(30);
/// While a flush is writing.
const SOON: Duration = Duration::from_millis(4);

#[derive(Default)]
struct Flags {
    dirty: AtomicBool,
    failed: AtomicBool,
}

pub(crate) struct Syncer {
    flags: Arc<Flags>,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Syncer {
    pub(crate) fn start(folder: &Path, spaces: &Spaces) -> io::Result<Self> {
        let flags = Arc::new(Flags::default());
        let (stop, stopped) = channel();
        let (seen, folder) = (Arc::clone(&flags), folder.to_owned());
        let mut memtables = Space::ALL.map(|space| Memtables::of(spaces.get(space).clone()));
        let mut growing = Growing::below(&folder)?;
        let thread = std::thread::Builder::new().name("store-sync".into()).spawn(move || {
            let mut wait = EVERY;
            let mut first_turn = true;
            while stopped.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
                if std::mem::take(&mut first_turn) {
                    workers::stand_back();
                }
                memtables.iter_mut().for_each(Memtables::free_unused);
                wait = if growing.sync() { SOON } else { EVERY };
                if seen.dirty.swap(false, Ordering::SeqCst)
                    && let Err(e) = sync_newest(&folder)
                {
                    tracing::error!(error = %e, "the journal of the tables cannot be synced; no more rows until a restart");
                    seen.failed.store(true, Ordering::SeqCst);
                }
            }
        })?;
        Ok(Self { flags, stop: Some(stop), thread: Some(thread) })
    }

    /// Something was written.
    pub(crate) fn touch(&self) {
        self.flags.dirty.store(true, Ordering::SeqCst);
    }

    /// After a failed sync nothing more is applied.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        if self.flags.failed.load(Ordering::SeqCst) {
            return Err(StoreError::NotWritable("an earlier sync failed, a restart is needed".to_owned()));
        }
        Ok(())
    }
}

impl Drop for Syncer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// The engine syncs a journal itself before it begins the next.
fn sync_newest(folder: &Path) -> io::Result<()> {
    let Some(path) = newest(folder, ".jnl")? else { return Ok(()) };
    match File::open(path) {
        Ok(file) => file.sync_data(),
        // Rotated and removed meanwhile: then it was synced.
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(e),
    }
}
