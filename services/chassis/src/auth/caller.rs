//! What is known of who asks, and the part of it that every request asks the registry again.

use std::sync::Arc;

use schemas::authority::{Client, Organisation, Professional, Status};
use schemas::{ClientId, OrganisationId, Pid, PractitionerId, Purpose};

use super::scopes::{Interaction, Scopes};
use super::thumbprint;
use crate::registry::RegistryState;

/// How sure it is who acts: the `proof` of the decision's input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Assurance {
    /// A system acts alone, proven by its key.
    System,
    /// A facility's system says which professional acts. INVARIANT: an assertion never yields more than this, whatever it
    /// claims: no second factor is believed on a facility's word (threats.md).
    Facility,
    /// A person, by the certificate of a card.
    Card,
}

impl Assurance {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Facility => "facility",
            Self::Card => "card",
        }
    }
}

/// Client id of tokens that a person got with a card.
pub const PERSON_CLIENT: &str = "kiroku-card";

/// Who asks, as the token says it. Names and rights come from the registry ([`Caller::check_registry`]), never from a token.
#[derive(Debug, Clone, PartialEq)]
pub struct Caller {
    pub client: ClientId,
    /// The client's organisation; empty for a person.
    pub organisation: OrganisationId,
    /// The acting professional; `None` for a system acting alone and for a person.
    pub practitioner: Option<PractitionerId>,
    /// Role of the professional at the organisation; empty without one.
    pub role: String,
    pub purpose: Purpose,
    /// The licensed professional who delegated the task (R21).
    pub delegate_of: Option<PractitionerId>,
    pub scopes: Scopes,
    /// The only person that the token is good for; `None`: any, one per request.
    pub person: Option<Pid>,
    /// The person acts on one's own behalf.
    pub is_person: bool,
    pub assurance: Assurance,
    /// When the human proved who they are, milliseconds since 1970: for a professional as the facility says, never later than
    /// the token; for a system the token's own time.
    pub authenticated_at: i64,
    /// `jti` of the token.
    pub token_id: String,
    /// SHA-256 (hex) of the client certificate that the token is bound to.
    pub certificate_sha256: Option<String>,
    /// Id of the card that a person signed in with.
    pub card: Option<String>,
    /// Milliseconds since 1970; not good at or after it.
    pub expires_at: i64,
}

/// Why a token is not good. All are 401; the text and the code hold no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    #[error("a bearer token is required")]
    Missing,
    #[error("the token does not read")]
    Malformed,
    #[error("the token is not signed by this server")]
    Signature,
    #[error("the token was made for another server")]
    Audience,
    #[error("the token has expired: get a new one")]
    Expired,
    #[error("the token is bound to another client certificate")]
    Binding,
    #[error("the client is not registered or not active")]
    Client,
    #[error("the organisation is not registered or not active")]
    Organisation,
    #[error("the professional is not registered or not active")]
    Professional,
    #[error("the professional does not hold this role at this organisation")]
    Role,
    #[error("the delegating professional is not active at this organisation")]
    Delegate,
    #[error("the card is no longer registered")]
    Card,
}

impl AuthError {
    /// Stable code for programs.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Missing => "token-missing",
            Self::Malformed => "token-malformed",
            Self::Signature => "token-signature",
            Self::Audience => "token-audience",
            Self::Expired => "token-expired",
            Self::Binding => "token-binding",
            Self::Client => "client-not-active",
            Self::Organisation => "organisation-not-active",
            Self::Professional => "professional-not-active",
            Self::Role => "role-not-held",
            Self::Delegate => "delegate-not-active",
            Self::Card => "card-not-registered",
        }
    }

    /// Always 401.
    pub const fn status(self) -> u16 {
        401
    }

    /// Value of `WWW-Authenticate` (RFC 6750 section 3: no error code where no token was sent).
    pub fn www_authenticate(self) -> String {
        match self {
            Self::Missing => "Bearer realm=\"kiroku\"".to_owned(),
            other => format!("Bearer realm=\"kiroku\", error=\"invalid_token\", error_description=\"{other}\""),
        }
    }
}

/// What the registry says of a caller in this request.
#[derive(Debug, Clone)]
pub struct Standing {
    /// `None` for a person.
    pub client: Option<Arc<Client>>,
    /// `None` for a person.
    pub organisation: Option<Arc<Organisation>>,
    pub professional: Option<Arc<Professional>>,
    pub delegate_of: Option<Arc<Professional>>,
    registered: Option<Arc<Scopes>>,
    /// Revision of the registry that this was read from.
    pub position: u64,
}

impl Standing {
    /// Whether the client holds a right of the registry (`records.write`, ...). A person holds none.
    pub fn has_right(&self, right: &str) -> bool {
        self.client.as_ref().is_some_and(|client| client.rights.iter().any(|r| r == right))
    }

    /// Whether the token's scopes and, for a client, its scopes of today allow this.
    pub fn allows(&self, caller: &Caller, resource_type: &str, interaction: Interaction) -> bool {
        caller.scopes.allows(resource_type, interaction)
            && self.registered.as_ref().is_none_or(|scopes| scopes.allows(resource_type, interaction))
    }
}

impl Caller {
    /// Asks the registry of this request: client, organisation and professional active, the role still held there, the card
    /// still the person's, the certificate still the client's.
    pub fn check_registry(&self, registry: &RegistryState) -> Result<Standing, AuthError> {
        if self.is_person {
            let card = self.person.and_then(|pid| registry.card(pid)).ok_or(AuthError::Card)?;
            if self.card.as_ref() != Some(&card.id) {
                return Err(AuthError::Card);
            }
            let position = registry.position();
            let (client, organisation, professional, delegate_of, registered) = Default::default();
            return Ok(Standing { client, organisation, professional, delegate_of, registered, position });
        }
        let client = registry.client(&self.client).filter(|c| c.status == Status::Active).ok_or(AuthError::Client)?;
        if client.organisation != self.organisation {
            return Err(AuthError::Organisation);
        }
        self.check_certificate(client)?;
        let organisation = registry
            .organisation(&self.organisation)
            .filter(|o| o.status == Status::Active)
            .ok_or(AuthError::Organisation)?;
        let professional = match &self.practitioner {
            Some(id) => Some(self.professional(registry, id)?),
            None => None,
        };
        let delegate_of = match &self.delegate_of {
            Some(id) => Some(self.delegating(registry, id)?),
            None => None,
        };
        Ok(Standing {
            client: Some(client.clone()),
            organisation: Some(organisation.clone()),
            professional,
            delegate_of,
            registered: registry.client_scopes(&self.client).cloned(),
            position: registry.position(),
        })
    }

    /// Whether the token may be used for this person at all.
    pub fn may_ask_about(&self, pid: Pid) -> bool {
        self.person.is_none_or(|only| only == pid)
    }

    fn check_certificate(&self, client: &Client) -> Result<(), AuthError> {
        if client.certificate_sha256.is_empty() {
            return Ok(());
        }
        let registered = thumbprint(&client.certificate_sha256).ok_or(AuthError::Binding)?;
        let bound = self.certificate_sha256.as_deref().and_then(thumbprint);
        if bound == Some(registered) { Ok(()) } else { Err(AuthError::Binding) }
    }

    fn professional(&self, registry: &RegistryState, id: &PractitionerId) -> Result<Arc<Professional>, AuthError> {
        let found = registry.professional(id).filter(|p| p.status == Status::Active).ok_or(AuthError::Professional)?;
        let held = found.roles.iter().any(|(at, role)| *at == self.organisation && *role == self.role);
        if held { Ok(found.clone()) } else { Err(AuthError::Role) }
    }

    fn delegating(&self, registry: &RegistryState, id: &PractitionerId) -> Result<Arc<Professional>, AuthError> {
        let found = registry.professional(id).filter(|p| p.status == Status::Active).ok_or(AuthError::Delegate)?;
        let here = found.roles.iter().any(|(at, _)| *at == self.organisation);
        if here { Ok(found.clone()) } else { Err(AuthError::Delegate) }
    }
}
