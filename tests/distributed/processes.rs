//! Processes that die, one that is held up, and an orderly end.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use loadtest::population::Dice;
use rustix::process::Signal;
use tests::wire::Line;

use crate::scene::{Fault, Scene};

/// One of the two processes of a role is killed, and started again when the other has taken over.
pub(crate) struct Killed {
    role: &'static str,
    name: &'static str,
    second: bool,
}

impl Killed {
    pub(crate) fn new(role: &'static str, name: &'static str) -> Self {
        Self { role, name, second: false }
    }
}

impl Fault for Killed {
    fn name(&self) -> &'static str {
        self.name
    }

    async fn strike(&mut self, scene: &mut Scene, dice: &mut Dice) -> Result<()> {
        self.second = dice.chance(50);
        scene.system.member(self.role, self.second)?.end(Signal::KILL).await.map(drop)
    }

    async fn mend(&mut self, scene: &mut Scene) -> Result<()> {
        scene.system.member(self.role, self.second)?.start().await
    }
}

/// The owner of partitions is stopped until another has taken them over, and then goes on as if nothing had been.
#[derive(Default)]
pub(crate) struct HeldUp {
    second: bool,
}

impl Fault for HeldUp {
    fn name(&self) -> &'static str {
        "a projector is held up until another has taken over, then goes on"
    }

    async fn strike(&mut self, scene: &mut Scene, dice: &mut Dice) -> Result<()> {
        self.second = dice.chance(50);
        scene.system.member("projector", self.second)?.signal(Signal::STOP)
    }

    async fn mend(&mut self, scene: &mut Scene) -> Result<()> {
        let projector = scene.system.member("projector", self.second)?;
        projector.signal(Signal::CONT)?;
        projector.until_answers(200).await.map(drop)
    }
}

/// One process of each role is asked to end.
#[derive(Default)]
pub(crate) struct Ended {
    second: bool,
}

const ROLES: [&str; 4] = ["edge", "projector", "query", "ledger"];
/// From SIGTERM to the end of the process.
const END_LIMIT: Duration = Duration::from_secs(10);

impl Fault for Ended {
    fn name(&self) -> &'static str {
        "one process of each role is asked to end"
    }

    async fn strike(&mut self, scene: &mut Scene, dice: &mut Dice) -> Result<()> {
        self.second = dice.chance(50);
        let asked = Instant::now();
        for role in ROLES {
            scene.system.member(role, self.second)?.signal(Signal::TERM)?;
        }
        for role in ROLES {
            says_so_before(&scene.system.member(role, self.second)?.line).await.with_context(|| role.to_owned())?;
        }
        for role in ROLES {
            // The signal again is heard by nobody any more: a process that ends in order listens once.
            let status = scene.system.member(role, self.second)?.end(Signal::CONT).await?;
            let took = asked.elapsed();
            ensure!(status.code() == Some(0), "{role} ended with {status}");
            ensure!(took < END_LIMIT, "{role} took {:.1} s", took.as_secs_f64());
            eprintln!("{role} had ended {:.1} s after it was asked", took.as_secs_f64());
        }
        Ok(())
    }

    async fn mend(&mut self, scene: &mut Scene) -> Result<()> {
        for role in ROLES {
            scene.system.member(role, self.second)?.start().await?;
        }
        Ok(())
    }
}

/// A process that is about to end answers that it is not ready, while it still answers.
async fn says_so_before(line: &Line) -> Result<()> {
    loop {
        let answer = line.get("", "/health/ready").await.context("it stopped answering before it said that it ends")?;
        if answer.status == 503 {
            ensure!(answer.json()["reasons"]["accepting"].is_string(), "{}", answer.text);
            return Ok(());
        }
    }
}
