//! A reader that cannot reach the log, and a process whose clock is wrong: both must know it and decide nothing.

use anyhow::{Context, Result, ensure};
use loadtest::population::Dice;
use reqwest::Method;
use rustix::process::Signal;
use tests::shim::{self, Door, Passage};
use tests::wire::{Ask, Line, Wire};

use crate::checks;
use crate::load::Writer;
use crate::scene::{Fault, Scene};

/// One query is cut off from the log, not from the tables; it has all bodies at hand, and releases none.
#[derive(Default)]
pub(crate) struct Cut {
    door: Option<Door>,
    writer: Option<Writer>,
}

impl Fault for Cut {
    fn name(&self) -> &'static str {
        "a reader is cut off from the log"
    }

    async fn prepare(&mut self, scene: &mut Scene) -> Result<()> {
        if self.door.is_none() {
            let broker =
                scene.system.harness.node.settings.engine.kafka.brokers.first().context("a broker")?.parse()?;
            let door = Door::before(broker).await?;
            let environment = shim::through(scene.system.harness.folder.path(), broker, &door)?;
            let query = scene.system.member("query", true)?;
            query.end(Signal::TERM).await?;
            query.spawn(&environment)?;
            query.until_answers(200).await?;
            self.door = Some(door);
        }
        let mut writer = scene.writers(1).await?.remove(0);
        writer.turn().await?;
        // What is asked for afterwards lies in this process's memory, too.
        let read = ask(&scene.system.member("query", true)?.line, &writer).await?;
        ensure!(read.status == 200, "{} {}", read.status, read.text);
        self.writer = Some(writer);
        Ok(())
    }

    async fn strike(&mut self, scene: &mut Scene, dice: &mut Dice) -> Result<()> {
        let (door, writer) = (self.door.as_ref().context("a door")?, self.writer.as_ref().context("a writer")?);
        door.set(if dice.chance(50) { Passage::Silent } else { Passage::Shut });
        let line = scene.system.member("query", true)?.line.clone();
        let (read, searched) = tokio::join!(ask(&line, writer), search(&line, writer));
        for told in [read?, searched?] {
            ensure!(told.status == 503, "{} {}", told.status, told.text);
            ensure!(told.json()["resourceType"] == "OperationOutcome", "{}", told.text);
            ensure!(told.header("kiroku-receipt").is_empty(), "a receipt without an entry");
            let bytes = format!("{:?}{}", told.headers, told.text);
            ensure!(!bytes.contains(&writer.key(0)) && !bytes.contains(&writer.citizen.patient), "released: {bytes}");
        }
        let said = scene.system.member("query", true)?.until_answers(503).await?;
        ensure!(said["checks"]["log"] == false, "{said}");
        Ok(())
    }

    async fn mend(&mut self, scene: &mut Scene) -> Result<()> {
        self.door.as_ref().context("a door")?.set(Passage::Open);
        scene.system.member("query", true)?.until_answers(200).await?;
        let writer = self.writer.take().context("a writer")?;
        let read = ask(&scene.system.member("query", true)?.line, &writer).await?;
        ensure!(read.status == 200, "{} {}", read.status, read.text);
        checks::person(&writer).await
    }
}

/// Asks one process, past the gateway.
async fn ask(line: &Line, writer: &Writer) -> Result<Wire> {
    line.get(&writer.doctor, &format!("/fhir/{}", writer.written[0].place)).await
}

async fn search(line: &Line, writer: &Writer) -> Result<Wire> {
    line.get(&writer.doctor, &format!("/fhir/Observation?patient={}", writer.citizen.patient)).await
}

/// The clock of one process is ten minutes wrong, of another role in each round.
#[derive(Default)]
pub(crate) struct WrongClock {
    round: usize,
    role: &'static str,
    writer: Option<Writer>,
}

const OFF_S: i64 = 600;
const ROLES: [&str; 4] = ["query", "edge", "projector", "ledger"];

impl Fault for WrongClock {
    fn name(&self) -> &'static str {
        "the clock of one process is ten minutes wrong"
    }

    async fn prepare(&mut self, scene: &mut Scene) -> Result<()> {
        (self.role, self.round) = (ROLES[self.round % ROLES.len()], self.round + 1);
        let mut writer = scene.writers(1).await?.remove(0);
        writer.turn().await?;
        self.writer = Some(writer);
        Ok(())
    }

    async fn strike(&mut self, scene: &mut Scene, dice: &mut Dice) -> Result<()> {
        let seconds = if dice.chance(50) { OFF_S } else { -OFF_S };
        let environment = shim::clock_off(scene.system.harness.folder.path(), seconds)?;
        let member = scene.system.member(self.role, true)?;
        member.end(Signal::TERM).await?;
        member.spawn(&environment)?;
        let said = member.until_answers(503).await?;
        let reason = said["reasons"]["clock"].as_str().context("the clock is no reason")?.to_owned();
        let number = reason.split(' ').find_map(|word| word.parse::<i64>().ok()).context("no number is said")?;
        ensure!((number - seconds * 1000).abs() < 5_000, "{seconds} s: {reason}");
        eprintln!("{}: {reason}", self.role);
        let writer = self.writer.take().context("a writer")?;
        let (right, wrong) =
            (scene.system.member(self.role, false)?.line.clone(), scene.system.member(self.role, true)?.line.clone());
        for (token, ask) in asks(self.role, &writer) {
            let (right, wrong) = (right.ask(token, &ask).await?, wrong.ask(token, &ask).await?);
            ensure!(right.status != 503, "{}: {} {}", ask.path, right.status, right.text);
            ensure!(wrong.status == 503, "{}: {} {}", ask.path, wrong.status, wrong.text);
            ensure!(wrong.header("kiroku-receipt").is_empty(), "{}", ask.path);
        }
        Ok(())
    }

    async fn mend(&mut self, scene: &mut Scene) -> Result<()> {
        let member = scene.system.member(self.role, true)?;
        member.end(Signal::TERM).await?;
        member.start().await
    }
}

/// What a role must not answer while it does not know the time.
fn asks<'a>(role: &str, writer: &'a Writer) -> Vec<(&'a str, Ask)> {
    let form =
        |path: &str| Ask::with_body(Method::POST, path, "").header("content-type", "application/x-www-form-urlencoded");
    match role {
        "edge" => {
            vec![("", form("/auth/token")), (&writer.system, Ask::with_body(Method::POST, "/fhir/Observation", "{}"))]
        }
        "query" => vec![(&writer.doctor, Ask::get(format!("/fhir/{}", writer.written[0].place)))],
        "ledger" => vec![(&writer.doctor, Ask::get("/me/accesses"))],
        _ => Vec::new(),
    }
}
