//! `/health/live`, `/health/ready`, `/metrics`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actix_web::web;
use parking_lot::RwLock;

use super::metrics;
use crate::http::Plain;

/// The named checks of all roles of this process. Ready only when there is at least one and all hold.
#[derive(Debug, Clone, Default)]
pub struct Readiness(Arc<RwLock<Vec<(&'static str, Check)>>>);

/// One check; its owner sets it. Starts as not ready.
#[derive(Debug, Clone, Default)]
pub struct Check(Arc<State>);

#[derive(Debug, Default)]
struct State {
    ready: AtomicBool,
    /// Why not, for the operator; empty where there is nothing to say.
    reason: RwLock<String>,
}

impl Check {
    pub fn set(&self, ready: bool) {
        self.0.ready.store(ready, Ordering::Release);
    }

    /// Ready, or not for a reason that holds no value of a person.
    pub fn set_or_say(&self, checked: Result<(), impl std::fmt::Display>) {
        let reason = checked.as_ref().err().map_or_else(String::new, ToString::to_string);
        self.set(checked.is_ok());
        *self.0.reason.write() = reason;
    }

    pub fn is_ready(&self) -> bool {
        self.0.ready.load(Ordering::Acquire)
    }

    fn reason(&self) -> Option<String> {
        Some(self.0.reason.read().clone()).filter(|reason| !reason.is_empty())
    }
}

impl Readiness {
    /// The check of that name, made if it is new.
    pub fn check(&self, name: &'static str) -> Check {
        let mut checks = self.0.write();
        if let Some((_, check)) = checks.iter().find(|(known, _)| *known == name) {
            return check.clone();
        }
        let check = Check::default();
        checks.push((name, check.clone()));
        check
    }

    pub fn is_ready(&self) -> bool {
        let checks = self.0.read();
        !checks.is_empty() && checks.iter().all(|(_, check)| check.is_ready())
    }

    /// Why checks do not hold, by name.
    pub fn reasons(&self) -> Vec<(&'static str, String)> {
        self.0.read().iter().filter_map(|(name, check)| Some((*name, check.reason()?))).collect()
    }

    /// Names of the checks, and which hold.
    pub fn state(&self) -> Vec<(&'static str, bool)> {
        self.0.read().iter().map(|(name, check)| (*name, check.is_ready())).collect()
    }
}

/// Adds the three routes.
pub fn routes(app: &mut web::ServiceConfig, readiness: &Readiness) {
    let readiness = readiness.clone();
    app.service(web::resource("/health/live").route(web::get().to(async || Plain::text(200, "text/plain", "live\n"))))
        .service(web::resource("/health/ready").route(web::get().to(move || std::future::ready(ready(&readiness)))))
        .service(web::resource("/metrics").route(
            web::get().to(async || Plain::text(200, "text/plain; version=0.0.4; charset=utf-8", metrics::render())),
        ));
}

fn ready(readiness: &Readiness) -> Plain {
    let is_ready = readiness.is_ready();
    let checks: serde_json::Map<_, _> =
        readiness.state().into_iter().map(|(name, ok)| (name.to_owned(), ok.into())).collect();
    let mut said = serde_json::json!({"ready": is_ready, "checks": checks});
    for (name, reason) in readiness.reasons() {
        said["reasons"][name] = reason.into();
    }
    Plain::json(if is_ready { 200 } else { 503 }, &said)
}
