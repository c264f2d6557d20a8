//! One process with the real roles on ports that fail.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use chassis::auth::Mint;
use chassis::auth::person::PersonSignIn;
use chassis::auth::tokens::TokenService;
use chassis::auth::verify::Verifier;
use chassis::clock::Clock;
use chassis::ledger::{Ledger, LocalLedger};
use chassis::ports::keys::Keys;
use chassis::ports::log::Log;
use chassis::ports::store::Store;
use chassis::registry::Registry;
use chassis::session::Gate;
use chassis::verdicts::Verdicts;
use edge::Edge;
use projector::Projector;
use tokio::task::JoinSet;

use crate::door::Door;
use crate::ground::{Ground, NoFetcher, URL};
use crate::incarnation::Incarnation;
use crate::log::ProcessLog;
use crate::tables::{CalmKeys, ProcessKeys, ProcessStore};
use crate::world::ADDRESSES;

/// Until the edge says 202.
const VERDICT_TIMEOUT: Duration = Duration::from_secs(1);

/// What is in memory while a process runs. Dropped when it crashes.
pub(crate) struct Running {
    pub(crate) incarnation: Arc<Incarnation>,
    pub(crate) door: Option<Door>,
    projector: Projector,
    ledger: Option<ledger::Handle>,
    _tasks: JoinSet<()>,
}

impl Running {
    /// False if a role gave up one of its partitions.
    pub(crate) fn is_well(&self) -> bool {
        self.projector.is_running() && self.ledger.as_ref().is_none_or(ledger::Handle::is_running)
    }
}

/// What the roles of one process share.
struct Parts {
    log: Arc<dyn Log>,
    store: Arc<dyn Store>,
    keys: Arc<dyn Keys>,
    clock: Arc<dyn Clock>,
    policies: Arc<policies::Policies>,
    verdicts: Arc<Verdicts>,
    registry: Arc<Registry>,
    mint: Arc<Mint>,
    gate: Arc<Gate>,
    ledger: Arc<dyn Ledger>,
}

impl Parts {
    async fn open(incarnation: &Arc<Incarnation>) -> Result<Self> {
        let world = &incarnation.world;
        let log: Arc<dyn Log> = Arc::new(ProcessLog(incarnation.clone()));
        let store: Arc<dyn Store> = Arc::new(ProcessStore(incarnation.clone()));
        let keys: Arc<dyn Keys> = Arc::new(ProcessKeys(incarnation.clone()));
        let clock = world.clock(world.dice.between(0, 400) as i64 - 200);
        // The upgrade is rolled out and taken back, process by process.
        let version = (incarnation.process + incarnation.number as usize) % 2;
        let policies = Ground::shared().policies[version].clone();
        let registry = Registry::open(log.clone(), keys.clone(), clock.clone()).await?;
        let mint = Mint::open(&*keys, clock.clone(), URL).await?;
        let gate = Arc::new(Gate::new(Verifier::new(mint.clone()), registry.clone(), clock.clone(), 0));
        let ledger: Arc<dyn Ledger> = Arc::new(LocalLedger::new(log.clone(), keys.clone()).await?);
        let verdicts = verdicts(incarnation, &log).await?;
        Ok(Self { log, store, keys, clock, policies, verdicts, registry, mint, gate, ledger })
    }

    fn projector(&self) -> projector::Deps {
        let Self { log, store, keys, clock, policies, verdicts, .. } = self;
        projector::Deps {
            log: log.clone(),
            store: store.clone(),
            keys: keys.clone(),
            verdicts: verdicts.clone(),
            policies: policies.clone(),
            clock: clock.clone(),
        }
    }

    fn ledger(&self) -> ledger::Deps {
        ledger::Deps {
            log: self.log.clone(),
            store: self.store.clone(),
            keys: self.keys.clone(),
            ledger: self.ledger.clone(),
            policies: self.policies.clone(),
            gate: self.gate.clone(),
            clock: self.clock.clone(),
            numbers: true,
            base_url: format!("{URL}/fhir"),
        }
    }

    fn edge(&self) -> edge::Deps {
        let tokens =
            TokenService::with_mint(self.registry.clone(), self.store.clone(), self.mint.clone(), Arc::new(NoFetcher));
        edge::Deps {
            log: self.log.clone(),
            store: self.store.clone(),
            keys: self.keys.clone(),
            ledger: self.ledger.clone(),
            policies: self.policies.clone(),
            gate: self.gate.clone(),
            verdicts: self.verdicts.clone(),
            tokens: Arc::new(tokens),
            sign_in: Arc::new(PersonSignIn::new(self.registry.clone(), self.store.clone(), self.mint.clone())),
            clock: self.clock.clone(),
            base_url: format!("{URL}/fhir"),
            rules: fhir::check::CheckRules::default(),
            verdict_timeout: VERDICT_TIMEOUT,
            disk: ("/".into(), 0),
        }
    }
}

/// The edge chooses its address by chance of its own; here until it is the one that the seed has thrown.
async fn verdicts(incarnation: &Incarnation, log: &Arc<dyn Log>) -> Result<Arc<Verdicts>> {
    let keys = CalmKeys(incarnation.world.keys.clone());
    let wanted = incarnation.world.dice.below(u64::from(ADDRESSES)) as u16;
    loop {
        let verdicts = Verdicts::among_others(log.clone(), &keys).await?;
        if verdicts.address() == wanted {
            return Ok(Arc::new(verdicts));
        }
    }
}

/// Starts the roles of a process: all of them have a projector, those with `door` an edge and a ledger too.
pub(crate) async fn start(incarnation: Arc<Incarnation>, door: bool) -> Result<Running> {
    let parts = Parts::open(&incarnation).await?;
    let mut tasks = JoinSet::new();
    tasks.spawn(parts.verdicts.clone().follow());
    let projector = Projector::start(parts.projector()).await?;
    let ledger = match door {
        true => Some(ledger::start(parts.ledger()).await?),
        false => None,
    };
    // Ends with the registry, which it does not keep alive.
    parts.registry.start_heartbeat();
    let door = match door {
        true => Some(Door::open(Edge::new(parts.edge()).await?).await),
        false => None,
    };
    Ok(Running { incarnation, door, projector, ledger, _tasks: tasks })
}
