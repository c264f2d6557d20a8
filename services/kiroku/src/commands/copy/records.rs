//! The records of all topics, merged by their times, from one log into another.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet, VecDeque};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use chassis::envelope;
use chassis::ledger::facility_shard;
use chassis::ports::keys::{Job, Keys, KeysError, Secret, Ticket};
use chassis::ports::log::{Append, Log, Record};
use engines::carry::Carried;
use schemas::access::{AccessList, AccessRecord};
use schemas::header::Bucket;
use schemas::submission::{Envelope, EnvelopeKind, Outcome};
use schemas::vocab::Topic;
use schemas::{Pid, SubmissionId, codec};

use super::CARRIED;
use super::sums::Sums;
use crate::engine::Engine;

/// Records of one partition read at once.
const READ: usize = 128;
/// Records and bytes written at once, about.
const WRITE: usize = 1024;
const WRITE_BYTES: usize = 4 * 1024 * 1024;

const TICKET: Ticket = Ticket::for_job(Job::Operate);

/// What is known of the copied records.
#[derive(Default)]
pub(super) struct Copied {
    pub(super) sums: Sums,
    pub(super) persons: HashSet<Pid>,
    pub(super) times_moved: u64,
    /// Where submissions came to lie that lie elsewhere now, by partition and offset before.
    pub(super) moved: HashMap<(u16, u64), u64>,
}

/// The records of all partitions in the order of their times.
pub(super) struct Merge<'a> {
    log: &'a dyn Log,
    parts: Vec<Part>,
    /// Time of the first record of each part, and which part.
    first: BinaryHeap<Reverse<(i64, usize)>>,
}

struct Part {
    topic: Topic,
    partition: u16,
    next: u64,
    records: VecDeque<Record>,
}

impl<'a> Merge<'a> {
    pub(super) async fn new(log: &'a dyn Log) -> Result<Self> {
        let mut merge = Self { log, parts: Vec::new(), first: BinaryHeap::new() };
        for topic in CARRIED {
            for partition in 0..log.partitions(topic) {
                merge.parts.push(Part { topic, partition, next: 0, records: VecDeque::new() });
                merge.show(merge.parts.len() - 1).await?;
            }
        }
        Ok(merge)
    }

    /// Puts the first record of a part among the others.
    async fn show(&mut self, part: usize) -> Result<()> {
        let it = &mut self.parts[part];
        if it.records.is_empty() {
            it.records = self.log.read(it.topic, it.partition, it.next, READ).await?.into();
            it.next += it.records.len() as u64;
        }
        self.first.extend(it.records.front().map(|record| Reverse((record.time, part))));
        Ok(())
    }

    pub(super) async fn next(&mut self) -> Result<Option<(Topic, Record)>> {
        let Some(Reverse((_, part))) = self.first.pop() else { return Ok(None) };
        let it = &mut self.parts[part];
        let (topic, record) = (it.topic, it.records.pop_front());
        self.show(part).await?;
        Ok(record.map(|record| (topic, record)))
    }
}

/// A record with what its clear part says.
pub(super) enum Read {
    /// Neither submission nor outcome.
    Other(u16),
    Envelope(Envelope),
}

impl Read {
    pub(super) fn of(topic: Topic, record: &Record) -> Result<Self> {
        let place = || format!("record {} of topic `{topic}`, partition {}", record.offset, record.partition);
        Ok(match topic {
            Topic::Person | Topic::Commons => {
                Self::Envelope(codec::decode("envelope", &record.value).with_context(place)?)
            }
            Topic::Access => {
                let entry: AccessRecord = codec::decode("access record", &record.value).with_context(place)?;
                Self::Other(match &entry.list {
                    AccessList::Person(pid) => pid.shard(),
                    AccessList::Facility(organisation) => facility_shard(organisation),
                })
            }
            Topic::Identity | Topic::Authority | Topic::Verdict => Self::Other(0),
        })
    }

    pub(super) fn shard(&self, topic: Topic) -> u16 {
        match self {
            Self::Other(shard) => *shard,
            Self::Envelope(_) if topic == Topic::Commons => 0,
            Self::Envelope(envelope) => envelope.shard,
        }
    }
}

/// Opens an outcome; `None` where the person's keys were destroyed: nobody opens it again.
pub(super) async fn open_outcome(keys: &dyn Keys, envelope: &Envelope) -> Result<Option<(Secret, Outcome)>> {
    let key = match keys.record_key(envelope.pid, Bucket::Long).await {
        Ok(key) => key.header_key(&TICKET),
        Err(KeysError::NoKey) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let outcome = envelope::open_verdict(&key, envelope.submission, &envelope.sealed)?;
    Ok(Some((key, outcome)))
}

/// What stays the same of an outcome when its submission moves.
pub(super) fn without_position(outcome: &Outcome) -> Vec<u8> {
    codec::encode(&Outcome { position: 0, ..outcome.clone() })
}

struct Copy<'a> {
    from: &'a Engine,
    to: &'a Engine,
    copied: Copied,
    time: i64,
    /// First offset not yet taken, by topic and partition of the target.
    ends: HashMap<(Topic, u16), u64>,
    /// New position of each submission that has no outcome yet.
    open: HashMap<SubmissionId, u64>,
    waiting: Vec<Carried>,
    places: Vec<(u16, u64)>,
    bytes: usize,
}

/// Carries all records. `progress` is called with their number so far.
pub(super) async fn carry(from: &Engine, to: &Engine, progress: &mut dyn FnMut(u64)) -> Result<Copied> {
    let mut copy = Copy {
        from,
        to,
        copied: Copied::default(),
        time: i64::MIN,
        ends: HashMap::new(),
        open: HashMap::new(),
        waiting: Vec::new(),
        places: Vec::new(),
        bytes: 0,
    };
    let mut merge = Merge::new(&*from.log).await?;
    let mut records = 0;
    while let Some((topic, record)) = merge.next().await? {
        copy.take(topic, record).await?;
        records += 1;
        progress(records);
    }
    copy.flush().await?;
    Ok(copy.copied)
}

impl Copy<'_> {
    async fn take(&mut self, topic: Topic, record: Record) -> Result<()> {
        let read = Read::of(topic, &record)?;
        let shard = read.shard(topic);
        let partition = self.to.log.partition_of(topic, shard);
        let end = self.ends.entry((topic, partition)).or_default();
        let offset = *end;
        *end += 1;
        self.copied.times_moved += u64::from(record.time < self.time);
        self.time = self.time.max(record.time);
        let mut value = record.value.clone();
        let mut content = None;
        if let Read::Envelope(envelope) = read {
            self.copied.persons.insert(envelope.pid);
            match envelope.kind {
                EnvelopeKind::Submission => {
                    self.open.entry(envelope.submission).or_insert(offset);
                    if topic == Topic::Person && offset != record.offset {
                        self.copied.moved.insert((record.partition, record.offset), offset);
                    }
                }
                EnvelopeKind::Outcome => (value, content) = self.outcome(&envelope, value).await?,
            }
        }
        self.copied.sums.add((topic, shard), self.time, content.as_deref().unwrap_or(&record.value));
        self.bytes += value.len();
        self.waiting.push(Carried { append: Append { topic, shard, value }, time: self.time });
        self.places.push((partition, offset));
        if self.waiting.len() >= WRITE || self.bytes >= WRITE_BYTES { self.flush().await } else { Ok(()) }
    }

    /// The outcome with the position that its submission now has, and what it says beside it. A second outcome stays as it is:
    /// nobody reads it.
    async fn outcome(&mut self, envelope: &Envelope, value: Bytes) -> Result<(Bytes, Option<Vec<u8>>)> {
        let Some(position) = self.open.remove(&envelope.submission) else { return Ok((value, None)) };
        let Some((key, outcome)) = open_outcome(&*self.from.keys, envelope).await? else { return Ok((value, None)) };
        let content = without_position(&outcome);
        if outcome.position == position {
            return Ok((value, Some(content)));
        }
        let moved = Outcome { position, ..outcome };
        let sealed = envelope::seal_verdict(&key, envelope.submission, &moved);
        let append = envelope::outcome_record(envelope.pid, envelope.submission, &sealed);
        Ok((append.value, Some(content)))
    }

    async fn flush(&mut self) -> Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let appended = self.to.carrier().carry(std::mem::take(&mut self.waiting)).await.context("writing the log")?;
        let places = std::mem::take(&mut self.places);
        self.bytes = 0;
        let lies = appended.iter().zip(&places).all(|(at, place)| (at.partition, at.offset) == *place);
        ensure!(lies && appended.len() == places.len(), "somebody else writes to the target: start again alone");
        Ok(())
    }
}
