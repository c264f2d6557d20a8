//! The input of a decision (`access-rules.md`, "The decision, one contract"). Times are milliseconds since 1970; an absent
//! attribute is left out of the JSON, and a rule that needs it does not fire. Marks that are not set, and empty lists, are left
//! out too where no rule tells the two apart: reading the input is a third of what a decision costs.

use schemas::authority::Status;
use schemas::consent::ConsentArtefact;
use schemas::vocab::{Action, LinkState};
use schemas::{Category, ClientId, OrganisationId, Pid, PractitionerId, Purpose, ResourceType};
use serde::Serialize;

use crate::facts::{Authority, Consent, ObjectionFact, VisitFact};

/// Largest input in bytes of JSON; a larger one is a denial.
pub const INPUT_BYTES_MAX: usize = 64 * 1024;

/// For serde: whether a mark is left out.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn not(mark: &bool) -> bool {
    !*mark
}

/// All that a decision depends on. Built by the server from token, registry and state; never by the client.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Input {
    pub now: i64,
    pub request_id: String,
    pub stage: Stage,
    pub purpose: Purpose,
    pub action: Action,
    /// Several persons in one request.
    pub bulk: bool,
    pub mode: Mode,
    pub actor: Actor,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organisation: Option<Organisation>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<Client>,
    /// `None` where no known person is concerned (a facility's own list).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub person: Option<Person>,
    /// The newest visit of the person at the actor's organisation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub visit: Option<VisitFact>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<Order>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identification: Option<Identification>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tie: Option<Tie>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authority: Option<Authority>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// Newest version of each consent. Those that cannot matter may be left out ([`Consent::can_matter`]), never a denial.
    pub consents: Vec<Consent>,
    /// A consent that could not be read, or of an unknown version: takes away every permit that rests on consent.
    pub consents_unreadable: bool,
    /// The person's objections (R59).
    pub objections: Vec<ObjectionFact>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counters: Option<Counters>,
    #[serde(skip_serializing_if = "Wanted::is_empty")]
    pub wanted: Wanted,
    /// Facts of a write; absent for reading.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub write: Option<Write>,
}

/// Where the question is asked. A write is decided twice by the one function: the door knows actor and registry but no
/// person, the projector knows the person at log time but no proof of the actor.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// All facts are there: every way to read.
    Whole,
    /// The edge, before the log: what hangs on the person is not asked.
    Door,
    /// The projector, at log time: what hangs on the actor was asked at the door.
    Log,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Mode {
    #[serde(skip_serializing_if = "not")]
    pub emergency: bool,
    #[serde(skip_serializing_if = "not")]
    pub disaster: bool,
    #[serde(skip_serializing_if = "not")]
    pub outage: bool,
    /// No heartbeat of `authority` for 60 s.
    pub stale: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ActorType {
    /// The citizen, by the own certificate.
    Person,
    /// Anyone of the registry's professionals, reception included.
    Professional,
    /// Regulator, auditor, ministry.
    Official,
    /// A client system acting alone.
    System,
}

#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Actor {
    /// Practitioner id, or the pid of a person, or the client id of a system.
    pub id: String,
    #[serde(rename = "type")]
    pub actor_type: ActorType,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profession: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub qualifications: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// The actor is the person whose data is asked for.
    pub is_subject: bool,
    #[serde(skip_serializing_if = "not")]
    pub kin_or_colleague: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delegate_of: Option<PractitionerId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proof: Option<Proof>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ProofIssuer {
    /// The national issuer: a person's card, a professional's card.
    National,
    /// The facility's own key.
    Facility,
}

/// How somebody proved who they are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Assurance {
    /// Challenge signed by the card's certificate.
    Certificate,
    /// Card and face at a desk's reader, attested by it.
    ReaderFace,
    /// Card and PIN at a desk's reader, attested by it.
    ReaderPin,
    TwoFactor,
    OneFactor,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Proof {
    pub issuer: ProofIssuer,
    pub assurance: Assurance,
    pub authenticated_at: i64,
}

#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Organisation {
    pub id: OrganisationId,
    #[serde(rename = "type")]
    pub organisation_type: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub qualifications: Vec<String>,
    #[serde(skip_serializing_if = "not")]
    pub emergency_designated: bool,
    pub municipality: String,
    pub status: Status,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub custodian_of: Vec<OrganisationId>,
}

#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Client {
    pub id: ClientId,
    /// The organisation of its certificate.
    pub organisation: OrganisationId,
    /// The token came over the certificate that it is bound to, or over a listener without TLS whose client proved its key.
    pub binding_proven: bool,
    pub status: Status,
    /// Rights of the registry: `records.write`, `visits`, ...
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rights: Vec<String>,
    /// Organisations for which it may write as an agent (R46).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub agent_of: Vec<OrganisationId>,
}

#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Person {
    pub pid: Pid,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub birth_date: Option<String>,
    /// `None` at the door, which does not know it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<Link>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protection: Option<Protection>,
    /// Emergency switch: `normal`, `+restricted`, `off`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub switch: Option<String>,
}

#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Link {
    pub state: LinkState,
    /// `identity` or `attributes` while suspect, else empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub kind: String,
}

#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Protection {
    /// `named` or `all`.
    pub scope: String,
    pub named: Vec<String>,
}

/// The order or prescription that the request rests on (R25, R27).
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Order {
    pub id: String,
    /// `order`, `prescription`, `paper-prescription`.
    pub kind: String,
    /// `draft`, `active`, `held` (taken by this pharmacy), `quarantined`, `dispensed`, `cancelled`.
    pub state: String,
    /// `proven` once the pharmacy showed the prescription's number or card.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proof: Option<String>,
    /// The items that it consists of, `Type/id`.
    pub items: Vec<String>,
}

/// How the person was identified.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Identification {
    pub method: String,
    /// Persons that matched.
    pub hits: u32,
    /// The attributes in the record agree with the person's.
    pub matched: bool,
    /// Classes of certificates that were presented (R22).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub presented: Vec<String>,
}

/// Guardian, proxy, curator, carer (rules of a later issue; no rule reads it yet).
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Tie {
    pub kind: String,
    pub capacity: String,
    pub verified_at: i64,
    pub until: i64,
}

/// Counts read with the state.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Counters {
    pub persons_10min: u32,
    pub persons_day: u32,
    /// Safety checks of this practitioner that were cancelled after an alert, today (R25).
    pub checks_cancelled_day: u32,
    pub search_misses: u32,
}

/// What is asked for, or (in a write) what the record is.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Wanted {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<ResourceType>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<Category>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<String>,
}

impl Wanted {
    fn is_empty(&self) -> bool {
        self.types.is_empty() && self.categories.is_empty() && self.items.is_empty()
    }
}

/// Facts of a write, of a consent or of an objection.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Write {
    /// The organisation that the record is by; for a visit, the facility.
    pub author_organisation: OrganisationId,
    /// Author of the existing version, for an update or a delete (projector only).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub existing_author_organisation: Option<OrganisationId>,
    /// The visit that the record says it was made in (R59).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub visit: Option<String>,
    /// Declared face image, template or other biometrics (R49).
    pub biometrics: bool,
    /// The consent to be given or withdrawn: the new version, without an id that matters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consent: Option<ConsentArtefact>,
    /// The objection to be made (R59).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub objection: Option<ObjectionFact>,
    /// A reader's attestation inside a consent given at a desk, verified by the door (R03).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attestation: Option<Proof>,
}
