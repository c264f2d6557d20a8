//! The world of the demo: facilities, professionals, systems with generated keys, persons who are born through the door.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use chassis::clock::{Clock, SystemClock};
use chassis::registry::Registry;
use loadtest::population::{Facility, Population};
use schemas::authority::{AuthorityEvent, Organisation, Professional, Status};
use schemas::{Pid, ResourceId};
use serde::{Deserialize, Serialize};

use crate::Node;
use crate::api::{Acting, Api, Card, ClientKey};

/// The regulator's case.
pub(super) const CASE: &str = "case-2026-001";
/// Ids of the two officials in the registry.
pub(super) const OFFICIALS: [&str; 2] = ["official-1", "official-2"];
const SEED: u64 = 7;
const REGULATOR: &str = "regulator-01";
/// Persons beside the one of the story, for whoever tries things out.
const PERSONS: usize = 3;

/// Someone who can ask: a client as somebody acting, or a person with a card.
#[derive(Clone, Serialize, Deserialize)]
pub struct Who {
    /// Name for `kiroku demo --token`.
    pub name: String,
    /// In words.
    pub said: String,
    #[serde(flatten)]
    sign: Sign,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Sign {
    Client { key: ClientKey, acting: Acting },
    Card(Card),
}

impl Who {
    /// The client's key; a person has a card instead.
    pub fn client_key(&self) -> Option<&ClientKey> {
        match &self.sign {
            Sign::Client { key, .. } => Some(key),
            Sign::Card(_) => None,
        }
    }

    /// A token of this moment.
    pub async fn token(&self, api: &Api) -> Result<String> {
        match &self.sign {
            Sign::Client { key, acting } => api.token(key, acting).await,
            Sign::Card(card) => api.sign_in(card).await,
        }
    }

    /// A proof of the card, for the header `Kiroku-Card`.
    pub async fn card_proof(&self, api: &Api) -> Result<String> {
        match &self.sign {
            Sign::Card(card) => api.card_header(card).await,
            Sign::Client { .. } => bail!("`{}` is a system and holds no card", self.name),
        }
    }
}

/// A facility with its system's key and one professional.
#[derive(Clone)]
pub struct Site {
    /// Short name: `hospital`, `clinic`, `other`, `pharmacy`, `insurer`.
    pub tag: &'static str,
    pub code: String,
    pub name: String,
    pub professional: String,
    pub professional_name: String,
    pub role: String,
    key: ClientKey,
}

impl Site {
    /// The system alone, writing records and opening visits.
    pub fn system(&self) -> Who {
        self.who("system", format!("the system of {}", self.name), Acting::system("RECORDMGT"))
    }

    /// The desk, for what the person says there.
    pub fn desk(&self) -> Who {
        self.who("desk", format!("the desk of {}", self.name), Acting::system("PATRQT"))
    }

    /// The professional, caring for one person.
    pub fn professional(&self, citizen: &Citizen) -> Who {
        let acting = Acting::professional("TREAT", &self.professional, &self.role).about(&citizen.patient);
        self.who(&self.role, format!("{} of {}", self.professional_name, self.name), acting)
    }

    fn who(&self, part: &str, said: String, acting: Acting) -> Who {
        Who { name: format!("{}-{part}", self.tag), said, sign: Sign::Client { key: self.key.clone(), acting } }
    }
}

/// A person who was born in this world.
#[derive(Clone)]
pub struct Citizen {
    /// Name for `kiroku demo --card`.
    pub name: String,
    /// As people call her or him.
    pub said: String,
    pub pid: Pid,
    /// Id of the Patient that the insurer registered.
    pub patient: String,
    pub index: u64,
    pub card: Card,
}

impl Citizen {
    /// The person, signed in with the own card.
    pub fn who(&self) -> Who {
        Who {
            name: self.name.clone(),
            said: format!("{}, with the own card", self.said),
            sign: Sign::Card(self.card.clone()),
        }
    }

    /// `Patient/<id>`.
    pub fn reference(&self) -> String {
        format!("Patient/{}", self.patient)
    }
}

/// All that the story is told about.
pub struct World {
    pub api: Api,
    pub population: Population,
    /// Where the bodies of requests are kept.
    pub folder: Option<PathBuf>,
    /// How this program is called in the commands that are shown.
    pub command: String,
    pub hospital: Site,
    pub clinic: Site,
    pub other: Site,
    pub pharmacy: Site,
    pub insurer: Site,
    /// Sends any records, and registers the persons that it meets: for `kiroku load --demo`.
    pub loader: ClientKey,
    /// Officials of the regulator.
    pub officials: [Who; 2],
    /// The first is the one of the story.
    pub citizens: Vec<Citizen>,
    pub(super) registry: Arc<Registry>,
}

impl World {
    /// Fills the registry of `node` and registers persons through its door.
    pub async fn build(node: &Node, folder: Option<PathBuf>) -> Result<Self> {
        let today = fhir::dates::instant(SystemClock.now());
        let today = today.get(..10).and_then(|day| day.parse().ok()).context("the clock gives a day")?;
        let population = Population::with_today(SEED, today);
        let mut events = Vec::new();
        let mut made = |tag, facility: &Facility, role| site(&population, (tag, role), facility, &mut events);
        let hospital = made("hospital", &population.hospital(0), "physician")?;
        let clinic = made("clinic", &population.clinic(0), "physician")?;
        let other = made("other", &population.clinic(1), "physician")?;
        let pharmacy = made("pharmacy", &population.pharmacy(0), "pharmacist")?;
        let insurer = insurer(&population, &mut events)?;
        let officials = regulator(&population, &mut events)?;
        let rights = ["persons.register", "records.write", "records.read"];
        let (loader, client) = ClientKey::generate("demo-load", &hospital.code, &rights, &hospital.professional)?;
        events.push(AuthorityEvent::Client(client));
        node.registry.append_all(events).await?;
        let mut world = Self {
            api: Api::new(&node.url),
            population,
            folder,
            command: "kiroku".to_owned(),
            hospital,
            clinic,
            other,
            pharmacy,
            insurer,
            loader,
            officials,
            citizens: Vec::new(),
            registry: node.registry.clone(),
        };
        let adults = (0..).filter(|&index| (30..70).contains(&population.person(index).age(population.today())));
        for (n, index) in adults.take(PERSONS).enumerate() {
            let citizen =
                world.bear(if n == 0 { "person".to_owned() } else { format!("person-{}", n + 1) }, index).await?;
            world.citizens.push(citizen);
        }
        Ok(world)
    }

    /// The person of the story.
    pub fn person(&self) -> &Citizen {
        &self.citizens[0]
    }

    /// Everybody who can get a token.
    pub fn everybody(&self) -> Vec<Who> {
        let mut all: Vec<Who> = self.citizens.iter().map(Citizen::who).collect();
        for site in [&self.hospital, &self.clinic, &self.other, &self.pharmacy] {
            all.extend([site.system(), site.desk(), site.professional(self.person())]);
        }
        all.push(self.insurer.system());
        all.extend(self.officials.iter().cloned());
        all
    }

    /// `POST /fhir/Patient` by the insurer, and a card for whoever was born.
    async fn bear(&self, name: String, index: u64) -> Result<Citizen> {
        let token = self.insurer.system().token(&self.api).await?;
        let person = self.population.person(index);
        let patient =
            loadtest::population::fhir::patient(&person, &self.population.hospital(0), self.population.today());
        let key = format!("birth of person {index}");
        let reply = self.api.post_until_decided(&token, "/fhir/Patient", &patient, &key).await?;
        ensure!(reply.status == 201, "a registration was answered with {}: {}", reply.status, reply.body);
        let patient = reply.location_id().context("a registered Patient has a Location")?;
        let pid = patient.parse::<ResourceId>()?.pid;
        let (card, public_key) = Card::generate(pid)?;
        self.registry.append(AuthorityEvent::Card { pid, public_key }).await?;
        Ok(Citizen { name, said: person.name(), pid, patient, index, card })
    }
}

fn organisation(id: &str, kind: &str, name: &str) -> AuthorityEvent {
    AuthorityEvent::Organisation(Organisation {
        id: id.into(),
        name: name.to_owned(),
        organisation_type: kind.to_owned(),
        group: String::new(),
        municipality: "13101".to_owned(),
        qualifications: Vec::new(),
        emergency_designated: false,
        status: Status::Active,
        custodian_of: Vec::new(),
        staff_count: 50,
    })
}

fn professional(id: &str, name: &str, (profession, licence): (&str, &str), at: &str) -> AuthorityEvent {
    AuthorityEvent::Professional(Professional {
        id: id.into(),
        name: name.to_owned(),
        profession: profession.to_owned(),
        licence: licence.to_owned(),
        roles: vec![(at.into(), profession.to_owned())],
        qualifications: Vec::new(),
        status: Status::Active,
        pid: None,
    })
}

fn site(
    population: &Population,
    (tag, role): (&'static str, &'static str),
    facility: &Facility,
    events: &mut Vec<AuthorityEvent>,
) -> Result<Site> {
    let signer = population.signer_of(facility);
    let id = format!("{role}-{}", signer.licence);
    events.push(organisation(&facility.code, facility.kind.as_str(), &facility.name));
    events.push(professional(&id, &signer.name(), (role, &signer.licence), &facility.code));
    let rights = ["records.write", "records.read", "visits"];
    let (key, client) = ClientKey::generate(&format!("{tag}-system"), &facility.code, &rights, &id)?;
    events.push(AuthorityEvent::Client(client));
    let (code, name) = (facility.code.clone(), facility.name.clone());
    Ok(Site { tag, code, name, professional: id, professional_name: signer.name(), role: role.to_owned(), key })
}

fn insurer(population: &Population, events: &mut Vec<AuthorityEvent>) -> Result<Site> {
    let insurer = population.insurer(0);
    let clerk = population.doctor(900);
    let id = "clerk-insurer".to_owned();
    events.push(organisation(&insurer.number, "insurer", &insurer.name));
    events.push(professional(&id, &clerk.name(), ("clerk", ""), &insurer.number));
    let rights = ["persons.register", "records.write"];
    let (key, client) = ClientKey::generate("insurer-system", &insurer.number, &rights, &id)?;
    events.push(AuthorityEvent::Client(client));
    let (code, name) = (insurer.number, insurer.name);
    Ok(Site {
        tag: "insurer",
        code,
        name,
        professional: id,
        professional_name: clerk.name(),
        role: "clerk".to_owned(),
        key,
    })
}

fn regulator(population: &Population, events: &mut Vec<AuthorityEvent>) -> Result<[Who; 2]> {
    events.push(organisation(REGULATOR, "regulator", "個人情報保護委員会"));
    let mut officials = Vec::new();
    for (id, index) in OFFICIALS.into_iter().zip([901, 902]) {
        let name = population.doctor(index).name();
        events.push(professional(id, &name, ("official", ""), REGULATOR));
        officials.push((id, name));
    }
    let (key, client) = ClientKey::generate("regulator-system", REGULATOR, &[], officials[0].0)?;
    events.push(AuthorityEvent::Client(client));
    let who = |(id, name): &(&str, String)| Who {
        name: (*id).to_owned(),
        said: format!("{name} of the regulator"),
        sign: Sign::Client { key: key.clone(), acting: Acting::professional("HCOMPL", id, "official") },
    };
    Ok([who(&officials[0]), who(&officials[1])])
}
