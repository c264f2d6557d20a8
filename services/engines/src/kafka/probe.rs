//! Whether the log takes records, and how far its clock is from this process's: known also where nobody asks anything of this
//! process, because every few seconds it appends a record that means nothing, to a topic of its own that forgets after an hour.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use chassis::clock::{Clock, SystemClock};
use rdkafka::Timestamp;
use rdkafka::producer::{FutureProducer, FutureRecord};
use tokio::task::AbortHandle;

use super::client::Quiet;
use super::{Config, topics};

/// Between two probes.
const EVERY: Duration = Duration::from_secs(2);
/// A log that does not confirm a probe within this is out of reach: requests go to other processes before they wait in vain.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the newest appends showed.
#[derive(Default)]
pub(super) struct Seen {
    failing: AtomicBool,
    ahead_ms: AtomicI64,
}

impl Seen {
    pub(super) fn appended(&self, well: bool) {
        self.failing.store(!well, Ordering::Relaxed);
    }

    pub(super) fn is_failing(&self) -> bool {
        self.failing.load(Ordering::Relaxed)
    }

    pub(super) fn ahead_ms(&self) -> i64 {
        self.ahead_ms.load(Ordering::Relaxed)
    }

    /// The log stamped `stamp` on a record that was sent and confirmed at these moments of this process's clock.
    fn stamped(&self, sent: i64, stamp: i64, confirmed: i64) {
        let ahead_ms = ahead_of(sent, stamp, confirmed);
        let before = self.ahead_ms.swap(ahead_ms, Ordering::Relaxed);
        if (before == 0) != (ahead_ms == 0) {
            tracing::warn!(ahead_ms, "how far this process's clock is ahead of the log's has changed");
        }
    }
}

/// The least by which a clock must be wrong whose moments do not hold the stamp between them.
fn ahead_of(sent: i64, stamp: i64, confirmed: i64) -> i64 {
    match stamp {
        _ if stamp < sent => sent - stamp,
        _ if stamp > confirmed => confirmed - stamp,
        _ => 0,
    }
}

/// The task that probes; it ends when this is dropped.
pub(super) struct Probing(AbortHandle);

impl Probing {
    /// Returns after the first probe, so that whoever asks knows something from the start.
    pub(super) async fn start(config: &Config, producer: FutureProducer<Quiet>, seen: Arc<Seen>) -> Self {
        let topic = topics::probe_name(config);
        probe(&topic, &producer, &seen).await;
        let task = tokio::spawn(async move {
            loop {
                tokio::time::sleep(EVERY).await;
                probe(&topic, &producer, &seen).await;
            }
        });
        Self(task.abort_handle())
    }

    pub(super) fn stop(&self) {
        self.0.abort();
    }
}

impl Drop for Probing {
    fn drop(&mut self) {
        self.stop();
    }
}

async fn probe(topic: &str, producer: &FutureProducer<Quiet>, seen: &Seen) {
    let sent = SystemClock.now();
    let record: FutureRecord<'_, [u8], [u8]> = FutureRecord::to(topic).partition(0).payload(&[]);
    // A full queue says nothing about the log.
    let Ok(delivery) = producer.send_result(record) else { return };
    let Ok(delivered) = tokio::time::timeout(PATIENCE, delivery).await else {
        tracing::warn!("the log does not answer");
        return seen.appended(false);
    };
    match delivered {
        Ok(Ok(place)) => {
            seen.appended(true);
            if let Timestamp::LogAppendTime(stamp) = place.timestamp {
                seen.stamped(sent, stamp, SystemClock.now());
            }
        }
        Ok(Err((problem, _))) => {
            tracing::warn!(%problem, "the log takes no record");
            seen.appended(false);
        }
        Err(_canceled) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::ahead_of;

    #[test]
    fn a_clock_is_wrong_by_as_much_as_the_stamp_lies_outside_of_its_moments() {
        assert_eq!(ahead_of(1_000, 1_000, 1_000), 0);
        assert_eq!(ahead_of(1_000, 5_000, 9_000), 0, "a slow answer says nothing against the clock");
        assert_eq!(ahead_of(601_000, 1_000, 601_020), 600_000);
        assert_eq!(ahead_of(1_000, 601_000, 1_020), -599_980);
    }
}
