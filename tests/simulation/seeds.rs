//! Which seeds are run, by environment, so that one that failed can be run again; and running many of them.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use parking_lot::Mutex;

use crate::run::{Ran, run};
use crate::world::Planted;

/// Seeds of an ordinary run of the tests.
const SEEDS: u64 = 200;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// The one seed that is asked for by `KIROKU_SEED`.
pub(crate) fn asked() -> Option<u64> {
    number("KIROKU_SEED")
}

/// As many as `KIROKU_SEEDS` says, from 0 on, or the one that is asked for.
pub(crate) fn all() -> Range<u64> {
    match asked() {
        Some(seed) => seed..seed + 1,
        None => 0..number("KIROKU_SEEDS").unwrap_or(SEEDS),
    }
}

/// Runs seeds on all cores, each by itself on one; the first that fails ends it.
///
/// # Errors
/// Seed, promise and last calls of the one that failed.
pub(crate) fn each(seeds: Range<u64>, planted: Option<Planted>) -> Result<Vec<Ran>, String> {
    let (next, broken, ran) = (AtomicU64::new(seeds.start), Mutex::new(None), Mutex::new(Vec::new()));
    let work = || {
        while broken.lock().is_none() {
            let seed = next.fetch_add(1, Ordering::SeqCst);
            if seed >= seeds.end {
                return;
            }
            match run(seed, planted) {
                Ok(one) => ran.lock().push(one),
                Err(why) => *broken.lock() = Some(why),
            }
        }
    };
    thread::scope(|scope| {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        (0..cores).for_each(|_| drop(scope.spawn(work)));
    });
    broken.into_inner().map_or_else(|| Ok(ran.into_inner()), Err)
}
