//! Projectors that die and projectors that are held up, while records come in.

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};
use tests::program::Program;

use crate::scene::Scene;

fn signal(program: &Program, signal: Signal) -> Result<()> {
    let id = i32::try_from(program.id())?;
    Ok(kill_process(Pid::from_raw(id).context("a process has an id above 0")?, signal)?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_projector_that_is_killed_loses_nothing_and_another_goes_on() -> Result<()> {
    let mut scene = Scene::start().await?;
    scene.go_on(3).await;
    scene.projectors.swap_remove(0).end(Signal::KILL).await?;
    scene.go_on(12).await;
    scene.check("killed projector").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_projector_that_was_held_up_until_another_took_over_does_no_harm() -> Result<()> {
    let scene = Scene::start().await?;
    scene.go_on(3).await;
    signal(&scene.projectors[0], Signal::STOP)?;
    scene.go_on(12).await;
    signal(&scene.projectors[0], Signal::CONT)?;
    scene.go_on(8).await;
    scene.check("held-up projector").await
}
