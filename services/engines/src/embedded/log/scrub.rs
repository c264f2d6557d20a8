//! `kiroku check`: reads every byte of the log up to its durable end.

use std::collections::BTreeMap;

use schemas::vocab::Topic;

use super::EmbeddedLog;
use super::files::{Head, SegmentIndex, index_path, segment_path};
use super::recover::scan_full;
use super::scan::{Before, scan};
use crate::embedded::error::{At, EngineError};

/// What a scrub read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scrub {
    pub segments: u32,
    pub commits: u64,
    pub records: u64,
    pub bytes: u64,
    /// Next offset of each partition.
    pub ends: BTreeMap<(Topic, u16), u64>,
    /// The chain of the last commit read: to be compared with one kept elsewhere (a backup, a witness).
    pub head: Head,
}

impl EmbeddedLog {
    /// Checks every checksum, offset, time, count and the chain over all commits that are durable now. Blocks; run it on a
    /// thread. Fails at the first damage, naming segment and byte. The log may be used meanwhile.
    pub fn scrub(&self) -> Result<Scrub, EngineError> {
        let shared = &self.shared;
        let (head, ends) = {
            let _no_commit = shared.writer.lock();
            let view = shared.view.read();
            (view.head, view.all_written())
        };
        let mut before = Before::first(&shared.identity);
        let (mut records, mut bytes) = (0, 0);
        for number in 1..=head.segment {
            let path = segment_path(&shared.folder, number);
            let found = if number == head.segment {
                let mut content = std::fs::read(&path).at(&path)?;
                content.truncate(usize::try_from(head.position).unwrap_or(usize::MAX));
                let found = scan(&shared.identity, number, &content, &before);
                if let Some(stop) = &found.stop {
                    return Err(EngineError::DamagedLog {
                        segment: number,
                        position: stop.position,
                        what: stop.what.to_owned(),
                    });
                }
                found
            } else {
                scan_full(&path, &shared.identity, number, &before)?
            };
            if let Some(Ok(stored)) =
                SegmentIndex::load(&shared.folder, number).at(&index_path(&shared.folder, number))?
                && stored.parts.iter().map(|p| (p.first, p.end)).ne(found.index.parts.iter().map(|p| (p.first, p.end)))
            {
                let path = index_path(&shared.folder, number);
                return Err(EngineError::Damaged { path, what: "it does not agree with its segment".to_owned() });
            }
            records += found.records;
            bytes += found.index.length;
            before = Before::behind(&found.index);
        }
        if (before.commit, before.chain) != (head.commit, head.chain) || before.next != ends {
            return Err(EngineError::DamagedLog {
                segment: head.segment,
                position: head.position,
                what: "it does not end where the log in memory ends".to_owned(),
            });
        }
        let ends = ends.iter().enumerate().map(|(slot, end)| (shared.identity.place(slot), *end)).collect();
        Ok(Scrub { segments: head.segment, commits: head.commit, records, bytes, ends, head })
    }
}
