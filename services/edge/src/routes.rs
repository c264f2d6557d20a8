//! The role's API as a table of contents.

use actix_web::web;
use actix_web::web::{get, post, resource};

use crate::handlers::{check, submission, token, visit};

/// Mounts the routes that are the edge's alone. `web::Data<Edge>` must be in the app.
pub fn configure(cfg: &mut web::ServiceConfig) {
    cfg.service(resource("/auth/token").route(post().to(token::issue)))
        .service(resource("/auth/person/challenge").route(post().to(token::challenge)))
        .service(resource("/auth/person/token").route(post().to(token::sign_in)))
        .service(resource("/auth/jwks").route(get().to(token::jwks)))
        .service(resource("/visits").route(post().to(visit::open)))
        .service(resource("/visits/{id}/close").route(post().to(visit::close)))
        .service(resource("/checks/cancel").route(post().to(check::cancel)))
        .service(resource("/submissions/{id}").route(get().to(submission::status)));
}

/// Writing routes that share a path with the query role's reading ones.
pub mod shared {
    use crate::handlers::{batch, resource};
    use actix_web::{Route, web};

    /// `POST /fhir`
    pub fn bundle() -> Route {
        web::post().to(batch::bundle)
    }
    /// `POST /fhir/{type}`
    pub fn create() -> Route {
        web::post().to(resource::create)
    }
    /// `PUT /fhir/{type}?...`
    pub fn update_match() -> Route {
        web::put().to(resource::update_match)
    }
    /// `PUT /fhir/{type}/{id}`
    pub fn update() -> Route {
        web::put().to(resource::update)
    }
    /// `PATCH /fhir/{type}/{id}`: 405, said in the CapabilityStatement.
    pub fn patch() -> Route {
        web::patch().to(resource::patch)
    }
    /// `DELETE /fhir/{type}/{id}`
    pub fn delete() -> Route {
        web::delete().to(resource::delete)
    }
}
