//! `kiroku rebuild`: the tables again from the log, beside the old ones, then the switch.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use chassis::clock::SystemClock;
use chassis::config::Settings;
use chassis::ports::log::Log;
use chassis::ports::store::Store;
use chassis::verdicts::Verdicts;
use schemas::vocab::Topic;
use serde::Serialize;

use super::tables::count_rows;
use super::{Bar, open_engine, print, print_json};
use crate::engine::Engine;
use crate::node::load_policies;

/// Arguments of `kiroku rebuild`.
#[derive(clap::Args)]
pub struct Args {
    /// Data folder. No server may run on it. On the distributed engine servers may run; they are restarted afterwards.
    #[arg(long)]
    pub data: Option<PathBuf>,
    /// Switch even if a new table holds fewer rows than the old one and nobody was erased.
    #[arg(long)]
    force: bool,
    /// The report in JSON on stdout, no progress bar.
    #[arg(long)]
    json: bool,
}

/// What a rebuild did.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    pub old_generation: u32,
    pub new_generation: u32,
    /// Records of the log that were read.
    pub records: u64,
    /// Rows by table; of the old tables `None` where they do not read.
    pub old_rows: Option<BTreeMap<&'static str, u64>>,
    pub new_rows: BTreeMap<&'static str, u64>,
    /// Persons whose keys were destroyed so far; `None` where the engine does not count them.
    pub erasures: Option<u64>,
    pub seconds: Seconds,
    /// False where the old tables are left until the next rebuild, for processes that still read them.
    pub old_removed: bool,
}

/// How long each part of a rebuild took.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Seconds {
    /// Removing the generations that do not serve, making the empty tables.
    pub make: f64,
    /// Tables of persons, commons and identities.
    pub tables: f64,
    /// Access lists.
    pub lists: f64,
    /// Counting the rows of both generations, the switch, and removing the old one where nobody else reads it.
    pub count: f64,
}

/// Seconds since the last call.
struct Watch(Instant);

impl Watch {
    fn lap(&mut self) -> f64 {
        std::mem::replace(&mut self.0, Instant::now()).elapsed().as_secs_f64()
    }
}

/// Runs the command.
pub async fn run(args: Args, settings: &Settings) -> Result<ExitCode> {
    let report = rebuild(settings, args.force, args.json).await?;
    if args.json {
        print_json(&report);
    } else {
        tell(&report);
    }
    Ok(ExitCode::SUCCESS)
}

fn tell(report: &Report) {
    for (table, rows) in &report.new_rows {
        match report.old_rows.as_ref().and_then(|old| old.get(table)) {
            Some(old) if old == rows => print(&format!("{table:<14} {rows:>10} rows")),
            Some(old) => print(&format!("{table:<14} {rows:>10} rows, {old} before")),
            None => print(&format!("{table:<14} {rows:>10} rows")),
        }
    }
    let Report { records, new_generation, old_generation, seconds, .. } = report;
    let old = match report.old_removed {
        true => "was removed",
        false => "stays until the next rebuild: restart the processes, they say so until then (`/health/ready`)",
    };
    print(&format!(
        "{:.1} s: {:.1} to make the tables, {:.1} to fill them, {:.1} for the access lists, {:.1} to count rows and switch",
        seconds.make + seconds.tables + seconds.lists + seconds.count,
        seconds.make,
        seconds.tables,
        seconds.lists,
        seconds.count
    ));
    print(&format!(
        "generation {new_generation} was built from {records} records and serves; generation {old_generation} {old}"
    ));
}

/// Rebuilds the tables of the folder and switches to them.
///
/// # Errors
/// Nothing was switched: the old tables serve.
pub async fn rebuild(settings: &Settings, force: bool, quiet: bool) -> Result<Report> {
    let engine = open_engine(settings, false).await?;
    let report = rebuild_in(&engine, settings, force, quiet).await;
    engine.close().await?;
    report
}

async fn rebuild_in(engine: &Engine, settings: &Settings, force: bool, quiet: bool) -> Result<Report> {
    let mut watch = Watch(Instant::now());
    remove_leftovers(engine).await?;
    let old_generation = engine.generations.live();
    let new_generation = old_generation + 1;
    let new = engine.generations.open(new_generation).await?;
    let make = watch.lap();
    let filled = fill(engine, settings, new.clone(), quiet).await?;
    watch.lap();
    let old_rows = async {
        let old = engine.generations.open(old_generation).await.ok()?;
        count_rows(&*old).await.ok()
    };
    let (new_rows, old_rows) = tokio::join!(count_rows(&*new), old_rows);
    let new_rows = new_rows.context("counting the new tables")?;
    let erasures = engine.as_embedded().map(|embedded| embedded.embedded_keys().counts().1);
    drop(new);
    if let Some(fewer) =
        old_rows.as_ref().and_then(|old| fewer(old, &new_rows)).filter(|_| erasures.unwrap_or(0) == 0 && !force)
    {
        engine.generations.remove(new_generation).await?;
        bail!(
            "table `{fewer}` would hold fewer rows than now, and nobody was erased; the old tables still serve (see `kiroku check`, or use --force)"
        );
    }
    // INVARIANT: the switch is one rename of a synced file; before it the old tables serve, after it the new ones.
    engine.generations.switch(new_generation).await?;
    let old_removed = !engine.is_shared();
    if old_removed {
        engine.generations.remove(old_generation).await.context("the new tables serve; removing the old ones")?;
    }
    let seconds = Seconds { make, tables: filled.tables, lists: filled.lists, count: watch.lap() };
    let records = filled.records;
    Ok(Report { old_generation, new_generation, records, old_rows, new_rows, erasures, seconds, old_removed })
}

fn fewer(old: &BTreeMap<&'static str, u64>, new: &BTreeMap<&'static str, u64>) -> Option<&'static str> {
    old.iter().find(|(table, rows)| new.get(*table).is_none_or(|new| new < *rows)).map(|(table, _)| *table)
}

/// Removes generations that an interrupted command left behind.
pub(super) async fn remove_leftovers(engine: &Engine) -> Result<()> {
    let live = engine.generations.live();
    for generation in engine.generations.list().await? {
        if generation != live {
            engine.generations.remove(generation).await?;
        }
    }
    Ok(())
}

/// What [`fill`] read, and the seconds that it took.
pub(super) struct Filled {
    pub(super) records: u64,
    tables: f64,
    lists: f64,
}

/// Fills empty tables from the whole log.
pub(super) async fn fill(engine: &Engine, settings: &Settings, store: Arc<dyn Store>, quiet: bool) -> Result<Filled> {
    let mut watch = Watch(Instant::now());
    let deps = projector_deps(engine, settings, store.clone())?;
    let total = records_of(&*engine.log, &[Topic::Identity, Topic::Commons, Topic::Person]).await?;
    let bar = Bar::new("building tables", total, quiet);
    let records = projector::replay(&deps, store.clone(), &mut |read| bar.set(read)).await?;
    bar.done();
    let tables = watch.lap();
    let bar = Bar::new("building access lists", records_of(&*engine.log, &[Topic::Access]).await?, quiet);
    let lists = ledger::ListDeps { log: engine.log.clone(), keys: engine.keys.clone() };
    let entries = ledger::replay_lists(&lists, store.clone(), &mut |read| bar.set(read)).await?;
    bar.done();
    store.sync().await?;
    Ok(Filled { records: records + entries, tables, lists: watch.lap() })
}

pub(super) fn projector_deps(engine: &Engine, settings: &Settings, store: Arc<dyn Store>) -> Result<projector::Deps> {
    Ok(projector::Deps {
        log: engine.log.clone(),
        store,
        keys: engine.keys.clone(),
        verdicts: Arc::new(Verdicts::default()),
        policies: load_policies(settings)?,
        clock: Arc::new(SystemClock),
    })
}

pub(super) async fn records_of(log: &dyn Log, topics: &[Topic]) -> Result<u64> {
    let mut total = 0;
    for &topic in topics {
        for partition in 0..log.partitions(topic) {
            total += log.end(topic, partition).await?;
        }
    }
    Ok(total)
}
