//! The one decision of a request: input from session, registry and state; remembered while all it hangs on is the same.

use std::sync::Arc;

use chassis::auth::Assurance as Proven;
use chassis::session::Session;
use policies::{
    Actor, ActorType, Assurance, Client, Consent, Decision, Input, Link, Mode, ObjectionFact, Organisation, Person, Proof,
    ProofIssuer, Stage, VisitFact, Wanted,
};
use schemas::authority::Status;
use schemas::shelf::PersonState;
use schemas::vocab::Action;

use crate::Query;
use crate::cache::DecisionKey;

impl Query {
    /// Decides for reading; the same answer is given again while token, person, registry and revision are the same.
    pub(crate) fn decide(&self, session: &Session, state: &PersonState, action: Action) -> Arc<Decision> {
        let key = DecisionKey {
            token_id: session.caller.token_id.clone(),
            pid: state.pid,
            action,
            state_position: state.position,
            registry_position: session.standing.position,
            stale: session.stale,
            extra: String::new(),
        };
        if let Some(decision) = self.cache.decision(&key, session.now) {
            return decision;
        }
        let decision = Arc::new(self.policies.decide(&input(session, state, action)));
        self.cache.keep_decision(key, decision.clone());
        decision
    }
}

/// The input of the decision on reading one person.
pub(crate) fn input(session: &Session, state: &PersonState, action: Action) -> Input {
    let caller = &session.caller;
    let visit = state.visits.iter().rev().find(|v| v.facility == caller.organisation);
    let organisation = (!caller.is_person).then_some(&caller.organisation);
    let consents = state.consents.iter().filter(|c| Consent::can_matter(&c.artefact, organisation, session.now));
    Input {
        now: session.now,
        request_id: session.info.request_id.clone(),
        stage: Stage::Whole,
        purpose: caller.purpose,
        action,
        bulk: false,
        mode: Mode { stale: session.stale, ..Mode::default() },
        actor: actor(session, state),
        organisation: session.standing.organisation.as_deref().map(organisation_fact),
        client: Some(client(session)),
        person: Some(Person {
            pid: state.pid,
            birth_date: Some(state.birth_date.clone()),
            link: Some(Link { state: state.link, kind: state.link_kind.clone() }),
            protection: None,
            switch: Some(state.emergency_switch.clone()),
        }),
        visit: visit.map(VisitFact::from),
        order: None,
        reason: None,
        identification: None,
        tie: None,
        authority: None,
        device: None,
        consents: consents.map(|c| Consent::of(state.pid, c)).collect(),
        consents_unreadable: false,
        objections: state.objections.iter().map(ObjectionFact::from).collect(),
        counters: None,
        wanted: Wanted::default(),
        write: None,
    }
}

/// The client of the registry; for a person the card sign-in, which the token's own proof stands for.
fn client(session: &Session) -> Client {
    let caller = &session.caller;
    match session.standing.client.as_deref() {
        Some(client) => Client {
            id: client.id.clone(),
            organisation: client.organisation.clone(),
            binding_proven: true,
            status: client.status,
            rights: client.rights.clone(),
            agent_of: client.agent_of.clone(),
        },
        None => Client {
            id: caller.client.clone(),
            organisation: caller.organisation.clone(),
            binding_proven: caller.is_person,
            status: Status::Active,
            rights: Vec::new(),
            agent_of: Vec::new(),
        },
    }
}

fn actor(session: &Session, state: &PersonState) -> Actor {
    let caller = &session.caller;
    let professional = session.standing.professional.as_deref();
    let (id, actor_type) = match professional {
        _ if caller.is_person => (caller.person.map(|p| p.to_string()).unwrap_or_default(), ActorType::Person),
        Some(p) if p.profession == "official" => (p.id.to_string(), ActorType::Official),
        Some(p) => (p.id.to_string(), ActorType::Professional),
        None => (caller.client.to_string(), ActorType::System),
    };
    let (issuer, assurance) = match caller.assurance {
        Proven::Card => (ProofIssuer::National, Assurance::Certificate),
        Proven::Facility | Proven::System => (ProofIssuer::Facility, Assurance::OneFactor),
    };
    let is_subject = caller.person == Some(state.pid) && caller.is_person
        || professional.is_some_and(|p| p.pid == Some(state.pid));
    Actor {
        id,
        actor_type,
        profession: professional.map(|p| p.profession.clone()),
        role: professional.map(|_| caller.role.clone()),
        qualifications: professional.map_or_else(Vec::new, |p| p.qualifications.clone()),
        status: professional.map(|p| p.status),
        is_subject,
        kin_or_colleague: false,
        delegate_of: caller.delegate_of.clone(),
        proof: Some(Proof { issuer, assurance, authenticated_at: caller.authenticated_at }),
    }
}

fn organisation_fact(organisation: &schemas::authority::Organisation) -> Organisation {
    Organisation {
        id: organisation.id.clone(),
        organisation_type: organisation.organisation_type.clone(),
        qualifications: organisation.qualifications.clone(),
        emergency_designated: organisation.emergency_designated,
        municipality: organisation.municipality.clone(),
        status: organisation.status,
        custodian_of: organisation.custodian_of.clone(),
    }
}
