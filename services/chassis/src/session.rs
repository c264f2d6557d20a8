//! The first step of every request about anybody: token, certificate, registry.

use std::num::NonZeroU32;
use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::http::header;
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use schemas::asking::Asking;
use schemas::{ClientId, Problem, ProblemCode};

use crate::auth::scopes::Interaction;
use crate::auth::verify::Verifier;
use crate::auth::{Assurance, AuthError, Caller, Standing};
use crate::clock::Clock;
use crate::entry::Asker;
use crate::http::{PeerCertificate, Refusal, RequestInfo};
use crate::registry::Registry;

/// Who asks in this request, and when.
pub struct Session {
    pub caller: Arc<Caller>,
    pub standing: Standing,
    pub info: RequestInfo,
    /// Milliseconds since 1970, by this server's clock.
    pub now: i64,
    /// The registry has had no heartbeat for 60 s ("When parts fail").
    pub stale: bool,
}

impl Session {
    pub fn asker(&self) -> Asker<'_> {
        Asker { caller: &self.caller, standing: &self.standing, info: &self.info }
    }

    /// The facts about the asker that a decision needs.
    pub fn asking(&self) -> Asking {
        let (caller, standing) = (&self.caller, &self.standing);
        Asking {
            now: self.now,
            request_id: self.info.request_id.clone(),
            stale: self.stale,
            purpose: caller.purpose,
            client: standing.client.clone(),
            client_id: caller.client.clone(),
            organisation_id: caller.organisation.clone(),
            organisation: standing.organisation.clone(),
            professional: standing.professional.clone(),
            role: caller.role.clone(),
            delegate_of: caller.delegate_of.clone(),
            person: caller.person,
            is_person: caller.is_person,
            by_card: caller.assurance == Assurance::Card,
            authenticated_at: caller.authenticated_at,
        }
    }

    /// 403 unless the token's scopes (and the client's of today) allow this.
    pub fn require_scope(&self, resource_type: &str, interaction: Interaction) -> Result<(), Refusal> {
        if self.caller.is_person || self.standing.allows(&self.caller, resource_type, interaction) {
            return Ok(());
        }
        let text = "the token's scopes do not allow this interaction with this type; ask for a token with the scope";
        Err(Refusal::forbidden(Problem::new(ProblemCode::Forbidden, "", text).with_rule("scope")))
    }

    /// 403 unless the client holds a right of the registry.
    pub fn require_right(&self, right: &str) -> Result<(), Refusal> {
        if self.standing.has_right(right) {
            return Ok(());
        }
        let text = format!("this needs the registry right `{right}`");
        Err(Refusal::forbidden(Problem::new(ProblemCode::Forbidden, "", text).with_rule("right")))
    }
}

/// Lets requests in.
pub struct Gate {
    verifier: Verifier,
    pub registry: Arc<Registry>,
    clock: Arc<dyn Clock>,
    /// Requests of each client; `None`: no limit.
    limiter: Option<DefaultKeyedRateLimiter<ClientId>>,
}

impl Gate {
    /// `requests_per_second`: of each client; 0: no limit.
    pub fn new(verifier: Verifier, registry: Arc<Registry>, clock: Arc<dyn Clock>, requests_per_second: u32) -> Self {
        let limiter = NonZeroU32::new(requests_per_second).map(|n| RateLimiter::keyed(Quota::per_second(n)));
        Self { verifier, registry, clock, limiter }
    }

    /// 401 unless token, binding and registry are good now; 503 while nobody can say when now is.
    pub fn admit(&self, request: &HttpRequest, info: RequestInfo) -> Result<Session, Refusal> {
        self.clock.check().map_err(|off| Refusal::unavailable(&off, 5))?;
        let certificate = PeerCertificate::of(request);
        let header = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let registry = self.registry.state();
        let admitted = Verifier::bearer_of(header)
            .and_then(|bearer| self.verifier.verify(bearer, certificate.as_ref().map(PeerCertificate::hex)))
            .and_then(|caller| caller.check_registry(&registry).map(|standing| (caller, standing)));
        let now = self.clock.now();
        match admitted {
            Ok((caller, _)) if self.is_too_fast(&caller.client) => Err(Refusal::too_many(1)),
            Ok((caller, standing)) => Ok(Session { caller, standing, info, now, stale: registry.is_stale(now) }),
            Err(error) => Err(refused(error)),
        }
    }
}

impl Gate {
    fn is_too_fast(&self, client: &ClientId) -> bool {
        self.limiter.as_ref().is_some_and(|limiter| limiter.check_key(client).is_err())
    }
}

fn refused(error: AuthError) -> Refusal {
    let problem = Problem::new(ProblemCode::Login, "", error.to_string()).with_rule(error.code());
    Refusal::new(error.status(), vec![problem]).with_header("www-authenticate", error.www_authenticate())
}
