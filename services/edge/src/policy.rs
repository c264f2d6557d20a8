//! The first decision on a write: at the door, on what hangs on actor and registry (R46 without the link, R49, R51).

use chassis::auth::Assurance as Proven;
use chassis::http::Refusal;
use chassis::session::Session;
use policies::{
    Actor, ActorType, Assurance, Client, Decision, Input, Mode, Organisation, Person, Proof, ProofIssuer, Stage, Wanted, Write,
};
use schemas::authority::Status;
use schemas::consent::ConsentStatus;
use schemas::submission::{Change, Op};
use schemas::vocab::Action;
use schemas::{Category, OrganisationId, Pid, Problem, ProblemCode};

use crate::Edge;

/// The action that a change takes.
pub(crate) fn action_of(change: &Change) -> Action {
    match (&change.op, &change.objection, &change.consent) {
        (Op::Delete { .. }, _, _) => Action::Delete,
        (_, Some(_), _) => Action::Object,
        (_, None, Some(consent)) if consent.status == ConsentStatus::Active => Action::GiveConsent,
        (_, None, Some(_)) => Action::WithdrawConsent,
        (Op::Update { .. } | Op::UpdateMatch(_), None, None) => Action::Update,
        (Op::Create | Op::CreateIfNone(_), None, None) => Action::Create,
    }
}

impl Edge {
    /// Asks the policy for each action of the changes. The last permit is returned, for the entry.
    pub(crate) fn decide_changes(
        &self,
        session: &Session,
        (pid, card): (Pid, Option<(Pid, i64)>),
        changes: &[Change],
    ) -> Result<Decision, Box<Decision>> {
        let attestation = card.filter(|(holder, _)| *holder == pid).map(|(_, authenticated_at)| Proof {
            issuer: ProofIssuer::National,
            assurance: Assurance::ReaderPin,
            authenticated_at,
        });
        let mut asked: Vec<(Action, Vec<&Change>)> = Vec::new();
        for change in changes {
            let action = action_of(change);
            let alone = change.consent.is_some();
            match asked.iter_mut().find(|(a, _)| *a == action && !alone) {
                Some((_, group)) => group.push(change),
                None => asked.push((action, vec![change])),
            }
        }
        let mut last = None;
        for (action, group) in asked {
            let decision = self.deps.policies.decide(&door_input(session, (pid, attestation), action, &group));
            if !decision.is_permit() {
                return Err(Box::new(decision));
            }
            last = Some(decision);
        }
        last.ok_or_else(|| Box::new(self.deps.policies.decide(&door_input(session, (pid, attestation), Action::Create, &[]))))
    }

    /// Asks the policy for an action without changes (visits).
    pub(crate) fn decide_action(&self, session: &Session, pid: Pid, action: Action) -> Result<Decision, Box<Decision>> {
        let decision = self.deps.policies.decide(&door_input(session, (pid, None), action, &[]));
        if decision.is_permit() { Ok(decision) } else { Err(Box::new(decision)) }
    }
}

/// What a refused writer is told.
pub(crate) fn refusal(decision: &Decision) -> Refusal {
    let rule = decision.rules.first().map_or("R51", String::as_str);
    let text = match decision.outcome {
        policies::Outcome::StepUp => "a fresh proof of identity is needed for this",
        _ => "not permitted",
    };
    Refusal::forbidden(Problem::new(ProblemCode::Forbidden, "", text).with_rule(rule))
}

fn door_input(
    session: &Session,
    (pid, attestation): (Pid, Option<Proof>),
    action: Action,
    group: &[&Change],
) -> Input {
    let caller = &session.caller;
    let mut categories: Vec<Category> = group.iter().filter_map(|c| c.meta.as_ref()).map(|m| m.category).collect();
    categories.sort_unstable();
    categories.dedup();
    let author_organisation: OrganisationId = caller.organisation.clone();
    Input {
        now: session.now,
        request_id: session.info.request_id.clone(),
        stage: Stage::Door,
        purpose: caller.purpose,
        action,
        bulk: false,
        mode: Mode { stale: session.stale, ..Mode::default() },
        actor: actor(session),
        organisation: session.standing.organisation.as_deref().map(|o| Organisation {
            id: o.id.clone(),
            organisation_type: o.organisation_type.clone(),
            qualifications: o.qualifications.clone(),
            emergency_designated: o.emergency_designated,
            municipality: o.municipality.clone(),
            status: o.status,
            custodian_of: o.custodian_of.clone(),
        }),
        client: Some(client(session)),
        person: Some(Person { pid, birth_date: None, link: None, protection: None, switch: None }),
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
        wanted: Wanted { types: Vec::new(), categories, items: Vec::new() },
        write: Some(Write {
            author_organisation,
            existing_author_organisation: None,
            visit: None,
            biometrics: false,
            consent: group.first().and_then(|c| c.consent.clone()),
            objection: group.first().and_then(|c| c.objection.as_ref()).map(policies::ObjectionFact::from),
            attestation,
        }),
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

fn actor(session: &Session) -> Actor {
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
    Actor {
        id,
        actor_type,
        profession: professional.map(|p| p.profession.clone()),
        role: professional.map(|_| caller.role.clone()),
        qualifications: professional.map_or_else(Vec::new, |p| p.qualifications.clone()),
        status: professional.map(|p| p.status),
        is_subject: caller.is_person,
        kin_or_colleague: false,
        delegate_of: caller.delegate_of.clone(),
        proof: Some(Proof { issuer, assurance, authenticated_at: caller.authenticated_at }),
    }
}
