//! `/openapi.json` and Swagger UI.

use actix_web::web;

/// Mounts both.
pub(crate) fn routes(_cfg: &mut web::ServiceConfig) {}
