//! Runs the compiled policies: one module per bundle, one instance per thread, time and memory limited. Never fails: whatever
//! goes wrong is a denial under R51, counted.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use opa_wasm::wasmtime::{self, Config, Engine, Module, Store, StoreLimits, StoreLimitsBuilder};
use openssl::sha::Sha256;
use schemas::Purpose;
use serde::Deserialize;
use serde_json::value::{RawValue, to_raw_value};

use crate::answer::{Answer, Tables};
use crate::bundle::{Bundle, BundleError};
use crate::decision::Decision;
use crate::input::{INPUT_BYTES_MAX, Input};
use crate::module::{Failure, TICKS_MAX, block_on, host_builtins, start_clock};
use crate::remember::Made;

/// The one entry point.
pub const ENTRY_POINT: &str = "kiroku/decide";

/// Linear memory of one instance.
const MEMORY_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Host functions that a module may ask for: none. What a policy needs is inside the module.
const HOST_BUILTINS: [&str; 0] = [];
/// Instances that a thread keeps: the newest bundle and those still in use elsewhere.
const INSTANCES_PER_THREAD: usize = 4;

/// The policies in use. Shared by all workers; [`Policies::swap`] changes the bundle under way.
pub struct Policies {
    current: ArcSwap<Loaded>,
    errors: AtomicU64,
    watch: Watch,
}

/// Told of each decision that is given: its purpose, whether it permits, how long it took, and when it was made.
pub type Watch = fn(Purpose, bool, Duration, Made);

/// A compiled bundle.
struct Loaded {
    /// Unique in this process: instances of another module are never mistaken for this one's.
    generation: u64,
    engine: Engine,
    module: Module,
    data: serde_json::Value,
    tables: Tables,
    revision: u64,
}

struct Instance {
    generation: u64,
    store: Store<StoreLimits>,
    policy: opa_wasm::Policy<opa_wasm::DefaultContext>,
}

thread_local! {
    static INSTANCES: RefCell<Vec<Instance>> = const { RefCell::new(Vec::new()) };
}

#[derive(Debug, thiserror::Error)]
enum EvaluationError {
    #[error("input is larger than {INPUT_BYTES_MAX} bytes")]
    TooLarge,
    #[error("input cannot be written as JSON")]
    Input,
    #[error("instance cannot be started")]
    Start,
    #[error("evaluation trapped, ran out of time or answered what is not known")]
    Evaluation,
    #[error("answer is empty or contradicts itself")]
    Answer,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    result: Answer,
}

impl Policies {
    /// Compiles the module, checks its host functions against the allow-list, and runs it once.
    ///
    /// # Errors
    /// A module that does not compile, asks for a host function or lacks the entry point.
    pub fn new(bundle: Bundle) -> Result<Self, BundleError> {
        let current = ArcSwap::from_pointee(Loaded::new(bundle)?);
        Ok(Self { current, errors: AtomicU64::new(0), watch: |_, _, _, _| {} })
    }

    /// The same, telling `watch` of each decision: for metrics.
    #[must_use]
    pub fn watched_by(self, watch: Watch) -> Self {
        Self { watch, ..self }
    }

    /// Takes a newer bundle (or the same again); decisions under way end with the old one.
    ///
    /// # Errors
    /// As [`Policies::new`], or an older revision: the bundle in use stays.
    pub fn swap(&self, bundle: Bundle) -> Result<(), BundleError> {
        let least = self.revision();
        if bundle.revision() < least {
            return Err(BundleError::Rollback { found: bundle.revision(), least });
        }
        self.current.store(Arc::new(Loaded::new(bundle)?));
        Ok(())
    }

    /// Revision of the bundle in use.
    pub fn revision(&self) -> u64 {
        self.current.load().revision
    }

    /// Decisions that were denials because of an error.
    pub fn error_count(&self) -> u64 {
        self.errors.load(Ordering::Relaxed)
    }

    /// Makes this thread ready to decide: the first decision of a thread makes its instance, which takes some milliseconds, and no
    /// request should wait for it. If that fails, the first decision tries again and says so.
    pub fn prepare_thread(&self) {
        let loaded = self.current.load();
        INSTANCES.with_borrow_mut(|instances| drop(loaded.ready(instances)));
    }

    /// Decides. Pure: the same input under the same revision gives the same decision.
    pub fn decide(&self, input: &Input) -> Decision {
        let started = Instant::now();
        let decision = match to_raw_value(input) {
            Ok(json) => self.decide_json(&json, input.now),
            Err(_) => self.denied(&EvaluationError::Input, [0; 32]),
        };
        self.tell(input.purpose, &decision, (started, Made::Now));
        decision
    }

    pub(crate) fn tell(&self, purpose: Purpose, decision: &Decision, (started, made): (Instant, Made)) {
        (self.watch)(purpose, decision.is_permit(), started.elapsed(), made);
    }

    /// Decides about an input that is JSON already (replay of recorded decisions, tests).
    pub fn decide_json(&self, json: &RawValue, now: i64) -> Decision {
        // Not the one-shot, which looks its algorithm up each time.
        let mut hash = Sha256::new();
        hash.update(json.get().as_bytes());
        let hash = hash.finish();
        let loaded = self.current.load();
        let decision = if json.get().len() > INPUT_BYTES_MAX {
            Err(EvaluationError::TooLarge)
        } else {
            INSTANCES.with_borrow_mut(|instances| loaded.evaluate(instances, json)).and_then(|answer| {
                answer.complete(&loaded.tables, now, loaded.revision, hash).ok_or(EvaluationError::Answer)
            })
        };
        decision.unwrap_or_else(|error| self.denied(&error, hash))
    }

    fn denied(&self, error: &EvaluationError, hash: [u8; 32]) -> Decision {
        self.errors.fetch_add(1, Ordering::Relaxed);
        tracing::error!(%error, "a decision failed and denies");
        Decision::policy_error(self.revision(), hash)
    }
}

impl Loaded {
    fn new(bundle: Bundle) -> Result<Self, BundleError> {
        static GENERATION: AtomicU64 = AtomicU64::new(1);
        let module_error = |e: wasmtime::Error| BundleError::Module(e.into());
        let mut config = Config::new();
        config.epoch_interruption(true);
        let engine = Engine::new(&config).map_err(module_error)?;
        start_clock(&engine).map_err(|e| BundleError::Module(e.into()))?;
        let module = Module::new(&engine, &bundle.wasm).map_err(module_error)?;
        for name in host_builtins(&engine, &module).map_err(BundleError::Module)? {
            if !HOST_BUILTINS.contains(&name.as_str()) {
                return Err(BundleError::Builtin(name));
            }
        }
        let revision = bundle.revision();
        let generation = GENERATION.fetch_add(1, Ordering::Relaxed);
        let tables = Tables::of(&bundle.data);
        let loaded = Self { generation, engine, module, data: bundle.data, tables, revision };
        let instance = loaded.instance().map_err(BundleError::Module)?;
        if !instance.policy.entrypoints().contains(ENTRY_POINT) {
            return Err(BundleError::EntryPoint(ENTRY_POINT));
        }
        Ok(loaded)
    }

    fn evaluate(&self, instances: &mut Vec<Instance>, json: &RawValue) -> Result<Answer, EvaluationError> {
        let at = self.ready(instances).map_err(|_| EvaluationError::Start)?;
        let answer = instances[at].run(json);
        // After a trap the memory is in an unknown state: the next decision starts with a new instance.
        if answer.is_err() {
            instances.remove(at);
        }
        answer.map_err(|_| EvaluationError::Evaluation)?.pop().map(|e| e.result).ok_or(EvaluationError::Answer)
    }

    /// Where this thread's instance lies; it is made if there is none.
    fn ready(&self, instances: &mut Vec<Instance>) -> Result<usize, Failure> {
        if let Some(at) = instances.iter().position(|i| i.generation == self.generation) {
            return Ok(at);
        }
        if instances.len() >= INSTANCES_PER_THREAD {
            instances.remove(0);
        }
        instances.push(self.instance()?);
        Ok(instances.len() - 1)
    }

    /// A new instance, with its memory grown for the largest input.
    fn instance(&self) -> Result<Instance, Failure> {
        let limits = StoreLimitsBuilder::new().memory_size(MEMORY_BYTES_MAX).build();
        let mut store = Store::new(&self.engine, limits);
        store.limiter(|limits| limits);
        store.set_epoch_deadline(TICKS_MAX);
        let policy = block_on(async {
            let runtime = opa_wasm::Runtime::new(&mut store, &self.module).await?;
            runtime.with_data(&mut store, &self.data).await
        })?;
        let mut instance = Instance { generation: self.generation, store, policy };
        // The input is copied behind the heap without growing the memory for it; parsing an input grows it by several
        // times its size, so doubling sizes make room for the next.
        let mut size = 256;
        while size < 2 * INPUT_BYTES_MAX {
            let padding = serde_json::json!({ "padding": vec![0; size / 2] });
            instance.run(&to_raw_value(&padding)?)?;
            size *= 2;
        }
        Ok(instance)
    }
}

impl Instance {
    fn run(&mut self, json: &RawValue) -> Result<Vec<Entry>, Failure> {
        self.store.set_epoch_deadline(TICKS_MAX);
        Ok(block_on(self.policy.evaluate(&mut self.store, ENTRY_POINT, &json))?)
    }
}
