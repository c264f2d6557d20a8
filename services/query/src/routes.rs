//! The role's API as a table of contents. A fixed path stands before a pattern that would take it.

use actix_web::web;
use actix_web::web::{get, post, resource};

use crate::handlers::{check, commons, everything, history, read, search};

/// Mounts the routes below `/fhir`. `web::Data<Query>` must be in the app. Methods that write are the edge's: it mounts the
/// same paths with guards of its own, before these.
pub fn configure(cfg: &mut web::ServiceConfig) {
    let commons = "Organization|Practitioner|PractitionerRole|Location";
    cfg.service(resource("/fhir/_history").route(get().to(history::of_system)))
        .service(resource("/fhir/_search").route(post().to(search::by_post_all)))
        .service(resource(format!("/fhir/{{type:{commons}}}/_search")).route(post().to(commons::by_post)))
        .service(resource("/fhir/Patient/{id}/$everything").route(get().to(everything::of_patient)))
        .service(resource("/fhir/MedicationRequest/$check").route(post().to(check::by_post)))
        .service(resource("/fhir/{type}/_search").route(post().to(search::by_post)))
        .service(resource("/fhir/{type}/_history").route(get().to(history::of_type)));
}

/// Reading routes that share a path with the edge's writing ones; mounted by `kiroku` as alternatives of one resource.
pub mod shared {
    use super::{commons, everything, history, read, search};
    use actix_web::{Route, web};

    /// `GET /fhir`
    pub fn search_all() -> Route {
        web::get().to(search::by_get_all)
    }
    /// `GET /fhir/{type}`
    pub fn search_type() -> Route {
        web::get().to(search::by_get)
    }
    /// `GET /fhir/{type}/{id}`
    pub fn read_one() -> Route {
        web::get().to(read::read)
    }
    /// `GET /fhir/{type}/{id}/_history`
    pub fn history_one() -> Route {
        web::get().to(history::of_instance)
    }
    /// `GET /fhir/{type}/{id}/_history/{version}`
    pub fn read_version() -> Route {
        web::get().to(read::vread)
    }
    /// `GET /fhir/Patient/{id}/{type}`
    pub fn search_compartment() -> Route {
        web::get().to(everything::of_compartment)
    }
    /// `GET /fhir/{commons type}`
    pub fn search_commons() -> Route {
        web::get().to(commons::by_get)
    }
}
