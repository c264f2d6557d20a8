//! The log on brokers up to 3.9, by kafka-rust: a second client that shares no code with librdkafka.
//!
//! It speaks version 0 of each request. So nothing is idempotent (a retry may append twice; readers drop duplicates by id), no
//! group spreads partitions (ownership is a list in the settings), and messages carry no time: **the process that appends stamps
//! its own clock**, in front of the value. A log that was written so is read by this client alone.

mod link;
mod probe;
mod writer;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chassis::clock::Clock;
use chassis::ports::log::{Append, Appended, Log, LogError, Record};
use schemas::vocab::Topic;
use tokio::sync::watch;

use self::link::Link;
use self::writer::Writer;
use crate::kafka::{self, RECORD_MAX, topic_name};
use crate::measured::measured;

/// How often the brokers are asked where partitions end while somebody waits.
const LOOK_AGAIN: Duration = Duration::from_millis(25);
/// Bytes of one answer, but at least one record.
const READ_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Connections for reading; partitions share them.
const READERS: usize = 4;

/// Brokers and topics as for [`kafka`], and what has to be said by hand.
#[derive(Clone)]
pub struct Config {
    pub kafka: kafka::Config,
    /// Partitions of `person` and `access` that this process works on; absent: all. Other topics: with partition 0.
    pub owned: Option<Vec<u16>>,
    pub clock: Arc<dyn Clock>,
}

type Place = (Topic, u16);

/// The log.
pub struct KafkaRustLog {
    config: Config,
    partitions: HashMap<Topic, u16>,
    ends: HashMap<Place, watch::Sender<u64>>,
    writer: Writer,
    readers: Vec<Arc<Link>>,
    closed: watch::Sender<bool>,
}

/// Looks at the brokers' versions and at the topics, then connects.
///
/// # Errors
/// `NotWritable` in words where a broker is too new or a topic has a setting that breaks a promise; `Io` if none answers.
pub async fn open(config: Config) -> Result<Arc<KafkaRustLog>, LogError> {
    let kafka = config.kafka.clone();
    tokio::task::spawn_blocking(move || probe::check(&kafka)).await.map_err(std::io::Error::other)??;
    kafka::refuse_faults(&config.kafka).await?;
    let partitions = kafka::partition_counts(&config.kafka).await?;
    let link = || Arc::new(Link::new(config.kafka.clone()));
    let places = partitions.iter().flat_map(|(topic, count)| (0..*count).map(move |p| (*topic, p)));
    let ends = places.map(|place| (place, watch::channel(0).0)).collect();
    let writer = Writer::start(link(), config.clock.clone())?;
    let readers = (0..READERS).map(|_| link()).collect();
    Ok(Arc::new(KafkaRustLog { config, partitions, ends, writer, readers, closed: watch::channel(false).0 }))
}

impl KafkaRustLog {
    /// From now on appends and waits answer `Closed`.
    pub fn close(&self) {
        self.closed.send_replace(true);
    }

    fn known(&self, place: Place, end: u64) {
        let Some(known) = self.ends.get(&place) else { return };
        known.send_if_modified(|known| {
            let is_more = end > *known;
            *known = end.max(*known);
            is_more
        });
    }

    fn check_partition(&self, topic: Topic, partition: u16) -> Result<(), LogError> {
        if partition >= self.partitions(topic) {
            return Err(std::io::Error::other(format!("topic `{topic}` has no partition {partition}")).into());
        }
        Ok(())
    }

    fn reader(&self, (topic, partition): Place) -> Arc<Link> {
        self.readers[(topic as usize + usize::from(partition)) % self.readers.len()].clone()
    }
}

#[async_trait]
impl Log for KafkaRustLog {
    fn partitions(&self, topic: Topic) -> u16 {
        self.partitions.get(&topic).copied().unwrap_or(0)
    }

    async fn append_all(&self, records: Vec<Append>) -> Result<Vec<Appended>, LogError> {
        if let Some(size) = records.iter().map(|r| r.value.len()).find(|size| *size > RECORD_MAX) {
            return Err(LogError::TooLarge { size, limit: RECORD_MAX });
        }
        if *self.closed.borrow() {
            return Err(LogError::Closed);
        }
        let named: Vec<_> = records
            .into_iter()
            .map(|r| (topic_name(&self.config.kafka, r.topic), r.topic, self.partition_of(r.topic, r.shard), r.value))
            .collect();
        let topics: Vec<Topic> = named.iter().map(|(_, topic, ..)| *topic).collect();
        let named = named.into_iter().map(|(name, _, p, value)| (name, p, value)).collect();
        let places = measured("append", self.writer.append(named)).await?;
        for (topic, place) in topics.into_iter().zip(&places) {
            self.known((topic, place.partition), place.offset + 1);
        }
        Ok(places)
    }

    async fn read(&self, topic: Topic, partition: u16, offset: u64, max: usize) -> Result<Vec<Record>, LogError> {
        self.check_partition(topic, partition)?;
        let place = (topic, partition);
        let is_known = offset < self.ends.get(&place).map_or(0, |end| *end.borrow());
        if max == 0 || (!is_known && offset >= self.end(topic, partition).await?) {
            return Ok(Vec::new());
        }
        let (link, name) = (self.reader(place), topic_name(&self.config.kafka, topic));
        let mut records: Vec<Record> = Vec::new();
        let mut bytes = 0;
        while records.len() < max && bytes < READ_BYTES_MAX {
            let at = offset + records.len() as u64;
            if at >= self.ends.get(&place).map_or(0, |end| *end.borrow()) {
                break;
            }
            let (link, name) = (link.clone(), name.clone());
            let fetched = tokio::task::spawn_blocking(move || link.fetch(topic, &name, partition, at)).await;
            for record in fetched.map_err(std::io::Error::other)?? {
                let fits = records.is_empty() || bytes + record.value.len() <= READ_BYTES_MAX;
                bytes += record.value.len();
                if !fits || records.len() == max {
                    return Ok(records);
                }
                records.push(record);
            }
        }
        Ok(records)
    }

    async fn end(&self, topic: Topic, partition: u16) -> Result<u64, LogError> {
        self.check_partition(topic, partition)?;
        let (link, name) = (self.reader((topic, partition)), topic_name(&self.config.kafka, topic));
        let asked = tokio::task::spawn_blocking(move || link.ends(&name)).await.map_err(std::io::Error::other)??;
        asked.iter().for_each(|(partition, end)| self.known((topic, *partition), *end));
        let end = asked.iter().find(|(number, _)| *number == partition).map(|(_, end)| *end);
        end.ok_or_else(|| std::io::Error::other("Kafka: the broker does not say where a partition ends").into())
    }

    async fn wait_for(&self, topic: Topic, partition: u16, offset: u64) -> Result<(), LogError> {
        self.check_partition(topic, partition)?;
        let mut closed = self.closed.subscribe();
        let mut known = self.ends[&(topic, partition)].subscribe();
        let mut turn = tokio::time::interval(LOOK_AGAIN);
        loop {
            tokio::select! {
                _ = closed.wait_for(|closed| *closed) => return Err(LogError::Closed),
                _ = known.wait_for(|end| *end > offset) => return Ok(()),
                _ = turn.tick() => {}
            }
            self.end(topic, partition).await?;
        }
    }

    /// Who owns what is set by hand, and may be set wrong.
    fn owners_may_overlap(&self) -> bool {
        true
    }

    fn ownership(&self, topic: Topic) -> watch::Receiver<Vec<u16>> {
        let all = 0..self.partitions(topic);
        let owned = match (&self.config.owned, topic) {
            (None, _) => all.collect(),
            (Some(owned), Topic::Person | Topic::Access) => all.filter(|p| owned.contains(p)).collect(),
            (Some(owned), _) => all.filter(|_| owned.contains(&0)).collect(),
        };
        watch::channel(owned).1
    }
}
