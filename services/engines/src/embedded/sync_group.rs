//! One sync for many writers: each writes into the page cache, then waits for a sync that began afterwards.

use std::io;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;

#[derive(Default)]
struct State {
    written: u64,
    synced: u64,
    running: bool,
    /// After a failed sync nothing is durable for sure: every wait fails until a restart.
    failed: Option<String>,
}

type Sync = Box<dyn Fn() -> io::Result<()> + Send + std::marker::Sync>;

pub(crate) struct SyncGroup {
    sync: Sync,
    state: Mutex<State>,
    changed: watch::Sender<()>,
}

impl SyncGroup {
    pub(crate) fn new(sync: Sync) -> Arc<Self> {
        Arc::new(Self { sync, state: Mutex::default(), changed: watch::channel(()).0 })
    }

    /// Call after a write: the ticket to wait with.
    pub(crate) fn wrote(&self) -> u64 {
        let mut state = self.state.lock();
        state.written += 1;
        state.written
    }

    /// Marks the group as broken (a write failed half way).
    pub(crate) fn fail(&self, why: &str) {
        self.state.lock().failed.get_or_insert_with(|| why.to_owned());
        self.changed.send_replace(());
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        self.state.lock().failed.clone().map_or(Ok(()), Err)
    }

    /// Returns once all that was written up to `ticket` is durable.
    pub(crate) async fn synced(self: &Arc<Self>, ticket: u64) -> Result<(), String> {
        let mut changed = self.changed.subscribe();
        loop {
            changed.borrow_and_update();
            let must_lead = {
                let mut state = self.state.lock();
                if state.synced >= ticket {
                    return Ok(());
                }
                if let Some(why) = &state.failed {
                    return Err(why.clone());
                }
                !std::mem::replace(&mut state.running, true)
            };
            if must_lead {
                let group = Leading(Arc::clone(self));
                match tokio::runtime::Handle::try_current() {
                    // A task of its own: it goes on if the caller is dropped.
                    Ok(runtime) => drop(runtime.spawn(async move {
                        tokio::task::yield_now().await;
                        group.0.sync_now();
                    })),
                    Err(_) => group.0.sync_now(),
                }
            }
            if changed.changed().await.is_err() {
                return Err("closed".to_owned());
            }
        }
    }

    /// Syncs in this thread.
    pub(crate) fn sync_now(&self) {
        let target = self.state.lock().written;
        let result = (self.sync)();
        let mut state = self.state.lock();
        match result {
            Ok(()) => state.synced = state.synced.max(target),
            Err(e) => {
                tracing::error!(error = %e, "a sync failed; nothing is acknowledged until a restart");
                state.failed.get_or_insert_with(|| format!("an earlier sync failed, a restart is needed: {e}"));
            }
        }
    }
}

/// Whoever leads stops leading, also when its runtime stops; those who wait look again.
struct Leading(Arc<SyncGroup>);

impl Drop for Leading {
    fn drop(&mut self) {
        self.0.state.lock().running = false;
        self.0.changed.send_replace(());
    }
}
