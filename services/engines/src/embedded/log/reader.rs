//! Reading records back from segments.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use chassis::ports::log::{LogError, Record};
use schemas::vocab::Topic;

use super::files::segment_path;
use super::frame::{self, Frame, HEADER, Unread};

/// Values of one read together, about.
pub(crate) const MAX_READ_BYTES: usize = 8 * 1024 * 1024;
const CHUNK: usize = 256 * 1024;

/// What to read: records `offset` to before `end` of one partition.
pub(crate) struct Wanted {
    pub(crate) folder: PathBuf,
    pub(crate) topic: Topic,
    pub(crate) partition: u16,
    pub(crate) offset: u64,
    pub(crate) end: u64,
    pub(crate) max: usize,
    /// Places to jump to; the first lies at or before `offset`.
    pub(crate) marks: Vec<(u64, u32, u32)>,
    /// The segment that is written now.
    pub(crate) last_segment: u32,
}

impl Wanted {
    fn damaged(&self, offset: u64, segment: u32, position: u64, what: &str) -> LogError {
        let what = format!("{what} (segment {segment}, byte {position})");
        LogError::Damaged { topic: self.topic, partition: self.partition, offset, what }
    }
}

/// A window over one segment file.
struct Window {
    number: u32,
    file: File,
    bytes: Vec<u8>,
    /// Position of `bytes[0]`.
    from: u64,
}

impl Window {
    fn open(folder: &Path, number: u32) -> io::Result<Self> {
        Ok(Self { number, file: File::open(segment_path(folder, number))?, bytes: Vec::new(), from: 0 })
    }

    /// Bytes from `position` on, at least `least` if the file has them.
    fn at(&mut self, position: u64, least: usize) -> io::Result<&[u8]> {
        let end = self.from + self.bytes.len() as u64;
        if position < self.from || position + least as u64 > end {
            let mut bytes = vec![0; least.max(CHUNK)];
            let mut have = 0;
            while have < bytes.len() {
                match self.file.read_at(&mut bytes[have..], position + have as u64)? {
                    0 => break,
                    n => have += n,
                }
            }
            bytes.truncate(have);
            (self.bytes, self.from) = (bytes, position);
        }
        Ok(&self.bytes[usize::try_from(position - self.from).unwrap_or(self.bytes.len())..])
    }
}

/// Reads; blocks.
pub(crate) fn read_records(wanted: &Wanted) -> Result<Vec<Record>, LogError> {
    let Some(&(_, mut segment, start)) = wanted.marks.first() else {
        return Err(wanted.damaged(wanted.offset, 0, 0, "the index has no place for it"));
    };
    let mut position = u64::from(start);
    let mut window = Window::open(&wanted.folder, segment)?;
    let mut next_mark = 1;
    let (mut out, mut bytes) = (Vec::new(), 0usize);
    let mut reach = wanted.marks[0].0;
    while reach < wanted.end && out.len() < wanted.max && bytes < MAX_READ_BYTES {
        if let Some(&(offset, to_segment, to)) = wanted.marks.get(next_mark)
            && offset == reach
        {
            if to_segment != segment {
                window = Window::open(&wanted.folder, to_segment)?;
                segment = to_segment;
            }
            position = u64::from(to);
            next_mark += 1;
        }
        match next_frame(wanted, &mut window, position) {
            Ok(Some((record, length))) => {
                if let Some(record) = record {
                    if record.offset != reach {
                        return Err(wanted.damaged(reach, segment, position, "another record stands in its place"));
                    }
                    reach += 1;
                    if record.offset >= wanted.offset {
                        bytes += record.value.len();
                        out.push(record);
                    }
                }
                position += length as u64;
            }
            Ok(None) if segment >= wanted.last_segment => {
                return Err(wanted.damaged(reach, segment, position, "nothing stands in its place"));
            }
            Ok(None) => {
                segment += 1;
                window = Window::open(&wanted.folder, segment)?;
                position = 0;
            }
            Err(Stopped::Bad(what)) => return Err(wanted.damaged(reach, segment, position, what)),
            Err(Stopped::Io(e)) => return Err(e.into()),
        }
    }
    Ok(out)
}

enum Stopped {
    Bad(&'static str),
    Io(io::Error),
}

/// The frame at `position`: the record, if it is one of the wanted partition, and its length; `None` at the end of the segment.
fn next_frame(wanted: &Wanted, window: &mut Window, position: u64) -> Result<Option<(Option<Record>, usize)>, Stopped> {
    let mut least = HEADER;
    loop {
        let number = window.number;
        let bytes = window.at(position, least).map_err(Stopped::Io)?;
        match frame::read(bytes) {
            Ok((Frame::Record { topic, partition, offset, time, value }, n)) => {
                let ours = topic == wanted.topic as u8 && partition == wanted.partition;
                let record = || Record { partition, offset, time, value: Bytes::copy_from_slice(value) };
                return Ok(Some((ours.then(record), n)));
            }
            Ok((Frame::Head { segment, .. }, _)) if segment != number => return Err(Stopped::Bad("another segment")),
            Ok((_, n)) => return Ok(Some((None, n))),
            Err(Unread::Blank) => return Ok(None),
            Err(Unread::Short(_)) if bytes.is_empty() => return Ok(None),
            Err(Unread::Short(n)) if n > least && bytes.len() >= HEADER => least = n,
            Err(Unread::Short(_)) => return Err(Stopped::Bad("a frame is cut off")),
            Err(Unread::Bad(what)) => return Err(Stopped::Bad(what)),
        }
    }
}
