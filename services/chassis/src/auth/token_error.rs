//! Refusals of the token endpoint and of sign-in, and their one mapping to OAuth.

use super::caller::AuthError;

/// Why no token was given. Texts and codes hold no value of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    #[error("`grant_type` must be `client_credentials`")]
    GrantType,
    #[error("`client_assertion_type` must be `urn:ietf:params:oauth:client-assertion-type:jwt-bearer`")]
    AssertionType,
    #[error("the assertion does not read as a signed JWT with iss, sub, aud, exp and jti")]
    Malformed,
    #[error("the assertion must be signed with ES384 or RS384 and name its key in `kid`")]
    Algorithm,
    #[error("`iss` and `sub` must both be the client's id")]
    Subject,
    #[error("no key of the client has this `kid` and algorithm")]
    UnknownKey,
    #[error("the client's key set could not be read from its URL")]
    KeySet,
    #[error("the signature does not verify")]
    Signature,
    #[error("`aud` must be the URL of the token endpoint")]
    Audience,
    #[error("the assertion has expired by the server's clock")]
    Expired,
    #[error("the assertion may end at most 300 seconds ahead of the server's clock")]
    TooLong,
    #[error("the assertion is not valid yet by the server's clock")]
    NotYet,
    #[error("`jti` must have 1 to 256 characters")]
    Jti,
    #[error("this `jti` was used before")]
    Replayed,
    #[error("the connection's client certificate is not the registered one")]
    Certificate,
    #[error("`extensions` must hold one of `hl7-b2b` (version 1) and `ihe_iua`")]
    Extension,
    #[error("`purpose_of_use` must name exactly one purpose of the list, spelt exactly")]
    Purpose,
    #[error("`subject_id` and `subject_role` must be given both, with one role, or neither")]
    Role,
    #[error("`delegate_of` needs `subject_id`")]
    Delegate,
    #[error("`organization_id` is not the client's organisation")]
    Organisation,
    #[error("`person` must be one person's id or the id of one Patient")]
    Person,
    #[error("none of the scopes asked for is registered for this client")]
    Scope,
    #[error("the registry refuses: {0}")]
    Registry(#[from] AuthError),
    #[error("sign-in was refused")]
    SignIn,
    #[error("the token endpoint cannot answer now: try again")]
    Unavailable,
}

impl TokenError {
    /// HTTP status, OAuth error (RFC 6749 section 5.2), stable code.
    const fn parts(self) -> (u16, &'static str, &'static str) {
        match self {
            Self::GrantType => (400, "unsupported_grant_type", "grant-type"),
            Self::AssertionType => (400, "invalid_request", "assertion-type"),
            Self::Malformed => (401, "invalid_client", "assertion-malformed"),
            Self::Algorithm => (401, "invalid_client", "assertion-algorithm"),
            Self::Subject => (401, "invalid_client", "assertion-subject"),
            Self::UnknownKey => (401, "invalid_client", "assertion-key"),
            Self::KeySet => (401, "invalid_client", "key-set-unavailable"),
            Self::Signature => (401, "invalid_client", "assertion-signature"),
            Self::Audience => (401, "invalid_client", "assertion-audience"),
            Self::Expired => (401, "invalid_client", "assertion-expired"),
            Self::TooLong => (401, "invalid_client", "assertion-too-long"),
            Self::NotYet => (401, "invalid_client", "assertion-not-yet"),
            Self::Jti => (401, "invalid_client", "assertion-jti"),
            Self::Replayed => (401, "invalid_client", "assertion-replayed"),
            Self::Certificate => (401, "invalid_client", "certificate"),
            Self::Extension => (400, "invalid_grant", "extension"),
            Self::Purpose => (400, "invalid_grant", "purpose"),
            Self::Role => (400, "invalid_grant", "role"),
            Self::Delegate => (400, "invalid_grant", "delegate"),
            Self::Organisation => (400, "invalid_grant", "organisation"),
            Self::Person => (400, "invalid_grant", "person"),
            Self::Scope => (400, "invalid_scope", "scope"),
            Self::Registry(AuthError::Client) => (401, "invalid_client", AuthError::Client.code()),
            Self::Registry(AuthError::Binding) => (401, "invalid_client", "certificate"),
            Self::Registry(error) => (400, "invalid_grant", error.code()),
            Self::SignIn => (401, "invalid_grant", "sign-in"),
            Self::Unavailable => (503, "temporarily_unavailable", "unavailable"),
        }
    }

    pub const fn status(self) -> u16 {
        self.parts().0
    }

    pub const fn oauth_error(self) -> &'static str {
        self.parts().1
    }

    /// Stable code for programs; metrics may count by it.
    pub const fn code(self) -> &'static str {
        self.parts().2
    }

    /// Body of the answer (RFC 6749 section 5.2) with our code beside it.
    pub fn to_json(self) -> serde_json::Value {
        serde_json::json!({
            "error": self.oauth_error(), "error_description": self.to_string(), "code": self.code(),
        })
    }
}
