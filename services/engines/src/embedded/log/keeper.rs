//! The log's helper thread: closes full segments, keeps a spare one ready, syncs the end marker soon after commits. Nothing
//! that is acknowledged waits for it.

use std::cell::Cell;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use chassis::ports::log::LogError;

use super::files::{SegmentIndex, segment_path, spare_path};
use super::shared::Shared;
use crate::embedded::disk::sync_folder;

/// Work for the thread.
pub(crate) enum Work {
    /// A commit was made: sync the end marker soon.
    Settle,
    /// A segment is full.
    Close(Box<SegmentIndex>),
}

/// The end marker is synced so long after a commit, at the latest.
const SETTLE: Duration = Duration::from_millis(50);

/// Runs until the sender is dropped.
pub(crate) fn run(shared: &Arc<Shared>, work: &Receiver<Work>) {
    make_spare(shared);
    let mut due: Option<Instant> = None;
    loop {
        let next = match due {
            Some(due) => work.recv_timeout(due.saturating_duration_since(Instant::now())),
            None => work.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match next {
            Ok(Work::Settle) => {}
            Ok(Work::Close(index)) => {
                if let Err(e) = close_segment(&shared.folder, &index) {
                    tracing::warn!(error = %e, number = index.number, "a full log segment is not yet closed; the next start does it");
                }
                make_spare(shared);
            }
            Err(RecvTimeoutError::Timeout) => {
                settle(shared);
                due = None;
                continue;
            }
            Err(RecvTimeoutError::Disconnected) => return settle(shared),
        }
        due = due.or_else(|| Some(Instant::now() + SETTLE));
    }
}

fn settle(shared: &Shared) {
    shared.unsettled.store(false, Ordering::SeqCst);
    if let Err(e) = shared.marker.file.sync_data() {
        tracing::warn!(error = %e, "the end marker of the log cannot be synced");
    }
}

/// Writes the index, cuts the zeros off.
fn close_segment(folder: &Path, index: &SegmentIndex) -> io::Result<()> {
    index.save(folder)?;
    let file = File::options().write(true).open(segment_path(folder, index.number))?;
    file.set_len(index.length)?;
    file.sync_all()
}

fn make_spare(shared: &Shared) {
    let path = spare_path(&shared.folder);
    if path.exists() {
        return;
    }
    let new = path.with_extension("new");
    let settled = Cell::new(Instant::now());
    // A spare takes seconds; the end marker is not to wait for it.
    let go_on = || {
        if settled.get().elapsed() >= SETTLE {
            settle(shared);
            settled.set(Instant::now());
        }
        !matches!(shared.writable(), Err(LogError::Closed))
    };
    let made = match shared.disk.allocate_slowly(&new, shared.segment_size, &go_on) {
        Ok(true) => std::fs::rename(&new, &path).and_then(|()| sync_folder(&shared.folder)),
        Ok(false) => return drop(std::fs::remove_file(&new)),
        Err(e) => Err(e),
    };
    if let Err(e) = made {
        // The leader makes the segment itself when it is needed, and says so to those who wait if it cannot.
        drop(std::fs::remove_file(&new));
        tracing::warn!(error = %e, "no spare log segment can be made");
    }
}
