//! How far the tables are behind the log, for the partitions that this process works on. Asked of log and tables, not of the tasks
//! that move them: one that hangs shows, too. Births (topic `identity`) are left out, for a refused one leaves no trace in the tables.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use chassis::config::{Role, Settings};
use chassis::ports::log::Log;
use chassis::ports::store::Store;
use chassis::telemetry::metrics;
use schemas::vocab::Topic;
use tokio::sync::watch;

const EVERY: Duration = Duration::from_secs(5);

/// The partitions of this process.
pub(crate) struct Lag {
    log: Arc<dyn Log>,
    store: Arc<dyn Store>,
    owned: Vec<(Topic, watch::Receiver<Vec<u16>>)>,
}

impl Lag {
    pub(crate) fn new(log: Arc<dyn Log>, store: Arc<dyn Store>, settings: &Settings) -> Self {
        let mut topics = Vec::new();
        if settings.has(Role::Projector) {
            topics.extend([Topic::Commons, Topic::Person]);
        }
        if settings.has(Role::Ledger) {
            topics.push(Topic::Access);
        }
        let owned = topics.into_iter().map(|topic| (topic, log.ownership(topic))).collect();
        Self { log, store, owned }
    }

    /// Records that are not in the tables yet: topic, partition, number. What cannot be asked now is left out.
    pub(crate) async fn measure(&self) -> Vec<(&'static str, u16, u64)> {
        let mut lags = Vec::new();
        for (topic, owned) in &self.owned {
            let partitions = owned.borrow().clone();
            for partition in partitions {
                match behind(&*self.log, &*self.store, *topic, partition).await {
                    Ok(records) => lags.push((topic.as_str(), partition, records)),
                    Err(error) => tracing::debug!(%topic, partition, %error, "how far the tables are is not known"),
                }
            }
        }
        lags
    }

    /// Sets the metric again and again.
    pub(crate) async fn watch(self) {
        let mut tick = tokio::time::interval(EVERY);
        loop {
            tick.tick().await;
            metrics::lags(&self.measure().await);
        }
    }
}

async fn behind(log: &dyn Log, store: &dyn Store, topic: Topic, partition: u16) -> Result<u64> {
    let end = log.end(topic, partition).await?;
    let next = match topic {
        Topic::Access => ledger::read_checkpoint(store, partition).await?,
        _ => projector::read_checkpoint(store, topic, partition).await?,
    };
    Ok(end.saturating_sub(next))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use chassis::ports::log::Append;
    use chassis::twins::{MemoryLog, MemoryStore};

    use super::*;

    #[tokio::test]
    async fn records_that_nobody_applies_are_counted_for_the_roles_of_this_process_alone() {
        let (log, store) = (Arc::new(MemoryLog::default()), Arc::new(MemoryStore::new()));
        for topic in [Topic::Access, Topic::Access, Topic::Person] {
            log.append(Append { topic, shard: 0, value: Bytes::from_static(b"x") }).await.unwrap();
        }
        let settings = Settings { roles: vec![Role::Ledger], ..Settings::default() };
        let lags = Lag::new(log, store, &settings).measure().await;
        assert!(lags.iter().all(|(topic, ..)| *topic == "access"), "{lags:?}");
        assert_eq!(lags.iter().map(|(.., records)| records).sum::<u64>(), 2, "{lags:?}");
    }
}
