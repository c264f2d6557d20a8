//! Where the real brokers and databases are that these tests run against.

use std::path::PathBuf;

use serde::Deserialize;

/// The part of the settings that names servers, as `cargo run -p xtask -- up` writes it.
#[derive(Deserialize)]
struct File {
    engine: Engines,
}

#[derive(Deserialize)]
pub(crate) struct Engines {
    pub(crate) kafka: Kafka,
    /// Brokers may stand alone.
    pub(crate) cql: Option<Cql>,
}

#[derive(Deserialize)]
pub(crate) struct Kafka {
    pub(crate) brokers: Vec<String>,
    pub(crate) ca: PathBuf,
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

#[derive(Deserialize)]
pub(crate) struct Cql {
    pub(crate) nodes: Vec<String>,
    pub(crate) ca: PathBuf,
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    pub(crate) user: String,
    pub(crate) password_file: PathBuf,
    pub(crate) replication: u8,
}

/// The servers that `KIROKU_ENGINES` names.
pub(crate) fn engines() -> Engines {
    read("KIROKU_ENGINES").engine
}

/// The brokers of version 3.9 that `KIROKU_ENGINES_V3` names.
#[cfg(feature = "kafka-rust")]
pub(crate) fn engines_v3() -> Kafka {
    read("KIROKU_ENGINES_V3").engine.kafka
}

fn read(variable: &str) -> File {
    let path = std::env::var(variable).unwrap_or_else(|_| {
        panic!("this test needs servers: `cargo run -p xtask -- up --folder DIR`, then {variable}=DIR/engines.toml")
    });
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
    toml::from_str::<File>(&text).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// A name that no other run has used: each test gets topics and keyspaces of its own.
pub(crate) fn fresh_name(what: &str) -> String {
    let mut random = [0u8; 6];
    schemas::random::fill(&mut random);
    random.iter().fold(format!("{what}_"), |name, byte| format!("{name}{byte:02x}"))
}
