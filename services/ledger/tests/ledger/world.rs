//! Two persons with cards, a hospital with a physician, a regulator with two officials; the role runs over the twins.

use std::sync::{Arc, LazyLock};

use actix_web::dev::ServiceResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::HeaderMap;
use actix_web::{App, test, web};
use chassis::auth::client::{self, ClientAssertion};
use chassis::auth::person::{PersonSignIn, SignIn};
use chassis::auth::tokens::{ASSERTION_TYPE, TokenForm, TokenService};
use chassis::auth::verify::Verifier;
use chassis::auth::{Alg, Mint, jwks::HttpFetcher};
use chassis::clock::{Clock, ManualClock};
use chassis::ledger::{Ledger, LocalLedger};
use chassis::ports::keys::{Job, Keys, Ticket};
use chassis::ports::store::{Batch, Row, Store, Table};
use chassis::registry::Registry;
use chassis::session::Gate;
use chassis::twins::{MemoryKeys, MemoryLog, MemoryStore};
use ledger::{Deps, Handle, ListDeps};
use policies::{Bundle, Policies};
use schemas::access::{Access, AccessOutcome, ActorName};
use schemas::authority::{AuthorityEvent, Case, Client, Organisation, Professional, Status};
use schemas::header::Bucket;
use schemas::shelf::{PersonState, Visit};
use schemas::vocab::{AccessKind, LinkState};
use schemas::{Category, EntryId, Pid, Purpose};
use serde_json::Value;

pub(crate) const ISSUER: &str = "https://kiroku.example";
pub(crate) const HOSPITAL: &str = "1310000001";
pub(crate) const REGULATOR: &str = "9990000009";
/// 3 July 2026 14:12 in Japan.
pub(crate) const NOW: i64 = 1_783_055_520_000;
pub(crate) const DAY: i64 = 86_400_000;

/// Compiled once for all tests.
static POLICIES: LazyLock<Arc<Policies>> =
    LazyLock::new(|| Arc::new(Policies::new(Bundle::embedded().unwrap()).unwrap()));

pub(crate) struct World {
    pub(crate) clock: ManualClock,
    pub(crate) log: Arc<MemoryLog>,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) keys: Arc<MemoryKeys>,
    pub(crate) ledger: Arc<LocalLedger>,
    pub(crate) registry: Arc<Registry>,
    mint: Arc<Mint>,
    tokens: TokenService,
    key: String,
    pub(crate) handle: Handle,
}

/// Somebody with a card.
pub(crate) struct Citizen {
    pub(crate) pid: Pid,
    card: String,
}

pub(crate) struct Said {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Said {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e}: {}", self.text))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default()
    }

    /// The named member of all entries of a plain list.
    pub(crate) fn column(&self, name: &str) -> Vec<Value> {
        self.json()["entries"].as_array().unwrap().iter().map(|e| e[name].clone()).collect()
    }
}

pub(crate) fn official(id: &str, status: Status) -> Professional {
    professional(id, REGULATOR, "official", status)
}

fn professional(id: &str, at: &str, profession: &str, status: Status) -> Professional {
    Professional {
        id: id.into(),
        name: format!("Name of {id}"),
        profession: profession.into(),
        licence: String::new(),
        roles: vec![(at.into(), profession.into())],
        qualifications: Vec::new(),
        status,
        pid: None,
    }
}

fn organisation(id: &str, name: &str, organisation_type: &str) -> Organisation {
    Organisation {
        id: id.into(),
        name: name.into(),
        organisation_type: organisation_type.into(),
        group: String::new(),
        municipality: "131016".into(),
        qualifications: Vec::new(),
        emergency_designated: false,
        status: Status::Active,
        custodian_of: Vec::new(),
        staff_count: 300,
    }
}

fn system(id: &str, organisation: &str, jwks: &str) -> Client {
    Client {
        id: id.into(),
        name: format!("System {id}"),
        organisation: organisation.into(),
        jwks: jwks.into(),
        jwks_url: String::new(),
        rights: Vec::new(),
        scopes: vec!["system/*.rs".into(), "user/*.rs".into()],
        status: Status::Active,
        certificate_sha256: String::new(),
        responsible: "dr-1".into(),
        agent_of: Vec::new(),
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        let clock = ManualClock::at(NOW);
        let shared: Arc<dyn Clock> = Arc::new(clock.clone());
        let log = Arc::new(MemoryLog::new(3, shared.clone()));
        let store = Arc::new(MemoryStore::new());
        let keys = Arc::new(MemoryKeys::new(shared.clone()));
        let registry = Registry::open(log.clone(), keys.clone(), shared.clone()).await.unwrap();
        let mint = Mint::open(keys.as_ref(), shared.clone(), ISSUER).await.unwrap();
        let tokens =
            TokenService::with_mint(registry.clone(), store.clone(), mint.clone(), Arc::new(HttpFetcher::new()));
        let (key, jwks) = client::generate_key(Alg::Es384).unwrap();
        let events = vec![
            AuthorityEvent::Heartbeat,
            AuthorityEvent::Organisation(organisation(HOSPITAL, "Central Hospital", "hospital")),
            AuthorityEvent::Organisation(organisation(REGULATOR, "The Regulator", "regulator")),
            AuthorityEvent::Professional(professional("dr-1", HOSPITAL, "physician", Status::Active)),
            AuthorityEvent::Professional(official("off-1", Status::Active)),
            AuthorityEvent::Professional(official("off-2", Status::Active)),
            AuthorityEvent::Professional(official("off-3", Status::Active)),
            AuthorityEvent::Client(system("his", HOSPITAL, &jwks)),
            AuthorityEvent::Client(system("reg", REGULATOR, &jwks)),
        ];
        registry.append_all(events).await.unwrap();
        let ledger = Arc::new(LocalLedger::new(log.clone(), keys.clone()).await.unwrap());
        let gate = Gate::new(Verifier::new(mint.clone()), registry.clone(), shared.clone(), 0);
        let deps = Deps {
            log: log.clone(),
            store: store.clone(),
            keys: keys.clone(),
            ledger: ledger.clone(),
            policies: POLICIES.clone(),
            gate: Arc::new(gate),
            clock: shared,
            numbers: true,
            base_url: "https://kiroku.example/fhir".into(),
        };
        let handle = ledger::start(deps).await.unwrap();
        Self { clock, log, store, keys, ledger, registry, mint, tokens, key, handle }
    }

    pub(crate) fn list_deps(&self) -> ListDeps {
        ListDeps { log: self.log.clone(), keys: self.keys.clone() }
    }

    /// A person with keys, a state row and a card.
    pub(crate) async fn citizen(&self) -> Citizen {
        let pid = Pid::random();
        self.keys.create_person(pid).await.unwrap();
        self.put_state(pid, LinkState::Ok, Vec::new(), 0).await;
        let (card, public_key) = client::generate_card().unwrap();
        self.registry.append(AuthorityEvent::Card { pid, public_key }).await.unwrap();
        Citizen { pid, card }
    }

    pub(crate) async fn put_state(&self, pid: Pid, link: LinkState, visits: Vec<Visit>, position: u64) {
        let state = PersonState {
            pid,
            position,
            clock: NOW,
            link,
            link_kind: String::new(),
            birth_date: "1980-02-03".into(),
            consents: Vec::new(),
            visits,
            objections: Vec::new(),
            emergency_switch: "normal".into(),
            checks_cancelled: Vec::new(),
            submissions: 0,
        };
        let key = self.keys.record_key(pid, Bucket::Long).await.unwrap();
        let secret = key.header_key(&Ticket::for_job(Job::Project));
        let value = chassis::shelf::seal_state(&secret, &state);
        let row = Row { table: Table::State, partition: pid.0.to_vec().into(), key: Vec::new().into(), value };
        let batch = Batch { subject: pid.0.to_vec().into(), stream: "person", position, rows: vec![row] };
        assert_eq!(self.store.apply(vec![batch]).await.unwrap(), [true]);
    }

    pub(crate) async fn sign_in(&self, citizen: &Citizen) -> String {
        let desk = PersonSignIn::new(self.registry.clone(), self.store.clone(), self.mint.clone());
        let subject = citizen.pid.to_string();
        let nonce = desk.challenge(&subject).nonce;
        let signature = client::sign_challenge(&citizen.card, ISSUER, &nonce).unwrap();
        desk.sign_in(&SignIn { subject, nonce, signature }, None).await.unwrap().access_token
    }

    pub(crate) async fn token(&self, client_id: &str, practitioner: &str, role: &str, purpose: &str) -> String {
        let organisation = if client_id == "reg" { REGULATOR } else { HOSPITAL };
        let it = ClientAssertion {
            private_key: self.key.clone(),
            client_id: client_id.into(),
            audience: format!("{ISSUER}/auth/token"),
            now: self.clock.now(),
            purpose: purpose.into(),
            practitioner: Some((practitioner.into(), "Any".into())),
            role: role.into(),
            organisation: organisation.into(),
            ..ClientAssertion::default()
        };
        let form = TokenForm {
            grant_type: "client_credentials".into(),
            client_assertion_type: ASSERTION_TYPE.into(),
            client_assertion: client::assertion(&it).unwrap(),
            scope: "user/*.rs".into(),
        };
        self.tokens.issue(&form, None).await.unwrap().access_token
    }

    pub(crate) async fn official(&self, id: &str) -> String {
        self.token("reg", id, "official", "HCOMPL").await
    }

    pub(crate) async fn open_case(&self, id: &str, change: impl FnOnce(&mut Case)) {
        let mut case = Case {
            id: id.into(),
            kind: "complaint".into(),
            officials: ["off-1".into(), "off-2".into()],
            persons: Vec::new(),
            organisations: Vec::new(),
            opened_at: NOW - DAY,
            until: NOW + DAY,
            status: Status::Active,
        };
        change(&mut case);
        self.registry.append(AuthorityEvent::Case(case)).await.unwrap();
    }

    /// One request through the role's routes.
    pub(crate) async fn get(&self, token: &str, path: &str) -> Said {
        self.ask(token, path, &[]).await
    }

    pub(crate) async fn ask(&self, token: &str, path: &str, headers: &[(&str, &str)]) -> Said {
        let app = App::new().app_data(web::Data::from(self.handle.role())).configure(ledger::configure);
        let app = test::init_service(app).await;
        let mut request =
            test::TestRequest::get().uri(path).insert_header(("authorization", format!("Bearer {token}")));
        for header in headers {
            request = request.insert_header(*header);
        }
        let response: ServiceResponse = test::call_service(&app, request.to_request()).await;
        let (status, headers) = (response.status(), response.headers().clone());
        let text = String::from_utf8(test::read_body(response).await.to_vec()).unwrap();
        Said { status, headers, text }
    }

    pub(crate) async fn append(&self, access: Access) -> EntryId {
        let id = access.id;
        self.ledger.append(access).await.unwrap();
        id
    }
}

/// A successful read of medicines by a physician.
pub(crate) fn access(person: Pid) -> Access {
    let mut closed_items = [0; 32];
    openssl::rand::rand_bytes(&mut closed_items).unwrap();
    Access {
        id: EntryId::random(),
        person: Some(person),
        released_at: NOW,
        kind: AccessKind::Read,
        actor: Some(ActorName {
            id: "dr-1".into(),
            name: "Hanako Sato".into(),
            profession: "physician".into(),
            licence: "L-1".into(),
        }),
        on_behalf_of: None,
        organisation: HOSPITAL.into(),
        organisation_name: "Central Hospital".into(),
        organisation_type: "hospital".into(),
        organisation_group: "Tokyo Group".into(),
        processor: "his".into(),
        processor_name: "System his".into(),
        purpose: Purpose::Treat,
        rules: vec!["R10".into()],
        consent: None,
        terms: String::new(),
        categories: vec![Category::Med],
        items: Vec::new(),
        closed_items,
        count: 12,
        query: "MedicationRequest?status=active".into(),
        outcome: AccessOutcome::Success,
        reason: "ok".into(),
        obligations: vec!["LOG".into()],
        policy_revision: "1".into(),
        input_hash: [7; 32],
        assurance: "facility".into(),
        token_id: "t".into(),
        certificate: String::new(),
        request_id: "req-1".into(),
        trace_id: "0".repeat(32),
        batch: None,
        subject: String::new(),
    }
}
