//! The settings of librdkafka's clients; each that differs from its default says why.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::KafkaError;

use super::{Config, RECORD_MAX};

/// Says what the library has to say, in the words of our log: broken connections are made again and are no errors of ours.
pub(super) struct Quiet;

impl ClientContext for Quiet {
    fn error(&self, problem: KafkaError, reason: &str) {
        tracing::warn!(%problem, reason, "Kafka");
    }
}

impl ConsumerContext for Quiet {}

/// How long a closing producer waits for what it still holds: nobody was told that it is durable.
pub(super) const FLUSH: Duration = Duration::from_secs(2);
/// How long a question to the brokers (end of a partition, settings of a topic) may take.
pub(super) const ASK: Duration = Duration::from_secs(10);
/// Value, key and framing.
pub(super) const MESSAGE_MAX: usize = RECORD_MAX + 1024 * 1024;

/// What all clients share.
pub(super) fn base(config: &Config) -> ClientConfig {
    let mut client = ClientConfig::new();
    client
        .set("bootstrap.servers", config.brokers.join(","))
        .set("client.id", "kiroku")
        // A broker that comes back is found within a second.
        .set("reconnect.backoff.ms", "50")
        .set("reconnect.backoff.max.ms", "1000")
        .set("socket.keepalive.enable", "true")
        .set("socket.nagle.disable", "true")
        .set("message.max.bytes", MESSAGE_MAX.to_string())
        .set_log_level(RDKafkaLogLevel::Warning);
    if let Some(tls) = &config.tls {
        client
            .set("security.protocol", "ssl")
            .set("ssl.ca.location", tls.ca.display().to_string())
            .set("ssl.certificate.location", tls.certificate.display().to_string())
            .set("ssl.key.location", tls.key.display().to_string());
    }
    client
}

/// Idempotent, so that a retry inside the client neither doubles nor reorders.
pub(super) fn producer(config: &Config) -> ClientConfig {
    let mut client = base(config);
    client
        .set("enable.idempotence", "true")
        .set("acks", "all")
        // Sealed bytes do not get smaller.
        .set("compression.type", "none")
        // What waits while a request is under way goes together with the next: no pause is needed for batches.
        .set("linger.ms", "0")
        // Whoever waits for an append is told within this that there is none, and tries again. Brokers that choose another leader
        // need 3 to 7 s.
        .set("delivery.timeout.ms", "10000")
        .set("queue.buffering.max.kbytes", "131072");
    client
}

/// Reads where it is told, commits nothing: positions stand in the tables.
pub(super) fn consumer(config: &Config) -> ClientConfig {
    let mut client = base(config);
    client
        // The library asks for a name even where no group is joined.
        .set("group.id", format!("{}positions", config.prefix))
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        // A position that the broker does not have is an error to be seen, never a jump.
        .set("auto.offset.reset", "error")
        .set("check.crcs", "true")
        // How long a broker holds a question at the end of a partition. A consumer that goes to another place waits for the last
        // one to come back, and one that rests asks again so often.
        .set("fetch.wait.max.ms", "100")
        .set("fetch.error.backoff.ms", "50")
        .set("fetch.queue.backoff.ms", "10")
        .set("queued.max.messages.kbytes", "32768")
        .set("fetch.max.bytes", MESSAGE_MAX.to_string())
        .set("receive.message.max.bytes", (MESSAGE_MAX + 1024 * 1024).to_string());
    client
}
