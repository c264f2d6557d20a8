//! One consumer at one place of one partition.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use chassis::ports::log::{LogError, Record};
use futures_util::FutureExt;
use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::error::KafkaError;
use rdkafka::message::BorrowedMessage;
use rdkafka::{Message, Offset, TopicPartitionList};
use schemas::vocab::Topic;

use super::client::Quiet;
use super::{Config, client, error, topics};

/// How long a record that is known to be durable may take to arrive.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) struct Cursor {
    consumer: StreamConsumer<Quiet>,
    topic: Topic,
    name: String,
    partition: u16,
    /// Offset of the next record that the consumer will give.
    next: u64,
    /// Records that came while somebody waited, not yet read.
    ahead: VecDeque<Record>,
}

impl Cursor {
    pub(super) fn open(config: &Config, topic: Topic, partition: u16, offset: u64) -> Result<Self, LogError> {
        let consumer = client::consumer(config).create_with_context(Quiet).map_err(error::io)?;
        let name = topics::name(config, topic);
        let mut cursor = Self { consumer, topic, name, partition, next: offset, ahead: VecDeque::new() };
        cursor.place(offset)?;
        Ok(cursor)
    }

    /// The offset that would be read next.
    pub(super) fn position(&self) -> u64 {
        self.ahead.front().map_or(self.next, |record| record.offset)
    }

    /// Goes to another place.
    pub(super) fn place(&mut self, offset: u64) -> Result<(), LogError> {
        let at = i64::try_from(offset).map_err(std::io::Error::other)?;
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&self.name, i32::from(self.partition), Offset::Offset(at)).map_err(error::io)?;
        self.consumer.assign(&list).map_err(error::io)?;
        self.next = offset;
        self.ahead.clear();
        Ok(())
    }

    /// The next record, left in its place. Below `known_end` it is waited for; from there on `None` if none has come yet: the library
    /// says "the end" only when the broker has held its question for as long as it may.
    pub(super) async fn peek(&mut self, known_end: u64) -> Result<Option<&Record>, LogError> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while self.ahead.is_empty() {
            let event = if self.next < known_end {
                let event = tokio::time::timeout_at(deadline, receive(&self.consumer, self.partition)).await;
                event.map_err(|_| std::io::Error::other("Kafka: a record did not arrive in time"))?
            } else {
                let Some(event) = receive(&self.consumer, self.partition).now_or_never() else { return Ok(None) };
                event
            };
            self.take(event)?;
        }
        Ok(self.ahead.front())
    }

    /// Waits for one more record and keeps it.
    pub(super) async fn arrive(&mut self) -> Result<u64, LogError> {
        let before = self.next;
        while self.next == before {
            let event = receive(&self.consumer, self.partition).await;
            self.take(event)?;
        }
        Ok(self.next)
    }

    pub(super) fn pop(&mut self) -> Option<Record> {
        self.ahead.pop_front()
    }

    fn take(&mut self, event: Event) -> Result<(), LogError> {
        match event {
            Event::Record(record) if record.offset == self.next => {
                self.next += 1;
                self.ahead.push_back(record);
            }
            Event::Record(record) => return Err(self.damaged(&format!("the broker gave offset {}", record.offset))),
            Event::Nothing => {}
            Event::Failed(problem) if error::is_lost_position(&problem) => {
                return Err(self.damaged("the broker does not have this record"));
            }
            Event::Failed(problem) => return Err(error::io(problem)),
        }
        Ok(())
    }

    fn damaged(&self, what: &str) -> LogError {
        LogError::Damaged { topic: self.topic, partition: self.partition, offset: self.next, what: what.to_owned() }
    }
}

/// What a consumer gave.
enum Event {
    Record(Record),
    /// A connection broke; the library makes it again.
    Nothing,
    Failed(KafkaError),
}

async fn receive(consumer: &StreamConsumer<Quiet>, partition: u16) -> Event {
    match consumer.recv().await {
        Ok(message) => record_of(&message, partition),
        Err(problem) if error::may_pass(&problem) => {
            tracing::debug!(%problem, "reading from Kafka is interrupted");
            Event::Nothing
        }
        Err(problem) => Event::Failed(problem),
    }
}

fn record_of(message: &BorrowedMessage<'_>, partition: u16) -> Event {
    let value = Bytes::copy_from_slice(message.payload().unwrap_or_default());
    // No time is left only by a broker that was set up otherwise; `check_topics` has refused that one.
    let time = message.timestamp().to_millis().unwrap_or_default();
    Event::Record(Record { partition, offset: message.offset().unsigned_abs(), time, value })
}
