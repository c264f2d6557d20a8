//! The role's API as a table of contents.

use actix_web::web;
use actix_web::web::{get, post, resource};

use crate::handlers::{accesses, audit_event, supervision};

/// Mounts the routes below. `web::Data<LedgerRole>` must be in the app. To be mounted before routes with a pattern that would
/// take these paths (`/fhir/{type}`).
pub fn configure(cfg: &mut web::ServiceConfig) {
    cfg.service(resource("/me/accesses").route(get().to(accesses::list)))
        .service(resource("/audit/accesses").route(get().to(supervision::list)))
        .service(resource("/fhir/AuditEvent/_search").route(post().to(audit_event::by_post)))
        .service(resource("/fhir/AuditEvent").route(get().to(audit_event::by_get)))
        .service(resource("/fhir/AuditEvent/{id}").route(get().to(audit_event::read)));
}
