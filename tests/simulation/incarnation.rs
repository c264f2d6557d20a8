//! One life of one process: every call of a port passes here, and here it is delayed, held up, failed or cut off.
//!
//! A process that crashes never hears of anything again: all its calls, those under way too, stay without an answer, and what
//! it has in memory is dropped. A process that is held up gets its answers later and goes on as if nothing had happened.

use std::collections::BTreeMap;
use std::future::pending;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::{Either, select};
use parking_lot::Mutex;
use schemas::SubmissionId;
use schemas::vocab::Topic;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, sleep_until};

use crate::trace::Call;
use crate::world::World;

/// What goes wrong with one call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    /// It fails and had no effect.
    Before,
    /// It fails, though it had its effect: the acknowledgement is lost.
    After,
    /// It fails, and a first part of it had its effect.
    Part,
    /// It fails, and has its effect some time later.
    Late,
    /// It has its effect twice.
    Twice,
}

/// What is to become of one call.
#[derive(Clone, Copy)]
pub(crate) struct Fate {
    pub(crate) fault: Option<Fault>,
    dies_after: bool,
    slow: Duration,
}

pub(crate) struct Incarnation {
    pub(crate) world: Arc<World>,
    pub(crate) process: usize,
    pub(crate) number: u32,
    is_dead: AtomicBool,
    died: Notify,
    held_until: Mutex<Instant>,
    pub(crate) owned: Mutex<BTreeMap<Topic, watch::Sender<Vec<u16>>>>,
    /// Outcomes that this process appended itself: for [`crate::world::Planted::BlindReadBack`].
    pub(crate) own_outcomes: Mutex<BTreeMap<SubmissionId, u64>>,
}

impl Incarnation {
    pub(crate) fn new(world: Arc<World>, process: usize, number: u32) -> Arc<Self> {
        let it = Self {
            world,
            process,
            number,
            is_dead: AtomicBool::new(false),
            died: Notify::new(),
            held_until: Mutex::new(Instant::now()),
            owned: Mutex::default(),
            own_outcomes: Mutex::default(),
        };
        it.note(Call::of("start", 0), "");
        Arc::new(it)
    }

    pub(crate) fn note(&self, call: Call, what: &'static str) {
        self.world.note(self.process, self.number, call, what);
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.is_dead.load(Ordering::SeqCst)
    }

    /// The crash.
    pub(crate) fn die(&self, call: Call) {
        if !self.is_dead.swap(true, Ordering::SeqCst) {
            self.note(call, "CRASH");
            self.died.notify_waiters();
        }
    }

    /// Returns when it has crashed.
    pub(crate) async fn died(&self) {
        loop {
            let died = self.died.notified();
            if self.is_dead() {
                return;
            }
            died.await;
        }
    }

    /// What `work` gives, unless the process crashes before.
    pub(crate) async fn unless_it_dies<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        match select(pin!(work), pin!(self.died())).await {
            Either::Left((done, _)) => Some(done),
            Either::Right(_) => None,
        }
    }

    /// Holds all its calls up for so long.
    pub(crate) fn hold_up(&self, time: Duration, call: Call) {
        self.note(call, "held up");
        *self.held_until.lock() = Instant::now() + time;
    }

    /// Waits while it is held up; never returns once it is dead.
    pub(crate) async fn go_on(&self) {
        loop {
            if self.is_dead() {
                pending::<()>().await;
            }
            let until = *self.held_until.lock();
            if until <= Instant::now() || self.world.is_calm() {
                return;
            }
            sleep_until(until).await;
        }
    }

    /// Before the effect of a call. `faults`: those that may befall it.
    pub(crate) async fn enter(&self, call: Call, faults: &[Fault]) -> Fate {
        self.go_on().await;
        let fate = self.throw(call, faults).await;
        self.go_on().await;
        fate
    }

    /// After the effect, before the caller hears of it.
    pub(crate) async fn leave(&self, call: Call, fate: Fate) {
        // A wait that began in worse times may end long after them.
        if fate.dies_after && !self.world.is_calm() {
            self.die(call);
        }
        if !fate.slow.is_zero() {
            sleep(fate.slow).await;
        }
        self.go_on().await;
    }

    async fn throw(&self, call: Call, faults: &[Fault]) -> Fate {
        let (dice, rates) = (&self.world.dice, &self.world.rates);
        if self.world.is_calm() {
            self.note(call, "");
            return Fate { fault: None, dies_after: false, slow: Duration::ZERO };
        }
        let fault = (!faults.is_empty() && dice.chance(rates.fault)).then(|| *dice.pick(faults));
        self.note(call, fault.map_or("", name_of));
        if dice.chance(rates.crash) {
            self.die(call);
        }
        if dice.chance(rates.pause) {
            self.hold_up(Duration::from_millis(dice.between(100, 2500)), call);
        }
        let before = self.some_time();
        if !before.is_zero() {
            sleep(before).await;
        }
        Fate { fault, dies_after: dice.chance(rates.crash), slow: self.some_time() }
    }

    /// Mostly none, often little, seldom much.
    fn some_time(&self) -> Duration {
        let dice = &self.world.dice;
        let milliseconds = match dice.below(10_000) {
            n if n < self.world.rates.slow => dice.between(10, 400),
            n if n < 4000 => dice.between(1, 4),
            _ => 0,
        };
        Duration::from_millis(milliseconds)
    }
}

fn name_of(fault: Fault) -> &'static str {
    match fault {
        Fault::Before => "FAILS",
        Fault::After => "FAILS after its effect",
        Fault::Part => "FAILS after part of its effect",
        Fault::Late => "FAILS and has its effect later",
        Fault::Twice => "HAPPENS TWICE",
    }
}
