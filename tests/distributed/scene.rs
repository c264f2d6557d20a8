//! A system whose parts are to fail, rounds of one fault each, and what is said of them.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use chassis::config::EngineSettings;
use futures_util::future::try_join_all;
use loadtest::population::{Dice, Population};
use tests::cluster::{self, System};

use crate::checks;
use crate::load::{Load, Writer};
use crate::report;

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_kiroku-under-test");
const PARTITIONS: u16 = 4;
/// So many that each partition has some, nearly always.
const PERSONS: u64 = 6;

/// How often each fault is made: `KIROKU_FAULT_ROUNDS`.
pub(crate) fn rounds() -> u64 {
    std::env::var("KIROKU_FAULT_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(3)
}

/// `KIROKU_SEED`, or another at each start.
fn seed() -> u64 {
    let given = std::env::var("KIROKU_SEED").ok().and_then(|text| text.parse().ok());
    given.unwrap_or_else(|| u64::from(std::process::id()))
}

/// Something that goes wrong.
pub(crate) trait Fault {
    /// A sentence for people.
    fn name(&self) -> &'static str;

    /// What must be there before the load begins.
    async fn prepare(&mut self, _scene: &mut Scene) -> Result<()> {
        Ok(())
    }

    /// Makes it happen. Returns when it has happened, which for a server that is started again is when that is done.
    async fn strike(&mut self, scene: &mut Scene, dice: &mut Dice) -> Result<()>;

    /// Puts back what the system did without meanwhile.
    async fn mend(&mut self, _scene: &mut Scene) -> Result<()> {
        Ok(())
    }
}

/// A system under load.
pub(crate) struct Scene {
    pub(crate) system: System,
    seed: u64,
    persons: u64,
}

/// What one round showed.
pub(crate) struct Round {
    pub(crate) fault: &'static str,
    pub(crate) seed: u64,
    /// From the start of the load to the fault.
    pub(crate) moment: Duration,
    /// From the fault until every person could be written and read again.
    pub(crate) back: Duration,
    /// Longest that anybody waited for one answer, retries included.
    pub(crate) waited: Duration,
    pub(crate) written: usize,
    pub(crate) released: usize,
}

impl Scene {
    pub(crate) async fn start(engine: EngineSettings) -> Result<Self> {
        let started = Instant::now();
        let (system, seed) = (System::start_on(BINARY, PARTITIONS, engine).await?, seed());
        eprintln!(
            "KIROKU_SEED={seed} KIROKU_FAULT_ROUNDS={}; the system took {:.1} s",
            rounds(),
            started.elapsed().as_secs_f64()
        );
        Ok(Self { system, seed, persons: 0 })
    }

    /// Compares the tables with what the log gives. The persons of each round are others, so that the harm that any of them did
    /// is still there.
    pub(crate) async fn end(self) -> Result<()> {
        let started = Instant::now();
        cluster::check(BINARY, &self.system.harness.node.settings).await?;
        eprintln!("tables, lists and log fit together ({:.1} s)", started.elapsed().as_secs_f64());
        self.system.harness.node.stop().await
    }

    /// So many rounds of a fault, each checked. `KIROKU_FAULT` leaves out the faults whose names do not hold it.
    pub(crate) async fn suffer(&mut self, fault: &mut impl Fault) -> Result<()> {
        if std::env::var("KIROKU_FAULT").is_ok_and(|wanted| !fault.name().contains(&wanted)) {
            return Ok(());
        }
        for number in 0..rounds() {
            let seed = self.seed.wrapping_add(number);
            let round =
                self.round(fault, seed).await.with_context(|| format!("{}: KIROKU_SEED={seed}", fault.name()))?;
            report::tell(&round)?;
        }
        Ok(())
    }

    async fn round(&mut self, fault: &mut impl Fault, seed: u64) -> Result<Round> {
        let mut dice = Population::new(seed).dice(0, 90);
        fault.prepare(self).await?;
        let mut load = Load::start(self.writers(PERSONS).await?);
        let started = Instant::now();
        load.turned_since(started).await?;
        // The moment is chance: what the parts are doing then is what is tested.
        tokio::time::sleep(Duration::from_millis(dice.between(0, 1500).unsigned_abs())).await;
        let struck = Instant::now();
        fault.strike(self, &mut dice).await?;
        load.turned_since(struck).await.context("service does not come back")?;
        let back = struck.elapsed();
        fault.mend(self).await?;
        load.turned_since(Instant::now()).await?;
        let writers = load.stop().await?;
        try_join_all(writers.iter().map(checks::person)).await?;
        Ok(Round {
            fault: fault.name(),
            seed,
            moment: struck.duration_since(started),
            back,
            waited: writers.iter().map(|writer| writer.pause_max).max().unwrap_or_default(),
            written: writers.iter().map(|writer| writer.written.len()).sum(),
            released: writers.iter().map(|writer| writer.released.len()).sum(),
        })
    }

    /// Writers for persons who were not there before.
    pub(crate) async fn writers(&mut self, count: u64) -> Result<Vec<Writer>> {
        let first = self.persons + 1;
        self.persons += count;
        try_join_all((first..=self.persons).map(|index| Writer::new(&self.system.harness, index))).await
    }
}
