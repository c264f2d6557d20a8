//! Role projector: log -> domain -> outcomes, tables, verdicts. The only writer of the shelves' tables and of the indexes.
//!
//! Live, it decides each submission once, appends the outcome, builds the rows and gives the verdict, in that order.
//! In a replay it builds the same rows from the outcomes that the log holds and decides nothing.

mod identity;
mod partition;
mod policy;
mod records;
mod replay;
mod rows;
mod work;

use std::sync::Arc;

use chassis::clock::Clock;
use chassis::owned::{Open, OwnedTasks};
use chassis::ports::keys::{Keys, KeysError};
use chassis::ports::log::{Log, LogError};
use chassis::ports::store::{Store, StoreError};
use chassis::shelves::ShelfError;
use chassis::verdicts::Verdicts;
use futures_util::future::BoxFuture;
use policies::Policies;
use schemas::Pid;
use schemas::codec::CodecError;
use schemas::vocab::Topic;

pub use records::read_checkpoint;
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
    #[error("another process decides in partition {partition} of topic `{topic}`")]
    Overtaken { topic: Topic, partition: u16 },
}

impl ProjectorError {
    /// Whether it is worth beginning again from the checkpoint. Damage does not pass: it ends the projection of its partition,
    /// and the role is no longer ready.
    pub(crate) fn may_pass(&self) -> bool {
        let keys = |error: &KeysError| matches!(error, KeysError::Io(_) | KeysError::NotWritable(_));
        let store = |error: &StoreError| matches!(error, StoreError::NotWritable(_) | StoreError::Io(_));
        match self {
            Self::Overtaken { .. } | Self::Log(LogError::Io(_) | LogError::NotWritable(_)) => true,
            Self::Store(error) | Self::Shelf(ShelfError::Store(error)) => store(error),
            Self::Keys(error) | Self::Shelf(ShelfError::Keys(error)) => keys(error),
            _ => false,
        }
    }
}

/// The running role: one task for each owned partition.
pub struct Projector {
    tasks: OwnedTasks,
}

impl Projector {
    /// Starts a task for each owned partition of the topics that make tables, and follows the ownership.
    pub async fn start(deps: Deps) -> Result<Self, ProjectorError> {
        deps.keys.create_person(Pid::COMMONS).await?;
        deps.keys.create_person(Pid::QUARANTINE).await?;
        let mut tasks = OwnedTasks::default();
        for topic in [Topic::Commons, Topic::Person] {
            let deps = deps.clone();
            let log = deps.log.clone();
            let open: Open<ProjectorError> = Arc::new(move |partition| {
                let deps = deps.clone();
                Box::pin(async move {
                    let task = partition::Partition::open(deps, topic, partition).await?;
                    Ok::<BoxFuture<'static, ()>, _>(Box::pin(task.run()))
                })
            });
            tasks.follow(&*log, topic, open).await?;
        }
        let log = deps.log.clone();
        let open: Open<ProjectorError> = Arc::new(move |_| {
            let deps = deps.clone();
            Box::pin(async move {
                let task = identity::Identity::open(deps).await?;
                Ok::<BoxFuture<'static, ()>, _>(Box::pin(task.run()))
            })
        });
        tasks.follow(&*log, Topic::Identity, open).await?;
        Ok(Self { tasks })
    }

    /// True while every partition is being projected; a role that lost one is not ready.
    pub fn is_running(&self) -> bool {
        self.tasks.is_running()
    }

    /// Stops all tasks; when it returns none of them holds log, tables or keys any more. What they had not applied is read again
    /// from the log at the next start.
    pub async fn stop(&mut self) {
        self.tasks.stop().await;
    }
}
