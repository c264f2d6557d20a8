//! Kafka and CQL out of the settings.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use async_trait::async_trait;
use chassis::config::{CqlSettings, Settings};
use chassis::ports::keys::KeysError;
use chassis::ports::log::{Appended, LogError};
use chassis::ports::store::StoreError;
use engines::carry::{Carried, CarriedKey, Carrier, KeyName, UsedOnce};
use engines::cql::{self, CqlCarrier, Login};
use engines::kafka::{self, Fault, KafkaLog, Tls};

use super::client::{self, Client, refuse_to_carry};
use super::{Engine, Kind};

pub(super) async fn open(settings: &Settings) -> Result<Engine> {
    let client = Client::open(settings, kafka_config(settings)?).await.context("the log on Kafka")?;
    with_tables(settings, client).await
}

/// As [`open`], where topics and tables are made to be filled by `kiroku copy`.
pub(super) async fn open_to_carry(settings: &Settings) -> Result<Engine> {
    refuse_to_carry(settings)?;
    let log = KafkaLog::open_to_carry(&kafka_config(settings)?).await.context("the log on Kafka")?;
    make_schema(settings).await?;
    with_tables(settings, Client::Rdkafka(Arc::new(log))).await
}

async fn with_tables(settings: &Settings, client: Client) -> Result<Engine> {
    let cql = cql::open(&cql_config(settings)?).await.context("tables and keys on CQL")?;
    let log = client.log();
    let distributed = Distributed { client, carrier: cql.carrier };
    let kind = Kind::Distributed(Arc::new(distributed));
    Ok(Engine { log, generations: cql.generations, keys: cql.keys, kind })
}

/// The parts of the engine that no port shows.
pub(super) struct Distributed {
    pub(super) client: Client,
    carrier: CqlCarrier,
}

#[async_trait]
impl Carrier for Distributed {
    async fn keys(&self, after: Option<KeyName>, limit: usize) -> Result<Vec<CarriedKey>, KeysError> {
        self.carrier.keys(after, limit).await
    }

    async fn take_keys(&self, keys: Vec<CarriedKey>) -> Result<(), KeysError> {
        self.carrier.take_keys(keys).await
    }

    async fn used_once(&self, now: i64) -> Result<Vec<UsedOnce>, StoreError> {
        self.carrier.used_once(now).await
    }

    async fn take_used_once(&self, keys: Vec<UsedOnce>, now: i64) -> Result<(), StoreError> {
        self.carrier.take_used_once(keys, now).await
    }

    async fn carry(&self, records: Vec<Carried>) -> Result<Vec<Appended>, LogError> {
        self.client.to_carry()?.carry(records).await
    }

    async fn end_carrying(&self) -> Result<(), LogError> {
        self.client.to_carry()?.end_carrying().await
    }
}

pub(super) async fn make_topics(settings: &Settings) -> Result<()> {
    let faults = kafka::create_topics(&kafka_config(settings)?).await.context("the log on Kafka")?;
    if !faults.is_empty() {
        let all: Vec<String> = faults.iter().map(Fault::to_string).collect();
        bail!("{}", all.join("\n"));
    }
    Ok(())
}

pub(super) async fn make_schema(settings: &Settings) -> Result<()> {
    cql::migrate(&cql_config(settings)?).await.context("tables and keys on CQL")?;
    Ok(())
}

fn kafka_config(settings: &Settings) -> Result<kafka::Config> {
    let kafka = &settings.engine.kafka;
    let [ca, certificate, key] = pem([&kafka.ca, &kafka.certificate, &kafka.key], "engine.kafka")?;
    Ok(kafka::Config {
        brokers: kafka.brokers.clone(),
        tls: Some(Tls { ca, certificate, key }),
        prefix: client::prefix(settings),
        partitions: settings.partitions,
        replication: kafka.replication,
        carrying: false,
    })
}

fn cql_config(settings: &Settings) -> Result<cql::Config> {
    let cql = &settings.engine.cql;
    let tls = pem([&cql.ca, &cql.certificate, &cql.key], "engine.cql")?;
    let kek = settings.key_encryption_key_file.clone().unwrap_or_else(|| settings.data.join("kek"));
    let mut config = cql::Config::new(cql.nodes.clone(), tls, login(cql)?, kek);
    config.replication = cql.replication;
    config.keyspace.clone_from(&cql.keyspace);
    Ok(config)
}

fn login(cql: &CqlSettings) -> Result<Login> {
    let file = cql.password_file.as_ref().context("`engine.cql.password_file` is not set")?;
    let password = std::fs::read_to_string(file).with_context(|| format!("`{}`", file.display()))?;
    Ok(Login::new(&cql.user, password.trim_end()))
}

/// Records never travel in clear: all three files are asked for.
fn pem(files: [&Option<PathBuf>; 3], group: &str) -> Result<[PathBuf; 3]> {
    let file = |at: usize, name: &str| files[at].clone().with_context(|| format!("`{group}.{name}` is not set"));
    Ok([file(0, "ca")?, file(1, "certificate")?, file(2, "key")?])
}
