//! A small world: one hospital, one physician, one clerk, one client system.

use std::sync::Arc;

use chassis::auth::client::{self, ClientAssertion};
use chassis::auth::jwks::{HttpFetcher, JwksFetcher};
use chassis::auth::tokens::{ASSERTION_TYPE, TokenForm, TokenResponse, TokenService};
use chassis::auth::verify::Verifier;
use chassis::auth::{Alg, AuthError, Caller, Mint, Standing, TokenError};
use chassis::clock::{Clock, ManualClock};
use chassis::registry::Registry;
use chassis::twins::{MemoryGenerations, MemoryKeys, MemoryLog, MemoryStore};
use schemas::authority::{AuthorityEvent, Client, Organisation, Professional, Status};
use serde_json::Value;

pub(crate) const ISSUER: &str = "https://kiroku.example";
pub(crate) const ENDPOINT: &str = "https://kiroku.example/auth/token";
pub(crate) const HOSPITAL: &str = "1310000001";
pub(crate) const CLIENT: &str = "his-1";
pub(crate) const SCOPES: &str = "system/*.cruds user/*.rs patient/*.rs";

pub(crate) struct World {
    pub(crate) clock: ManualClock,
    pub(crate) log: Arc<MemoryLog>,
    pub(crate) tables: MemoryGenerations,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) keys: Arc<MemoryKeys>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) mint: Arc<Mint>,
    pub(crate) tokens: TokenService,
    pub(crate) verifier: Verifier,
    /// The client's private key.
    pub(crate) key: String,
    pub(crate) jwks: String,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(Arc::new(HttpFetcher::new())).await
    }

    pub(crate) async fn with(fetcher: Arc<dyn JwksFetcher>) -> Self {
        let clock = ManualClock::at(1_800_000_000_000);
        let shared: Arc<dyn Clock> = Arc::new(clock.clone());
        let log = Arc::new(MemoryLog::new(4, shared.clone()));
        let tables = MemoryGenerations::new();
        let store = tables.open_memory(1);
        let keys = Arc::new(MemoryKeys::new(shared.clone()));
        let registry = Registry::open(log.clone(), keys.clone(), shared.clone()).await.unwrap();
        let mint = Mint::open(keys.as_ref(), shared, ISSUER).await.unwrap();
        let tokens = TokenService::with_mint(registry.clone(), store.clone(), mint.clone(), fetcher);
        let verifier = Verifier::new(mint.clone());
        let (key, jwks) = client::generate_key(Alg::Es384).unwrap();
        let world = Self { clock, log, tables, store, keys, registry, mint, tokens, verifier, key, jwks };
        let events = vec![
            AuthorityEvent::Organisation(hospital()),
            AuthorityEvent::Professional(physician()),
            AuthorityEvent::Professional(clerk()),
            AuthorityEvent::Client(world.client()),
        ];
        world.registry.append_all(events).await.unwrap();
        world
    }

    pub(crate) fn client(&self) -> Client {
        Client {
            id: CLIENT.into(),
            name: "Hospital information system".into(),
            organisation: HOSPITAL.into(),
            jwks: self.jwks.clone(),
            jwks_url: String::new(),
            rights: vec!["records.read".into()],
            scopes: SCOPES.split(' ').map(str::to_owned).collect(),
            status: Status::Active,
            certificate_sha256: String::new(),
            responsible: "dr-1".into(),
            agent_of: Vec::new(),
        }
    }

    pub(crate) async fn register(&self, event: AuthorityEvent) {
        self.registry.append(event).await.unwrap();
    }

    /// A good assertion of the physician.
    pub(crate) fn assertion(&self) -> ClientAssertion {
        ClientAssertion {
            private_key: self.key.clone(),
            client_id: CLIENT.into(),
            audience: ENDPOINT.into(),
            now: self.clock.now(),
            purpose: "TREAT".into(),
            practitioner: Some(("dr-1".into(), "Ito Hanako".into())),
            role: "physician".into(),
            organisation: HOSPITAL.into(),
            ..ClientAssertion::default()
        }
    }

    pub(crate) async fn ask(&self, it: &ClientAssertion) -> Result<TokenResponse, TokenError> {
        self.tokens.issue(&form(client::assertion(it).unwrap()), None).await
    }

    /// Asks with the claims of a good assertion after `change`.
    pub(crate) async fn ask_changed(&self, change: impl FnOnce(&mut Value)) -> Result<TokenResponse, TokenError> {
        let mut claims = self.assertion().claims();
        change(&mut claims);
        self.tokens.issue(&form(client::sign(&self.key, &claims).unwrap()), None).await
    }

    pub(crate) async fn token(&self) -> String {
        self.ask(&self.assertion()).await.unwrap().access_token
    }

    /// What a request does: read the token, then ask the registry.
    pub(crate) fn request(&self, token: &str) -> Result<(Arc<Caller>, Standing), AuthError> {
        let caller = self.verifier.verify(token, None)?;
        let standing = caller.check_registry(&self.registry.state())?;
        Ok((caller, standing))
    }
}

pub(crate) fn form(assertion: String) -> TokenForm {
    TokenForm {
        grant_type: "client_credentials".into(),
        client_assertion_type: ASSERTION_TYPE.into(),
        client_assertion: assertion,
        scope: "system/*.rs".into(),
    }
}

pub(crate) fn hospital() -> Organisation {
    Organisation {
        id: HOSPITAL.into(),
        name: "Chuo Hospital".into(),
        organisation_type: "hospital".into(),
        group: String::new(),
        municipality: "131016".into(),
        qualifications: Vec::new(),
        emergency_designated: true,
        status: Status::Active,
        custodian_of: Vec::new(),
        staff_count: 300,
    }
}

fn professional(id: &str, name: &str, role: &str) -> Professional {
    Professional {
        id: id.into(),
        name: name.into(),
        profession: role.into(),
        licence: String::new(),
        roles: vec![(HOSPITAL.into(), role.into())],
        qualifications: Vec::new(),
        status: Status::Active,
        pid: None,
    }
}

pub(crate) fn physician() -> Professional {
    professional("dr-1", "Ito Hanako", "physician")
}

pub(crate) fn clerk() -> Professional {
    professional("cl-1", "Sato Ken", "clerk")
}
