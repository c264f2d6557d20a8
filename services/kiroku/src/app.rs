//! The routes of all roles in one app. Paths that edge and query share are one resource here.

use std::sync::Arc;

use actix_web::web::{get, resource};
use actix_web::{Route, web};
use anyhow::{Context, Result, bail};
use chassis::config::Settings;
use chassis::http::Plain;
use chassis::telemetry::health::{self, Readiness};
use edge::{Edge, shared as write};
use fhir::check::CheckRules;
use policies::Policies;
use query::{Query, shared as read};

/// The states of the roles that this process has.
#[derive(Clone)]
pub(crate) struct Roles {
    pub(crate) edge: Option<web::Data<Edge>>,
    pub(crate) query: Option<web::Data<Query>>,
    pub(crate) ledger: Option<web::Data<ledger::LedgerRole>>,
    pub(crate) policies: Arc<Policies>,
    pub(crate) readiness: Readiness,
    pub(crate) url: String,
}

/// What the process says about itself.
struct SelfDescription {
    capability: String,
    smart: serde_json::Value,
}

/// Mounts everything; called once by each worker, on its thread. The first pattern that fits takes a path, and each costs a
/// little: the frequent ones stand first, and leave to the others what begins with `_` or `$`.
pub(crate) fn configure(cfg: &mut web::ServiceConfig, roles: &Roles) {
    roles.policies.prepare_thread();
    let commons = "Organization|Practitioner|PractitionerRole|Location";
    let description = SelfDescription {
        capability: fhir::capability::capability_statement(&format!("{}/fhir", roles.url)).to_string(),
        smart: chassis::auth::tokens::smart_configuration(&roles.url),
    };
    health::routes(cfg, &roles.readiness);
    cfg.app_data(web::Data::new(description))
        .service(resource("/fhir/metadata").route(get().to(capability)))
        .service(resource("/.well-known/smart-configuration").route(get().to(smart)))
        .service(resource("/fhir/.well-known/smart-configuration").route(get().to(smart)));
    if let Some(ledger) = &roles.ledger {
        cfg.app_data(ledger.clone()).configure(ledger::configure);
    }
    if let Some(query) = &roles.query {
        cfg.app_data(query.clone());
    }
    if let Some(edge) = &roles.edge {
        cfg.app_data(edge.clone());
    }
    let (writes, reads) = (roles.edge.is_some(), roles.query.is_some());
    let mut shared = |path: &str, reading: Vec<Route>, writing: Vec<Route>| {
        let routes = reading.into_iter().filter(|_| reads).chain(writing.into_iter().filter(|_| writes));
        let served = routes.fold(resource(path), |served, route| served.route(route));
        if reads || writes {
            cfg.service(served);
        }
    };
    let creating = || vec![write::create(), write::update_match()];
    shared(&format!("/fhir/{{type:{commons}}}"), vec![read::search_commons()], creating());
    shared("/fhir/{type:[^_/][^/]*}", vec![read::search_type()], creating());
    let changing = vec![write::update(), write::patch(), write::delete()];
    shared("/fhir/{type}/{id:[^_$/][^/]*}", vec![read::read_one()], changing);
    for path in ["/fhir", "/fhir/"] {
        shared(path, vec![read::search_all()], vec![write::bundle()]);
    }
    if reads {
        cfg.configure(query::configure);
    }
    if writes {
        cfg.configure(edge::configure);
    }
    if reads {
        cfg.service(resource("/fhir/{type}/{id}/_history").route(read::history_one()))
            .service(resource("/fhir/{type}/{id}/_history/{version}").route(read::read_version()))
            .service(resource("/fhir/Patient/{id}/{type}").route(read::search_compartment()));
    }
    cfg.configure(crate::openapi::routes);
}

async fn capability(description: web::Data<SelfDescription>) -> Plain {
    Plain::fhir(200, description.capability.clone())
}

async fn smart(description: web::Data<SelfDescription>) -> Plain {
    Plain::json(200, &description.smart)
}

/// What the door checks beyond FHIR, with the rules that the settings switch.
pub(crate) fn check_rules(settings: &Settings) -> Result<CheckRules> {
    let mut rules = CheckRules::default();
    rules.limits.bytes_max = settings.limits.submission_bytes_max;
    rules.limits.depth_max = settings.limits.depth_max;
    let mut switches = serde_json::Map::new();
    for (rule, level) in &settings.jp_rules {
        let on = match level.as_str() {
            "on" | "true" => true,
            "off" | "false" => false,
            _ => bail!("jp_rules.{rule} is `on` or `off`"),
        };
        switches.insert(rule.clone(), on.into());
    }
    rules.jp = serde_json::from_value(switches.into()).context("jp_rules")?;
    Ok(rules)
}
