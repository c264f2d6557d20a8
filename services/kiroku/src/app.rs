//! The routes of all roles in one app. Paths that edge and query share are one resource here.

use std::sync::Arc;

use actix_web::web;
use actix_web::web::{get, resource};
use anyhow::{Context, Result, bail};
use chassis::config::Settings;
use chassis::http::Plain;
use chassis::telemetry::health::{self, Readiness};
use edge::Edge;
use fhir::check::CheckRules;
use policies::Policies;
use query::Query;

/// The roles' states.
#[derive(Clone)]
pub(crate) struct Roles {
    pub(crate) edge: web::Data<Edge>,
    pub(crate) query: web::Data<Query>,
    pub(crate) ledger: web::Data<ledger::LedgerRole>,
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
    cfg.app_data(roles.edge.clone())
        .app_data(roles.query.clone())
        .app_data(roles.ledger.clone())
        .app_data(web::Data::new(description))
        .service(resource("/fhir/metadata").route(get().to(capability)))
        .service(resource("/.well-known/smart-configuration").route(get().to(smart)))
        .service(resource("/fhir/.well-known/smart-configuration").route(get().to(smart)))
        .configure(ledger::configure)
        .service(
            resource(format!("/fhir/{{type:{commons}}}"))
                .route(query::shared::search_commons())
                .route(edge::shared::create())
                .route(edge::shared::update_match()),
        )
        .service(
            resource("/fhir/{type:[^_/][^/]*}")
                .route(query::shared::search_type())
                .route(edge::shared::create())
                .route(edge::shared::update_match()),
        )
        .service(
            resource("/fhir/{type}/{id:[^_$/][^/]*}")
                .route(query::shared::read_one())
                .route(edge::shared::update())
                .route(edge::shared::patch())
                .route(edge::shared::delete()),
        )
        .service(resource(["/fhir", "/fhir/"]).route(query::shared::search_all()).route(edge::shared::bundle()))
        .configure(query::configure)
        .configure(edge::configure)
        .service(resource("/fhir/{type}/{id}/_history").route(query::shared::history_one()))
        .service(resource("/fhir/{type}/{id}/_history/{version}").route(query::shared::read_version()))
        .service(resource("/fhir/Patient/{id}/{type}").route(query::shared::search_compartment()))
        .configure(crate::openapi::routes);
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
