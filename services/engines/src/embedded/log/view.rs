//! What readers see: durable records, and early ones that the next commit writes. An index over the segments and the newest records in memory.

use std::collections::{BTreeMap, VecDeque};

use chassis::ports::log::Record;

use super::files::{Head, PartIndex, SegmentIndex};

/// One partition.
#[derive(Default)]
struct Part {
    /// Behind the last record that readers see.
    end: u64,
    /// Behind the last one that is durable.
    written: u64,
    /// (offset, segment, position), ascending.
    marks: Vec<(u64, u32, u32)>,
    tail: VecDeque<Record>,
}

/// All partitions, by slot.
pub(crate) struct View {
    parts: Vec<Part>,
    /// Slot of each record in a tail, oldest first.
    order: VecDeque<u32>,
    tail_bytes: usize,
    tail_limit: usize,
    /// Newest records that are shown and not yet durable. INVARIANT: all of them are in a tail.
    unwritten: usize,
    /// Time of the newest record.
    pub(crate) time: i64,
    pub(crate) head: Head,
    /// Bytes of the segments before the active one.
    pub(crate) lengths: BTreeMap<u32, u64>,
}

/// Cost of a record in the tail besides its value.
const RECORD_COST: usize = 96;

impl View {
    pub(crate) fn new(slots: usize, tail_limit: usize, head: Head) -> Self {
        let parts = (0..slots).map(|_| Part::default()).collect();
        let (order, lengths) = (VecDeque::new(), BTreeMap::new());
        Self { parts, order, tail_bytes: 0, tail_limit, unwritten: 0, time: 0, head, lengths }
    }

    pub(crate) fn end(&self, slot: usize) -> u64 {
        self.parts[slot].end
    }

    /// First offset that no disk holds.
    pub(crate) fn written(&self, slot: usize) -> u64 {
        self.parts[slot].written
    }

    /// [`View::written`] of every slot.
    pub(crate) fn all_written(&self) -> Vec<u64> {
        self.parts.iter().map(|p| p.written).collect()
    }

    /// Takes in a segment found at start.
    pub(crate) fn add_segment(&mut self, index: &SegmentIndex) {
        for (part, found) in self.parts.iter_mut().zip(&index.parts) {
            (part.end, part.written) = (found.end, found.end);
            part.marks.extend(found.marks.iter().map(|(offset, position)| (*offset, index.number, *position)));
        }
        self.lengths.insert(index.number, index.length);
    }

    /// Shows the next record of its partition to readers.
    pub(crate) fn show(&mut self, slot: usize, record: Record) {
        let part = &mut self.parts[slot];
        part.end = record.offset + 1;
        self.time = self.time.max(record.time);
        self.unwritten += 1;
        self.tail_bytes += record.value.len() + RECORD_COST;
        self.order.push_back(u32::try_from(slot).unwrap_or(u32::MAX));
        part.tail.push_back(record);
    }

    /// A record that is shown has become durable, at `position` of `segment`. In the order of showing.
    pub(crate) fn place(&mut self, slot: usize, offset: u64, segment: u32, position: u32) {
        let part = &mut self.parts[slot];
        let last = part.marks.last().filter(|m| m.1 == segment).map(|m| (m.0, m.2));
        if super::scan::is_mark_due(last.as_ref(), offset, u64::from(position)) {
            part.marks.push((offset, segment, position));
        }
        part.written = offset + 1;
        self.unwritten -= 1;
        while self.tail_bytes > self.tail_limit && self.order.len() > self.unwritten {
            let Some(oldest) = self.order.pop_front() else { break };
            if let Some(gone) = self.parts[oldest as usize].tail.pop_front() {
                self.tail_bytes -= gone.value.len() + RECORD_COST;
            }
        }
    }

    /// Records from `offset` on if they are all in memory.
    pub(crate) fn read_tail(&self, slot: usize, offset: u64, max: usize, max_bytes: usize) -> Option<Vec<Record>> {
        let tail = &self.parts[slot].tail;
        let first = tail.front()?.offset;
        let skip = usize::try_from(offset.checked_sub(first)?).ok()?;
        let mut bytes = 0;
        let records = tail.range(skip.min(tail.len())..).take(max).take_while(|r| {
            let fits = bytes == 0 || bytes + r.value.len() <= max_bytes;
            bytes += r.value.len().max(1);
            fits
        });
        Some(records.cloned().collect())
    }

    /// The marks from the last one at or before `offset` on: at most `limit`.
    pub(crate) fn marks_from(&self, slot: usize, offset: u64, limit: usize) -> Vec<(u64, u32, u32)> {
        let marks = &self.parts[slot].marks;
        let from = marks.partition_point(|m| m.0 <= offset).saturating_sub(1);
        marks[from..].iter().take(limit).copied().collect()
    }

    /// What the index of `segment` says about each partition; `first` is the offset that each had at its start.
    pub(crate) fn segment_parts(&self, segment: u32, first: &[u64], end: &[u64]) -> Vec<PartIndex> {
        let parts = self.parts.iter().zip(first.iter().zip(end));
        parts
            .map(|(part, (first, end))| {
                let from = part.marks.partition_point(|m| m.1 < segment);
                let marks = part.marks[from..].iter().take_while(|m| m.1 == segment);
                PartIndex { first: *first, end: *end, marks: marks.map(|m| (m.0, m.2)).collect() }
            })
            .collect()
    }
}
