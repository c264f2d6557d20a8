//! Role ledger: the lists of who looked. Numbers and chains the entries of topic `access`, and shows a list to the person
//! whose list it is, or to a regulator inside a case. Appending an entry is `chassis::ledger`'s; tree, proofs, notices and
//! cases of persons come later and change neither entry, commitment nor number.

mod audit_event;
mod decide;
mod filter;
mod fold;
mod follow;
mod handlers;
mod list;
mod page;
mod reader;
mod recent;
mod routes;
mod verify;
mod view;
mod words;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chassis::clock::Clock;
use chassis::ledger::{Ledger, facility_shard};
use chassis::owned::{Open, OwnedTasks};
use chassis::ports::keys::{Job, Keys, Ticket};
use chassis::ports::log::Log;
use chassis::ports::store::Store;
use chassis::session::Gate;
use chassis::shelves::Shelves;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use policies::Policies;
use schemas::access::AccessList;
use schemas::vocab::Topic;

pub use follow::{read_checkpoint, replay_lists};
pub use list::{ListError, list_name, row_key, row_partition};
pub use routes::configure;
pub use verify::{Difference, Report, verify_lists};

use follow::{Follower, Progress};
use list::Guard;
use reader::Reader;

/// What the role needs.
#[derive(Clone)]
pub struct Deps {
    pub log: Arc<dyn Log>,
    pub store: Arc<dyn Store>,
    pub keys: Arc<dyn Keys>,
    /// Where the readings of lists are appended.
    pub ledger: Arc<dyn Ledger>,
    pub policies: Arc<Policies>,
    pub gate: Arc<Gate>,
    pub clock: Arc<dyn Clock>,
    /// Whether this process numbers entries; one that only shows lists does not.
    pub numbers: bool,
    /// Base of the URLs in FHIR answers, without a slash at the end: `https://host/fhir`.
    pub base_url: String,
}

/// What rebuilding and checking the lists needs.
#[derive(Clone)]
pub struct ListDeps {
    pub log: Arc<dyn Log>,
    pub keys: Arc<dyn Keys>,
}

/// How long a reader waits for the newest entries to be numbered. After that the list is shown as far as it is.
const CATCH_UP: Duration = Duration::from_secs(2);

/// Between two looks at what another process numbers.
const ASK_AGAIN: Duration = Duration::from_millis(20);

/// The role's state, shared by all workers; must be in the app as `web::Data<LedgerRole>`.
pub struct LedgerRole {
    pub(crate) reader: Reader,
    pub(crate) shelves: Shelves,
    pub(crate) log: Arc<dyn Log>,
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) policies: Arc<Policies>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) base_url: String,
    progress: ProgressOf,
}

/// How far the partitions are numbered that this process numbers.
type ProgressOf = Arc<Mutex<HashMap<u16, Progress>>>;

/// The running role: one task for each owned partition of topic `access`.
pub struct Handle {
    role: Arc<LedgerRole>,
    tasks: OwnedTasks,
}

/// Starts numbering, and makes the state that the routes need.
pub async fn start(deps: Deps) -> Result<Handle, ListError> {
    let guard = Guard::new(&*deps.keys).await?;
    let progress = ProgressOf::default();
    let mut tasks = OwnedTasks::default();
    if deps.numbers {
        tasks.follow(&*deps.log, Topic::Access, opener(&deps, &guard, &progress)).await?;
    }
    let role = Arc::new(LedgerRole {
        reader: Reader::new(deps.store.clone(), deps.keys.clone(), guard),
        shelves: Shelves::new(deps.store, deps.keys, Ticket::for_job(Job::AccessList)),
        log: deps.log,
        ledger: deps.ledger,
        policies: deps.policies,
        gate: deps.gate,
        clock: deps.clock,
        base_url: deps.base_url,
        progress,
    });
    Ok(Handle { role, tasks })
}

/// How a partition is taken over.
fn opener(deps: &Deps, guard: &Guard, progress: &ProgressOf) -> Open<ListError> {
    let (log, store, guard, progress) = (deps.log.clone(), deps.store.clone(), guard.clone(), progress.clone());
    Arc::new(move |partition| {
        let (log, store, guard, progress) = (log.clone(), store.clone(), guard.clone(), progress.clone());
        Box::pin(async move {
            let follower = Follower::open(log, store, guard, partition).await?;
            progress.lock().insert(partition, follower.progress());
            Ok::<BoxFuture<'static, ()>, _>(Box::pin(follower.run()))
        })
    })
}

impl Handle {
    /// For `web::Data::from`.
    pub fn role(&self) -> Arc<LedgerRole> {
        self.role.clone()
    }

    /// True while every owned partition is being numbered; a role that lost one is not ready.
    pub fn is_running(&self) -> bool {
        self.tasks.is_running()
    }

    /// Stops all tasks; when it returns none of them holds log, tables or keys any more. What they had not written is read again
    /// from the log at the next start.
    pub async fn stop(&mut self) {
        self.tasks.stop().await;
    }
}

impl LedgerRole {
    /// Waits until all that is in the log now is in the list, at most [`CATCH_UP`]: who reads the list right after a visit
    /// finds the visit in it. False if some of it is not in the list yet, which the reader is told.
    pub(crate) async fn catch_up(&self, list: &AccessList) -> Result<bool, ListError> {
        let shard = match list {
            AccessList::Person(pid) => pid.shard(),
            AccessList::Facility(organisation) => facility_shard(organisation),
        };
        let partition = self.log.partition_of(Topic::Access, shard);
        let end = self.log.end(Topic::Access, partition).await?;
        // A process that lost the partition has dropped its end of the progress: then another one numbers.
        let ours = self.progress.lock().get(&partition).filter(|progress| progress.next.has_changed().is_ok()).cloned();
        let Some(progress) = ours else { return self.numbered_elsewhere(partition, end).await };
        let mut next = progress.next.clone();
        if *next.borrow() < end {
            progress.hurry.notify_one();
            let _ = tokio::time::timeout(CATCH_UP, next.wait_for(|next| *next >= end)).await;
        }
        Ok(*next.borrow() >= end)
    }

    /// Asks the tables until another process has numbered up to `end`, at most [`CATCH_UP`].
    async fn numbered_elsewhere(&self, partition: u16, end: u64) -> Result<bool, ListError> {
        let deadline = tokio::time::Instant::now() + CATCH_UP;
        loop {
            if follow::read_checkpoint(&*self.shelves.store, partition).await? >= end {
                return Ok(true);
            }
            if tokio::time::Instant::now() >= deadline {
                return Ok(false);
            }
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }
}
