//! The wall clock, as a dependency, so that tests can move it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::ports::log::Log;

/// A process whose clock is further from the log's decides nothing: it would let in what has expired, or keep out what holds.
const OFF_MS_MAX: u64 = 1_000;

/// Milliseconds since 1970, UTC.
pub trait Clock: Send + Sync {
    fn now(&self) -> i64;

    /// An error while the clock is known to be wrong: nothing may be decided by it.
    fn check(&self) -> Result<(), ClockOff> {
        Ok(())
    }
}

/// This process's clock is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this process's clock is off the log's by {ahead_ms} ms (above 0: ahead)")]
pub struct ClockOff {
    pub ahead_ms: i64,
}

/// The system's clock, held against the one that stamps the log.
pub struct LogClock(Arc<dyn Log>);

impl LogClock {
    pub fn new(log: Arc<dyn Log>) -> Self {
        Self(log)
    }
}

impl Clock for LogClock {
    fn now(&self) -> i64 {
        SystemClock.now()
    }

    fn check(&self) -> Result<(), ClockOff> {
        match self.0.clock_ahead_ms() {
            ahead_ms if ahead_ms.unsigned_abs() > OFF_MS_MAX => Err(ClockOff { ahead_ms }),
            _ => Ok(()),
        }
    }
}

/// The system's clock.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> i64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX))
    }
}

/// A clock that stands still until it is moved: for tests.
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<AtomicI64>);

impl ManualClock {
    pub fn at(now: i64) -> Self {
        Self(Arc::new(AtomicI64::new(now)))
    }
    pub fn advance(&self, milliseconds: i64) {
        self.0.fetch_add(milliseconds, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// Calendar year (UTC) of a time in milliseconds since 1970.
pub fn year_of(time: i64) -> u16 {
    // Days to civil year, after Howard Hinnant's `civil_from_days` (public domain algorithm).
    let days = time.div_euclid(86_400_000) + 719_468;
    let era = days.div_euclid(146_097);
    let doe = days.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let year = yoe + era * 400 + i64::from((5 * doy + 2) / 153 >= 10);
    u16::try_from(year.clamp(0, 9999)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::year_of;

    #[test]
    fn the_year_turns_at_midnight_utc_also_around_leap_days() {
        assert_eq!(year_of(0), 1970);
        assert_eq!(year_of(1_767_225_599_999), 2025);
        assert_eq!(year_of(1_767_225_600_000), 2026);
        assert_eq!(year_of(1_709_164_800_000), 2024); // 29 February
    }
}
