//! Inputs out of what a request established and what the person's state says; and a decision written into an entry.

use schemas::access::Access;
use schemas::asking::Asking;
use schemas::authority::Status;
use schemas::shelf::PersonState;
use schemas::vocab::Action;
use schemas::{Category, ItemKey, Pid, Purpose, ResourceId, ResourceType};

use crate::Decision;
use crate::facts::{Consent, ObjectionFact, VisitFact};
use crate::input::{
    Actor, ActorType, Assurance, Client, Input, Link, Mode, Organisation, Person, Proof, ProofIssuer, Stage, Wanted,
};

impl Input {
    /// An input that says who does what, and nothing of any person yet.
    pub fn bare(now: i64, stage: Stage, purpose: Purpose, action: Action, actor: Actor) -> Self {
        Self {
            now,
            request_id: String::new(),
            stage,
            purpose,
            action,
            bulk: false,
            mode: Mode::default(),
            actor,
            organisation: None,
            client: None,
            person: None,
            visit: None,
            order: None,
            reason: None,
            identification: None,
            tie: None,
            authority: None,
            device: None,
            consents: Vec::new(),
            consents_unreadable: false,
            objections: Vec::new(),
            counters: None,
            wanted: Wanted::default(),
            write: None,
        }
    }

    /// Who asks, with organisation and client. `subject`: the person that it is about, if one is known.
    pub fn of(asking: &Asking, stage: Stage, action: Action, subject: Option<Pid>) -> Self {
        Self {
            request_id: asking.request_id.clone(),
            mode: Mode { stale: asking.stale, ..Mode::default() },
            organisation: asking.organisation.as_deref().map(Organisation::from),
            client: Some(Client::of(asking)),
            ..Self::bare(asking.now, stage, asking.purpose, action, Actor::of(asking, subject))
        }
    }

    /// With all that the person's state says: link, visit at the asker's organisation, consents that can matter, objections.
    #[must_use]
    pub fn about(mut self, asking: &Asking, state: &PersonState) -> Self {
        let organisation = (!asking.is_person).then_some(&asking.organisation_id);
        let consents = state.consents.iter().filter(|c| Consent::can_matter(&c.artefact, organisation, asking.now));
        self.consents = consents.map(|c| Consent::of(state.pid, c)).collect();
        self.visit = state.visits.iter().rev().find(|v| v.facility == asking.organisation_id).map(VisitFact::from);
        self.objections = state.objections.iter().map(ObjectionFact::from).collect();
        self.person = Some(Person {
            birth_date: Some(state.birth_date.clone()),
            link: Some(Link { state: state.link, kind: state.link_kind.clone() }),
            switch: Some(state.emergency_switch.clone()),
            ..Person::unknown(state.pid)
        });
        self
    }
}

impl Person {
    /// A person of whom nothing but the id is known (at the door).
    pub fn unknown(pid: Pid) -> Self {
        Self { pid, birth_date: None, link: None, protection: None, switch: None }
    }
}

impl Actor {
    /// An actor without proof or profession: what a record says of its author at log time.
    pub fn plain(id: String, actor_type: ActorType, is_subject: bool) -> Self {
        Self {
            id,
            actor_type,
            profession: None,
            role: None,
            qualifications: Vec::new(),
            status: None,
            is_subject,
            kin_or_colleague: false,
            delegate_of: None,
            proof: None,
        }
    }

    /// The human or system that asks.
    pub fn of(asking: &Asking, subject: Option<Pid>) -> Self {
        let professional = asking.professional.as_deref();
        let (id, actor_type) = match professional {
            _ if asking.is_person => (asking.person.map(|p| p.to_string()).unwrap_or_default(), ActorType::Person),
            Some(p) if p.profession == "official" => (p.id.to_string(), ActorType::Official),
            Some(p) => (p.id.to_string(), ActorType::Professional),
            None => (asking.client_id.to_string(), ActorType::System),
        };
        let (issuer, assurance) = match asking.by_card {
            true => (ProofIssuer::National, Assurance::Certificate),
            false => (ProofIssuer::Facility, Assurance::OneFactor),
        };
        let own = |pid: Pid| asking.is_person && asking.person == Some(pid);
        let is_subject = subject.is_some_and(|pid| own(pid) || professional.is_some_and(|p| p.pid == Some(pid)));
        Self {
            profession: professional.map(|p| p.profession.clone()),
            role: professional.map(|_| asking.role.clone()),
            qualifications: professional.map_or_else(Vec::new, |p| p.qualifications.clone()),
            status: professional.map(|p| p.status),
            delegate_of: asking.delegate_of.clone(),
            proof: Some(Proof { issuer, assurance, authenticated_at: asking.authenticated_at }),
            ..Self::plain(id, actor_type, is_subject)
        }
    }
}

impl Client {
    /// The client of the registry; for a person the card sign-in, which the token's own proof stands for.
    pub fn of(asking: &Asking) -> Self {
        match asking.client.as_deref() {
            Some(client) => Self {
                id: client.id.clone(),
                organisation: client.organisation.clone(),
                binding_proven: true,
                status: client.status,
                rights: client.rights.clone(),
                agent_of: client.agent_of.clone(),
            },
            None => Self {
                id: asking.client_id.clone(),
                organisation: asking.organisation_id.clone(),
                binding_proven: asking.is_person,
                status: Status::Active,
                rights: Vec::new(),
                agent_of: Vec::new(),
            },
        }
    }
}

impl From<&schemas::authority::Organisation> for Organisation {
    fn from(organisation: &schemas::authority::Organisation) -> Self {
        Self {
            id: organisation.id.clone(),
            organisation_type: organisation.organisation_type.clone(),
            qualifications: organisation.qualifications.clone(),
            emergency_designated: organisation.emergency_designated,
            municipality: organisation.municipality.clone(),
            status: organisation.status,
            custodian_of: organisation.custodian_of.clone(),
        }
    }
}

impl Wanted {
    /// The categories of a write, each once.
    pub fn categories(found: impl Iterator<Item = Category>) -> Self {
        let mut categories: Vec<Category> = found.collect();
        categories.sort_unstable();
        categories.dedup();
        Self { categories, ..Self::default() }
    }
}

impl Decision {
    /// Writes rules, consent, obligations, revision, input hash and reason into an access entry.
    pub fn explain(&self, access: &mut Access) {
        access.rules.clone_from(&self.rules);
        access.reason.clone_from(&self.reason);
        access.obligations = self.obligations.iter().map(|o| format!("{o:?}").to_uppercase()).collect();
        access.policy_revision = self.policy_revision.to_string();
        access.input_hash = self.input_hash;
        access.consent = self.consent.as_ref().and_then(|basis| {
            let id: ResourceId = basis.id.strip_prefix("Consent/")?.parse().ok()?;
            let item = ItemKey { resource_type: ResourceType::Consent, local: id.local };
            Some((item, basis.version, basis.given_at))
        });
    }
}
