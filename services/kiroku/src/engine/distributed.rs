//! Kafka and CQL out of the settings.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use chassis::config::{CqlSettings, Settings};
use engines::cql::{self, Login};
use engines::kafka::{self, Fault, Tls};

use super::{Engine, Kind};

pub(super) async fn open(settings: &Settings) -> Result<Engine> {
    let log = kafka::open(kafka_config(settings)?).await.context("the log on Kafka")?;
    let cql = cql::open(&cql_config(settings)?).await.context("tables and keys on CQL")?;
    Ok(Engine { log: log.clone(), generations: cql.generations, keys: cql.keys, kind: Kind::Distributed(log) })
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
        prefix: kafka.prefix.clone(),
        partitions: settings.partitions,
        replication: kafka.replication,
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
