//! What survives a crash: log, tables and keys, as twins in memory; and the time, which stands still while anybody works.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use chassis::clock::Clock;
use chassis::ports::log::{Append, Appended, Log, LogError, Record};
use chassis::twins::{MemoryKeys, MemoryLog, MemoryStore};
use schemas::ids::partition_of;
use schemas::vocab::Topic;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::dice::Dice;
use crate::trace::{Call, Line, Trace};

/// Ten seconds before a year ends (UTC): buckets and log keys change while the seed runs.
pub(crate) const BEGIN: i64 = 1_798_761_590_000;

/// Partitions of `person` and `access`.
pub(crate) const PARTITIONS: u16 = 2;
/// Partitions of `verdict`: with few, edges read each other's verdicts too.
pub(crate) const ADDRESSES: u16 = 3;

/// What goes wrong, so often in ten thousand port calls; each seed has its own mixture.
pub(crate) struct Rates {
    pub(crate) fault: u64,
    pub(crate) crash: u64,
    pub(crate) pause: u64,
    pub(crate) slow: u64,
    /// Milliseconds that a client waits at most before it writes again: with few, records pile up and are decided together.
    pub(crate) pace: u64,
}

/// A fault that somebody might program. The checks must find it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Planted {
    /// Process 0 does not see the outcomes of others that lie before its own: it gives its verdict before it has read back. And nobody
    /// waits for the read-back of a person's outcome before deciding her next record.
    BlindReadBack,
    /// The tables take what process 0 writes, also what is older than what stands there.
    CarelessStore,
}

pub(crate) struct World {
    pub(crate) dice: Dice,
    pub(crate) rates: Rates,
    pub(crate) planted: Option<Planted>,
    pub(crate) trace: Trace,
    pub(crate) log: Arc<SharedLog>,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) keys: Arc<MemoryKeys>,
    start: Instant,
    calm: AtomicBool,
}

impl World {
    /// To be made inside the runtime whose time stands still.
    pub(crate) fn new(seed: u64, planted: Option<Planted>) -> Arc<Self> {
        let dice = Dice::of(seed);
        let start = Instant::now();
        let clock: Arc<dyn Clock> = Arc::new(SimulatedClock { start, skew: 0 });
        let rates = match planted {
            None | Some(Planted::CarelessStore) => Rates {
                fault: *dice.pick(&[0, 50, 150, 300]),
                crash: *dice.pick(&[0, 0, 5, 15]),
                pause: *dice.pick(&[0, 30, 100]),
                slow: *dice.pick(&[50, 200, 1000]),
                pace: *dice.pick(&[10, 100, 500]),
            },
            // Nothing but processes in one another's way: the shorter way to what is planted.
            Some(Planted::BlindReadBack) => Rates { fault: 0, crash: 0, pause: 30, slow: 1000, pace: 10 },
        };
        Arc::new(Self {
            dice,
            rates,
            planted,
            trace: Trace::default(),
            log: Arc::new(SharedLog::new(&clock)),
            store: Arc::new(MemoryStore::new()),
            keys: Arc::new(MemoryKeys::new(clock)),
            start,
            calm: AtomicBool::new(false),
        })
    }

    /// Milliseconds since the start.
    pub(crate) fn elapsed(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// A clock that is `skew` milliseconds off.
    pub(crate) fn clock(&self, skew: i64) -> Arc<dyn Clock> {
        Arc::new(SimulatedClock { start: self.start, skew })
    }

    /// From now on nothing goes wrong any more.
    pub(crate) fn calm_down(&self) {
        self.calm.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_calm(&self) -> bool {
        self.calm.load(Ordering::SeqCst)
    }

    pub(crate) fn note(&self, process: usize, incarnation: u32, call: Call, what: &'static str) {
        self.trace.push(Line { at: self.elapsed(), process, incarnation, call, what });
    }
}

struct SimulatedClock {
    start: Instant,
    skew: i64,
}

impl Clock for SimulatedClock {
    fn now(&self) -> i64 {
        BEGIN + self.skew + i64::try_from(self.start.elapsed().as_millis()).unwrap_or(i64::MAX)
    }
}

/// The log of all processes. Topic `verdict` has several partitions, which the twin does not give it: each is a log of its own.
/// Whoever waits is woken in the order of waiting; the twin's own way of waiting wakes in an order by chance.
pub(crate) struct SharedLog {
    log: MemoryLog,
    verdicts: Vec<MemoryLog>,
    appended: Notify,
}

impl SharedLog {
    fn new(clock: &Arc<dyn Clock>) -> Self {
        let verdicts = (0..ADDRESSES).map(|_| MemoryLog::new(1, clock.clone())).collect();
        Self { log: MemoryLog::new(PARTITIONS, clock.clone()), verdicts, appended: Notify::new() }
    }

    fn at(&self, topic: Topic, partition: u16) -> (&MemoryLog, u16) {
        match topic {
            Topic::Verdict => (&self.verdicts[usize::from(partition)], 0),
            _ => (&self.log, partition),
        }
    }
}

#[async_trait]
impl Log for SharedLog {
    fn partitions(&self, topic: Topic) -> u16 {
        if topic == Topic::Verdict { ADDRESSES } else { self.log.partitions(topic) }
    }

    async fn append_all(&self, records: Vec<Append>) -> Result<Vec<Appended>, LogError> {
        let mut places = Vec::with_capacity(records.len());
        for record in records {
            let partition = partition_of(record.shard, self.partitions(record.topic));
            let place = self.at(record.topic, partition).0.append(record).await?;
            places.push(Appended { partition, ..place });
        }
        self.appended.notify_waiters();
        Ok(places)
    }

    async fn read(&self, topic: Topic, partition: u16, offset: u64, max: usize) -> Result<Vec<Record>, LogError> {
        let (log, at) = self.at(topic, partition);
        log.read(topic, at, offset, max).await
    }

    async fn end(&self, topic: Topic, partition: u16) -> Result<u64, LogError> {
        let (log, at) = self.at(topic, partition);
        log.end(topic, at).await
    }

    async fn wait_for(&self, topic: Topic, partition: u16, offset: u64) -> Result<(), LogError> {
        loop {
            let appended = self.appended.notified();
            if self.end(topic, partition).await? > offset {
                return Ok(());
            }
            appended.await;
        }
    }
}
