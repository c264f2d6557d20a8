//! The broker and the database are killed and started again while records come in.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use servers::Cluster;

use crate::scene::Scene;

/// The folder of the servers that these tests run on.
fn folder() -> Result<PathBuf> {
    let file = std::env::var("KIROKU_ENGINES").context("KIROKU_ENGINES names no file")?;
    Ok(Path::new(&file).parent().context("a file lies in a folder")?.to_owned())
}

/// Kills a server and starts it again; returns when it is ready.
async fn kill_and_restart(name: &'static str) -> Result<()> {
    let folder = folder()?;
    let restarted = tokio::task::spawn_blocking(move || {
        let mut cluster = Cluster::open(&folder)?;
        cluster.kill(name)?;
        cluster.restart(name)
    });
    let took = restarted.await??;
    eprintln!("{name} was ready again after {:.1} s", took.as_secs_f64());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_is_killed_and_started_again_loses_nothing() -> Result<()> {
    let scene = Scene::start().await?;
    scene.go_on(3).await;
    kill_and_restart("kafka-1").await?;
    scene.go_on(8).await;
    scene.check("killed broker").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_killed_and_started_again_loses_nothing() -> Result<()> {
    let scene = Scene::start().await?;
    scene.go_on(3).await;
    kill_and_restart("cassandra-1").await?;
    scene.go_on(8).await;
    scene.check("killed database").await
}
