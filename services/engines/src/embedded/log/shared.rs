//! The log's queue and its leader: whoever finds no commit running starts one for all that wait.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;

use chassis::clock::Clock;
use chassis::ports::log::{Append, Appended, LogError};
use chassis::telemetry::metrics;
use parking_lot::{Mutex, RwLock};
use tokio::sync::{oneshot, watch};

use super::files::{EndMarker, Identity};
use super::keeper::Work;
use super::view::View;
use super::writer::{Around, Done, Failed, Writer};
use crate::embedded::disk::Disk;

/// Values of one commit, about: keeps the wait of the first caller short.
const MAX_COMMIT_BYTES: usize = 8 * 1024 * 1024;

/// The appends of one caller.
struct Group {
    records: Vec<Append>,
    /// Of records that another log has stamped: a time for each.
    times: Option<Vec<i64>>,
    done: oneshot::Sender<Answer>,
}

impl Group {
    fn stamped(&self) -> impl Iterator<Item = (&Append, Option<i64>)> + Clone {
        let time = |n: usize| self.times.as_ref().and_then(|times| times.get(n).copied());
        self.records.iter().enumerate().map(move |(n, record)| (record, time(n)))
    }
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Group>,
    /// Somebody will commit for those who wait.
    leading: bool,
    /// A commit runs. INVARIANT: when it ends and others wait for whom nobody leads, it goes on with them.
    committing: bool,
    closed: bool,
    /// Why nothing is acknowledged any more.
    poison: Option<String>,
}

impl Queue {
    /// Begins a commit for some of those who wait; `None` if nobody does, or a commit runs.
    fn begin(&mut self) -> Option<Vec<Group>> {
        if self.committing || self.waiting.is_empty() {
            return None;
        }
        self.committing = true;
        Some(self.take())
    }

    fn take(&mut self) -> Vec<Group> {
        let (mut groups, mut bytes) = (Vec::new(), 0);
        while let Some(group) = self.waiting.front() {
            bytes += group.records.iter().map(|r| r.value.len()).sum::<usize>();
            if !groups.is_empty() && bytes > MAX_COMMIT_BYTES {
                break;
            }
            groups.extend(self.waiting.pop_front());
        }
        groups
    }
}

/// All that the callers of the log share.
pub(crate) struct Shared {
    pub(crate) folder: PathBuf,
    pub(crate) identity: Identity,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) segment_size: u64,
    queue: Mutex<Queue>,
    pub(crate) writer: Mutex<Writer>,
    pub(crate) view: RwLock<View>,
    /// First offset not yet durable, by slot.
    ends: Vec<watch::Sender<u64>>,
    pub(crate) marker: EndMarker,
    /// The end marker holds what is not yet synced.
    pub(crate) unsettled: AtomicBool,
    pub(crate) keeper: Mutex<Option<Sender<Work>>>,
}

/// The parts of [`Shared`] that differ between logs.
pub(crate) struct Parts {
    pub(crate) folder: PathBuf,
    pub(crate) identity: Identity,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) segment_size: u64,
    pub(crate) marker: EndMarker,
}

impl Shared {
    pub(crate) fn new(parts: Parts, writer: Writer, view: View) -> Self {
        let ends = view.ends().into_iter().map(|end| watch::channel(end).0).collect();
        Self {
            folder: parts.folder,
            identity: parts.identity,
            disk: parts.disk,
            clock: parts.clock,
            segment_size: parts.segment_size,
            queue: Mutex::default(),
            writer: Mutex::new(writer),
            view: RwLock::new(view),
            ends,
            marker: parts.marker,
            unsettled: AtomicBool::new(false),
            keeper: Mutex::new(None),
        }
    }

    /// Puts records in the queue; `times`: as another log has stamped them. The second value: the caller must see to it that
    /// somebody leads.
    pub(crate) fn enqueue(&self, records: Vec<Append>, times: Option<Vec<i64>>) -> Result<(Waiting, bool), LogError> {
        let (done, wait) = oneshot::channel();
        let mut queue = self.queue.lock();
        if queue.closed {
            return Err(LogError::Closed);
        }
        if let Some(why) = &queue.poison {
            return Err(LogError::NotWritable(why.clone()));
        }
        queue.waiting.push_back(Group { records, times, done });
        Ok((wait, !std::mem::replace(&mut queue.leading, true)))
    }

    /// Commits for some of those who wait. False, and no longer leading, when nobody does or a commit runs.
    pub(crate) fn commit_waiting(&self) -> bool {
        let groups = {
            let mut queue = self.queue.lock();
            let groups = queue.begin();
            queue.leading &= groups.is_some();
            groups
        };
        groups.map(|groups| self.commit_all(groups)).is_some()
    }

    /// Commits at once, on the caller's thread, unless a commit runs: then that one goes on with the caller. `must_lead`: as
    /// [`Shared::enqueue`] said.
    pub(crate) fn commit_now(&self, must_lead: bool) {
        let groups = {
            let mut queue = self.queue.lock();
            queue.leading &= !must_lead;
            queue.begin()
        };
        if let Some(groups) = groups {
            self.commit_all(groups);
        }
    }

    fn commit_all(&self, mut groups: Vec<Group>) {
        let _poisoned_by_a_panic = Committing(self);
        loop {
            let answers = self.commit(groups);
            let next = {
                let mut queue = self.queue.lock();
                queue.committing = !queue.leading && !queue.waiting.is_empty();
                queue.committing.then(|| queue.take())
            };
            // A caller that went away has no use for the answer.
            answers.into_iter().for_each(|(done, answer)| drop(done.send(answer)));
            match next {
                Some(next) => groups = next,
                None => break,
            }
        }
    }

    fn commit(&self, groups: Vec<Group>) -> Vec<(oneshot::Sender<Answer>, Answer)> {
        let around = Around {
            folder: &self.folder,
            identity: &self.identity,
            disk: &self.disk,
            clock: &*self.clock,
            segment_size: self.segment_size,
        };
        // Held until the records are visible, so that a copy of the log never sees a commit half taken in.
        let mut writer = self.writer.lock();
        let (records, started) = (groups.iter().map(|g| g.records.len()).sum(), std::time::Instant::now());
        match writer.commit(&around, groups.iter().flat_map(Group::stamped)) {
            Ok(done) => {
                metrics::log_commit(records, started.elapsed().as_secs_f64());
                let mut from = 0;
                let answer = |g: Group| {
                    let appended = done.appended(from, g.records.len());
                    from += g.records.len();
                    (g.done, Ok(appended))
                };
                let answers = groups.into_iter().map(answer).collect();
                self.publish(done);
                answers
            }
            Err(failed) => {
                drop(writer);
                let why = match failed {
                    Failed::Before(why) => why,
                    Failed::Poison(why) => {
                        tracing::error!(
                            error = why,
                            "a write to the log failed; nothing is acknowledged until a restart"
                        );
                        let why = format!("an earlier write failed, a restart is needed: {why}");
                        self.poison(&why);
                        why
                    }
                };
                groups.into_iter().map(|g| (g.done, Err(LogError::NotWritable(why.clone())))).collect()
            }
        }
    }

    /// Makes a durable commit visible and wakes those who wait for its records.
    fn publish(&self, done: Done) {
        if let Err(e) = self.marker.write(&done.head) {
            tracing::warn!(error = %e, "the end marker of the log cannot be written");
        }
        let mut touched: Vec<(usize, u64)> = Vec::new();
        let mut work = (!self.unsettled.swap(true, Ordering::SeqCst)).then_some(Work::Settle);
        {
            let mut view = self.view.write();
            if let Some((mut index, first, end)) = done.closed {
                index.parts = view.segment_parts(index.number, &first, &end);
                view.lengths.insert(index.number, index.length);
                work = Some(Work::Close(Box::new(index)));
            }
            for (slot, record, position) in done.records {
                match touched.iter_mut().find(|t| t.0 == slot) {
                    Some(t) => t.1 = record.offset + 1,
                    None => touched.push((slot, record.offset + 1)),
                }
                view.push(slot, record, done.head.segment, position);
            }
            view.head = done.head;
        }
        for (slot, end) in touched {
            self.ends[slot].send_replace(end);
        }
        if let Some(work) = work
            && let Some(keeper) = &*self.keeper.lock()
        {
            drop(keeper.send(work));
        }
    }

    /// From now on every append fails.
    pub(crate) fn poison(&self, why: &str) {
        let waiting = {
            let mut queue = self.queue.lock();
            queue.poison.get_or_insert_with(|| why.to_owned());
            std::mem::take(&mut queue.waiting)
        };
        waiting.into_iter().for_each(|g| drop(g.done.send(Err(LogError::NotWritable(why.to_owned())))));
    }

    /// From now on every append and every wait answers `Closed`. What is being committed is finished first.
    pub(crate) fn close(&self) {
        let waiting = {
            let mut queue = self.queue.lock();
            queue.closed = true;
            std::mem::take(&mut queue.waiting)
        };
        waiting.into_iter().for_each(|g| drop(g.done.send(Err(LogError::Closed))));
        drop(self.writer.lock());
        self.ends.iter().for_each(|end| end.send_modify(|_| ()));
    }

    pub(crate) async fn wait_for(&self, slot: usize, offset: u64) -> Result<(), LogError> {
        let mut end = self.ends[slot].subscribe();
        loop {
            if *end.borrow_and_update() > offset {
                return Ok(());
            }
            if self.queue.lock().closed {
                return Err(LogError::Closed);
            }
            end.changed().await.map_err(|_| LogError::Closed)?;
        }
    }

    /// Is the log able to take appends?
    pub(crate) fn writable(&self) -> Result<(), LogError> {
        let queue = self.queue.lock();
        match &queue.poison {
            _ if queue.closed => Err(LogError::Closed),
            Some(why) => Err(LogError::NotWritable(why.clone())),
            None => Ok(()),
        }
    }
}

/// Leads until nobody waits. A task of its own, so that a caller that is dropped does not take the leadership with it; it yields
/// before each commit, so that others on the same worker join.
pub(crate) async fn lead(leading: Leading) {
    loop {
        tokio::task::yield_now().await;
        if !leading.0.commit_waiting() {
            return;
        }
    }
}

/// A commit that panics is the last.
struct Committing<'a>(&'a Shared);

impl Drop for Committing<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.poison("the commit panicked, a restart is needed");
        }
    }
}

/// Who leads. If it ends early (its runtime stops, before or while it leads), it commits for those who wait before it goes.
pub(crate) struct Leading(pub(crate) Arc<Shared>);

impl Drop for Leading {
    fn drop(&mut self) {
        while self.0.commit_waiting() {}
    }
}

/// The answer to come.
pub(crate) type Waiting = oneshot::Receiver<Answer>;
type Answer = Result<Vec<Appended>, LogError>;
