//! Consumers by partition: whoever reads on where it stopped finds its own again, and each partition's known end.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chassis::ports::log::{LogError, Record};
use parking_lot::Mutex;
use rdkafka::consumer::{BaseConsumer, Consumer};
use schemas::vocab::Topic;
use tokio::sync::watch;

use super::client::Quiet;
use super::cursor::Cursor;
use super::{Config, client, error, topics};

/// Consumers kept for one partition: its follower's and one for whoever looks back.
const IDLE_MAX: usize = 2;
/// Bytes of one answer, but at least one record.
const READ_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Between two questions where a partition ends.
const ASK_AGAIN: Duration = Duration::from_millis(100);

type Place = (Topic, u16);

pub(super) struct Pool {
    inner: Arc<Inner>,
}

struct Inner {
    config: Config,
    partitions: HashMap<Topic, u16>,
    /// First offset of each partition that is not known to be durable: from own appends, from what was read, from the broker.
    ends: HashMap<Place, watch::Sender<u64>>,
    idle: Mutex<HashMap<Place, Vec<Cursor>>>,
    /// Answers where partitions end.
    asker: Mutex<Option<Arc<BaseConsumer<Quiet>>>>,
    closed: watch::Sender<bool>,
}

impl Pool {
    pub(super) fn new(config: Config, partitions: HashMap<Topic, u16>) -> Self {
        let places = partitions.iter().flat_map(|(topic, count)| (0..*count).map(move |p| (*topic, p)));
        let ends = places.map(|place| (place, watch::channel(0).0)).collect();
        let (idle, asker) = Default::default();
        Self { inner: Arc::new(Inner { config, partitions, ends, idle, asker, closed: watch::channel(false).0 }) }
    }

    pub(super) fn partitions(&self, topic: Topic) -> u16 {
        self.inner.partitions.get(&topic).copied().unwrap_or(0)
    }

    pub(super) fn is_closed(&self) -> bool {
        *self.inner.closed.borrow()
    }

    pub(super) fn close(&self) {
        self.inner.closed.send_replace(true);
        self.inner.idle.lock().clear();
    }

    pub(super) fn known_end(&self, topic: Topic, partition: u16) -> u64 {
        self.inner.known_end((topic, partition))
    }

    /// Everything below `end` is durable.
    pub(super) fn known(&self, topic: Topic, partition: u16, end: u64) {
        self.inner.known((topic, partition), end);
    }

    /// Asks the broker for the end; again while a leader is being found.
    pub(super) async fn ask_end(&self, topic: Topic, partition: u16) -> Result<u64, LogError> {
        let until = Instant::now() + client::ASK;
        loop {
            let asker = self.inner.asker()?;
            let name = topics::name(&self.inner.config, topic);
            let asked = tokio::task::spawn_blocking(move || {
                asker.fetch_watermarks(&name, i32::from(partition), client::ASK).map(|(_, high)| high.unsigned_abs())
            });
            match asked.await.map_err(std::io::Error::other)? {
                Ok(end) => {
                    self.known(topic, partition, end);
                    return Ok(end);
                }
                Err(problem)
                    if (error::may_pass(&problem) || error::is_unknown_yet(&problem)) && Instant::now() < until =>
                {
                    tracing::debug!(%topic, partition, %problem, "the end of a partition is not known yet");
                    tokio::time::sleep(ASK_AGAIN).await;
                }
                Err(problem) => return Err(error::io(problem)),
            }
        }
    }

    /// A consumer at `offset`.
    pub(super) fn cursor(&self, topic: Topic, partition: u16, offset: u64) -> Result<Lease, LogError> {
        let place = (topic, partition);
        if let Some(lease) = self.resume(place, offset) {
            return Ok(lease);
        }
        let spare = self.inner.idle.lock().get_mut(&place).filter(|idle| idle.len() >= IDLE_MAX).and_then(Vec::pop);
        let cursor = match spare {
            Some(mut cursor) => {
                cursor.place(offset)?;
                cursor
            }
            None => Cursor::open(&self.inner.config, topic, partition, offset)?,
        };
        Ok(Lease { pool: self.inner.clone(), place, cursor: Some(cursor) })
    }

    /// The consumer that stopped at `offset`.
    fn resume(&self, place: Place, offset: u64) -> Option<Lease> {
        let mut idle = self.inner.idle.lock();
        let cursors = idle.get_mut(&place)?;
        let at = cursors.iter().position(|cursor| cursor.position() == offset)?;
        Some(Lease { pool: self.inner.clone(), place, cursor: Some(cursors.remove(at)) })
    }

    pub(super) async fn wait_for(&self, topic: Topic, partition: u16, offset: u64) -> Result<(), LogError> {
        let place = (topic, partition);
        let mut closed = self.inner.closed.subscribe();
        let mut end = self.inner.ends[&place].subscribe();
        if *closed.borrow_and_update() {
            return Err(LogError::Closed);
        }
        if *end.borrow_and_update() > offset {
            return Ok(());
        }
        let mut lease = match self.resume(place, offset) {
            Some(lease) => lease,
            None => match self.ask_end(topic, partition).await? {
                end if end > offset => return Ok(()),
                end => self.cursor(topic, partition, end)?,
            },
        };
        let arrived = async {
            while lease.arrive().await? <= offset {}
            Ok(())
        };
        tokio::select! {
            _ = closed.wait_for(|closed| *closed) => Err(LogError::Closed),
            _ = end.wait_for(|end| *end > offset) => Ok(()),
            arrived = arrived => arrived,
        }
    }
}

impl Inner {
    fn known_end(&self, place: Place) -> u64 {
        self.ends.get(&place).map_or(0, |end| *end.borrow())
    }

    fn known(&self, place: Place, end: u64) {
        let Some(known) = self.ends.get(&place) else { return };
        known.send_if_modified(|known| {
            let is_more = end > *known;
            *known = end.max(*known);
            is_more
        });
    }

    fn asker(&self) -> Result<Arc<BaseConsumer<Quiet>>, LogError> {
        let mut asker = self.asker.lock();
        if asker.is_none() {
            *asker = Some(Arc::new(client::consumer(&self.config).create_with_context(Quiet).map_err(error::io)?));
        }
        asker.clone().ok_or(LogError::Closed)
    }
}

/// A consumer on loan; dropped, also in the middle of a wait, it goes back with what it has received.
pub(super) struct Lease {
    pool: Arc<Inner>,
    place: Place,
    cursor: Option<Cursor>,
}

impl Lease {
    fn cursor(&mut self) -> Result<&mut Cursor, LogError> {
        self.cursor.as_mut().ok_or(LogError::Closed)
    }

    /// At most `max` records from here on; all that are known to be durable, at least.
    pub(super) async fn read(mut self, max: usize) -> Result<Vec<Record>, LogError> {
        let read = self.read_on(max).await;
        if read.is_err() {
            // Where it stands is not known any more.
            self.cursor = None;
        }
        read
    }

    async fn read_on(&mut self, max: usize) -> Result<Vec<Record>, LogError> {
        let (pool, place) = (self.pool.clone(), self.place);
        let (mut records, mut bytes) = (Vec::new(), 0);
        while records.len() < max {
            let known_end = pool.known_end(place);
            let cursor = self.cursor()?;
            let Some(next) = cursor.peek(known_end).await? else { break };
            if !records.is_empty() && bytes + next.value.len() > READ_BYTES_MAX {
                break;
            }
            bytes += next.value.len();
            pool.known(place, next.offset + 1);
            records.extend(cursor.pop());
        }
        Ok(records)
    }

    async fn arrive(&mut self) -> Result<u64, LogError> {
        let next = self.cursor()?.arrive().await?;
        self.pool.known(self.place, next);
        Ok(next)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(cursor) = self.cursor.take() else { return };
        if *self.pool.closed.borrow() {
            return;
        }
        let surplus = {
            let mut idle = self.pool.idle.lock();
            let cursors = idle.entry(self.place).or_default();
            cursors.push(cursor);
            // The one that was not used for longest.
            (cursors.len() > IDLE_MAX).then(|| cursors.remove(0))
        };
        // Closing a consumer takes a while: not under the lock.
        drop(surplus);
    }
}
