//! Reading a whole segment and checking every byte of it: checksums, chain, dense offsets, times, counts.

use super::files::{Identity, PartIndex, SegmentIndex};
use super::frame::{self, Chain, Frame, Unread};

/// A mark is set at least every so many records and bytes of a partition.
const MARK_RECORDS: u64 = 64;
const MARK_BYTES: u64 = 64 * 1024;

/// Is a mark due for the record `offset` at byte `position`, after the last mark of the partition in this segment?
pub(crate) fn is_mark_due(last: Option<&(u64, u32)>, offset: u64, position: u64) -> bool {
    last.is_none_or(|(o, p)| offset >= o + MARK_RECORDS || position >= u64::from(*p) + MARK_BYTES)
}

/// What must hold before the first byte of a segment.
#[derive(Clone, Debug)]
pub(crate) struct Before {
    pub(crate) commit: u64,
    pub(crate) chain: Chain,
    pub(crate) time: i64,
    /// Next offset, by slot.
    pub(crate) next: Vec<u64>,
}

impl Before {
    pub(crate) fn first(identity: &Identity) -> Self {
        Self { commit: 0, chain: identity.first_chain(), time: i64::MIN, next: vec![0; identity.total()] }
    }

    /// What holds behind a segment.
    pub(crate) fn behind(index: &SegmentIndex) -> Self {
        let next = index.parts.iter().map(|p| p.end).collect();
        Self { commit: index.commit, chain: index.chain, time: index.time, next }
    }
}

/// Where reading stopped and why.
#[derive(Debug)]
pub(crate) struct Stop {
    pub(crate) position: u64,
    pub(crate) what: &'static str,
}

/// Result of a scan: whole commits, and what came behind them.
pub(crate) struct Scan {
    /// Of the whole commits; `length` is the byte behind the last one (0: not even a head).
    pub(crate) index: SegmentIndex,
    pub(crate) records: u64,
    /// `None`: zeros to the end of the file.
    pub(crate) stop: Option<Stop>,
}

/// A commit while it is read.
struct Open {
    next: Vec<u64>,
    marks: Vec<(usize, u64, u32)>,
    records: u32,
    from: usize,
}

/// Scans `bytes`, the content of segment `number`.
pub(crate) fn scan(identity: &Identity, number: u32, bytes: &[u8], before: &Before) -> Scan {
    let parts = before.next.iter().map(|n| PartIndex { first: *n, end: *n, marks: Vec::new() }).collect();
    let index = SegmentIndex {
        number,
        log_id: identity.log_id,
        length: 0,
        commit_before: before.commit,
        commit: before.commit,
        chain_before: before.chain,
        chain: before.chain,
        time: before.time,
        parts,
        last_commit_at: 0,
    };
    let mut scan = Scan { index, records: 0, stop: None };
    let from = match read_head(identity, &scan.index, bytes) {
        Ok(from) => from,
        Err(stop) => {
            scan.stop = stop;
            return scan;
        }
    };
    let mut at = from;
    let mut open = Open { next: before.next.clone(), marks: Vec::new(), records: 0, from };
    while at < bytes.len() {
        match step(identity, &mut scan, &mut open, bytes, at) {
            Ok(n) => at += n,
            Err(what) => {
                let rest_blank = bytes[at..].iter().all(|b| *b == 0);
                if open.records > 0 || !rest_blank {
                    scan.stop = Some(Stop { position: at as u64, what });
                }
                return scan;
            }
        }
    }
    if open.records > 0 {
        scan.stop = Some(Stop { position: at as u64, what: "the file ends within a commit" });
    }
    scan
}

/// The head of the segment; `Err(None)` if the whole segment is blank.
fn read_head(identity: &Identity, index: &SegmentIndex, bytes: &[u8]) -> Result<usize, Option<Stop>> {
    let stop = |what| Err(Some(Stop { position: 0, what }));
    match frame::read(bytes) {
        Ok((Frame::Head { segment, log_id, first_commit, chain_before }, n)) => {
            if log_id != identity.log_id {
                return stop("it belongs to another log");
            }
            if segment != index.number {
                return stop("it is another segment");
            }
            if first_commit != index.commit_before + 1 || chain_before != index.chain_before {
                return stop("it does not follow from the segment before it");
            }
            Ok(n)
        }
        Ok(_) => stop("it does not begin with a head"),
        Err(Unread::Bad(what)) => stop(what),
        Err(_) if bytes.iter().all(|b| *b == 0) => Err(None),
        Err(_) => stop("its head is missing"),
    }
}

/// One frame; its length, or what is wrong with it.
fn step(identity: &Identity, scan: &mut Scan, open: &mut Open, bytes: &[u8], at: usize) -> Result<usize, &'static str> {
    let (frame, n) = frame::read(&bytes[at..]).map_err(|e| match e {
        Unread::Blank => "zeros within a commit or before later bytes",
        Unread::Short(_) => "a frame is longer than the segment",
        Unread::Bad(what) => what,
    })?;
    match frame {
        Frame::Record { topic, partition, offset, time, .. } => {
            let slot = identity.slot(topic, partition).ok_or("unknown topic or partition")?;
            if offset != open.next[slot] {
                return Err("offset of a record");
            }
            if time < scan.index.time {
                return Err("time of a record");
            }
            let in_commit = open.marks.iter().rev().find(|m| m.0 == slot).map(|m| (m.1, m.2));
            let last = in_commit.as_ref().or(scan.index.parts[slot].marks.last());
            if is_mark_due(last, offset, at as u64) {
                open.marks.push((slot, offset, u32::try_from(at).map_err(|_| "segment too long")?));
            }
            open.next[slot] = offset + 1;
            open.records += 1;
        }
        Frame::Commit { number, time, records, chain } => {
            let index = &mut scan.index;
            if number != index.commit + 1 || records != open.records || time < index.time {
                return Err("number, count or time of a commit");
            }
            if chain != frame::next_chain(&index.chain, &bytes[open.from..at], number, time, records) {
                return Err("chain of a commit");
            }
            (index.commit, index.chain, index.time) = (number, chain, time);
            (index.last_commit_at, index.length) = (open.from as u64, (at + n) as u64);
            open.marks.drain(..).for_each(|(slot, o, p)| index.parts[slot].marks.push((o, p)));
            index.parts.iter_mut().zip(&open.next).for_each(|(part, next)| part.end = *next);
            scan.records += u64::from(records);
            (open.records, open.from) = (0, at + n);
        }
        Frame::Head { .. } => return Err("a head within a segment"),
    }
    Ok(n)
}
