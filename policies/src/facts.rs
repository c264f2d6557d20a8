//! Facts of the input that are kept elsewhere, as the decision reads them: visits, cases, consents, objections.

use schemas::authority::Status;
use schemas::consent::{ConsentArtefact, StoredConsent};
use schemas::shelf::{Objection, Visit, VisitKind, VisitProof};
use schemas::{Category, OrganisationId, Pid, PractitionerId, ResourceId, ResourceType};
use serde::Serialize;

/// The visit of the person at the actor's organisation.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct VisitFact {
    pub id: String,
    pub facility: OrganisationId,
    pub kind: VisitKind,
    pub opened_at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<i64>,
    pub team: Vec<PractitionerId>,
    pub proof: VisitProof,
}

impl From<&Visit> for VisitFact {
    fn from(visit: &Visit) -> Self {
        Self {
            id: visit.id.to_string(),
            facility: visit.facility.clone(),
            kind: visit.kind,
            opened_at: visit.opened_at,
            closed_at: visit.closed_at,
            team: visit.team.clone(),
            proof: visit.proof,
        }
    }
}

/// A warrant, case, project, programme or decree.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Authority {
    pub kind: String,
    pub id: String,
    /// The two officials who answer for it.
    pub persons: [PractitionerId; 2],
    pub scope: Scope,
    pub opened_at: i64,
    pub until: i64,
    pub status: Status,
}

impl From<&schemas::authority::Case> for Authority {
    fn from(case: &schemas::authority::Case) -> Self {
        Self {
            kind: "case".to_owned(),
            id: case.id.clone(),
            persons: case.officials.clone(),
            scope: Scope { persons: case.persons.clone(), organisations: case.organisations.clone() },
            opened_at: case.opened_at,
            until: case.until,
            status: case.status,
        }
    }
}

/// What an authority is about: all entries of the persons, and the entries of the organisations about anyone.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Scope {
    pub persons: Vec<Pid>,
    pub organisations: Vec<OrganisationId>,
}

/// One consent as the decision reads it.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Consent {
    /// `Consent/<pid>-<local>`.
    pub id: String,
    pub version: u32,
    pub given_at: i64,
    pub artefact: ConsentArtefact,
}

impl Consent {
    /// A consent out of the person's state.
    pub fn of(pid: Pid, stored: &StoredConsent) -> Self {
        let id = ResourceId { pid, local: stored.item.local };
        Self {
            id: format!("{}/{id}", ResourceType::Consent),
            version: stored.version,
            given_at: stored.given_at,
            artefact: stored.artefact.clone(),
        }
    }

    /// Whether `artefact` can change a decision for `organisation` at `now`. A denial always can; a permit cannot once it
    /// has ended, was withdrawn, or names other facilities only. Loaders use it to keep inputs small.
    pub fn can_matter(artefact: &ConsentArtefact, organisation: Option<&OrganisationId>, now: i64) -> bool {
        use schemas::consent::{ConsentStatus, ConsentType};
        if artefact.consent_type == ConsentType::Deny {
            return artefact.status == ConsentStatus::Active;
        }
        artefact.status == ConsentStatus::Active
            && artefact.valid_until.is_none_or(|until| until > now)
            && organisation.is_some_and(|o| artefact.facilities.contains(o))
    }
}

/// An objection (R59) as the decision reads it.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ObjectionFact {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub visit: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub facility: Option<OrganisationId>,
    pub categories: Vec<Category>,
    pub from: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<i64>,
}

impl From<&Objection> for ObjectionFact {
    fn from(objection: &Objection) -> Self {
        Self {
            visit: objection.visit.map(|v| v.to_string()),
            facility: objection.facility.clone(),
            categories: objection.categories.clone(),
            from: objection.from,
            until: objection.until,
        }
    }
}
