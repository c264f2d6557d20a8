//! The decision on reading a list, and the entries that reading and refusing leave.

use chassis::auth::Assurance as Proven;
use chassis::entry::draft;
use chassis::http::Refusal;
use chassis::ledger::Receipt;
use chassis::session::Session;
use policies::{
    Actor, ActorType, Assurance, Authority, Client, Consent, Decision, Input, Link, Mode, Organisation, Person, Proof,
    ProofIssuer, Stage, VisitFact, Wanted,
};
use schemas::access::{Access, AccessOutcome};
use schemas::authority::Status;
use schemas::shelf::PersonState;
use schemas::vocab::{AccessKind, Action};
use schemas::{Category, Pid, Problem, ProblemCode, ResourceId};

use crate::LedgerRole;

/// The constant that a reader without rights is told.
pub(crate) fn not_available() -> Refusal {
    Refusal::forbidden(Problem::new(ProblemCode::Forbidden, "", "not available"))
}

/// What an entry about a list says of the question.
#[derive(Clone, Default)]
pub(crate) struct Question {
    /// Path pattern and parameters, without identifiers of a person.
    pub(crate) query: String,
    /// `case/<id>` for a regulator.
    pub(crate) subject: String,
}

impl LedgerRole {
    /// Decides whether the caller may read the list of `state`'s person, or of a facility (`None`).
    pub(crate) fn decide(
        &self,
        session: &Session,
        state: Option<&PersonState>,
        authority: Option<Authority>,
    ) -> Decision {
        self.policies.decide(&input(session, state, authority))
    }

    /// Appends the entry of a reading. INVARIANT: nothing of a list leaves before this returned.
    pub(crate) async fn log_read(
        &self,
        session: &Session,
        person: Option<Pid>,
        decision: &Decision,
        question: Question,
        shown: usize,
    ) -> Result<Receipt, Refusal> {
        let mut access = draft(&session.asker(), person, AccessKind::LogRead, AccessOutcome::Success, self.clock.now());
        explain(&mut access, decision);
        access.categories = vec![Category::Log];
        access.count = u32::try_from(shown).unwrap_or(u32::MAX);
        (access.query, access.subject) = (question.query, question.subject);
        self.append(access).await
    }

    /// Appends the entry of a refusal and gives the refusal with its receipt. A person who asks for what is not theirs finds
    /// the attempt in the own list.
    pub(crate) async fn refuse(
        &self,
        session: &Session,
        person: Option<Pid>,
        decision: Option<&Decision>,
        question: Question,
        refusal: Refusal,
    ) -> Refusal {
        let own = session.caller.person.filter(|_| session.caller.is_person);
        let mut access =
            draft(&session.asker(), person.or(own), AccessKind::Denied, AccessOutcome::Denied, self.clock.now());
        match decision.filter(|d| !d.is_permit()) {
            Some(decision) => explain(&mut access, decision),
            None => {
                access.rules = vec!["R51".to_owned()];
                policies::reasons::NOT_PERMITTED.clone_into(&mut access.reason);
            }
        }
        access.categories = vec![Category::Log];
        (access.query, access.subject) = (question.query, question.subject);
        match self.append(access).await {
            Ok(receipt) => refusal.with_receipt(&receipt),
            Err(unavailable) => unavailable,
        }
    }

    async fn append(&self, access: Access) -> Result<Receipt, Refusal> {
        let appended = self.ledger.append(access).await;
        appended.map(|(receipt, _)| receipt).map_err(|error| Refusal::unavailable(&error, 5))
    }
}

/// Writes the decision into the entry.
fn explain(access: &mut Access, decision: &Decision) {
    access.rules.clone_from(&decision.rules);
    access.reason.clone_from(&decision.reason);
    access.obligations = decision.obligations.iter().map(|o| format!("{o:?}").to_uppercase()).collect();
    access.policy_revision = decision.policy_revision.to_string();
    access.input_hash = decision.input_hash;
    access.consent = decision.consent.as_ref().and_then(|basis| {
        let id: ResourceId = basis.id.strip_prefix("Consent/")?.parse().ok()?;
        let item = schemas::ItemKey { resource_type: schemas::ResourceType::Consent, local: id.local };
        Some((item, basis.version, basis.given_at))
    });
}

fn input(session: &Session, state: Option<&PersonState>, authority: Option<Authority>) -> Input {
    let caller = &session.caller;
    let organisation = (!caller.is_person).then_some(&caller.organisation);
    let consents = state.into_iter().flat_map(|s| s.consents.iter().map(move |c| (s.pid, c)));
    let consents = consents.filter(|(_, c)| Consent::can_matter(&c.artefact, organisation, session.now));
    let visit = state.and_then(|s| s.visits.iter().rev().find(|v| v.facility == caller.organisation));
    Input {
        now: session.now,
        request_id: session.info.request_id.clone(),
        stage: Stage::Whole,
        purpose: caller.purpose,
        action: Action::ReadLog,
        bulk: false,
        mode: Mode { stale: session.stale, ..Mode::default() },
        actor: actor(session, state),
        organisation: session.standing.organisation.as_deref().map(organisation_fact),
        client: Some(client(session)),
        person: state.map(person),
        visit: visit.map(VisitFact::from),
        order: None,
        reason: None,
        identification: None,
        tie: None,
        authority,
        device: None,
        consents: consents.map(|(pid, c)| Consent::of(pid, c)).collect(),
        consents_unreadable: false,
        objections: Vec::new(),
        counters: None,
        wanted: Wanted { categories: vec![Category::Log], ..Wanted::default() },
        write: None,
    }
}

fn person(state: &PersonState) -> Person {
    Person {
        pid: state.pid,
        birth_date: Some(state.birth_date.clone()),
        link: Some(Link { state: state.link, kind: state.link_kind.clone() }),
        protection: None,
        switch: Some(state.emergency_switch.clone()),
    }
}

/// The client of the registry; for a person the card sign-in, which the token's own proof stands for.
fn client(session: &Session) -> Client {
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
            id: session.caller.client.clone(),
            organisation: session.caller.organisation.clone(),
            binding_proven: session.caller.is_person,
            status: Status::Active,
            rights: Vec::new(),
            agent_of: Vec::new(),
        },
    }
}

fn actor(session: &Session, state: Option<&PersonState>) -> Actor {
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
    let pid = state.map(|s| s.pid);
    let is_subject =
        pid.is_some() && (caller.person == pid && caller.is_person || professional.is_some_and(|p| p.pid == pid));
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
