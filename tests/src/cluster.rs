//! A system of its own on real brokers and a real database: topics and keyspaces that nobody used before, and processes beside
//! the one of the test.

use std::path::Path;

use anyhow::{Context, Result};
use chassis::config::{self, EngineSettings, Role, Settings, Sources};
use kiroku::engine;

use crate::Harness;
use crate::gateway::{Backends, Gateway};
use crate::program::Program;

/// Settings of the engines that the file in `KIROKU_ENGINES` names, with names of topics and keyspaces of their own.
pub fn engines() -> Result<EngineSettings> {
    let file = std::env::var("KIROKU_ENGINES").context(
        "these tests need servers: `cargo run -p xtask -- up --folder DIR`, then KIROKU_ENGINES=DIR/engines.toml",
    )?;
    let mut engine = config::load(&Sources { file: Some(file.into()), ..Sources::default() })?.engine;
    let mut random = [0u8; 6];
    schemas::random::fill(&mut random);
    let name = random.iter().fold("test_".to_owned(), |name, byte| format!("{name}{byte:02x}"));
    engine.kafka.prefix = format!("{name}.");
    engine.cql.keyspace = name;
    Ok(engine)
}

/// A harness on the distributed engine: the process of the test has `roles`.
pub async fn start(roles: &[Role], partitions: u16) -> Result<Harness> {
    start_at(roles, partitions, None).await
}

/// Two processes of each role behind one gateway; the process of the test is one of the ledgers.
pub struct System {
    pub harness: Harness,
    pub processes: Vec<Program>,
    _gateway: Gateway,
}

impl System {
    pub async fn start(binary: &str, partitions: u16) -> Result<Self> {
        let listen = free_address()?;
        let harness = start_at(&[Role::Ledger], partitions, Some(format!("http://{listen}"))).await?;
        let mut backends = Backends::default();
        backends.ledgers.push(format!("http://{}", harness.node.settings.http.listen));
        let mut processes = Vec::new();
        for (role, count) in [("projector", 2), ("edge", 2), ("query", 2), ("ledger", 1)] {
            for number in 0..count {
                let folder = harness.folder.path().join(format!("{role}-{number}"));
                let program = process(binary, &harness, role, &folder).await?;
                match role {
                    "edge" => backends.edges.push(program.url.clone()),
                    "query" => backends.queries.push(program.url.clone()),
                    "ledger" => backends.ledgers.push(program.url.clone()),
                    _ => {}
                }
                processes.push(program);
            }
        }
        let gateway = Gateway::start(&listen, backends)?;
        Ok(Self { harness, processes, _gateway: gateway })
    }
}

async fn start_at(roles: &[Role], partitions: u16, public_url: Option<String>) -> Result<Harness> {
    let engine = engines()?;
    let folder = tempfile::tempdir()?;
    let mut made = Settings { data: folder.path().join("data"), engine: engine.clone(), ..Settings::default() };
    made.partitions = partitions;
    std::fs::create_dir_all(&made.data)?;
    engine::make_topics(&made).await?;
    engine::make_schema(&made).await?;
    let data = made.data.clone();
    let mut harness = Harness::start_with(|settings| {
        settings.engine = engine;
        settings.partitions = partitions;
        settings.roles = roles.to_vec();
        settings.data = data;
        settings.http.public_url = public_url;
    })
    .await?;
    // The key that wraps all others lies in this folder: it lives as long as the harness.
    harness.folder = folder;
    Ok(harness)
}

/// A further process of the same system, with `role` alone. It logs into `folder`.
pub async fn process(binary: &str, harness: &Harness, role: &str, folder: &Path) -> Result<Program> {
    let mut settings = harness.node.settings.clone();
    settings.http.listen = free_address()?;
    let mut flags = flags(&settings);
    flags.push(("roles".to_owned(), role.to_owned()));
    // Tokens and links name the system, not one of its processes.
    flags.push(("http.public_url".to_owned(), harness.node.url.clone()));
    let more: Vec<(&str, &str)> = flags.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    std::fs::create_dir_all(folder)?;
    Program::serve(binary, &settings, &more, folder).await
}

fn free_address() -> Result<String> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}

/// The engine's settings as flags of a command line.
fn flags(settings: &Settings) -> Vec<(String, String)> {
    let (kafka, cql) = (&settings.engine.kafka, &settings.engine.cql);
    let path = |path: &Option<std::path::PathBuf>| path.as_ref().map_or_else(String::new, |p| p.display().to_string());
    [
        ("kind", "distributed".to_owned()),
        ("kafka.brokers", kafka.brokers.join(",")),
        ("kafka.ca", path(&kafka.ca)),
        ("kafka.certificate", path(&kafka.certificate)),
        ("kafka.key", path(&kafka.key)),
        ("kafka.prefix", kafka.prefix.clone()),
        ("kafka.replication", kafka.replication.to_string()),
        ("cql.nodes", cql.nodes.join(",")),
        ("cql.ca", path(&cql.ca)),
        ("cql.certificate", path(&cql.certificate)),
        ("cql.key", path(&cql.key)),
        ("cql.user", cql.user.clone()),
        ("cql.password_file", path(&cql.password_file)),
        ("cql.keyspace", cql.keyspace.clone()),
        ("cql.replication", cql.replication.to_string()),
    ]
    .into_iter()
    .map(|(key, value)| (format!("engine.{key}"), value))
    .collect()
}
