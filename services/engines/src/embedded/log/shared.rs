//! The log's queue and its leader: whoever finds no commit running starts one for all that wait.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;

use chassis::clock::Clock;
use chassis::ports::log::{Append, LogError, Record};
use chassis::telemetry::metrics;
use parking_lot::{Mutex, RwLock};
use tokio::sync::{oneshot, watch};

use super::files::{EndMarker, Identity};
use super::keeper::Work;
use super::queue::{Answer, Group, Queue, Taken};
use super::view::View;
use super::writer::{Around, Done, Failed, Writer};
use crate::embedded::disk::Disk;

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
    /// First offset that readers do not see, by slot.
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
        let ends = view.all_written().into_iter().map(|end| watch::channel(end).0).collect();
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
        queue.writable()?;
        queue.waiting.push_back(Group { records, times, done });
        Ok((wait, !std::mem::replace(&mut queue.leading, true)))
    }

    /// Shows a record to readers, now or when the commit that runs has ended; the next commit writes it. Gives it back where it has
    /// to be appended in the other way.
    pub(crate) fn append_early(&self, record: Append) -> Result<Result<(), Append>, LogError> {
        let mut queue = self.queue.lock();
        queue.writable()?;
        let taken = queue.take_early(record);
        if !queue.committing {
            self.show_early(&mut queue);
        }
        Ok(taken)
    }

    /// Gives early records the offsets and times under which the next commit writes them. Call while no commit runs.
    fn show_early(&self, queue: &mut Queue) {
        if queue.arriving.is_empty() {
            return;
        }
        let now = self.clock.now();
        let mut touched = Touched::default();
        {
            let mut view = self.view.write();
            for append in std::mem::take(&mut queue.arriving) {
                let (slot, partition) = self.identity.slot_of(&append);
                let (offset, time) = (view.end(slot), view.time.max(now));
                view.show(slot, Record { partition, offset, time, value: append.value.clone() });
                touched.note(slot, offset + 1);
                queue.early.push((append, time));
            }
        }
        self.wake(touched);
    }

    fn wake(&self, touched: Touched) {
        for (slot, end) in touched.0 {
            self.ends[slot].send_replace(end);
        }
    }

    /// Commits for some of those who wait. False, and no longer leading, when nobody does or a commit runs.
    pub(crate) fn commit_waiting(&self) -> bool {
        let taken = {
            let mut queue = self.queue.lock();
            let taken = queue.begin();
            queue.leading &= taken.is_some();
            taken
        };
        taken.map(|taken| self.commit_all(taken)).is_some()
    }

    /// Commits at once, on the caller's thread, unless a commit runs: then that one goes on with the caller. `must_lead`: as
    /// [`Shared::enqueue`] said.
    pub(crate) fn commit_now(&self, must_lead: bool) {
        let taken = {
            let mut queue = self.queue.lock();
            queue.leading &= !must_lead;
            queue.begin()
        };
        if let Some(taken) = taken {
            self.commit_all(taken);
        }
    }

    fn commit_all(&self, mut taken: Taken) {
        let _poisoned_by_a_panic = Committing(self);
        loop {
            let answers = self.commit(taken);
            let next = {
                let mut queue = self.queue.lock();
                self.show_early(&mut queue);
                queue.committing = !queue.leading && !queue.waiting.is_empty();
                queue.committing.then(|| queue.take())
            };
            // A caller that went away has no use for the answer.
            answers.into_iter().for_each(|(done, answer)| drop(done.send(answer)));
            match next {
                Some(next) => taken = next,
                None => break,
            }
        }
    }

    fn commit(&self, Taken { early, groups }: Taken) -> Vec<(oneshot::Sender<Answer>, Answer)> {
        let records = early.len() + groups.iter().map(|g| g.records.len()).sum::<usize>();
        if records == 0 {
            // Whoever wanted early records to be durable came behind the commit that wrote them.
            return groups.into_iter().map(|g| (g.done, Ok(Vec::new()))).collect();
        }
        let around = Around {
            folder: &self.folder,
            identity: &self.identity,
            disk: &self.disk,
            clock: &*self.clock,
            segment_size: self.segment_size,
        };
        // Held until the records are visible, so that a copy of the log never sees a commit half taken in.
        let mut writer = self.writer.lock();
        let started = std::time::Instant::now();
        let shown = early.iter().map(|(record, time)| (record, Some(*time)));
        match writer.commit(&around, shown.chain(groups.iter().flat_map(Group::stamped))) {
            Ok(done) => {
                metrics::log_commit(records, started.elapsed().as_secs_f64());
                let mut from = early.len();
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
                    Failed::Before(why) => {
                        self.queue.lock().put_back(early);
                        why
                    }
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
        let mut touched = Touched::default();
        let mut work = (!self.unsettled.swap(true, Ordering::SeqCst)).then_some(Work::Settle);
        {
            let mut view = self.view.write();
            if let Some((mut index, first, end)) = done.closed {
                index.parts = view.segment_parts(index.number, &first, &end);
                view.lengths.insert(index.number, index.length);
                work = Some(Work::Close(Box::new(index)));
            }
            for (slot, record, position) in done.records {
                let offset = record.offset;
                if offset == view.end(slot) {
                    touched.note(slot, offset + 1);
                    view.show(slot, record);
                }
                view.place(slot, offset, done.head.segment, position);
            }
            view.head = done.head;
        }
        self.wake(touched);
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
        self.queue.lock().writable()
    }
}

/// Partitions that grew, by slot, and their new ends.
#[derive(Default)]
struct Touched(Vec<(usize, u64)>);

impl Touched {
    fn note(&mut self, slot: usize, end: u64) {
        match self.0.iter_mut().find(|t| t.0 == slot) {
            Some(t) => t.1 = end,
            None => self.0.push((slot, end)),
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
