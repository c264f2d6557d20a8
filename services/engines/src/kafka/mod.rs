//! The log on Kafka, by librdkafka: idempotent producer, every acknowledgement from all replicas in sync, time stamped by the
//! broker. What Kafka does not promise and the port does not ask for stands in `services/engines/README.md`.
//!
//! INVARIANT: offsets are dense, because no transactions are used (their markers would take offsets).

mod carry;
mod client;
mod cursor;
mod error;
mod owners;
mod pool;
mod probe;
mod topics;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chassis::ports::log::{Append, Appended, Log, LogError, Record};
use rdkafka::Timestamp;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{DeliveryFuture, FutureProducer, FutureRecord, Producer};
use schemas::vocab::Topic;
use tokio::sync::watch;

use self::client::Quiet;
use self::owners::Owners;
use self::pool::Pool;
use self::probe::{Probing, Seen};
pub use self::topics::{Fault, check_topics, create_topics};
pub(crate) use self::topics::{counts as partition_counts, name as topic_name};
use crate::measured::measured;

/// Where the brokers are and how this process shows itself to them.
#[derive(Clone, Debug)]
pub struct Config {
    /// `host:port`; the others are learned from these.
    pub brokers: Vec<String>,
    /// Without it the connection is in clear: for tests only.
    pub tls: Option<Tls>,
    /// Names of topics begin with it, so that several systems share brokers: `PREFIXperson`.
    pub prefix: String,
    /// Partitions of `person` and `access` when topics are made; afterwards the brokers say how many there are.
    pub partitions: u16,
    /// Replicas of each partition; with three, two must have a record before it is acknowledged.
    pub replication: u16,
    /// Topics take the times that records bring: only while `kiroku copy` fills them. No other process opens such topics.
    pub carrying: bool,
}

/// PEM files.
#[derive(Clone, Debug)]
pub struct Tls {
    pub ca: PathBuf,
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// Largest value of a record, as in the other engines.
pub(crate) const RECORD_MAX: usize = 16 * 1024 * 1024;

/// How long a record waits for room in the producer's queue before it is tried again.
const QUEUE_PAUSE: Duration = Duration::from_millis(5);

/// The log. Dropping it ends its connections; what was acknowledged stays.
pub struct KafkaLog {
    config: Config,
    producer: FutureProducer<Quiet>,
    pool: Pool,
    owners: Owners,
    seen: Arc<Seen>,
    probing: Option<Probing>,
}

impl KafkaLog {
    /// Connects and checks topics and their settings.
    ///
    /// # Errors
    /// `NotWritable` with a sentence for each wrong setting; `Io` if no broker answers.
    pub async fn open(config: Config) -> Result<Self, LogError> {
        refuse_faults(&config).await?;
        let producer: FutureProducer<Quiet> =
            client::producer(&config).create_with_context(Quiet).map_err(error::io)?;
        let partitions = partition_counts(&config).await?;
        let pool = Pool::new(config.clone(), partitions);
        let seen = Arc::new(Seen::default());
        let probing = match config.carrying {
            true => None,
            false => Some(Probing::start(&config, producer.clone(), seen.clone()).await),
        };
        Ok(Self { config, producer, pool, owners: Owners::default(), seen, probing })
    }

    /// From now on appends and waits answer `Closed`. What the brokers do not confirm in 2 s is left: nobody was told that it is
    /// durable.
    pub async fn close(&self) -> Result<(), LogError> {
        if let Some(probing) = &self.probing {
            probing.stop();
        }
        self.owners.leave();
        self.pool.close();
        let producer = self.producer.clone();
        let flushed = tokio::task::spawn_blocking(move || producer.flush(client::FLUSH)).await;
        if let Err(problem) = flushed.map_err(std::io::Error::other)? {
            tracing::warn!(%problem, "the brokers did not confirm what was left at the end");
        }
        Ok(())
    }

    /// Hands one record to the producer, which keeps the order of the calls in each partition.
    async fn enqueue(&self, record: &Append, time: Option<i64>) -> Result<DeliveryFuture, LogError> {
        let partition = self.partition_of(record.topic, record.shard);
        let topic = topic_name(&self.config, record.topic);
        // The shard is the key: it tells an operator and `kiroku copy` nothing that the partition does not.
        let key = record.shard.to_be_bytes();
        let mut message =
            FutureRecord::to(&topic).partition(i32::from(partition)).key(&key[..]).payload(&record.value[..]);
        message.timestamp = time;
        loop {
            match self.producer.send_result(message) {
                Ok(delivery) => return Ok(delivery),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => message = back,
                Err((error, _)) => return Err(error::append(error)),
            }
            tokio::time::sleep(QUEUE_PAUSE).await;
        }
    }

    /// `times`: what the records bring, where the topics take it.
    async fn append_stamped(&self, records: Vec<Append>, times: Option<&[i64]>) -> Result<Vec<Appended>, LogError> {
        if let Some(size) = records.iter().map(|r| r.value.len()).find(|size| *size > RECORD_MAX) {
            return Err(LogError::TooLarge { size, limit: RECORD_MAX });
        }
        if self.pool.is_closed() {
            return Err(LogError::Closed);
        }
        let mut deliveries = Vec::with_capacity(records.len());
        for (n, record) in records.iter().enumerate() {
            let time = times.and_then(|times| times.get(n).copied());
            deliveries.push((record.topic, self.enqueue(record, time).await?));
        }
        let mut appended = Vec::with_capacity(deliveries.len());
        let mut failed = None;
        // All are awaited, also after a failure: what a later one did is then known.
        for (topic, delivery) in deliveries {
            match delivery.await {
                Ok(Ok(place)) => {
                    let place = appended_of(&place, times.is_some())?;
                    self.pool.known(topic, place.partition, place.offset + 1);
                    appended.push(place);
                }
                Ok(Err((error, _))) => failed = Some(error::append(error)),
                Err(_canceled) => failed = Some(LogError::Closed),
            }
        }
        self.seen.appended(failed.is_none());
        failed.map_or(Ok(appended), Err)
    }

    fn check_partition(&self, topic: Topic, partition: u16) -> Result<(), LogError> {
        if partition >= self.partitions(topic) {
            return Err(std::io::Error::other(format!("topic `{topic}` has no partition {partition}")).into());
        }
        Ok(())
    }
}

#[async_trait]
impl Log for KafkaLog {
    fn partitions(&self, topic: Topic) -> u16 {
        self.pool.partitions(topic)
    }

    async fn append_all(&self, records: Vec<Append>) -> Result<Vec<Appended>, LogError> {
        measured("append", self.append_stamped(records, None)).await
    }

    async fn read(&self, topic: Topic, partition: u16, offset: u64, max: usize) -> Result<Vec<Record>, LogError> {
        self.check_partition(topic, partition)?;
        if max == 0 || (offset >= self.pool.known_end(topic, partition) && offset >= self.end(topic, partition).await?)
        {
            return Ok(Vec::new());
        }
        self.pool.cursor(topic, partition, offset)?.read(max).await
    }

    async fn end(&self, topic: Topic, partition: u16) -> Result<u64, LogError> {
        self.check_partition(topic, partition)?;
        self.pool.ask_end(topic, partition).await
    }

    fn check_writable(&self) -> Result<(), LogError> {
        match self.seen.is_failing() {
            true => Err(LogError::NotWritable("Kafka: the last append failed".to_owned())),
            false => Ok(()),
        }
    }

    fn clock_ahead_ms(&self) -> i64 {
        self.seen.ahead_ms()
    }

    fn owners_may_overlap(&self) -> bool {
        true
    }

    fn ownership(&self, topic: Topic) -> watch::Receiver<Vec<u16>> {
        self.owners.of(&self.config, topic)
    }

    async fn wait_for(&self, topic: Topic, partition: u16, offset: u64) -> Result<(), LogError> {
        self.check_partition(topic, partition)?;
        self.pool.wait_for(topic, partition, offset).await
    }
}

/// Refuses topics that break a promise, in words.
pub(crate) async fn refuse_faults(config: &Config) -> Result<(), LogError> {
    let faults = check_topics(config).await?;
    if faults.is_empty() {
        return Ok(());
    }
    let all: Vec<String> = faults.iter().map(Fault::to_string).collect();
    Err(LogError::NotWritable(all.join("; ")))
}

/// What the broker confirmed.
fn appended_of(place: &rdkafka::producer::future_producer::Delivery, carried: bool) -> Result<Appended, LogError> {
    let partition = u16::try_from(place.partition).map_err(std::io::Error::other)?;
    let offset = u64::try_from(place.offset).map_err(std::io::Error::other)?;
    match place.timestamp {
        Timestamp::LogAppendTime(time) => Ok(Appended { partition, offset, time }),
        Timestamp::CreateTime(time) if carried => Ok(Appended { partition, offset, time }),
        _ => Err(LogError::NotWritable("the broker did not stamp its own time: check the topic's settings".to_owned())),
    }
}

impl std::fmt::Debug for KafkaLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KafkaLog").field("brokers", &self.config.brokers).finish_non_exhaustive()
    }
}

/// The log behind its port.
pub async fn open(config: Config) -> Result<Arc<KafkaLog>, LogError> {
    Ok(Arc::new(KafkaLog::open(config).await?))
}
