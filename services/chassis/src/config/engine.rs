//! Settings of the engines behind the ports.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::words::words;

/// What lies behind the ports.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EngineKind {
    /// Files in the data folder, for one process.
    #[default]
    Embedded,
    /// Kafka and CQL, for many.
    Distributed,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EngineSettings {
    pub kind: EngineKind,
    pub kafka: KafkaSettings,
    pub cql: CqlSettings,
}

/// The library that speaks to the brokers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KafkaClient {
    #[default]
    Rdkafka,
    /// For brokers up to 3.9; its topics are its own.
    KafkaRust,
}

/// The brokers, and how this process shows itself to them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KafkaSettings {
    pub client: KafkaClient,
    #[serde(deserialize_with = "words")]
    pub owned: Vec<String>,
    #[serde(deserialize_with = "words")]
    pub brokers: Vec<String>,
    pub ca: Option<PathBuf>,
    pub certificate: Option<PathBuf>,
    pub key: Option<PathBuf>,
    pub prefix: String,
    pub replication: u16,
}

impl Default for KafkaSettings {
    fn default() -> Self {
        let (client, owned, brokers, ca, certificate, key) = Default::default();
        Self { client, owned, brokers, ca, certificate, key, prefix: "kiroku.".into(), replication: 3 }
    }
}

/// The database's nodes, and how this process shows itself to them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CqlSettings {
    #[serde(deserialize_with = "words")]
    pub nodes: Vec<String>,
    pub ca: Option<PathBuf>,
    pub certificate: Option<PathBuf>,
    pub key: Option<PathBuf>,
    pub user: String,
    pub password_file: Option<PathBuf>,
    pub keyspace: String,
    pub replication: u8,
}

impl Default for CqlSettings {
    fn default() -> Self {
        let (nodes, ca, certificate, key, password_file) = Default::default();
        let (user, keyspace) = ("kiroku".into(), "kiroku".into());
        Self { nodes, ca, certificate, key, user, password_file, keyspace, replication: 3 }
    }
}
