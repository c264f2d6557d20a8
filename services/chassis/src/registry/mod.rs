//! The registry: who exists, works where, may ask for what. A projection of topic `authority`, held in memory by every node.
//!
//! Commons describe, the registry authorises. Each request asks the newest state, so that a revocation is in force at the next
//! request, whatever tokens still live.

mod state;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use schemas::authority::AuthorityEvent;
use schemas::codec;
use schemas::vocab::Topic;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinHandle};

pub use state::{Card, RegistryState, STALE_AFTER_MS, card_id};

use crate::clock::Clock;
use crate::crypto;
use crate::ports::keys::{Keys, KeysError, PlatformKey, Secret};
use crate::ports::log::{Append, Appended, Log, LogError, Record};

const AAD: &[u8] = b"authority";
const BATCH: usize = 10_000;
const HEARTBEAT: Duration = Duration::from_secs(5);
const RETRY: Duration = Duration::from_millis(500);

#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    #[error("the log of topic `authority` failed: {0}")]
    Log(#[from] LogError),
    #[error("no key for topic `authority`: {0}")]
    Keys(#[from] KeysError),
    /// Damage, a wrong key, or a writer newer than this reader: said, never skipped.
    #[error("record {offset} of topic `authority` does not read")]
    Unreadable { offset: u64 },
    #[error("topic `authority` is no longer followed")]
    NotFollowed,
}

/// The registry of this node.
pub struct Registry {
    inner: Arc<Inner>,
    follower: AbortHandle,
}

struct Inner {
    log: Arc<dyn Log>,
    key: Secret,
    clock: Arc<dyn Clock>,
    state: ArcSwap<RegistryState>,
    followed: watch::Sender<Followed>,
}

#[derive(Clone, Copy)]
struct Followed {
    next_offset: u64,
    ended: bool,
}

impl Registry {
    /// Replays the topic to its end, then follows it until the registry is dropped or the log closes.
    pub async fn open(
        log: Arc<dyn Log>,
        keys: Arc<dyn Keys>,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<Self>, RegistryError> {
        let key = keys.platform_key(PlatformKey::Authority).await?;
        let (followed, _) = watch::channel(Followed { next_offset: 0, ended: false });
        let inner = Arc::new(Inner { log, key, clock, state: ArcSwap::default(), followed });
        let end = inner.log.end(Topic::Authority, 0).await?;
        while inner.state.load().next_offset() < end {
            inner.advance().await?;
        }
        let follower = tokio::spawn(follow(inner.clone())).abort_handle();
        Ok(Arc::new(Self { inner, follower }))
    }

    /// The newest state. Take it once per request.
    pub fn state(&self) -> Arc<RegistryState> {
        self.inner.state.load_full()
    }

    /// Whether the state counts as old now, by this node's clock.
    pub fn is_stale(&self) -> bool {
        self.inner.state.load().is_stale(self.inner.clock.now())
    }

    /// Appends one event; when it returns, the event is durable and in force on this node.
    pub async fn append(&self, event: AuthorityEvent) -> Result<Appended, RegistryError> {
        let all = self.append_all(vec![event]).await?;
        all.first().copied().ok_or(RegistryError::NotFollowed)
    }

    /// Appends events in order, with one wait for all.
    pub async fn append_all(&self, events: Vec<AuthorityEvent>) -> Result<Vec<Appended>, RegistryError> {
        let places = self.inner.append(&events).await?;
        if let Some(last) = places.last() {
            let mut followed = self.inner.followed.subscribe();
            let reached = followed.wait_for(|f| f.ended || f.next_offset > last.offset).await;
            if reached.is_ok_and(|f| f.next_offset <= last.offset) {
                return Err(RegistryError::NotFollowed);
            }
        }
        Ok(places)
    }

    /// Writes a heartbeat now and then every 5 s while this process owns the partition, until the handle is aborted or the
    /// registry is dropped: a heartbeat says "nothing newer exists".
    pub fn start_heartbeat(self: &Arc<Self>) -> JoinHandle<()> {
        let registry = Arc::downgrade(self);
        let owned = self.inner.log.ownership(Topic::Authority);
        tokio::spawn(async move {
            let mut every = tokio::time::interval(HEARTBEAT);
            every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                every.tick().await;
                let Some(registry) = registry.upgrade() else { return };
                if owned.borrow().is_empty() {
                    continue;
                }
                match registry.inner.append(&[AuthorityEvent::Heartbeat]).await {
                    Ok(_) => {}
                    Err(RegistryError::Log(LogError::Closed)) => return,
                    Err(error) => tracing::warn!(%error, "the registry's heartbeat could not be written"),
                }
            }
        })
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.follower.abort();
    }
}

impl Inner {
    async fn append(&self, events: &[AuthorityEvent]) -> Result<Vec<Appended>, RegistryError> {
        let records = events
            .iter()
            .map(|event| {
                let value = Bytes::from(crypto::seal(&self.key, AAD, &codec::encode(event)));
                Append { topic: Topic::Authority, shard: 0, value }
            })
            .collect();
        Ok(self.log.append_all(records).await?)
    }

    /// Reads the next batch and publishes one new state.
    async fn advance(&self) -> Result<(), RegistryError> {
        let mut state = RegistryState::clone(&self.state.load());
        let records = self.log.read(Topic::Authority, 0, state.next_offset(), BATCH).await?;
        for record in &records {
            state.apply(self.read_event(record)?, record.offset, record.time);
        }
        self.publish(state, false);
        Ok(())
    }

    fn read_event(&self, record: &Record) -> Result<AuthorityEvent, RegistryError> {
        let unreadable = RegistryError::Unreadable { offset: record.offset };
        let Ok(plain) = crypto::open(&self.key, AAD, &record.value) else { return Err(unreadable) };
        codec::decode("authority event", &plain).map_err(|_| unreadable)
    }

    fn publish(&self, state: RegistryState, ended: bool) {
        let next_offset = state.next_offset();
        self.state.store(Arc::new(state));
        self.followed.send_replace(Followed { next_offset, ended });
    }

    /// The state that stands is kept, and counts as old from now on.
    fn break_off(&self) {
        let mut state = RegistryState::clone(&self.state.load());
        state.break_off();
        self.publish(state, true);
    }
}

async fn follow(inner: Arc<Inner>) {
    loop {
        let next = inner.state.load().next_offset();
        let step = match inner.log.wait_for(Topic::Authority, 0, next).await {
            Ok(()) => inner.advance().await,
            Err(error) => Err(error.into()),
        };
        match step {
            Ok(()) => {}
            Err(RegistryError::Log(LogError::Closed)) => return inner.break_off(),
            Err(error @ (RegistryError::Unreadable { .. } | RegistryError::Log(LogError::Damaged { .. }))) => {
                tracing::error!(%error, "the registry stops following and counts as old");
                return inner.break_off();
            }
            Err(error) => {
                tracing::warn!(%error, "the registry could not be read, trying again");
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}
