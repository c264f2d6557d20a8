//! Who asks in one request, as token, certificate and registry established it: the facts that a decision needs, without the
//! types of the transport that carried them.

use std::sync::Arc;

use crate::authority::{Client, Organisation, Professional};
use crate::ids::{ClientId, OrganisationId, Pid, PractitionerId};
use crate::vocab::Purpose;

/// Built by the session of a request (`chassis::session`), read by the policies.
#[derive(Clone, Debug)]
pub struct Asking {
    /// Milliseconds since 1970, by the server's clock.
    pub now: i64,
    pub request_id: String,
    /// The registry has had no heartbeat for 60 s.
    pub stale: bool,
    pub purpose: Purpose,
    /// `None` for a person.
    pub client: Option<Arc<Client>>,
    pub client_id: ClientId,
    pub organisation_id: OrganisationId,
    /// `None` for a person.
    pub organisation: Option<Arc<Organisation>>,
    pub professional: Option<Arc<Professional>>,
    pub role: String,
    pub delegate_of: Option<PractitionerId>,
    /// The person that the token is for, or who signed in.
    pub person: Option<Pid>,
    /// The person acts on her own behalf.
    pub is_person: bool,
    /// The proof is the national issuer's (a card), not a facility's word.
    pub by_card: bool,
    /// When the human proved who they are, milliseconds since 1970.
    pub authenticated_at: i64,
}
