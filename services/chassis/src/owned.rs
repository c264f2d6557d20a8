//! One task for each partition that this process owns, started and ended as ownership moves between processes.
//!
//! A task is aborted when its partition goes to another process; what it had not written is read again from the log by the new
//! owner. A process that was held up and does not know yet that it lost a partition does no harm: see the ports' contracts.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use schemas::vocab::Topic;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::ports::log::Log;

/// Until a partition that could not be opened is tried again.
const RETRY: Duration = Duration::from_millis(500);

/// Opens a partition; what it gives is run until it ends or the partition is lost.
pub type Open<E> = Arc<dyn Fn(u16) -> BoxFuture<'static, Result<BoxFuture<'static, ()>, E>> + Send + Sync>;

type Tasks = Arc<Mutex<HashMap<(Topic, u16), JoinHandle<()>>>>;

/// The tasks of a role.
#[derive(Default)]
pub struct OwnedTasks {
    tasks: Tasks,
    followers: Vec<JoinHandle<()>>,
    stopped: bool,
}

impl OwnedTasks {
    /// Starts the tasks of what is owned now, and follows the ownership from then on.
    ///
    /// # Errors
    /// What opening one of the partitions that are owned now says. Later ones are tried again until they open.
    pub async fn follow<E>(&mut self, log: &dyn Log, topic: Topic, open: Open<E>) -> Result<(), E>
    where
        E: std::fmt::Display + Send + 'static,
    {
        let mut owned = log.ownership(topic);
        let now = owned.borrow_and_update().clone();
        for partition in now {
            let task = open(partition).await?;
            self.tasks.lock().insert((topic, partition), tokio::spawn(task));
        }
        self.followers.push(tokio::spawn(follow(self.tasks.clone(), topic, owned, open)));
        Ok(())
    }

    /// True while every owned partition is worked on; a role that lost one, or was stopped, is not ready.
    pub fn is_running(&self) -> bool {
        !self.stopped && self.tasks.lock().values().all(|task| !task.is_finished())
    }

    /// Ends all tasks; when it returns none of them holds anything any more.
    pub async fn stop(&mut self) {
        self.stopped = true;
        self.abort();
        for follower in self.followers.drain(..) {
            // An error says that it was aborted. After it nobody starts a task any more.
            let _ = follower.await;
        }
        let tasks: Vec<_> = self.tasks.lock().drain().map(|(_, task)| task).collect();
        tasks.iter().for_each(JoinHandle::abort);
        for task in tasks {
            let _ = task.await;
        }
    }

    fn abort(&self) {
        self.followers.iter().for_each(JoinHandle::abort);
        self.tasks.lock().values().for_each(JoinHandle::abort);
    }
}

impl Drop for OwnedTasks {
    fn drop(&mut self) {
        self.abort();
    }
}

async fn follow<E: std::fmt::Display + Send + 'static>(
    tasks: Tasks,
    topic: Topic,
    mut owned: watch::Receiver<Vec<u16>>,
    open: Open<E>,
) {
    // The sender is gone where ownership never changes, and when the log closes.
    while owned.changed().await.is_ok() {
        let now = owned.borrow_and_update().clone();
        let lost: Vec<_> = {
            let mut tasks = tasks.lock();
            let lost: Vec<_> = tasks.keys().filter(|(t, p)| *t == topic && !now.contains(p)).copied().collect();
            lost.into_iter().filter_map(|place| tasks.remove(&place)).collect()
        };
        lost.iter().for_each(JoinHandle::abort);
        for task in lost {
            let _ = task.await;
        }
        for partition in now {
            if tasks.lock().contains_key(&(topic, partition)) {
                continue;
            }
            let task = tokio::spawn(open_and_run(topic, partition, open.clone()));
            tasks.lock().insert((topic, partition), task);
        }
    }
}

async fn open_and_run<E: std::fmt::Display + Send + 'static>(topic: Topic, partition: u16, open: Open<E>) {
    loop {
        match open(partition).await {
            Ok(task) => return task.await,
            Err(error) => {
                tracing::warn!(%topic, partition, %error, "a partition cannot be taken over yet");
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}
