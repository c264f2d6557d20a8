//! The library that speaks to the brokers, as the settings name it.

use std::sync::Arc;

use anyhow::Result;
use chassis::config::{KafkaClient, Settings};
use chassis::ports::log::{Log, LogError};
use engines::kafka::{self, KafkaLog};
#[cfg(feature = "kafka-rust")]
use engines::kafka_rust::{self, KafkaRustLog};

/// What only one of them does.
const RDKAFKA_ALONE: &str =
    "`kiroku copy` writes through rdkafka alone: set `engine.kafka.client` for the copy, and for what serves it";

/// The log behind its port, and what no port shows.
pub(super) enum Client {
    Rdkafka(Arc<KafkaLog>),
    #[cfg(feature = "kafka-rust")]
    KafkaRust(Arc<KafkaRustLog>),
}

impl Client {
    /// Connects.
    ///
    /// # Errors
    /// What the library says; for kafka-rust also that this program was built without it.
    pub(super) async fn open(settings: &Settings, config: kafka::Config) -> Result<Self> {
        match settings.engine.kafka.client {
            KafkaClient::Rdkafka => {
                let owned = &settings.engine.kafka.owned;
                anyhow::ensure!(
                    owned.is_empty(),
                    "`engine.kafka.owned` is for kafka-rust: with rdkafka the brokers spread partitions"
                );
                Ok(Self::Rdkafka(kafka::open(config).await?))
            }
            #[cfg(feature = "kafka-rust")]
            KafkaClient::KafkaRust => {
                let owned = owned(&settings.engine.kafka.owned)?;
                let clock = Arc::new(chassis::clock::SystemClock);
                Ok(Self::KafkaRust(kafka_rust::open(kafka_rust::Config { kafka: config, owned, clock }).await?))
            }
            #[cfg(not(feature = "kafka-rust"))]
            KafkaClient::KafkaRust => {
                anyhow::bail!("this program was built without kafka-rust: build it with `--features kafka-rust`")
            }
        }
    }

    pub(super) fn log(&self) -> Arc<dyn Log> {
        match self {
            Self::Rdkafka(log) => log.clone(),
            #[cfg(feature = "kafka-rust")]
            Self::KafkaRust(log) => log.clone(),
        }
    }

    /// As the end of a copy.
    pub(super) fn to_carry(&self) -> Result<&KafkaLog, LogError> {
        match self {
            Self::Rdkafka(log) => Ok(log),
            #[cfg(feature = "kafka-rust")]
            Self::KafkaRust(_) => Err(LogError::NotWritable(RDKAFKA_ALONE.to_owned())),
        }
    }

    pub(super) async fn close(&self) -> Result<(), LogError> {
        match self {
            Self::Rdkafka(log) => log.close().await,
            #[cfg(feature = "kafka-rust")]
            Self::KafkaRust(log) => {
                log.close();
                Ok(())
            }
        }
    }
}

/// Refuses the settings of a process that would fill topics through the other library.
pub(super) fn refuse_to_carry(settings: &Settings) -> Result<()> {
    anyhow::ensure!(settings.engine.kafka.client == KafkaClient::Rdkafka, RDKAFKA_ALONE);
    Ok(())
}

/// kafka-rust stamps times into the values, so its records are read by it alone: topics of their own keep the two apart.
pub(super) fn prefix(settings: &Settings) -> String {
    let prefix = &settings.engine.kafka.prefix;
    match settings.engine.kafka.client {
        KafkaClient::Rdkafka => prefix.clone(),
        KafkaClient::KafkaRust => format!("{prefix}kafka-rust."),
    }
}

#[cfg(feature = "kafka-rust")]
fn owned(words: &[String]) -> Result<Option<Vec<u16>>> {
    use anyhow::Context as _;

    if words.is_empty() {
        return Ok(None);
    }
    let numbers = words.iter().map(|word| word.parse().with_context(|| format!("`engine.kafka.owned`: `{word}`")));
    Ok(Some(numbers.collect::<Result<_>>()?))
}
