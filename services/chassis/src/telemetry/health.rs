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
pub struct Check(Arc<AtomicBool>);

impl Check {
    pub fn set(&self, ready: bool) {
        self.0.store(ready, Ordering::Release);
    }

    pub fn is_ready(&self) -> bool {
        self.0.load(Ordering::Acquire)
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
    Plain::json(if is_ready { 200 } else { 503 }, &serde_json::json!({"ready": is_ready, "checks": checks}))
}
