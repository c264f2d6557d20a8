//! The part of an access entry that is the same for every kind: who, for whom, where, by which system, with which proof.

use schemas::access::{Access, AccessOutcome, ActorName};
use schemas::authority::Professional;
use schemas::vocab::AccessKind;
use schemas::{EntryId, Pid};

use crate::auth::{Caller, Standing};
use crate::http::RequestInfo;

/// Who asks, as one request established it.
#[derive(Clone, Copy)]
pub struct Asker<'a> {
    pub caller: &'a Caller,
    pub standing: &'a Standing,
    pub info: &'a RequestInfo,
}

/// An entry with everything but what was looked at and why it was allowed: categories, items, count, rules, consent, policy
/// revision, input hash, query and reason are the caller's to fill.
pub fn draft(asker: &Asker<'_>, person: Option<Pid>, kind: AccessKind, outcome: AccessOutcome, now: i64) -> Access {
    let (caller, standing) = (asker.caller, asker.standing);
    let organisation = standing.organisation.as_deref();
    let mut closed_items = [0u8; 32];
    schemas::random::fill(&mut closed_items);
    Access {
        id: EntryId::random(),
        person,
        released_at: now,
        kind,
        actor: actor(asker),
        on_behalf_of: standing.delegate_of.as_deref().map(name_of),
        organisation: caller.organisation.clone(),
        organisation_name: organisation.map_or_else(String::new, |o| o.name.clone()),
        organisation_type: organisation.map_or_else(String::new, |o| o.organisation_type.clone()),
        organisation_group: organisation.map_or_else(String::new, |o| o.group.clone()),
        processor: caller.client.clone(),
        processor_name: standing.client.as_deref().map_or_else(String::new, |c| c.name.clone()),
        purpose: caller.purpose,
        rules: Vec::new(),
        consent: None,
        terms: String::new(),
        categories: Vec::new(),
        items: Vec::new(),
        closed_items,
        count: 0,
        query: String::new(),
        outcome,
        reason: String::new(),
        obligations: Vec::new(),
        policy_revision: String::new(),
        input_hash: [0; 32],
        assurance: caller.assurance.as_str().to_owned(),
        token_id: caller.token_id.clone(),
        certificate: caller.certificate_sha256.clone().unwrap_or_default(),
        request_id: asker.info.request_id.clone(),
        trace_id: asker.info.trace_id.to_string(),
        batch: None,
        subject: String::new(),
    }
}

/// The acting professional; for a person the citizen; for a system alone the human who answers for it, named as `automatic`.
fn actor(asker: &Asker<'_>) -> Option<ActorName> {
    if let Some(professional) = asker.standing.professional.as_deref() {
        return Some(name_of(professional));
    }
    let id = match (asker.caller.person, asker.standing.client.as_deref()) {
        (Some(pid), _) if asker.caller.is_person => {
            return Some(ActorName {
                id: pid.to_string().as_str().into(),
                profession: "person".to_owned(),
                ..ActorName::default()
            });
        }
        (_, Some(client)) => client.responsible.clone(),
        _ => return None,
    };
    Some(ActorName { id, profession: "automatic".to_owned(), ..ActorName::default() })
}

fn name_of(professional: &Professional) -> ActorName {
    ActorName {
        id: professional.id.clone(),
        name: professional.name.clone(),
        profession: professional.profession.clone(),
        licence: professional.licence.clone(),
    }
}
