//! Copies of the log for `kiroku backup`, while it is used.

use std::fs::File;
use std::io::{Read, copy};
use std::path::Path;

use super::EmbeddedLog;
use super::files::{EndMarker, Head, end_path, index_path, segment_path};
use crate::embedded::disk::{create_private, sync_folder};
use crate::embedded::error::{At, EngineError};

/// A segment as a backup sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentInfo {
    pub number: u32,
    /// Durable bytes.
    pub length: u64,
    /// Full: its bytes never change again.
    pub full: bool,
}

impl EmbeddedLog {
    /// All segments with their durable lengths.
    pub fn segments(&self) -> (Vec<SegmentInfo>, Head) {
        let view = self.shared.view.read();
        let head = view.head;
        let full = view.lengths.iter().filter(|(number, _)| **number < head.segment);
        let mut all: Vec<_> = full.map(|(n, length)| SegmentInfo { number: *n, length: *length, full: true }).collect();
        if head.commit > 0 {
            all.push(SegmentInfo { number: head.segment, length: head.position, full: false });
        }
        (all, head)
    }

    /// Copies the log up to its durable end into the empty folder `to`, synced; appends go on. The copy opens as a log, and
    /// refuses to if a commit of it is missing. Blocks; run it on a thread.
    pub fn copy_to(&self, to: &Path) -> Result<Head, EngineError> {
        std::fs::create_dir_all(to).at(to)?;
        if std::fs::read_dir(to).at(to)?.next().is_some() {
            return Err(EngineError::Damaged { path: to.to_owned(), what: "the folder is not empty".to_owned() });
        }
        let (segments, head) = self.segments();
        self.shared.identity.save_copy(to)?;
        for segment in segments {
            let (source, target) = (segment_path(self.folder(), segment.number), segment_path(to, segment.number));
            let mut from = File::open(&source).at(&source)?.take(segment.length);
            let mut file = create_private(&target).at(&target)?;
            let copied = copy(&mut from, &mut file).at(&target)?;
            if copied != segment.length {
                return Err(EngineError::DamagedLog {
                    segment: segment.number,
                    position: copied,
                    what: "the file is too short".to_owned(),
                });
            }
            file.sync_all().at(&target)?;
            let index = index_path(self.folder(), segment.number);
            if segment.full && index.exists() {
                let target = index_path(to, segment.number);
                std::fs::copy(&index, &target).and_then(|_| File::open(&target)?.sync_all()).at(&target)?;
            }
        }
        if head.commit > 0 {
            let marker = EndMarker::open(to).at(&end_path(to))?;
            marker.write(&head).and_then(|()| marker.file.sync_all()).at(&end_path(to))?;
        }
        sync_folder(to).at(to)?;
        Ok(head)
    }
}
