//! Role projector: log -> domain -> outcomes, tables, verdicts. The only writer of the shelves' tables and of the indexes.
//!
//! Live, it decides each submission once, appends the outcome, builds the rows and gives the verdict, in that order.
//! In a replay it builds the same rows from the outcomes that the log holds and decides nothing.

mod identity;
mod partition;
mod policy;
mod replay;
mod rows;
mod work;

use std::sync::Arc;

use chassis::clock::Clock;
use chassis::ports::keys::{Keys, KeysError};
use chassis::ports::log::{Log, LogError};
use chassis::ports::store::{Store, StoreError};
use chassis::shelves::ShelfError;
use chassis::verdicts::Verdicts;
use policies::Policies;
use schemas::Pid;
use schemas::codec::CodecError;
use schemas::vocab::Topic;

pub use replay::{Checked, check_decisions, replay};

/// What the role needs.
#[derive(Clone)]
pub struct Deps {
    pub log: Arc<dyn Log>,
    pub store: Arc<dyn Store>,
    pub keys: Arc<dyn Keys>,
    pub verdicts: Arc<Verdicts>,
    pub policies: Arc<Policies>,
    pub clock: Arc<dyn Clock>,
}

#[derive(Debug, thiserror::Error)]
pub enum ProjectorError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Keys(#[from] KeysError),
    #[error(transparent)]
    Shelf(#[from] ShelfError),
    #[error("a record of topic `{topic}` at offset {offset} does not read: {source}")]
    Record {
        topic: Topic,
        offset: u64,
        #[source]
        source: CodecError,
    },
}

/// The running role: one task for each owned partition.
pub struct Projector {
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Projector {
    /// Starts a task for each owned partition of the topics that make tables.
    pub async fn start(deps: Deps) -> Result<Self, ProjectorError> {
        deps.keys.create_person(Pid::COMMONS).await?;
        deps.keys.create_person(Pid::QUARANTINE).await?;
        let mut tasks = Vec::new();
        for topic in [Topic::Commons, Topic::Person] {
            for partition in deps.log.owned(topic) {
                let task = partition::Partition::open(deps.clone(), topic, partition).await?;
                tasks.push(tokio::spawn(task.run()));
            }
        }
        tasks.push(tokio::spawn(identity::Identity::open(deps.clone()).await?.run()));
        Ok(Self { tasks })
    }

    /// True while every partition is being projected; a role that lost one is not ready.
    pub fn is_running(&self) -> bool {
        self.tasks.iter().all(|task| !task.is_finished())
    }

    /// Stops all tasks; when it returns none of them holds log, tables or keys any more. What they had not applied is read again
    /// from the log at the next start.
    pub async fn stop(&mut self) {
        self.tasks.iter().for_each(tokio::task::JoinHandle::abort);
        for task in self.tasks.iter_mut().filter(|task| !task.is_finished()) {
            // An error says that it was aborted.
            let _ = task.await;
        }
    }
}

impl Drop for Projector {
    fn drop(&mut self) {
        self.tasks.iter().for_each(tokio::task::JoinHandle::abort);
    }
}
