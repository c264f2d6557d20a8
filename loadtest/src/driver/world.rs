//! Who takes part in a load test, and what lies on the shelves: made once per data folder, kept beside it in `world.json`.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use schemas::authority::{Client, Organisation, Professional, Status};
use schemas::{LocalId, Pid, ResourceId, ResourceType};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::process::{Server, free_address};
use super::token::{Acting, ClientKey, Tokens};
use crate::population::{Person, Population, Subject};

/// A person with what was put on the shelf.
#[derive(Clone, Serialize, Deserialize)]
pub struct Shelf {
    pub pid: Pid,
    /// The Patient that the registration made.
    pub patient: LocalId,
    /// The `k`-th item of the person's generated history, in order.
    pub items: Vec<(ResourceType, LocalId)>,
}

/// One resource of the set.
#[derive(Clone, Copy)]
pub struct Item {
    /// Index of the person.
    pub person: usize,
    pub k: usize,
    pub resource_type: ResourceType,
    pub id: ResourceId,
}

/// Clients with their keys, and the set.
#[derive(Serialize, Deserialize)]
pub struct World {
    pub seed: u64,
    /// The facility that wrote everything and reads it again (R16).
    pub hospital: ClientKey,
    pub physician: String,
    /// Registers persons.
    pub insurer: ClientKey,
    pub shelves: Vec<Shelf>,
}

impl World {
    /// Makes keys and writes them into the registry of a fresh data folder, through the `kiroku` command.
    pub fn prepare(kiroku: &Program, data: &Path, seed: u64) -> Result<Self> {
        let population = Population::new(seed);
        let facility = population.hospital(0);
        let insurer_number = population.insurer(0).number;
        let physician = population.signer_of(&facility).licence;
        let (hospital, hospital_jwks) = ClientKey::generate("load-hospital", &facility.code)?;
        let (insurer, insurer_jwks) = ClientKey::generate("load-insurer", &insurer_number)?;
        let entries = json!({
            "organisations": [organisation(&facility.code, "hospital"), organisation(&insurer_number, "insurer")],
            "professionals": [Professional {
                id: physician.as_str().into(),
                name: "Load Physician".to_owned(),
                profession: "physician".to_owned(),
                licence: physician.clone(),
                roles: vec![(facility.code.as_str().into(), "physician".to_owned())],
                qualifications: Vec::new(),
                status: Status::Active,
                pid: None,
            }],
            "clients": [
                client(&hospital, hospital_jwks, (&["records.write", "records.read", "visits"], &physician)),
                client(&insurer, insurer_jwks, (&["persons.register", "records.write"], &physician)),
            ],
        });
        let file = data.with_extension("registry.json");
        fs::write(&file, entries.to_string())?;
        kiroku.prepare(data)?;
        kiroku.run(data, &["registry", "apply", &file.display().to_string(), "--data", &data.display().to_string()])?;
        Ok(Self { seed, hospital, physician, insurer, shelves: Vec::new() })
    }

    /// Where the world of a data folder is kept.
    pub fn file(data: &Path) -> PathBuf {
        data.with_extension("world.json")
    }

    /// Reads it back.
    pub fn load(data: &Path) -> Result<Self> {
        let file = Self::file(data);
        let bytes = fs::read(&file).with_context(|| format!("`{}`: run `fill` first", file.display()))?;
        serde_json::from_slice(&bytes).with_context(|| format!("`{}`", file.display()))
    }

    /// Keeps it.
    pub fn save(&self, data: &Path) -> Result<()> {
        Ok(fs::write(Self::file(data), serde_json::to_vec(self)?)?)
    }

    pub fn population(&self) -> Population {
        Population::new(self.seed)
    }

    /// Resources of the set.
    pub fn len(&self) -> usize {
        self.shelves.iter().map(|shelf| shelf.items.len()).sum()
    }

    /// Whether nothing was filled in.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Every item, in order of persons.
    pub fn items(&self) -> Vec<Item> {
        let shelves = self.shelves.iter().enumerate();
        shelves.flat_map(|(person, shelf)| (0..shelf.items.len()).map(move |k| shelf.item(person, k))).collect()
    }

    /// The person as generated.
    pub fn person(&self, index: usize) -> Person {
        self.population().person(index as u64)
    }

    /// What was sent as item `k` of a person.
    pub fn sent(&self, person: &Person, shelf: &Shelf, k: usize) -> Value {
        self.population().history_item(person, &shelf.subject(), k as u64)
    }

    /// Tokens of the hospital's system, which writes.
    pub async fn writer(&self, server: &Server) -> Result<Arc<Tokens>> {
        let acting = Acting { purpose: "RECORDMGT".to_owned(), practitioner: String::new(), role: String::new() };
        Tokens::open(&self.hospital, &acting, at(server)).await
    }

    /// Tokens of the insurer's system, which registers.
    pub async fn registrar(&self, server: &Server) -> Result<Arc<Tokens>> {
        let acting = Acting { purpose: "RECORDMGT".to_owned(), practitioner: String::new(), role: String::new() };
        Tokens::open(&self.insurer, &acting, at(server)).await
    }

    /// Tokens of the hospital's physician, who reads for treatment.
    pub async fn reader(&self, server: &Server) -> Result<Arc<Tokens>> {
        let acting =
            Acting { purpose: "TREAT".to_owned(), practitioner: self.physician.clone(), role: "physician".to_owned() };
        Tokens::open(&self.hospital, &acting, at(server)).await
    }
}

impl Shelf {
    /// How its records name the person.
    pub fn subject(&self) -> Subject {
        Subject::Reference(format!("Patient/{}", self.patient_id()))
    }

    /// Id of its Patient.
    pub fn patient_id(&self) -> ResourceId {
        ResourceId { pid: self.pid, local: self.patient }
    }

    /// Its `k`-th item; `person` is its index in the world.
    pub fn item(&self, person: usize, k: usize) -> Item {
        let (resource_type, local) = self.items[k];
        Item { person, k, resource_type, id: ResourceId { pid: self.pid, local } }
    }
}

fn at(server: &Server) -> (SocketAddr, String) {
    (server.address, server.url.clone())
}

fn organisation(id: &str, kind: &str) -> Organisation {
    Organisation {
        id: id.into(),
        name: format!("load {kind}"),
        organisation_type: kind.to_owned(),
        group: String::new(),
        municipality: "13101".to_owned(),
        qualifications: Vec::new(),
        emergency_designated: false,
        status: Status::Active,
        custodian_of: Vec::new(),
        staff_count: 50,
    }
}

fn client(key: &ClientKey, jwks: String, (rights, responsible): (&[&str], &str)) -> Client {
    Client {
        id: key.client_id.as_str().into(),
        name: key.client_id.clone(),
        organisation: key.organisation.as_str().into(),
        jwks,
        jwks_url: String::new(),
        rights: rights.iter().map(|&right| right.to_owned()).collect(),
        scopes: vec!["system/*.cruds".to_owned(), "user/*.cruds".to_owned()],
        status: Status::Active,
        certificate_sha256: String::new(),
        responsible: responsible.into(),
        agent_of: Vec::new(),
    }
}

/// Of each topic that is divided by person, at the brokers.
pub const PARTITIONS: u16 = 8;

/// The program under test, and the brokers and database that it works on instead of files.
#[derive(Clone, Debug)]
pub struct Program {
    pub kiroku: PathBuf,
    /// Settings file that says where they are.
    pub engines: Option<PathBuf>,
}

impl Program {
    /// Topics and tables for a new set, under names of its own.
    fn prepare(&self, data: &Path) -> Result<()> {
        if self.engines.is_none() {
            return Ok(());
        }
        fs::create_dir_all(data)?;
        let moment = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs();
        fs::write(name_file(data), format!("load_{moment}"))?;
        self.run(data, &["topics"])?;
        self.run(data, &["schema"])?;
        Ok(())
    }

    /// Arguments that every command takes, behind its own: of settings on both sides of a command's name only the last ones count.
    fn arguments(&self, data: &Path) -> Result<Vec<String>> {
        let Some(file) = &self.engines else { return Ok(Vec::new()) };
        let name = fs::read_to_string(name_file(data)).context("the name of the set at the servers")?;
        let set = |key: &str, value: String| ["--set".to_owned(), format!("{key}={value}")];
        let mut arguments = vec!["--config".to_owned(), file.display().to_string()];
        arguments.extend(set("engine.kind", "distributed".to_owned()));
        arguments.extend(set("engine.kafka.prefix", format!("{name}.")));
        arguments.extend(set("engine.cql.keyspace", name));
        arguments.extend(set("data", data.display().to_string()));
        arguments.extend(set("partitions", PARTITIONS.to_string()));
        Ok(arguments)
    }

    /// What `kiroku rebuild --json` reports of tables that nobody serves now.
    pub(super) fn rebuild(&self, data: &Path) -> Result<Value> {
        Ok(serde_json::from_slice(&self.run(data, &["rebuild", "--json"])?)?)
    }

    /// Runs a command; what it printed.
    fn run(&self, data: &Path, command: &[&str]) -> Result<Vec<u8>> {
        let ran = Command::new(&self.kiroku).args(command).args(self.arguments(data)?).output();
        let ran = ran.with_context(|| format!("cannot run `{}`", self.kiroku.display()))?;
        let said = String::from_utf8_lossy(&ran.stderr);
        ensure!(ran.status.success(), "`kiroku {}` failed: {said}", command.join(" "));
        Ok(ran.stdout)
    }
}

/// Where the name of a set at the servers is kept.
fn name_file(data: &Path) -> PathBuf {
    data.with_extension("name")
}

/// How `kiroku serve` is started for a test.
#[derive(Clone)]
pub struct Serving {
    pub program: Program,
    pub data: PathBuf,
    /// Settings as `key=value`.
    pub settings: Vec<String>,
}

impl Serving {
    /// Starts the server on a free port; returns when it is ready.
    pub async fn start(&self) -> Result<Server> {
        let address = free_address()?;
        let mut arguments: Vec<String> = vec!["serve".into(), "--data".into(), self.data.display().to_string()];
        arguments.extend(["--listen".into(), address.to_string()]);
        arguments.extend(self.program.arguments(&self.data)?);
        for setting in &self.settings {
            arguments.extend(["--set".into(), setting.clone()]);
        }
        let log = self.data.with_extension("log");
        let patience = std::time::Duration::from_secs(300);
        Server::start((&self.program.kiroku, &arguments), (address, "/health/ready"), &log, patience).await
    }
}
