//! One process: opens the engine, starts the roles that the settings name, serves HTTP, stops in order.

use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use actix_web::web;
use anyhow::{Context, Result, bail};
use chassis::auth::person::PersonSignIn;
use chassis::auth::tokens::TokenService;
use chassis::auth::verify::Verifier;
use chassis::auth::{Mint, jwks};
use chassis::clock::{Clock, LogClock};
use chassis::config::{Role, Settings};
use chassis::http::{self, Running};
use chassis::ledger::{Ledger, LocalLedger};
use chassis::ports::store::Store;
use chassis::registry::Registry;
use chassis::session::Gate;
use chassis::telemetry::health::Readiness;
use chassis::telemetry::metrics;
use chassis::verdicts::Verdicts;
use edge::Edge;
use engines::embedded;
use policies::{Bundle, Made, Policies};
use projector::Projector;
use query::Query;
use schemas::Purpose;

use crate::app;
use crate::engine::Engine;
use crate::lag::Lag;

/// A running node. [`Node::stop`] ends it in order; a node that is dropped or killed loses nothing that it acknowledged.
pub struct Node {
    pub settings: Settings,
    pub url: String,
    pub engine: Arc<Engine>,
    pub store: Arc<dyn Store>,
    pub registry: Arc<Registry>,
    pub policies: Arc<Policies>,
    projector: Option<Arc<Projector>>,
    ledger: Arc<ledger::Handle>,
    readiness: Readiness,
    tasks: Vec<tokio::task::JoinHandle<()>>,
    running: Running,
}

/// The policy bundle: the one inside the binary, or a signed one from disk.
pub fn load_policies(settings: &Settings) -> Result<Arc<Policies>> {
    // Compiling the module takes a second or more: nodes of one process share that of the binary.
    static EMBEDDED: OnceLock<Arc<Policies>> = OnceLock::new();
    let embedded = Bundle::embedded().context("the bundle inside the binary")?;
    let bundle = match (&settings.policy.bundle, &settings.policy.public_key_file) {
        (None, _) => {
            if let Some(policies) = EMBEDDED.get() {
                return Ok(policies.clone());
            }
            let policies = Arc::new(Policies::new(embedded)?.watched_by(count_decision));
            return Ok(EMBEDDED.get_or_init(|| policies).clone());
        }
        (Some(_), None) => bail!("policy.bundle needs policy.public_key_file: an unsigned bundle is not loaded"),
        (Some(folder), Some(key)) => {
            let key = openssl::pkey::PKey::public_key_from_pem(&std::fs::read(key).context("policy.public_key_file")?)?;
            Bundle::load(folder, &key, embedded.revision()).context("policy.bundle")?
        }
    };
    Ok(Arc::new(Policies::new(bundle)?.watched_by(count_decision)))
}

impl Node {
    /// Starts the node. Returns when it answers.
    pub async fn start(mut settings: Settings) -> Result<Self> {
        let engine = Engine::open(&settings).await?;
        Self::start_on(&mut settings, Arc::new(engine)).await
    }

    /// [`Node::start`] on an engine of one's own settings: a disk with faults, small segments.
    pub async fn start_with_engine(mut settings: Settings, config: &embedded::Config) -> Result<Self> {
        let engine = Engine::embedded(Arc::new(embedded::open(config)?));
        Self::start_on(&mut settings, Arc::new(engine)).await
    }

    async fn start_on(settings: &mut Settings, engine: Arc<Engine>) -> Result<Self> {
        settings.http.listen = fixed_address(&settings.http.listen)?;
        let parts = Parts::open(settings, engine).await?;
        let projector = match settings.has(Role::Projector) {
            true => Some(Arc::new(parts.projector().await?)),
            false => None,
        };
        let ledger = Arc::new(parts.ledger(settings).await?);
        let readiness = Readiness::default();
        let roles = app::Roles {
            edge: match settings.has(Role::Edge) {
                true => Some(web::Data::from(parts.edge(settings).await?)),
                false => None,
            },
            query: match settings.has(Role::Query) {
                true => Some(web::Data::from(parts.query(settings).await?)),
                false => None,
            },
            ledger: settings.has(Role::Ledger).then(|| web::Data::from(ledger.role())),
            policies: parts.policies.clone(),
            readiness: readiness.clone(),
            url: parts.url.clone(),
        };
        let running = http::serve(settings, move |cfg| app::configure(cfg, &roles))?;
        let watch = tokio::spawn(watch(
            readiness.clone(),
            (parts.engine.clone(), parts.clock.clone()),
            parts.registry.clone(),
            projector.clone(),
            ledger.clone(),
        ));
        let Parts { url, engine, store, registry, policies, heartbeat, verdicts, .. } = parts;
        let lag = tokio::spawn(Lag::new(engine.log.clone(), store.clone(), settings).watch());
        let tasks = vec![heartbeat, watch, lag, tokio::spawn(verdicts.follow())];
        Ok(Self {
            settings: settings.clone(),
            url,
            engine,
            store,
            registry,
            policies,
            projector,
            ledger,
            readiness,
            tasks,
            running,
        })
    }

    /// Says that it is not ready, and serves on until whoever sends requests here has had time to see it.
    pub async fn drain(&self) {
        self.readiness.check("accepting").set_or_say(Err("this process is about to end"));
        tokio::time::sleep(DRAIN).await;
    }

    /// How far the tables are behind the log, for the partitions of this process: topic, number, records. Shown by `/metrics`.
    pub async fn lags(&self) -> Vec<(&'static str, u16, u64)> {
        Lag::new(self.engine.log.clone(), self.store.clone(), &self.settings).measure().await
    }

    /// True while every role that was started still runs.
    pub fn is_running(&self) -> bool {
        self.projector.as_ref().is_none_or(|p| p.is_running()) && self.ledger.is_running()
    }

    /// Stops accepting, finishes what runs, closes the engine. When it returns, the folder can be opened again, unless the
    /// caller kept `engine` or `store`.
    pub async fn stop(self) -> Result<()> {
        let Self { engine, store, projector, ledger, tasks, running, .. } = self;
        running.stop().await;
        for task in tasks {
            task.abort();
            // An error says that it was aborted.
            let _ = task.await;
        }
        // The task that watched the roles has ended: nobody else holds them.
        if let Some(mut projector) = projector.and_then(Arc::into_inner) {
            projector.stop().await;
        }
        if let Some(mut ledger) = Arc::into_inner(ledger) {
            ledger.stop().await;
        }
        let closed = engine.close().await;
        if !engine.is_shared() {
            wait_until_let_go(&engine, &store).await;
        }
        // The tables first: their threads end before the lock of the folder is given back.
        drop(store);
        drop(engine);
        closed
    }
}

/// HTTP workers are threads that cannot be joined; they drop what they serve with a little after the server has ended.
async fn wait_until_let_go(engine: &Arc<Engine>, store: &Arc<dyn Store>) {
    let let_go = async {
        while Arc::strong_count(engine) + Arc::strong_count(store) > 2 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    if tokio::time::timeout(LET_GO, let_go).await.is_err() {
        tracing::warn!("the node has stopped, and something still holds its data folder");
    }
}

/// A load balancer that asks once in this time sends nothing more to a node that is about to end.
const DRAIN: Duration = Duration::from_secs(1);

/// How long a stopping node waits for its HTTP workers to end.
const LET_GO: Duration = Duration::from_secs(5);

/// How often readiness is looked at.
const WATCHED_EVERY: Duration = Duration::from_secs(1);

/// Keeps `/health/ready` true to what runs.
async fn watch(
    readiness: Readiness,
    (engine, clock): (Arc<Engine>, Arc<dyn Clock>),
    registry: Arc<Registry>,
    projector: Option<Arc<Projector>>,
    ledger: Arc<ledger::Handle>,
) {
    let checks = ["registry", "projector", "ledger"].map(|name| readiness.check(name));
    let (log_check, clock_check) = (readiness.check("log"), readiness.check("clock"));
    let (tables_check, opened) = (readiness.check("tables"), engine.generations.live());
    let mut tick = tokio::time::interval(WATCHED_EVERY);
    loop {
        tick.tick().await;
        log_check.set_or_say(engine.log.check_writable());
        clock_check.set_or_say(clock.check());
        tables_check.set_or_say(match engine.generations.live() {
            live if live == opened => Ok(()),
            live => {
                Err(format!("generation {live} of the tables serves, this process has opened {opened}: restart it"))
            }
        });
        let states = [!registry.is_stale(), projector.as_ref().is_none_or(|p| p.is_running()), ledger.is_running()];
        checks.iter().zip(states).for_each(|(check, state)| check.set(state));
    }
}

/// What the roles share.
struct Parts {
    url: String,
    engine: Arc<Engine>,
    store: Arc<dyn Store>,
    registry: Arc<Registry>,
    policies: Arc<Policies>,
    verdicts: Arc<Verdicts>,
    ledger_port: Arc<dyn Ledger>,
    mint: Arc<Mint>,
    gate: Arc<Gate>,
    clock: Arc<dyn Clock>,
    heartbeat: tokio::task::JoinHandle<()>,
}

impl Parts {
    async fn open(settings: &Settings, engine: Arc<Engine>) -> Result<Self> {
        let listen: SocketAddr = settings.http.listen.parse().context("http.listen")?;
        let url = settings.public_url(listen);
        let clock: Arc<dyn Clock> = Arc::new(LogClock::new(engine.log.clone()));
        let live = engine.generations.live();
        let store =
            engine.generations.open(live).await.context("the tables; if they are damaged run `kiroku rebuild`")?;
        let registry = Registry::open(engine.log.clone(), engine.keys.clone(), clock.clone()).await?;
        let heartbeat = registry.start_heartbeat();
        let ledger_port: Arc<dyn Ledger> = Arc::new(LocalLedger::new(engine.log.clone(), engine.keys.clone()).await?);
        let mint = Mint::open(&*engine.keys, clock.clone(), &url).await?;
        let per_second = settings.limits.requests_per_second_per_client;
        let gate = Gate::new(Verifier::new(mint.clone()), registry.clone(), clock.clone(), per_second);
        let (policies, gate) = (load_policies(settings)?, Arc::new(gate));
        let verdicts = Arc::new(match engine.is_shared() {
            true => Verdicts::among_others(engine.log.clone(), &*engine.keys).await?,
            false => Verdicts::default(),
        });
        Ok(Self { url, engine, store, registry, policies, verdicts, ledger_port, mint, gate, clock, heartbeat })
    }

    async fn projector(&self) -> Result<Projector> {
        let deps = projector::Deps {
            log: self.engine.log.clone(),
            store: self.store.clone(),
            keys: self.engine.keys.clone(),
            verdicts: self.verdicts.clone(),
            policies: self.policies.clone(),
            clock: self.clock.clone(),
        };
        Ok(Projector::start(deps).await?)
    }

    async fn ledger(&self, settings: &Settings) -> Result<ledger::Handle> {
        let deps = ledger::Deps {
            log: self.engine.log.clone(),
            store: self.store.clone(),
            keys: self.engine.keys.clone(),
            ledger: self.ledger_port.clone(),
            policies: self.policies.clone(),
            gate: self.gate.clone(),
            clock: self.clock.clone(),
            numbers: settings.has(Role::Ledger),
            base_url: format!("{}/fhir", self.url),
        };
        Ok(ledger::start(deps).await?)
    }

    async fn edge(&self, settings: &Settings) -> Result<Arc<Edge>> {
        let (registry, store, mint) = (&self.registry, &self.store, &self.mint);
        let fetcher = Arc::new(jwks::HttpFetcher::new());
        let deps = edge::Deps {
            log: self.engine.log.clone(),
            store: store.clone(),
            keys: self.engine.keys.clone(),
            ledger: self.ledger_port.clone(),
            policies: self.policies.clone(),
            gate: self.gate.clone(),
            verdicts: self.verdicts.clone(),
            tokens: Arc::new(TokenService::with_mint(registry.clone(), store.clone(), mint.clone(), fetcher)),
            sign_in: Arc::new(PersonSignIn::new(registry.clone(), store.clone(), mint.clone())),
            clock: self.clock.clone(),
            base_url: format!("{}/fhir", self.url),
            rules: app::check_rules(settings)?,
            verdict_timeout: Duration::from_millis(settings.verdict_timeout_ms),
            disk: (settings.data.clone(), settings.limits.disk_free_bytes_min),
        };
        Ok(Edge::new(deps).await?)
    }

    async fn query(&self, settings: &Settings) -> Result<Arc<Query>> {
        let deps = query::Deps {
            store: self.store.clone(),
            keys: self.engine.keys.clone(),
            ledger: self.ledger_port.clone(),
            policies: self.policies.clone(),
            gate: self.gate.clone(),
            clock: self.clock.clone(),
            base_url: format!("{}/fhir", self.url),
            header_cache_bytes: settings.query.header_cache_bytes,
        };
        Ok(Query::new(deps).await?)
    }
}

/// A port of 0 becomes a free one, because the address is part of tokens and links.
fn fixed_address(listen: &str) -> Result<String> {
    if !listen.ends_with(":0") {
        return Ok(listen.to_owned());
    }
    Ok(TcpListener::bind(listen).context("http.listen")?.local_addr()?.to_string())
}

fn count_decision(purpose: Purpose, is_permit: bool, took: Duration, made: Made) {
    let result = if is_permit { "permit" } else { "deny" };
    metrics::decision(purpose.as_str(), result, (took.as_secs_f64(), made == Made::Now));
}
