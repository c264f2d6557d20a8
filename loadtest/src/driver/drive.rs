//! Sends requests and times the answers: closed loop for saturation, open loop from the intended send time for latency.
//!
//! Each thread has a runtime and a share of the connections of its own, so that a request never crosses threads. A free
//! connection takes the next slot of the schedule; if none is free the slot waits, and its wait counts (no coordinated
//! omission). A pacer thread sleeps by the system's clock, because timers of the runtime are a millisecond coarse.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use hdrhistogram::Histogram;
use tokio::sync::Semaphore;
use tokio::task::LocalSet;

use super::http::{Answer, Connection};
use super::token::Tokens;
use crate::population::{Dice, Population};

/// What is asked, and how an answer is judged.
pub trait Job: Send + Sync {
    /// Appends the next whole request to `out`; the number comes back to [`Job::check`].
    fn write(&self, token: &str, dice: &mut Dice, out: &mut Vec<u8>) -> u64;
    /// `Err` says in a few words, without any value, what is wrong with the answer.
    fn check(&self, ticket: u64, answer: &Answer<'_>) -> Result<(), String>;
}

/// How to send.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    pub connections: usize,
    /// Generator threads.
    pub threads: usize,
    /// Requests per second of the open loop; `None` for the closed loop.
    pub rate: Option<f64>,
    pub lasting: Duration,
    /// Ends after so many requests, if that comes first.
    pub limit: u64,
    pub seed: u64,
}

impl Load {
    /// Requests at the most.
    fn slots(&self) -> u64 {
        self.rate.map_or(self.limit, |rate| self.limit.min((rate * self.lasting.as_secs_f64()) as u64))
    }
}

/// What came of it.
pub struct Measured {
    pub answers: u64,
    pub wrong: u64,
    /// The first few faults, in words.
    pub faults: Vec<String>,
    pub seconds: f64,
    /// Nanoseconds.
    pub latency: Histogram<u64>,
    /// Body bytes received.
    pub bytes: u64,
}

/// Latencies above a minute count as a minute.
const LATENCY_MAX_NS: u64 = 60_000_000_000;
const FAULTS_KEPT: usize = 5;

impl Measured {
    fn new() -> Self {
        let latency = Histogram::new_with_bounds(1, LATENCY_MAX_NS, 3).expect("the bounds are in order");
        Self { answers: 0, wrong: 0, faults: Vec::new(), seconds: 0.0, latency, bytes: 0 }
    }

    fn add(&mut self, other: Self) {
        self.answers += other.answers;
        self.wrong += other.wrong;
        self.bytes += other.bytes;
        self.faults.extend(other.faults);
        self.faults.truncate(FAULTS_KEPT);
        self.seconds = self.seconds.max(other.seconds);
        self.latency.add(other.latency).expect("both have the same bounds");
    }

    fn fault(&mut self, words: String) {
        self.wrong += 1;
        if self.faults.len() < FAULTS_KEPT {
            self.faults.push(words);
        }
    }

    /// Right answers per second.
    pub fn rate(&self) -> f64 {
        (self.answers - self.wrong) as f64 / self.seconds.max(1e-9)
    }

    /// The latency below which `percent` of the answers lie, milliseconds.
    pub fn ms(&self, percent: f64) -> f64 {
        self.latency.value_at_percentile(percent) as f64 / 1e6
    }
}

/// What all connections share.
struct Shared {
    job: Arc<dyn Job>,
    tokens: Option<Arc<Tokens>>,
    address: SocketAddr,
    load: Load,
    start: Instant,
    next: AtomicU64,
    due: Semaphore,
    over: AtomicBool,
}

/// Runs the job. `tokens`: `None` for an endpoint that asks for none.
pub fn drive(address: SocketAddr, job: Arc<dyn Job>, tokens: Option<Arc<Tokens>>, load: Load) -> Result<Measured> {
    let start = Instant::now() + Duration::from_millis(50);
    let (next, due, over) = (AtomicU64::new(0), Semaphore::new(0), AtomicBool::new(false));
    let shared = Arc::new(Shared { job, tokens, address, load, start, next, due, over });
    let threads = load.threads.clamp(1, load.connections);
    let workers: Vec<_> = (0..threads)
        .map(|thread| {
            let shared = shared.clone();
            let mine = load.connections / threads + usize::from(thread < load.connections % threads);
            std::thread::spawn(move || work(&shared, thread, mine))
        })
        .collect();
    let pacer = load.rate.map(|rate| {
        let shared = shared.clone();
        std::thread::spawn(move || pace(&shared, rate))
    });
    let keeper = keep_fresh(shared.clone());
    let mut all = Measured::new();
    let mut failed = None;
    for worker in workers {
        match worker.join() {
            Ok(Ok(measured)) => all.add(measured),
            Ok(Err(error)) => failed = Some(error),
            Err(_) => bail!("a generator thread panicked"),
        }
    }
    shared.over.store(true, Ordering::Release);
    for helper in pacer.into_iter().chain(keeper) {
        if helper.join().is_err() {
            bail!("a helper thread of the generator panicked");
        }
    }
    match failed {
        Some(error) => Err(error),
        None => Ok(all),
    }
}

/// Long runs outlive a token.
fn keep_fresh(shared: Arc<Shared>) -> Option<std::thread::JoinHandle<()>> {
    let tokens = shared.tokens.clone()?;
    Some(std::thread::spawn(move || {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
        while !shared.over.load(Ordering::Acquire) {
            // A failure shows as 401 in the figures, which is where it belongs.
            let _refused = runtime.block_on(tokens.refresh());
            std::thread::sleep(Duration::from_millis(100));
        }
    }))
}

/// Releases each slot at its time, then wakes whoever still waits. Slots that are late at the end are still served: their
/// wait is part of the figures.
fn pace(shared: &Shared, rate: f64) {
    let mut released = 0_u64;
    while released < shared.load.slots() && !shared.over.load(Ordering::Acquire) {
        let then = shared.start + Duration::from_secs_f64(released as f64 / rate);
        std::thread::sleep(then.saturating_duration_since(Instant::now()));
        let due = 1 + (shared.start.elapsed().as_secs_f64() * rate) as u64;
        let due = due.min(shared.load.slots());
        shared.due.add_permits(due.saturating_sub(released) as usize);
        released = due.max(released);
    }
    shared.due.add_permits(shared.load.connections);
}

fn work(shared: &Arc<Shared>, thread: usize, connections: usize) -> Result<Measured> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = LocalSet::new();
    local.block_on(&runtime, async {
        let tasks: Vec<_> = (0..connections)
            .map(|c| {
                let shared = shared.clone();
                tokio::task::spawn_local(async move { converse(&shared, (thread * 10_000 + c) as u64).await })
            })
            .collect();
        let mut all = Measured::new();
        for task in tasks {
            all.add(task.await.context("a connection's task")??);
        }
        Ok(all)
    })
}

/// One connection, until time or number is over.
async fn converse(shared: &Shared, number: u64) -> Result<Measured> {
    let mut connection = Connection::open(shared.address).await?;
    let mut dice = Population::new(shared.load.seed).dice(number, 1);
    let mut measured = Measured::new();
    let mut request = Vec::with_capacity(8 * 1024);
    let wait = shared.start.saturating_duration_since(Instant::now());
    tokio::time::sleep(wait).await;
    while let Some(intended) = next_slot(shared).await {
        request.clear();
        let token = shared.tokens.as_ref().map(|tokens| tokens.current());
        let ticket = shared.job.write(token.as_deref().unwrap_or(""), &mut dice, &mut request);
        let begun = intended.unwrap_or_else(Instant::now);
        let outcome = connection.send(&request).await;
        let took = begun.elapsed();
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(LATENCY_MAX_NS);
        measured.latency.saturating_record(nanos);
        measured.answers += 1;
        let verdict = match &outcome {
            Ok(answer) => {
                measured.bytes += answer.body.len() as u64;
                shared.job.check(ticket, answer)
            }
            Err(error) => Err(error.to_string()),
        };
        let broken = outcome.is_err();
        if let Err(words) = verdict {
            measured.fault(words);
        }
        if broken {
            connection = Connection::open(shared.address).await?;
        }
    }
    measured.seconds = shared.start.elapsed().as_secs_f64();
    Ok(measured)
}

/// The next request's intended time (`None` inside: now); `None` when the run is over.
async fn next_slot(shared: &Shared) -> Option<Option<Instant>> {
    match shared.load.rate {
        None if shared.start.elapsed() >= shared.load.lasting => return None,
        None => {}
        Some(_) => shared.due.acquire().await.ok()?.forget(),
    }
    let slot = shared.next.fetch_add(1, Ordering::Relaxed);
    if slot >= shared.load.slots() {
        return None;
    }
    Some(shared.load.rate.map(|rate| shared.start + Duration::from_secs_f64(slot as f64 / rate)))
}
