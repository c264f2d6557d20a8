//! Topic `authority`: facilities, professionals, licences, clients, keys, cases, policy revisions. Written only by
//! `kiroku registry`, the regulator and the owner's heartbeat; commons describe, the registry authorises.

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::ids::{ClientId, OrganisationId, Pid, PractitionerId};
use crate::vocab::closed_list;

closed_list!(
    Status { Active = 0 => "active", Suspended = 1 => "suspended", Revoked = 2 => "revoked", Closed = 3 => "closed" }
);

/// One event. The registry is the fold of all events in log order; a later one for the same id replaces the earlier.
#[derive(Clone, PartialEq, Debug, Encode, Decode)]
pub enum AuthorityEvent {
    #[n(0)]
    Heartbeat,
    #[n(1)]
    Organisation(#[n(0)] Organisation),
    #[n(2)]
    Professional(#[n(0)] Professional),
    #[n(3)]
    Client(#[n(0)] Client),
    #[n(4)]
    Case(#[n(0)] Case),
    #[n(5)]
    PolicyRevision {
        #[n(0)]
        revision: u64,
        #[n(1)]
        sha256: String,
    },
    /// A person's card certificate (demo and tests; the national issuer's in production).
    #[n(6)]
    Card {
        #[n(0)]
        pid: Pid,
        /// Public key, SubjectPublicKeyInfo in PEM.
        #[n(1)]
        public_key: String,
    },
}

#[derive(Clone, PartialEq, Debug, Encode, Decode, Serialize, Deserialize)]
pub struct Organisation {
    #[n(0)]
    pub id: OrganisationId,
    #[n(1)]
    pub name: String,
    /// `hospital`, `clinic`, `pharmacy`, `laboratory`, `insurer`, `municipality`, `regulator`, `employer`, `school`, `police`, `research`, ...
    #[n(2)]
    #[serde(rename = "type")]
    pub organisation_type: String,
    #[n(3)]
    #[serde(default)]
    pub group: String,
    #[n(4)]
    #[serde(default)]
    pub municipality: String,
    #[n(5)]
    #[serde(default)]
    pub qualifications: Vec<String>,
    #[n(6)]
    #[serde(default)]
    pub emergency_designated: bool,
    #[n(7)]
    pub status: Status,
    #[n(8)]
    #[serde(default)]
    pub custodian_of: Vec<OrganisationId>,
    #[n(9)]
    #[serde(default)]
    pub staff_count: u32,
}

#[derive(Clone, PartialEq, Debug, Encode, Decode, Serialize, Deserialize)]
pub struct Professional {
    #[n(0)]
    pub id: PractitionerId,
    #[n(1)]
    pub name: String,
    /// `physician`, `dentist`, `pharmacist`, `nurse`, `clerk`, `receptionist`, `official`, ...
    #[n(2)]
    pub profession: String,
    #[n(3)]
    #[serde(default)]
    pub licence: String,
    /// Roles at organisations: (organisation, role).
    #[n(4)]
    pub roles: Vec<(OrganisationId, String)>,
    #[n(5)]
    #[serde(default)]
    pub qualifications: Vec<String>,
    #[n(6)]
    pub status: Status,
    /// The professional as a person, for R57.
    #[n(7)]
    #[serde(default)]
    pub pid: Option<Pid>,
}

#[derive(Clone, PartialEq, Debug, Encode, Decode, Serialize, Deserialize)]
pub struct Client {
    #[n(0)]
    pub id: ClientId,
    #[n(1)]
    pub name: String,
    #[n(2)]
    pub organisation: OrganisationId,
    /// JSON Web Key Set by value; empty where `jwks_url` is given.
    #[n(3)]
    #[serde(default)]
    pub jwks: String,
    #[n(4)]
    #[serde(default)]
    pub jwks_url: String,
    /// Rights of the registry: `records.write`, `records.read`, `persons.register`, `visits`, `registry.write`, ...
    #[n(5)]
    pub rights: Vec<String>,
    /// SMART v2 scopes that it may ask for.
    #[n(6)]
    pub scopes: Vec<String>,
    #[n(7)]
    pub status: Status,
    /// SHA-256 thumbprint (hex) of the client certificate it must present; empty without TLS.
    #[n(8)]
    #[serde(default)]
    pub certificate_sha256: String,
    /// The human who answers for automatic work.
    #[n(9)]
    #[serde(default)]
    pub responsible: PractitionerId,
    /// Organisations for which it may write as an agent (R46).
    #[n(10)]
    #[serde(default)]
    pub agent_of: Vec<OrganisationId>,
}

/// A regulator's case (R43): two officials, at most 30 days.
#[derive(Clone, PartialEq, Debug, Encode, Decode, Serialize, Deserialize)]
pub struct Case {
    #[n(0)]
    pub id: String,
    #[n(1)]
    pub kind: String,
    #[n(2)]
    pub officials: [PractitionerId; 2],
    /// Persons and facilities it is about.
    #[n(3)]
    #[serde(default)]
    pub persons: Vec<Pid>,
    #[n(4)]
    #[serde(default)]
    pub organisations: Vec<OrganisationId>,
    #[n(5)]
    pub opened_at: i64,
    #[n(6)]
    pub until: i64,
    #[n(7)]
    pub status: Status,
}
