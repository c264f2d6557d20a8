//! The token endpoint (SMART Backend Services), and a person's sign-in with a card.

use actix_web::{HttpRequest, web};
use chassis::auth::person::SignIn;
use chassis::auth::tokens::TokenError;
use chassis::auth::tokens::{TokenForm, TokenResponse};
use chassis::http::{PeerCertificate, Plain};
use serde::Deserialize;

use crate::Edge;

/// Whom a challenge is for: a person's id or a card's.
#[derive(Deserialize)]
pub(crate) struct Subject {
    subject: String,
}

/// `POST /auth/token`
pub(crate) async fn issue(edge: web::Data<Edge>, request: HttpRequest, form: web::Form<TokenForm>) -> Plain {
    let certificate = PeerCertificate::of(&request);
    answer(edge.deps.tokens.issue(&form, certificate.as_ref().map(PeerCertificate::hex)).await)
}

/// `POST /auth/person/challenge`
pub(crate) async fn challenge(edge: web::Data<Edge>, subject: web::Json<Subject>) -> Plain {
    let challenge = edge.deps.sign_in.challenge(&subject.subject);
    Plain::json(200, &serde_json::json!({"nonce": challenge.nonce, "expires_in": challenge.expires_in}))
}

/// `POST /auth/person/token`
pub(crate) async fn sign_in(edge: web::Data<Edge>, request: HttpRequest, form: web::Json<SignIn>) -> Plain {
    let certificate = PeerCertificate::of(&request);
    answer(edge.deps.sign_in.sign_in(&form, certificate.as_ref().map(PeerCertificate::hex)).await)
}

/// `GET /auth/jwks`: the keys that access tokens are signed with.
pub(crate) async fn jwks(edge: web::Data<Edge>) -> Plain {
    Plain::json(200, &edge.deps.tokens.mint().jwks()).with_header("cache-control", "max-age=300")
}

fn answer(issued: Result<TokenResponse, TokenError>) -> Plain {
    match issued {
        Ok(token) => Plain::json(200, &serde_json::to_value(&token).expect("a token response serialises")),
        Err(error) => {
            tracing::warn!(code = error.code(), "no token was given");
            let body = serde_json::json!({"error": error.oauth_error(), "error_description": error.to_string(), "code": error.code()});
            Plain::json(error.status(), &body)
        }
    }
}
