//! What a compiled module asks of its host, found out before it is trusted with an input.

use std::collections::BTreeMap;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use opa_wasm::wasmtime::{AsContext, Caller, Engine, Linker, Memory, Module, Store};

/// One tick of a module's clock. The clock is of wall time: see [`TICKS_MAX`].
pub(crate) const TICK: Duration = Duration::from_millis(100);

/// Ticks that one evaluation, or the start of an instance, may take: 1 s. A decision needs microseconds, the largest input
/// that is allowed milliseconds (a test holds it); the rest is for a machine on which the thread had to wait.
pub(crate) const TICKS_MAX: u64 = 10;

/// Whatever the engine or the module says went wrong.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Names of the host functions that the module's policies call (its export `builtins`).
pub(crate) fn host_builtins(engine: &Engine, module: &Module) -> Result<Vec<String>, Failure> {
    let mut store = Store::new(engine, ());
    store.set_epoch_deadline(TICKS_MAX);
    let ty = module
        .imports()
        .find(|i| i.module() == "env" && i.name() == "memory")
        .and_then(|i| i.ty().memory().cloned())
        .ok_or("module imports no memory")?;
    let memory = Memory::new(&mut store, ty)?;
    let mut linker = Linker::new(engine);
    linker.define(&store, "env", "memory", memory)?;
    linker.func_wrap("env", "opa_abort", |_: Caller<'_, ()>, _: i32| {})?;
    linker.func_wrap("env", "opa_println", |_: Caller<'_, ()>, _: i32| {})?;
    linker.define_unknown_imports_as_traps(module)?;
    let instance = linker.instantiate(&mut store, module)?;
    let value = instance.get_typed_func::<(), i32>(&mut store, "builtins")?.call(&mut store, ())?;
    let text = instance.get_typed_func::<i32, i32>(&mut store, "opa_json_dump")?.call(&mut store, value)?;
    let bytes = memory.data(store.as_context()).get(usize::try_from(text)?..).ok_or("text outside of the memory")?;
    let end = bytes.iter().position(|&b| b == 0).ok_or("text without an end")?;
    let names: BTreeMap<String, i32> = serde_json::from_slice(&bytes[..end])?;
    Ok(names.into_keys().collect())
}

/// Counts the ticks of `engine` for as long as it is in use. Cheaper than fuel, which counts every instruction: a decision
/// takes a tenth less.
pub(crate) fn start_clock(engine: &Engine) -> std::io::Result<()> {
    let engine = engine.weak();
    std::thread::Builder::new().name("policy-clock".to_owned()).spawn(move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(TICK);
        }
    })?;
    Ok(())
}

/// Runs a future of the policy engine to its end. Nothing in it waits for input or time, so polling again is enough;
/// `unconstrained`, because the engine's mutex would else answer "pending" for ever once the calling task's budget is spent.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(tokio::task::unconstrained(future));
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
}
