//! One system, and everything that may happen to its processes and servers, one after the other.

use anyhow::Result;
use tests::cluster;

use crate::alone::{Cut, WrongClock};
use crate::processes::{Ended, HeldUp, Killed};
use crate::scene::Scene;
use crate::servers::{Hung, Restarted, folder};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_may_die_and_be_held_up_and_nothing_is_lost_or_done_twice() -> Result<()> {
    let mut scene = Scene::start(cluster::engines()?).await?;
    scene.suffer(&mut Killed::new("projector", "a projector is killed in mid-batch")).await?;
    scene.suffer(&mut HeldUp::default()).await?;
    scene.suffer(&mut Killed::new("edge", "an edge is killed with open submissions")).await?;
    scene.suffer(&mut Killed::new("query", "a reader is killed between entry and release")).await?;
    scene.suffer(&mut Killed::new("ledger", "a ledger is killed while it numbers")).await?;
    scene.suffer(&mut Ended::default()).await?;
    scene.suffer(&mut WrongClock::default()).await?;
    scene.suffer(&mut Cut::default()).await?;
    scene.end().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_and_a_database_may_die_and_hang_and_nothing_is_lost_or_done_twice() -> Result<()> {
    let (mut scene, folder) = (Scene::start(cluster::engines()?).await?, folder()?);
    let (kafka, cassandra) = ("kafka-1", "cassandra-1");
    scene.suffer(&mut Restarted { folder: folder.clone(), server: kafka, name: "the broker is killed" }).await?;
    scene.suffer(&mut Restarted { folder: folder.clone(), server: cassandra, name: "the database is killed" }).await?;
    let (name, milliseconds) = ("the only node of the database hangs", (2_000, 8_000));
    scene.suffer(&mut Hung { folder, server: cassandra, name, milliseconds }).await?;
    scene.end().await
}
