//! The registry as it stands after the newest event: what authorises.

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use schemas::authority::{AuthorityEvent, Case, Client, Organisation, Professional};
use schemas::{ClientId, OrganisationId, Pid, PractitionerId};

use crate::auth::scopes::Scopes;

/// Without a heartbeat for longer than this the state counts as old (mode `stale`, access-rules.md "When parts fail").
pub const STALE_AFTER_MS: i64 = 60_000;

/// A card as registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// SubjectPublicKeyInfo in PEM.
    pub public_key: String,
    /// SHA-256 of the DER form in hex: the card's id.
    pub id: String,
}

/// A client with its registered scopes, parsed once.
#[derive(Debug)]
pub(crate) struct RegisteredClient {
    pub(crate) client: Arc<Client>,
    pub(crate) scopes: Arc<Scopes>,
}

/// One state of the registry. Never changes; the next event makes the next state, which shares what did not change.
#[derive(Debug, Clone)]
pub struct RegistryState {
    organisations: Arc<HashMap<OrganisationId, Arc<Organisation>>>,
    professionals: Arc<HashMap<PractitionerId, Arc<Professional>>>,
    clients: Arc<HashMap<ClientId, Arc<RegisteredClient>>>,
    cases: Arc<HashMap<String, Arc<Case>>>,
    cards: Arc<HashMap<Pid, Arc<Card>>>,
    card_holders: Arc<HashMap<String, Pid>>,
    policy: Option<(u64, String)>,
    position: u64,
    next_offset: u64,
    last_heartbeat: i64,
    broken: bool,
}

impl Default for RegistryState {
    fn default() -> Self {
        Self {
            organisations: Arc::default(),
            professionals: Arc::default(),
            clients: Arc::default(),
            cases: Arc::default(),
            cards: Arc::default(),
            card_holders: Arc::default(),
            policy: None,
            position: 0,
            next_offset: 0,
            last_heartbeat: i64::MIN,
            broken: false,
        }
    }
}

impl RegistryState {
    pub fn organisation(&self, id: &OrganisationId) -> Option<&Arc<Organisation>> {
        self.organisations.get(id)
    }

    pub fn professional(&self, id: &PractitionerId) -> Option<&Arc<Professional>> {
        self.professionals.get(id)
    }

    pub fn client(&self, id: &ClientId) -> Option<&Arc<Client>> {
        self.clients.get(id).map(|c| &c.client)
    }

    /// The scopes that the client is registered for.
    pub fn client_scopes(&self, id: &ClientId) -> Option<&Arc<Scopes>> {
        self.clients.get(id).map(|c| &c.scopes)
    }

    pub fn case(&self, id: &str) -> Option<&Arc<Case>> {
        self.cases.get(id)
    }

    pub fn card(&self, pid: Pid) -> Option<&Arc<Card>> {
        self.cards.get(&pid)
    }

    /// Whose card has this id (hex).
    pub fn card_holder(&self, card_id: &str) -> Option<Pid> {
        self.card_holders.get(card_id).copied()
    }

    /// Revision and SHA-256 (hex) of the policy that is in force; `None` before the first.
    pub fn policy(&self) -> Option<(u64, &str)> {
        self.policy.as_ref().map(|(revision, hash)| (*revision, hash.as_str()))
    }

    /// Revision for decision caches: grows with each event that changes what is authorised, not with heartbeats.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// First offset of topic `authority` that this state does not contain.
    pub fn next_offset(&self) -> u64 {
        self.next_offset
    }

    /// Log time of the newest heartbeat, milliseconds since 1970; `i64::MIN` before the first.
    pub fn last_heartbeat(&self) -> i64 {
        self.last_heartbeat
    }

    /// No heartbeat for more than 60 s, or the topic could not be read further: rules of mode `stale` hold.
    pub fn is_stale(&self, now: i64) -> bool {
        self.broken || now.saturating_sub(self.last_heartbeat) > STALE_AFTER_MS
    }

    pub fn organisations(&self) -> impl Iterator<Item = &Arc<Organisation>> {
        self.organisations.values()
    }

    pub fn professionals(&self) -> impl Iterator<Item = &Arc<Professional>> {
        self.professionals.values()
    }

    pub fn clients(&self) -> impl Iterator<Item = &Arc<Client>> {
        self.clients.values().map(|c| &c.client)
    }

    pub fn cases(&self) -> impl Iterator<Item = &Arc<Case>> {
        self.cases.values()
    }

    pub(crate) fn break_off(&mut self) {
        self.broken = true;
    }

    /// Folds one event in. A map is copied at most once between two published states (`Arc::make_mut`), so a batch of events
    /// costs one copy of each map that it touches.
    pub(crate) fn apply(&mut self, event: AuthorityEvent, offset: u64, time: i64) {
        self.next_offset = offset + 1;
        if event == AuthorityEvent::Heartbeat {
            self.last_heartbeat = time;
            return;
        }
        self.position = offset + 1;
        match event {
            AuthorityEvent::Heartbeat => {}
            AuthorityEvent::Organisation(it) => {
                Arc::make_mut(&mut self.organisations).insert(it.id.clone(), Arc::new(it));
            }
            AuthorityEvent::Professional(it) => {
                Arc::make_mut(&mut self.professionals).insert(it.id.clone(), Arc::new(it));
            }
            AuthorityEvent::Client(it) => {
                let scopes = Arc::new(Scopes::parse_lenient(&it.scopes.join(" ")));
                let id = it.id.clone();
                let registered = RegisteredClient { client: Arc::new(it), scopes };
                Arc::make_mut(&mut self.clients).insert(id, Arc::new(registered));
            }
            AuthorityEvent::Case(it) => {
                Arc::make_mut(&mut self.cases).insert(it.id.clone(), Arc::new(it));
            }
            AuthorityEvent::PolicyRevision { revision, sha256 } => self.policy = Some((revision, sha256)),
            AuthorityEvent::Card { pid, public_key } => self.put_card(pid, public_key),
        }
    }

    /// A key that does not read (also an empty one) takes the person's card away.
    fn put_card(&mut self, pid: Pid, public_key: String) {
        let cards = Arc::make_mut(&mut self.cards);
        let holders = Arc::make_mut(&mut self.card_holders);
        if let Some(old) = cards.remove(&pid)
            && holders.get(&old.id) == Some(&pid)
        {
            holders.remove(&old.id);
        }
        if let Some(id) = card_id(&public_key) {
            // A key has one holder: registered for another person, it leaves the first.
            if let Some(previous) = holders.insert(id.clone(), pid) {
                cards.remove(&previous);
            }
            cards.insert(pid, Arc::new(Card { public_key, id }));
        }
    }
}

/// Id of a card: SHA-256 (hex) of its SubjectPublicKeyInfo in DER. `None` if the text is not PEM of a public key.
pub fn card_id(public_key_pem: &str) -> Option<String> {
    let (_, rest) = public_key_pem.split_once("-----BEGIN PUBLIC KEY-----")?;
    let (body, _) = rest.split_once("-----END PUBLIC KEY-----")?;
    let der = STANDARD.decode(body.split_ascii_whitespace().collect::<String>()).ok()?;
    Some(crate::auth::hex(&openssl::sha::sha256(&der)))
}
