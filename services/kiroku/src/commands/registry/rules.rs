//! What an entry of the registry must fulfil before it is appended: ids that exist, keys that read, cases that R43 allows.

use std::collections::{HashMap, HashSet};

use anyhow::{Result, bail, ensure};
use chassis::registry::{RegistryState, card_id};
use schemas::authority::{AuthorityEvent, Case, Client, Professional, Status};
use schemas::{OrganisationId, PractitionerId};

/// R43: a case lasts at most 30 days.
const CASE_MS_MAX: i64 = 30 * 24 * 3600 * 1000;

/// The registry as it will be after the events before the one that is checked.
struct Known<'a> {
    state: &'a RegistryState,
    organisations: HashSet<&'a OrganisationId>,
    professionals: HashMap<&'a PractitionerId, &'a Professional>,
}

/// Checks events in order; later ones may rest on earlier ones.
pub(super) fn check_all(state: &RegistryState, events: &[AuthorityEvent]) -> Result<()> {
    let mut known = Known { state, organisations: HashSet::new(), professionals: HashMap::new() };
    for event in events {
        known.check(event)?;
        match event {
            AuthorityEvent::Organisation(it) => drop(known.organisations.insert(&it.id)),
            AuthorityEvent::Professional(it) => drop(known.professionals.insert(&it.id, it)),
            _ => {}
        }
    }
    Ok(())
}

/// Checks one event against a registry.
///
/// # Errors
/// A sentence that names the entry and what it lacks.
pub fn check_event(state: &RegistryState, event: &AuthorityEvent) -> Result<()> {
    check_all(state, std::slice::from_ref(event))
}

/// `organisation 1310000001`, for people.
pub(super) fn name_of(event: &AuthorityEvent) -> String {
    match event {
        AuthorityEvent::Heartbeat => "heartbeat".to_owned(),
        AuthorityEvent::Organisation(it) => format!("organisation {} ({})", it.id, it.status),
        AuthorityEvent::Professional(it) => format!("professional {} ({})", it.id, it.status),
        AuthorityEvent::Client(it) => format!("client {} ({})", it.id, it.status),
        AuthorityEvent::Case(it) => format!("case {} ({})", it.id, it.status),
        AuthorityEvent::PolicyRevision { revision, .. } => format!("policy revision {revision}"),
        AuthorityEvent::Card { pid, public_key } if public_key.is_empty() => format!("card of {pid} removed"),
        AuthorityEvent::Card { pid, .. } => format!("card of {pid}"),
    }
}

impl Known<'_> {
    fn check(&self, event: &AuthorityEvent) -> Result<()> {
        let name = name_of(event);
        match event {
            AuthorityEvent::Organisation(it) => {
                ensure!(!it.id.0.is_empty() && !it.organisation_type.is_empty(), "{name}: needs an id and a type");
                it.custodian_of.iter().try_for_each(|id| self.need_organisation(&name, id))
            }
            AuthorityEvent::Professional(it) => self.check_professional(&name, it),
            AuthorityEvent::Client(it) => self.check_client(&name, it),
            AuthorityEvent::Case(it) => self.check_case(&name, it),
            AuthorityEvent::Card { public_key, .. } => {
                ensure!(
                    public_key.is_empty() || card_id(public_key).is_some(),
                    "{name}: the public key is no PEM of a SubjectPublicKeyInfo"
                );
                Ok(())
            }
            AuthorityEvent::Heartbeat | AuthorityEvent::PolicyRevision { .. } => Ok(()),
        }
    }

    fn need_organisation(&self, name: &str, id: &OrganisationId) -> Result<()> {
        let known = self.organisations.contains(id) || self.state.organisation(id).is_some();
        ensure!(known, "{name}: organisation `{id}` is not registered; add it first");
        Ok(())
    }

    fn check_professional(&self, name: &str, it: &Professional) -> Result<()> {
        ensure!(!it.id.0.is_empty() && !it.profession.is_empty(), "{name}: needs an id and a profession");
        it.roles.iter().try_for_each(|(organisation, _)| self.need_organisation(name, organisation))
    }

    fn check_client(&self, name: &str, it: &Client) -> Result<()> {
        ensure!(!it.id.0.is_empty(), "{name}: needs an id");
        self.need_organisation(name, &it.organisation)?;
        it.agent_of.iter().try_for_each(|id| self.need_organisation(name, id))?;
        match (it.jwks.is_empty(), it.jwks_url.is_empty()) {
            (true, true) => bail!("{name}: needs a key set (jwks) or its address (jwks_url)"),
            (false, false) => bail!("{name}: takes a key set or its address, not both"),
            (true, false) => {
                ensure!(is_safe(&it.jwks_url), "{name}: jwks_url must begin with https:// (or be on this machine)")
            }
            (false, true) => check_jwks(name, &it.jwks)?,
        }
        Ok(())
    }

    fn check_case(&self, name: &str, it: &Case) -> Result<()> {
        if it.status != Status::Active {
            return Ok(());
        }
        let [first, second] = &it.officials;
        ensure!(first != second, "{name}: the two officials must be different people");
        for official in &it.officials {
            let here = self.professionals.get(official).copied();
            match here.or_else(|| self.state.professional(official).map(|p| &**p)) {
                None => bail!("{name}: official `{official}` is not registered; add the professional first"),
                Some(it) if it.profession != "official" => bail!("{name}: `{official}` is no official"),
                Some(it) if it.status != Status::Active => bail!("{name}: official `{official}` is {}", it.status),
                Some(_) => {}
            }
        }
        ensure!(!it.persons.is_empty() || !it.organisations.is_empty(), "{name}: names no person and no organisation");
        ensure!(it.until > it.opened_at, "{name}: it would end before it begins");
        ensure!(it.until - it.opened_at <= CASE_MS_MAX, "{name}: it may last at most 30 days (R43)");
        it.organisations.iter().try_for_each(|id| self.need_organisation(name, id))
    }
}

/// What `chassis` fetches: https, or http from this machine.
fn is_safe(url: &str) -> bool {
    ["https://", "http://127.0.0.1", "http://[::1]", "http://localhost"].iter().any(|start| url.starts_with(start))
}

/// Public keys only: a private one in the registry would be everybody's.
fn check_jwks(name: &str, text: &str) -> Result<()> {
    let parsed: Option<serde_json::Value> = serde_json::from_str(text).ok();
    let keys = parsed.as_ref().and_then(|set| set["keys"].as_array()).map_or(&[][..], Vec::as_slice);
    ensure!(!keys.is_empty(), "{name}: the key set holds no `keys`");
    ensure!(
        keys.iter().all(|key| key.get("d").is_none()),
        "{name}: the key set holds a private key; give the public half only"
    );
    Ok(())
}
