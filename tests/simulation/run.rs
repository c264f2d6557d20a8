//! One seed from beginning to end.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use tokio::task::{LocalSet, spawn_local};
use tokio::time::{sleep, timeout};

use crate::clients::{Facility, client};
use crate::cluster::{Cluster, PROCESSES};
use crate::ground::Ground;
use crate::world::{Planted, World};
use crate::{persons, promises};

/// So long things go wrong, in the time of the seed.
const TROUBLE: Duration = Duration::from_secs(20);
/// So long everything may take to come to rest after that.
const REST: Duration = Duration::from_secs(120);
const CLIENTS: usize = 5;

/// What one seed came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ran {
    pub(crate) submissions: u64,
    pub(crate) told: u64,
    pub(crate) crashes: u64,
    /// Outcomes of what was decided before, and those of them that say something else.
    pub(crate) seconds: u64,
    pub(crate) contradicted: u64,
    /// Number of port calls and a hash of all of them: the same seed gives the same.
    pub(crate) trace: (usize, u64),
}

/// Runs a seed; the error names it and holds the last calls.
pub(crate) fn run(seed: u64, planted: Option<Planted>) -> Result<Ran, String> {
    // Before there is a runtime: making it takes one of its own.
    Ground::shared();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.map_err(|e| e.to_string())?;
    let mut world = None;
    let ran = catch_unwind(AssertUnwindSafe(|| {
        LocalSet::new().block_on(&runtime, async {
            let made = World::new(seed, planted);
            world = Some(made.clone());
            live(made).await
        })
    }));
    let broken = match ran {
        Ok(Ok(ran)) => return Ok(ran),
        Ok(Err(error)) => format!("{error:#}"),
        Err(_) => "a panic".to_owned(),
    };
    let last = world.map_or_else(String::new, |world| world.trace.last());
    Err(format!("{last}seed {seed}: {broken}\nKIROKU_SEED={seed} runs it again"))
}

async fn live(world: Arc<World>) -> Result<Ran> {
    let persons = Rc::new(persons::prepare(&world).await?);
    let cluster = Cluster::new(world.clone());
    for process in 0..PROCESSES {
        spawn_local(cluster.clone().keep(process));
    }
    spawn_local(cluster.clone().trouble());
    let facilities = [Facility::new(0), Facility::new(1)];
    let mut clients = tokio::task::JoinSet::new();
    for number in 0..CLIENTS {
        clients.spawn_local(client(cluster.clone(), facilities[number / 3].clone(), persons.clone(), number));
    }
    let all = async { while clients.join_next().await.is_some() {} };
    tokio::pin!(all);
    let early = timeout(TROUBLE, &mut all).await.is_ok();
    world.calm_down();
    cluster.settle();
    let done = early || timeout(REST, &mut all).await.is_ok();
    ensure!(done, "clients wait for an answer though nothing goes wrong any more");
    timeout(REST, rest(&cluster)).await.map_err(|_| anyhow::anyhow!("log and tables do not come to rest"))??;
    ensure!(cluster.is_well(), "a role has given up a partition");
    let told = cluster.told.borrow().clone();
    let history = promises::check(&world, &persons, &told).await?;
    Ok(Ran {
        submissions: history.entries.len() as u64,
        told: told.len() as u64,
        crashes: world.trace.count("CRASH"),
        seconds: history.seconds,
        contradicted: history.contradicted,
        trace: world.trace.sum(),
    })
}

async fn rest(cluster: &Cluster) -> Result<()> {
    // What fails with a late effect has it within this time; what a role tries again it has tried.
    sleep(Duration::from_secs(6)).await;
    while !promises::is_quiet(&cluster.world).await? {
        sleep(Duration::from_millis(500)).await;
    }
    Ok(())
}
