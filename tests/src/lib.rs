//! The harness: a real node on a fresh folder, a registry with example facilities, clients over real HTTP.

pub mod canary;
#[cfg(feature = "distributed")]
pub mod cluster;
pub mod desk;
pub mod faulty;
#[cfg(feature = "distributed")]
pub mod gateway;
pub mod journeys;
#[cfg(feature = "distributed")]
pub mod mutual;
pub mod program;
#[cfg(feature = "distributed")]
pub mod shim;
pub mod wire;

use anyhow::{Context, Result};
use chassis::config::Settings;
use kiroku::Node;
use kiroku::api::{Acting, Api, Card, ClientKey, Reply};
use loadtest::population::{Population, Subject};
use schemas::authority::{AuthorityEvent, Organisation, Professional, Status};
use schemas::{Pid, ResourceId};
use serde_json::Value;
use tempfile::TempDir;

/// A node with its registry filled.
pub struct Harness {
    pub node: Node,
    pub api: Api,
    pub population: Population,
    pub folder: TempDir,
    pub insurer: ClientKey,
    pub hospital: Site,
    pub clinic: Site,
    pub other_clinic: Site,
    pub pharmacy: Site,
}

/// A facility with its system's key and one licensed professional.
#[derive(Clone)]
pub struct Site {
    pub key: ClientKey,
    pub code: String,
    pub professional: String,
    pub role: String,
}

impl Site {
    /// The system alone, writing records.
    pub fn records(&self) -> Acting {
        Acting::system("RECORDMGT")
    }
    /// The professional, for care.
    pub fn care(&self) -> Acting {
        Acting::professional("TREAT", &self.professional, &self.role)
    }
    /// The desk, for what the person says there.
    pub fn desk(&self) -> Acting {
        Acting::system("PATRQT")
    }
}

/// A person of the population who was born in this node.
#[derive(Clone)]
pub struct Citizen {
    pub pid: Pid,
    pub patient: String,
    pub index: u64,
    pub card: Card,
}

impl Harness {
    /// A node with default settings.
    pub async fn start() -> Result<Self> {
        Self::start_with(|_| {}).await
    }

    /// A node whose settings `change` has changed.
    pub async fn start_with(change: impl FnOnce(&mut Settings)) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut settings = Settings { data: folder.path().join("data"), ..Settings::default() };
        settings.http.listen = "127.0.0.1:0".to_owned();
        settings.http.workers = 2;
        change(&mut settings);
        let node = Node::start(settings).await?;
        let api = Api::new(&node.url);
        let population = Population::new(7);
        let mut events = Vec::new();
        let hospital = site(&population.hospital(0).code, "hospital", "physician", &mut events)?;
        let clinic = site(&population.clinic(0).code, "clinic", "physician", &mut events)?;
        let other_clinic = site(&population.clinic(1).code, "clinic", "physician", &mut events)?;
        let pharmacy = site(&population.pharmacy(0).code, "pharmacy", "pharmacist", &mut events)?;
        let number = population.insurer(0).number;
        events.push(AuthorityEvent::Organisation(organisation(&number, "insurer")));
        let (insurer, registration) =
            ClientKey::generate("insurer", &number, &["persons.register", "records.write"], "clerk-insurer")?;
        events.push(AuthorityEvent::Client(registration));
        node.registry.append_all(events).await?;
        Ok(Self { node, api, population, folder, insurer, hospital, clinic, other_clinic, pharmacy })
    }

    /// Registers person `index` of the population, with a card.
    pub async fn bear(&self, index: u64) -> Result<Citizen> {
        let token = self.api.token(&self.insurer, &Acting::system("RECORDMGT")).await?;
        let person = self.population.person(index);
        let facility = self.population.hospital(0);
        let patient = loadtest::population::fhir::patient(&person, &facility, self.population.today());
        let key = format!("birth of person {index}");
        let reply = self.api.post_until_decided(&token, "/fhir/Patient", &patient, &key).await?;
        anyhow::ensure!(reply.status == 201, "a birth is answered with {}: {}", reply.status, reply.body);
        let id = reply.location_id().context("a created Patient has a Location")?;
        let pid = id.parse::<ResourceId>()?.pid;
        let (card, public_key) = Card::generate(pid)?;
        self.node.registry.append(AuthorityEvent::Card { pid, public_key }).await?;
        Ok(Citizen { pid, patient: id, index, card })
    }

    /// A token of a site.
    pub async fn token(&self, site: &Site, acting: &Acting) -> Result<String> {
        self.api.token(&site.key, acting).await
    }

    /// One resource of the citizen's generated history.
    pub fn record(&self, citizen: &Citizen, k: u64) -> Value {
        let person = self.population.person(citizen.index);
        let subject = Subject::Reference(format!("Patient/{}", citizen.patient));
        self.population.history_item(&person, &subject, k)
    }

    /// Sends a record of the citizen through a site's system.
    pub async fn send(&self, site: &Site, record: &Value) -> Result<Reply> {
        let token = self.token(site, &site.records()).await?;
        let resource_type = record["resourceType"].as_str().context("a record has a type")?;
        self.api.post(&token, &format!("/fhir/{resource_type}"), record, &[]).await
    }
}

fn organisation(id: &str, kind: &str) -> Organisation {
    Organisation {
        id: id.into(),
        name: format!("{kind} {id}"),
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

fn site(code: &str, kind: &str, profession: &str, events: &mut Vec<AuthorityEvent>) -> Result<Site> {
    let professional = format!("{profession}-{code}");
    events.push(AuthorityEvent::Organisation(organisation(code, kind)));
    events.push(AuthorityEvent::Professional(Professional {
        id: professional.as_str().into(),
        name: format!("Dr {code}"),
        profession: profession.to_owned(),
        licence: format!("licence-{code}"),
        roles: vec![(code.into(), profession.to_owned())],
        qualifications: Vec::new(),
        status: Status::Active,
        pid: None,
    }));
    let (key, registration) = ClientKey::generate(
        &format!("system-{code}"),
        code,
        &["records.write", "records.read", "visits"],
        &professional,
    )?;
    events.push(AuthorityEvent::Client(registration));
    Ok(Site { key, code: code.to_owned(), professional, role: profession.to_owned() })
}
