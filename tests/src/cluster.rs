//! A system of its own on real brokers and a real database: topics and keyspaces that nobody used before, and processes beside
//! the one of the test.

use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use anyhow::{Context, Result, ensure};
use chassis::config::{self, EngineSettings, KafkaClient, Role, Settings, Sources};
use kiroku::engine;
use rustix::process::Signal;

use crate::Harness;
use crate::gateway::{Backends, Gateway};
use crate::mutual::Mutual;
use crate::program::Program;
use crate::shim::Environment;
use crate::wire::Line;

/// The file that names the servers for these tests.
fn file() -> Result<PathBuf> {
    let file = std::env::var("KIROKU_ENGINES").context(
        "these tests need servers: `cargo run -p xtask -- up --folder DIR`, then KIROKU_ENGINES=DIR/engines.toml",
    )?;
    Ok(file.into())
}

/// Settings of the engines that the file in `KIROKU_ENGINES` names, with names of topics and keyspaces of their own.
pub fn engines() -> Result<EngineSettings> {
    load(file()?)
}

/// As [`engines`], with other servers where the file `own` names some; a file of both is left beside it.
pub fn engines_with(own: &Path) -> Result<EngineSettings> {
    let read = |path: &Path| Ok::<_, anyhow::Error>(std::fs::read_to_string(path)?.parse::<toml::Table>()?);
    let (mut all, own_engines) = (read(&file()?)?, read(own)?);
    let engines = |table: &toml::Table| table.get("engine").and_then(toml::Value::as_table).cloned();
    let (mut both, other) = (engines(&all).context("no engines")?, engines(&own_engines).context("no engines")?);
    both.extend(other);
    all.insert("engine".to_owned(), toml::Value::Table(both));
    let path = own.with_extension("both.toml");
    std::fs::write(&path, all.to_string())?;
    load(path)
}

fn load(file: PathBuf) -> Result<EngineSettings> {
    let mut engine = config::load(&Sources { file: Some(file), ..Sources::default() })?.engine;
    let mut random = [0u8; 6];
    schemas::random::fill(&mut random);
    let name = random.iter().fold("test_".to_owned(), |name, byte| format!("{name}{byte:02x}"));
    engine.kafka.prefix = format!("{name}.");
    engine.cql.keyspace = name;
    Ok(engine)
}

/// A process of a system, which may be ended and started again at its address.
pub struct Member {
    pub role: &'static str,
    /// Past the gateway, with the gateway's certificate.
    pub line: Line,
    pub program: Option<Program>,
    binary: &'static str,
    settings: Settings,
    folder: PathBuf,
}

/// Two processes of each role behind one gateway, which reaches them by TLS with certificates on both sides; the process of the
/// test is one of the ledgers.
pub struct System {
    pub harness: Harness,
    pub members: Vec<Member>,
    pub mutual: Mutual,
    _gateway: Gateway,
}

/// Roles of the processes beside the test's, which may die: two of each.
const ROLES: [&str; 8] = ["projector", "projector", "edge", "edge", "query", "query", "ledger", "ledger"];

impl System {
    /// On the engines that `KIROKU_ENGINES` names.
    pub async fn start(binary: &'static str, partitions: u16) -> Result<Self> {
        Self::start_on(binary, partitions, engines()?).await
    }

    /// On engines of the caller's.
    pub async fn start_on(binary: &'static str, partitions: u16, engine: EngineSettings) -> Result<Self> {
        let listen = free_address()?;
        let harness = start_at(&[Role::Ledger], partitions, Some(format!("http://{listen}")), engine).await?;
        let mutual = Mutual::new(harness.folder.path())?;
        let mut members = Vec::new();
        for (number, role) in ROLES.into_iter().enumerate() {
            let folder = harness.folder.path().join(format!("{role}-{number}"));
            members.push(Member::new(binary, (&harness, &mutual), role, folder)?);
        }
        // Two cores start two at a time.
        for pair in members.chunks_mut(2) {
            for member in &mut *pair {
                member.spawn(&Environment::new())?;
            }
            for member in pair {
                member.until_answers(200).await?;
            }
        }
        let of = |role: &str| members.iter().filter(|m| m.role == role).map(|m| m.line.url.clone()).collect();
        let backends = Backends { edges: of("edge"), queries: of("query"), ledgers: of("ledger") };
        let gateway = Gateway::start(&listen, backends, mutual.http.clone())?;
        Ok(Self { harness, members, mutual, _gateway: gateway })
    }

    /// The first or the second member of a role.
    pub fn member(&mut self, role: &str, second: bool) -> Result<&mut Member> {
        let mut members = self.members.iter_mut().filter(|m| m.role == role);
        members.nth(usize::from(second)).with_context(|| format!("there are not two members of role `{role}`"))
    }
}

impl Member {
    /// Has a free address from now on, and does not run.
    fn new(
        binary: &'static str,
        (harness, mutual): (&Harness, &Mutual),
        role: &'static str,
        folder: PathBuf,
    ) -> Result<Self> {
        let mut settings = harness.node.settings.clone();
        (settings.http.listen, settings.tls) = (free_address()?, mutual.tls.clone());
        let line = Line::over(&format!("https://{}", settings.http.listen), mutual.http.clone());
        std::fs::create_dir_all(&folder)?;
        Ok(Self { role, line, program: None, binary, settings, folder })
    }

    /// Starts it, with further variables of the environment, and does not wait.
    pub fn spawn(&mut self, environment: &Environment) -> Result<()> {
        let mut flags = flags(&self.settings);
        flags.push(("roles".to_owned(), self.role.to_owned()));
        // Tokens and links name the system, not one of its processes.
        flags.extend(self.settings.http.public_url.clone().map(|url| ("http.public_url".to_owned(), url)));
        let more: Vec<(&str, &str)> = flags.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let environment: Vec<(&str, &str)> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let mut program = Program::spawn(self.binary, &self.settings, &more, (&self.folder, &environment))?;
        program.line = self.line.clone();
        self.program = Some(program);
        Ok(())
    }

    /// Waits until `/health/ready` answers with `status`; gives what it says.
    pub async fn until_answers(&mut self, status: u16) -> Result<serde_json::Value> {
        let program = self.program.as_mut().context("it does not run")?;
        program.until_answers(&self.folder, status).await
    }

    pub async fn start(&mut self) -> Result<()> {
        self.spawn(&Environment::new())?;
        self.until_answers(200).await.map(drop)
    }

    /// Sends a signal and waits for the end.
    pub async fn end(&mut self, signal: Signal) -> Result<ExitStatus> {
        self.program.take().context("it does not run")?.end(signal).await
    }

    pub fn signal(&self, signal: Signal) -> Result<()> {
        self.program.as_ref().context("it does not run")?.signal(signal)
    }
}

/// Runs `kiroku check --json` on the system; its report.
///
/// # Errors
/// It does not end well, or finds something: then the report.
pub async fn check(binary: &str, settings: &Settings) -> Result<serde_json::Value> {
    let mut command = std::process::Command::new(binary);
    command.args(["check", "--json", "--data"]).arg(&settings.data);
    for (key, value) in flags(settings) {
        command.args(["--set", &format!("{key}={value}")]);
    }
    let done = tokio::task::spawn_blocking(move || command.output()).await??;
    let (said, trouble) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    ensure!(done.status.success(), "`kiroku check` ended with {}: {said} {trouble}", done.status);
    let report: serde_json::Value = serde_json::from_str(&said).context("the report of `kiroku check`")?;
    ensure!(report["findings"] == serde_json::json!([]), "`kiroku check` found: {report}");
    Ok(report)
}

/// All roles in the process of the test.
///
/// # Errors
/// What the servers or the program say.
pub async fn in_one_process(partitions: u16, engine: EngineSettings) -> Result<Harness> {
    start_at(&[], partitions, None, engine).await
}

async fn start_at(
    roles: &[Role],
    partitions: u16,
    public_url: Option<String>,
    engine: EngineSettings,
) -> Result<Harness> {
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

fn free_address() -> Result<String> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}

/// The settings of engine and TLS as flags of a command line.
fn flags(settings: &Settings) -> Vec<(String, String)> {
    let (kafka, cql, tls) = (&settings.engine.kafka, &settings.engine.cql, &settings.tls);
    let path = |path: &Option<std::path::PathBuf>| path.as_ref().map_or_else(String::new, |p| p.display().to_string());
    let client = match kafka.client {
        KafkaClient::Rdkafka => "rdkafka",
        KafkaClient::KafkaRust => "kafka-rust",
    };
    let engine = [
        ("kind", "distributed".to_owned()),
        ("kafka.client", client.to_owned()),
        ("kafka.owned", kafka.owned.join(",")),
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
    ];
    let engine = engine.map(|(key, value)| (format!("engine.{key}"), value));
    if tls.certificate.is_none() {
        return engine.into();
    }
    let tls = [
        ("certificate", path(&tls.certificate)),
        ("key", path(&tls.key)),
        ("client_ca", path(&tls.client_ca)),
        ("client_certificates", "required".to_owned()),
    ];
    engine.into_iter().chain(tls.map(|(key, value)| (format!("tls.{key}"), value))).collect()
}
