//! Who waits for a commit, and what the next commit writes.

use std::collections::VecDeque;

use chassis::ports::log::{Append, Appended, LogError};
use tokio::sync::oneshot;

/// Values of one commit, about: keeps the wait of the first caller short.
const MAX_COMMIT_BYTES: usize = 8 * 1024 * 1024;

pub(crate) type Answer = Result<Vec<Appended>, LogError>;

/// The appends of one caller.
pub(crate) struct Group {
    pub(crate) records: Vec<Append>,
    /// Of records that another log has stamped: a time for each.
    pub(crate) times: Option<Vec<i64>>,
    pub(crate) done: oneshot::Sender<Answer>,
}

impl Group {
    pub(crate) fn stamped(&self) -> impl Iterator<Item = (&Append, Option<i64>)> + Clone {
        let time = |n: usize| self.times.as_ref().and_then(|times| times.get(n).copied());
        self.records.iter().enumerate().map(move |(n, record)| (record, time(n)))
    }

    fn bytes(&self) -> usize {
        self.records.iter().map(|r| r.value.len()).sum()
    }
}

/// What one commit writes, in this order.
pub(crate) struct Taken {
    /// Records that readers see already, and their times.
    pub(crate) early: Vec<(Append, i64)>,
    pub(crate) groups: Vec<Group>,
}

#[derive(Default)]
pub(crate) struct Queue {
    pub(crate) waiting: VecDeque<Group>,
    /// Early records that readers may see as soon as no commit runs.
    pub(crate) arriving: Vec<Append>,
    /// Early records that readers see. INVARIANT: the next commit writes them before all others, so that their offsets and times hold.
    pub(crate) early: Vec<(Append, i64)>,
    early_bytes: usize,
    /// Somebody will commit for those who wait.
    pub(crate) leading: bool,
    /// A commit runs. INVARIANT: when it ends and others wait for whom nobody leads, it goes on with them.
    pub(crate) committing: bool,
    pub(crate) closed: bool,
    /// Why nothing is acknowledged any more.
    pub(crate) poison: Option<String>,
}

impl Queue {
    /// Is the log able to take appends?
    pub(crate) fn writable(&self) -> Result<(), LogError> {
        match &self.poison {
            _ if self.closed => Err(LogError::Closed),
            Some(why) => Err(LogError::NotWritable(why.clone())),
            None => Ok(()),
        }
    }

    /// Begins a commit for some of those who wait; `None` if nobody does, or a commit runs.
    pub(crate) fn begin(&mut self) -> Option<Taken> {
        if self.committing || self.waiting.is_empty() {
            return None;
        }
        self.committing = true;
        Some(self.take())
    }

    pub(crate) fn take(&mut self) -> Taken {
        let (mut groups, mut bytes) = (Vec::new(), std::mem::take(&mut self.early_bytes));
        while let Some(group) = self.waiting.front() {
            bytes += group.bytes();
            if !groups.is_empty() && bytes > MAX_COMMIT_BYTES {
                break;
            }
            groups.extend(self.waiting.pop_front());
        }
        Taken { early: std::mem::take(&mut self.early), groups }
    }

    /// Keeps an early record; gives it back where so many wait that it has to be written first.
    pub(crate) fn take_early(&mut self, record: Append) -> Result<(), Append> {
        if self.early_bytes + record.value.len() > MAX_COMMIT_BYTES {
            return Err(record);
        }
        self.early_bytes += record.value.len();
        self.arriving.push(record);
        Ok(())
    }

    /// After a commit that wrote nothing: early records stay the first of the next one.
    pub(crate) fn put_back(&mut self, early: Vec<(Append, i64)>) {
        self.early_bytes += early.iter().map(|(record, _)| record.value.len()).sum::<usize>();
        self.early.splice(0..0, early);
    }
}
