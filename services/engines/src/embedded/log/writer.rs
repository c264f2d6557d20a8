//! One commit: frames into the active segment, one `fdatasync`, then visible. Called by the leader only.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use chassis::clock::Clock;
use chassis::ports::log::{Append, Appended, Record};

use super::files::{Head, Identity, SegmentIndex, segment_path, spare_path};
use super::frame::{self, COMMIT_FRAME, Chain, HEAD_FRAME, HEADER};
use crate::embedded::disk::{Disk, sync_folder, write_all_at};

/// The segment that is written now.
pub(crate) struct Active {
    pub(crate) number: u32,
    pub(crate) file: File,
    /// Byte behind the last commit; 0: the head is not yet written.
    pub(crate) position: u64,
    pub(crate) capacity: u64,
    /// State at its start, for its index.
    pub(crate) commit_before: u64,
    pub(crate) chain_before: Chain,
    pub(crate) first: Vec<u64>,
    pub(crate) last_commit_at: u64,
}

/// State of the end of the log.
pub(crate) struct Writer {
    pub(crate) active: Option<Active>,
    pub(crate) commit: u64,
    pub(crate) chain: Chain,
    pub(crate) time: i64,
    /// Next offset, by slot.
    pub(crate) next: Vec<u64>,
    pub(crate) buffer: Vec<u8>,
}

/// Why a commit failed.
pub(crate) enum Failed {
    /// Nothing was written; the next commit may succeed.
    Before(String),
    /// It is not known what reached the disk: no acknowledgement until a restart.
    Poison(String),
}

/// A durable commit.
pub(crate) struct Done {
    pub(crate) head: Head,
    /// Slot, record, position of its frame; in order.
    pub(crate) records: Vec<(usize, Record, u32)>,
    /// The segment that was closed by it, without its `parts`; and the first offsets of that segment.
    pub(crate) closed: Option<(SegmentIndex, Vec<u64>, Vec<u64>)>,
}

impl Done {
    pub(crate) fn appended(&self, from: usize, count: usize) -> Vec<Appended> {
        let records = &self.records[from..from + count];
        records.iter().map(|(_, r, _)| Appended { partition: r.partition, offset: r.offset, time: r.time }).collect()
    }
}

/// What a commit needs besides the writer's own state.
pub(crate) struct Around<'a> {
    pub(crate) folder: &'a Path,
    pub(crate) identity: &'a Identity,
    pub(crate) disk: &'a Arc<dyn Disk>,
    pub(crate) clock: &'a dyn Clock,
    pub(crate) segment_size: u64,
}

impl Writer {
    /// Writes and syncs `appends` as one commit, each under its own time if it brings one; times never run backwards.
    pub(crate) fn commit<'r>(
        &mut self,
        around: &Around<'_>,
        appends: impl Iterator<Item = (&'r Append, Option<i64>)> + Clone,
    ) -> Result<Done, Failed> {
        let length: usize = appends.clone().map(|(a, _)| HEADER + a.value.len()).sum::<usize>() + COMMIT_FRAME;
        let room = self.active.as_ref().map_or(0, |a| a.capacity.saturating_sub(a.position));
        let fresh_at_zero = self.active.as_ref().is_some_and(|a| a.position == 0);
        let needed = length as u64 + if fresh_at_zero { HEAD_FRAME as u64 } else { 0 };
        let closed = if room < needed { self.roll(around, (length + HEAD_FRAME) as u64)? } else { None };
        let active = self.active.as_mut().expect("rolled above");
        let created = active.position == 0;
        let (now, mut time) = (around.clock.now(), self.time);
        let mut next = self.next.clone();
        let mut records = Vec::new();
        self.buffer.clear();
        if created {
            frame::write_head(&mut self.buffer, active.number, &around.identity.log_id, self.commit + 1, &self.chain);
        }
        let records_from = self.buffer.len();
        for (append, stamped) in appends {
            time = stamped.unwrap_or(now).max(time);
            let (slot, partition) = around.identity.slot_of(append);
            let position = u32::try_from(active.position + self.buffer.len() as u64)
                .map_err(|_| Failed::Before("the segment would be too long".to_owned()))?;
            let offset = next[slot];
            frame::write_record(&mut self.buffer, append.topic as u8, partition, offset, time, &append.value);
            next[slot] += 1;
            records.push((slot, Record { partition, offset, time, value: append.value.clone() }, position));
        }
        let number = self.commit + 1;
        let count = u32::try_from(records.len()).map_err(|_| Failed::Before("too many records".to_owned()))?;
        let chain = frame::next_chain(&self.chain, &self.buffer[records_from..], number, time, count);
        frame::write_commit(&mut self.buffer, number, time, count, &chain);

        let durable = write_all_at(&**around.disk, &active.file, &self.buffer, active.position)
            .and_then(|()| around.disk.sync(&active.file))
            .and_then(|()| if created { sync_folder(around.folder) } else { Ok(()) });
        durable.map_err(|e| Failed::Poison(e.to_string()))?;

        active.last_commit_at = active.position + records_from as u64;
        active.position += self.buffer.len() as u64;
        let head = Head { commit: number, segment: active.number, position: active.position, chain };
        (self.commit, self.chain, self.time, self.next) = (number, chain, time, next);
        if self.buffer.capacity() > 4 * 1024 * 1024 {
            self.buffer = Vec::new();
        }
        Ok(Done { head, records, closed })
    }

    /// Goes on to a new segment of at least `needed` bytes. If that fails the old one stays.
    #[expect(clippy::type_complexity, reason = "handed on as it is to the one caller")]
    fn roll(&mut self, around: &Around<'_>, needed: u64) -> Result<Option<(SegmentIndex, Vec<u64>, Vec<u64>)>, Failed> {
        let reuse = self.active.as_ref().is_some_and(|a| a.position == 0);
        let number = self.active.as_ref().map_or(1, |a| if reuse { a.number } else { a.number + 1 });
        let capacity = needed.max(around.segment_size);
        let file = take_segment(around, number, capacity, reuse)
            .map_err(|e| Failed::Before(format!("a new segment cannot be made: {e}")))?;
        let fresh = Active {
            number,
            file,
            position: 0,
            capacity,
            commit_before: self.commit,
            chain_before: self.chain,
            first: self.next.clone(),
            last_commit_at: 0,
        };
        let old = self.active.replace(fresh).filter(|old| old.position > 0);
        Ok(old.map(|old| {
            let index = SegmentIndex {
                number: old.number,
                log_id: around.identity.log_id,
                length: old.position,
                commit_before: old.commit_before,
                commit: self.commit,
                chain_before: old.chain_before,
                chain: self.chain,
                time: self.time,
                parts: Vec::new(),
                last_commit_at: old.last_commit_at,
            };
            (index, old.first, self.next.clone())
        }))
    }
}

/// The file of a new segment: the spare one if it is large enough, else one made now.
fn take_segment(around: &Around<'_>, number: u32, capacity: u64, reuse: bool) -> io::Result<File> {
    let path = segment_path(around.folder, number);
    let spare = spare_path(around.folder);
    if reuse || std::fs::metadata(&spare).map_or(0, |m| m.len()) < capacity {
        let new = path.with_extension("new");
        around.disk.allocate(&new, capacity).inspect_err(|_| drop(std::fs::remove_file(&new)))?;
        std::fs::rename(&new, &path)?;
    } else {
        std::fs::rename(&spare, &path)?;
    }
    File::options().read(true).write(true).open(&path)
}
