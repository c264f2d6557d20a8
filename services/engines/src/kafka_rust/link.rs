//! One blocking client, made anew after every failure: it never reconnects by itself.

use bytes::Bytes;
use chassis::ports::log::{LogError, Record};
use kafka::client::{
    FetchOffset, FetchPartition, KafkaClient, ProduceConfirm, ProduceMessage, RequiredAcks, SecurityConfig,
};
use kafka::error::{Error as KafkaError, KafkaCode};
use openssl::error::ErrorStack;
use openssl::ssl::{SslConnector, SslContextBuilder, SslFiletype, SslMethod, SslMode, SslVerifyMode, SslVersion};
use parking_lot::Mutex;
use schemas::vocab::Topic;

use crate::kafka::{Config, RECORD_MAX, Tls};

/// Bytes asked for at first; a record that is larger is asked for again with room for the largest.
const FETCH_BYTES: i32 = 1024 * 1024;
const FETCH_BYTES_MAX: i32 = (RECORD_MAX + 1024 * 1024) as i32;
/// How long the brokers may take to have a record on all replicas in sync.
const ACK: std::time::Duration = std::time::Duration::from_secs(10);
/// The clock of whoever appended, milliseconds, in front of each value.
pub(super) const STAMP: usize = 8;

pub(super) struct Link {
    config: Config,
    client: Mutex<Option<KafkaClient>>,
}

impl Link {
    pub(super) fn new(config: Config) -> Self {
        Self { config, client: Mutex::new(None) }
    }

    /// Runs `job` on the client; one that failed is thrown away.
    fn with<T>(&self, job: impl FnOnce(&mut KafkaClient) -> Result<T, LogError>) -> Result<T, LogError> {
        let mut slot = self.client.lock();
        let mut client = match slot.take() {
            Some(client) => client,
            None => self.connect()?,
        };
        let done = job(&mut client)?;
        *slot = Some(client);
        Ok(done)
    }

    fn connect(&self) -> Result<KafkaClient, LogError> {
        let hosts = self.config.brokers.clone();
        let mut client = match &self.config.tls {
            Some(tls) => {
                let connector = connector(tls).map_err(|e| std::io::Error::other(format!("Kafka: {e}")))?;
                KafkaClient::new_secure(hosts, SecurityConfig::new(connector))
            }
            None => KafkaClient::new(hosts),
        };
        client.set_client_id("kiroku".to_owned());
        client.set_fetch_crc_validation(true);
        client.load_metadata_all().map_err(io)?;
        Ok(client)
    }

    /// One request; what the broker confirmed for each partition.
    pub(super) fn produce(&self, messages: &[ProduceMessage<'_, '_>]) -> Result<Vec<ProduceConfirm>, LogError> {
        self.with(|client| {
            let sent = client.produce_messages(RequiredAcks::All, ACK, messages);
            sent.map_err(|e| LogError::NotWritable(format!("Kafka: {e}")))
        })
    }

    /// First offset not yet durable of each partition.
    pub(super) fn ends(&self, topic: &str) -> Result<Vec<(u16, u64)>, LogError> {
        self.with(|client| {
            let mut all = client.fetch_offsets(&[topic], FetchOffset::Latest).map_err(io)?;
            let partitions = all.remove(topic).unwrap_or_default();
            let end =
                |p: &kafka::client::PartitionOffset| Some((u16::try_from(p.partition).ok()?, p.offset.unsigned_abs()));
            Ok(partitions.iter().filter_map(end).collect())
        })
    }

    /// Some records from `offset` on; at least one, for the caller knows that there is one.
    pub(super) fn fetch(&self, topic: Topic, name: &str, partition: u16, offset: u64) -> Result<Vec<Record>, LogError> {
        for bytes in [FETCH_BYTES, FETCH_BYTES_MAX] {
            let records = self.with(|client| fetch_once(client, (topic, name, partition), offset, bytes))?;
            if !records.is_empty() {
                return Ok(records);
            }
        }
        Err(LogError::Damaged { topic, partition, offset, what: "the broker does not give this record".to_owned() })
    }
}

fn fetch_once(
    client: &mut KafkaClient,
    (topic, name, partition): (Topic, &str, u16),
    offset: u64,
    bytes: i32,
) -> Result<Vec<Record>, LogError> {
    let at = i64::try_from(offset).map_err(std::io::Error::other)?;
    let asked = FetchPartition::new(name, i32::from(partition), at).with_max_bytes(bytes);
    let damaged = |offset, what: &str| LogError::Damaged { topic, partition, offset, what: what.to_owned() };
    let mut records: Vec<Record> = Vec::new();
    for answer in client.fetch_messages(&[asked]).map_err(io)? {
        for part in answer.topics().iter().flat_map(|topic| topic.partitions()) {
            // The answer as a whole is fine even where a partition is not.
            let data = part.data().map_err(|error| match &*error {
                KafkaError::Kafka(KafkaCode::OffsetOutOfRange) => {
                    damaged(offset, "the broker does not have this record")
                }
                other => std::io::Error::other(format!("Kafka: {other}")).into(),
            })?;
            for message in data.messages().iter().filter(|message| message.offset >= at) {
                let next = offset + records.len() as u64;
                if message.offset.unsigned_abs() != next {
                    return Err(damaged(next, "the broker left it out"));
                }
                let stamp = message.value.get(..STAMP).and_then(|bytes| bytes.try_into().ok());
                let time = stamp.map(i64::from_be_bytes).ok_or_else(|| damaged(next, "it carries no time"))?;
                let value = Bytes::copy_from_slice(&message.value[STAMP..]);
                records.push(Record { partition, offset: next, time, value });
            }
        }
    }
    Ok(records)
}

/// TLS with our certificate.
///
/// kafka-rust writes a request once and takes what was written for all of it. OpenSSL would then write one record of 16 KiB and leave
/// the rest: the connector's usual context allows such partial writes, this one does not.
pub(super) fn connector(tls: &Tls) -> Result<SslConnector, ErrorStack> {
    let mut builder = SslConnector::builder(SslMethod::tls_client())?;
    *builder = SslContextBuilder::new(SslMethod::tls_client())?;
    builder.set_mode(SslMode::AUTO_RETRY);
    builder.set_verify(SslVerifyMode::PEER);
    builder.set_min_proto_version(Some(SslVersion::TLS1_2))?;
    builder.set_ca_file(&tls.ca)?;
    builder.set_certificate_chain_file(&tls.certificate)?;
    builder.set_private_key_file(&tls.key, SslFiletype::PEM)?;
    Ok(builder.build())
}

fn io(error: KafkaError) -> LogError {
    std::io::Error::other(format!("Kafka: {error}")).into()
}
