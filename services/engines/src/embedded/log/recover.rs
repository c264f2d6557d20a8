//! Start: where does the log end, and is all that was acknowledged still there?
//!
//! One commit at a time is written, and the next begins only after its sync. So a commit that does not read is *torn* (it was
//! never acknowledged, and is cut off) only if it is the last thing in the last segment; if the end marker names it, or any
//! whole commit with a higher number follows, it is *damage*, and the log does not open. What cannot be told apart: a flipped
//! byte in the very last commit when the end marker is older than it, which needs a power loss within the time that the marker
//! is not yet synced ([`super::keeper`]); then that one commit is taken for torn, with a warning.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::files::{EndMarker, Head, Identity, SegmentIndex, end_path, index_path, list_segments, segment_path};
use super::frame::{self, Frame, HEAD_FRAME};
use super::scan::{Before, Scan, scan};
use super::view::View;
use super::writer::{Active, Writer};
use crate::embedded::disk::zero_range;
use crate::embedded::error::{At, EngineError};

/// State of a log that was found in order.
pub(crate) struct Recovered {
    pub(crate) view: View,
    pub(crate) writer: Writer,
}

/// Reads the folder. Changes nothing but: cuts a torn last commit, fills the last segment up, rebuilds missing indexes.
pub(crate) fn recover(
    folder: &Path,
    identity: &Identity,
    marker: &EndMarker,
    segment_size: u64,
    tail_limit: usize,
) -> Result<Recovered, EngineError> {
    let path = end_path(folder);
    let end = marker.read().at(&path)?.map_err(|what| EngineError::Damaged { path: path.clone(), what })?;
    let numbers = list_segments(folder)?;
    let mut before = Before::first(identity);
    let head = Head { commit: 0, segment: 0, position: 0, chain: before.chain };
    let mut view = View::new(identity.total(), tail_limit, head);
    let mut active = None;
    for number in &numbers {
        let index = if Some(number) == numbers.last() {
            let (index, last) = open_last(folder, identity, *number, &before, end.as_ref(), segment_size)?;
            active = Some(last);
            index
        } else {
            open_full(folder, identity, *number, &before)?
        };
        if index.length > 0 {
            view.add_segment(&index);
            view.head = Head { commit: index.commit, segment: *number, position: index.length, chain: index.chain };
        }
        check_marker_chain(end.as_ref(), &index)?;
        before = Before::behind(&index);
    }
    check_marker_end(end.as_ref(), &view.head)?;
    view.time = before.time;
    let writer = Writer {
        active,
        commit: before.commit,
        chain: before.chain,
        time: before.time,
        next: before.next,
        buffer: Vec::new(),
    };
    Ok(Recovered { view, writer })
}

fn damaged(segment: u32, position: u64, what: impl Into<String>) -> EngineError {
    EngineError::DamagedLog { segment, position, what: what.into() }
}

/// The end marker names a commit that is not there.
fn check_marker_end(end: Option<&Head>, head: &Head) -> Result<(), EngineError> {
    match end {
        Some(end) if end.commit > head.commit => Err(damaged(
            end.segment,
            head.position,
            format!("acknowledged commits {} to {} are missing", head.commit + 1, end.commit),
        )),
        _ => Ok(()),
    }
}

fn check_marker_chain(end: Option<&Head>, index: &SegmentIndex) -> Result<(), EngineError> {
    match end {
        Some(end) if end.commit == index.commit && end.chain != index.chain => {
            Err(damaged(index.number, index.length, "its chain is not the one that was acknowledged"))
        }
        _ => Ok(()),
    }
}

/// A segment that is not the last: by its index if that is in order, else by a full scan.
fn open_full(folder: &Path, identity: &Identity, number: u32, before: &Before) -> Result<SegmentIndex, EngineError> {
    let path = segment_path(folder, number);
    let size = std::fs::metadata(&path).at(&path)?.len();
    match SegmentIndex::load(folder, number).at(&index_path(folder, number))? {
        Some(Ok(index)) => {
            let first: Vec<u64> = index.parts.iter().map(|p| p.first).collect();
            let follows = index.number == number
                && index.log_id == identity.log_id
                && index.commit_before == before.commit
                && index.chain_before == before.chain
                && first == before.next;
            if !follows {
                return Err(damaged(number, 0, "it does not follow from the segment before it"));
            }
            if size < index.length {
                return Err(damaged(number, size, "the file is too short"));
            }
            check_head(&path, identity, number, before)?;
            return Ok(index);
        }
        Some(Err(what)) => tracing::warn!(number, what, "the index of a log segment does not read and is rebuilt"),
        None => tracing::info!(number, "the index of a log segment is missing and is made again"),
    }
    let index = scan_full(&path, identity, number, before)?.index;
    index.save(folder).at(&index_path(folder, number))?;
    Ok(index)
}

/// Scans a segment that must be in order from end to end.
pub(crate) fn scan_full(path: &Path, identity: &Identity, number: u32, before: &Before) -> Result<Scan, EngineError> {
    let bytes = std::fs::read(path).at(path)?;
    let found = scan(identity, number, &bytes, before);
    match found.stop {
        Some(stop) => Err(damaged(number, stop.position, stop.what)),
        None if found.index.length == 0 => Err(damaged(number, 0, "it is empty but later segments exist")),
        None => Ok(found),
    }
}

fn check_head(path: &Path, identity: &Identity, number: u32, before: &Before) -> Result<(), EngineError> {
    let mut bytes = [0u8; HEAD_FRAME];
    File::open(path).and_then(|f| f.read_exact_at(&mut bytes, 0)).at(path)?;
    match frame::read(&bytes) {
        Ok((Frame::Head { segment, log_id, chain_before, .. }, _))
            if segment == number && log_id == identity.log_id && chain_before == before.chain =>
        {
            Ok(())
        }
        _ => Err(damaged(number, 0, "its head does not read or belongs elsewhere")),
    }
}

/// The last segment: every byte is read; a torn last commit is cut.
fn open_last(
    folder: &Path,
    identity: &Identity,
    number: u32,
    before: &Before,
    end: Option<&Head>,
    segment_size: u64,
) -> Result<(SegmentIndex, Active), EngineError> {
    let path = segment_path(folder, number);
    let bytes = std::fs::read(&path).at(&path)?;
    let found = scan(identity, number, &bytes, before);
    let index = found.index;
    let length = usize::try_from(index.length).unwrap_or(bytes.len());
    let file = File::options().read(true).write(true).open(&path).at(&path)?;
    if let Some(stop) = &found.stop {
        if end.is_some_and(|e| e.commit > index.commit) || frame::holds_later_commit(&bytes[length..], index.commit + 1)
        {
            return Err(damaged(number, stop.position, stop.what));
        }
        tracing::warn!(
            number,
            position = stop.position,
            what = stop.what,
            "the last write to the log was torn; cut off"
        );
        zero_range(&file, index.length, bytes.len() as u64).at(&path)?;
    }
    // After a failed sync the kernel may hold pages that the disk does not: written again, they are dirty again.
    if index.commit > before.commit {
        let from = usize::try_from(index.last_commit_at).unwrap_or(length);
        file.write_all_at(&bytes[from..length], index.last_commit_at).at(&path)?;
    }
    let mut capacity = bytes.len() as u64;
    if capacity < segment_size && zero_range(&file, capacity, segment_size).is_ok() {
        capacity = segment_size;
    }
    file.sync_all().at(&path)?;
    let active = Active {
        number,
        file,
        position: index.length,
        capacity,
        commit_before: before.commit,
        chain_before: before.chain,
        first: before.next.clone(),
        last_commit_at: index.last_commit_at,
    };
    Ok((index, active))
}
