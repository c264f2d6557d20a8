//! Which partitions this process owns: Kafka's group protocol spreads them over the processes that ask. Nothing is read and no
//! position is kept this way.

use std::collections::{BTreeSet, HashMap};

use chassis::ports::log::LogError;
use parking_lot::Mutex;
use rdkafka::client::ClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, Rebalance, StreamConsumer};
use rdkafka::{ClientConfig, TopicPartitionList};
use schemas::vocab::Topic;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::{Config, client, error, topics};

/// A process that says nothing for so long has lost its partitions. The brokers' least is 6 s.
const SESSION_MS: &str = "6000";
const HEARTBEAT_MS: &str = "1500";

/// Memberships by topic; the first question about a topic joins its group.
#[derive(Default)]
pub(super) struct Owners {
    members: Mutex<HashMap<Topic, Member>>,
}

struct Member {
    owned: watch::Receiver<Vec<u16>>,
    task: AbortHandle,
}

impl Owners {
    /// What this process owns of `topic`: nothing at first, and whatever the group gives it from then on.
    pub(super) fn of(&self, config: &Config, topic: Topic) -> watch::Receiver<Vec<u16>> {
        let mut members = self.members.lock();
        if let Some(member) = members.get(&topic) {
            return member.owned.clone();
        }
        match Member::join(config, topic) {
            Ok(member) => {
                let owned = member.owned.clone();
                members.insert(topic, member);
                owned
            }
            Err(error) => {
                tracing::error!(%topic, %error, "this process cannot ask for partitions");
                watch::channel(Vec::new()).1
            }
        }
    }

    /// Gives everything back, so that others need not wait for the session to end.
    pub(super) fn leave(&self) {
        self.members.lock().clear();
    }
}

impl Member {
    fn join(config: &Config, topic: Topic) -> Result<Self, LogError> {
        let (told, owned) = watch::channel(Vec::new());
        let context = Ownership { held: Mutex::default(), told };
        let consumer: StreamConsumer<Ownership> =
            settings(config, topic).create_with_context(context).map_err(error::io)?;
        consumer.subscribe(&[&topics::name(config, topic)]).map_err(error::io)?;
        // Only asking keeps a member in its group; its partitions are paused, so that no record comes.
        let task = tokio::spawn(async move {
            loop {
                if let Err(problem) = consumer.recv().await {
                    tracing::debug!(%problem, "the group of owners is disturbed");
                }
            }
        });
        Ok(Self { owned, task: task.abort_handle() })
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        // The consumer goes with its task, and leaves the group.
        self.task.abort();
    }
}

fn settings(config: &Config, topic: Topic) -> ClientConfig {
    let mut settings = client::consumer(config);
    settings
        .set("group.id", format!("{}.owners", topics::name(config, topic)))
        .set("partition.assignment.strategy", "cooperative-sticky")
        .set("session.timeout.ms", SESSION_MS)
        .set("heartbeat.interval.ms", HEARTBEAT_MS)
        .set("enable.partition.eof", "false")
        .set("auto.offset.reset", "latest");
    settings
}

/// Hears what the group decides.
struct Ownership {
    held: Mutex<BTreeSet<u16>>,
    told: watch::Sender<Vec<u16>>,
}

impl ClientContext for Ownership {}

impl ConsumerContext for Ownership {
    fn post_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        let mut held = self.held.lock();
        match rebalance {
            Rebalance::Assign(list) => {
                if let Err(problem) = consumer.pause(list) {
                    tracing::warn!(%problem, "owned partitions cannot be paused");
                }
                held.extend(numbers(list));
            }
            Rebalance::Revoke(list) => numbers(list).for_each(|partition| {
                held.remove(&partition);
            }),
            Rebalance::Error(problem) => {
                tracing::warn!(%problem, "the group of owners cannot agree");
                return;
            }
        }
        self.told.send_replace(held.iter().copied().collect());
    }
}

fn numbers(list: &TopicPartitionList) -> impl Iterator<Item = u16> {
    let numbers: Vec<u16> = list.elements().iter().filter_map(|e| u16::try_from(e.partition()).ok()).collect();
    numbers.into_iter()
}
