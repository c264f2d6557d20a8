//! `kiroku copy`: a whole system from one engine to another, or to another number of partitions. The log is carried record by
//! record under the times that it has, the keyring key by key; the tables are built anew from the copied log; then both sides are
//! compared. The way out of the first machine, and back.

mod compare;
mod records;
mod sums;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use chassis::clock::{Clock, SystemClock};
use chassis::config::{self, EngineKind, Settings, Sources};
use schemas::Pid;
use schemas::vocab::Topic;
use serde::Serialize;

use super::rebuild::{fill, records_of};
use super::tables::is_erased;
use super::{Bar, open_engine, open_folder, print, print_json};
use crate::engine::Engine;

/// Arguments of `kiroku copy`.
#[derive(clap::Args)]
pub struct Args {
    /// Data folder to copy from; else what the settings name. Nothing may run on it.
    #[arg(long)]
    pub data: Option<PathBuf>,
    /// Settings file (TOML) of the system to make. It must be empty: a folder, topics and keyspaces that do not exist.
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    /// A setting of the system to make; may be repeated: --to-set data=DIR --to-set partitions=64
    #[arg(long = "to-set", value_name = "KEY=VALUE")]
    to_set: Vec<String>,
    /// The report in JSON on stdout, no progress bar.
    #[arg(long)]
    json: bool,
}

/// Topics that are carried; `verdict` holds only answers on their way.
pub(crate) const CARRIED: [Topic; 5] =
    [Topic::Authority, Topic::Identity, Topic::Commons, Topic::Person, Topic::Access];

/// What a copy did. Counts and sums were found the same on both sides.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    /// Partitions of topics `person` and `access` before and after.
    pub partitions: (u16, u16),
    /// Records by topic, and the sum (hex) over the hashes of all of them.
    pub topics: BTreeMap<&'static str, (u64, String)>,
    pub keys: u64,
    pub used_once: u64,
    /// Persons whose keys were destroyed before; they are erased in the copy too.
    pub erased: u64,
    /// Rows compared, opened, with those of the source.
    pub rows: u64,
    /// Records whose time had to be moved on, because that of the record before was later.
    pub times_moved: u64,
}

/// Runs the command.
pub async fn run(args: Args, settings: &Settings) -> Result<ExitCode> {
    let target = target_settings(&args)?;
    let report = copy(settings, &target, args.json).await?;
    if args.json {
        print_json(&report);
    } else {
        tell(&report);
    }
    Ok(ExitCode::SUCCESS)
}

fn target_settings(args: &Args) -> Result<Settings> {
    if args.to.is_none() && args.to_set.is_empty() {
        bail!("name the system to make: --to FILE, or --to-set data=DIR");
    }
    let mut flags = Vec::new();
    for pair in &args.to_set {
        let (key, value) = pair.split_once('=').context("--to-set wants KEY=VALUE")?;
        flags.push((key.to_owned(), value.to_owned()));
    }
    Ok(config::load(&Sources { file: args.to.clone(), flags, ..Sources::default() })?)
}

fn tell(report: &Report) {
    for (topic, (records, sum)) in &report.topics {
        print(&format!("topic {topic:<10} {records:>10} records, sum {}", &sum[..16]));
    }
    let Report { partitions: (from, to), keys, used_once, erased, rows, times_moved, .. } = report;
    print(&format!("{keys} keys, {used_once} used-once keys, {erased} erased persons; {from} partitions became {to}"));
    if *times_moved > 0 {
        print(&format!("the times of {times_moved} records were moved on: that of the record before was later"));
    }
    print(&format!("the copy holds the same as its source: records counted and summed, {rows} rows compared"));
}

/// Copies what `source` names into what `target` names, which must be empty.
///
/// # Errors
/// The target is not empty, something could not be read or written, or the two sides differ at the end. A target on the
/// distributed engine is then one that no process opens; remove it (folder; topics and keyspaces) and start again.
pub async fn copy(source: &Settings, target: &Settings, quiet: bool) -> Result<Report> {
    let from = open_engine(source, false).await.context("the source")?;
    let to = match open_target(target).await.context("the target") {
        Ok(to) => to,
        Err(error) => {
            from.close().await?;
            return Err(error);
        }
    };
    let copied = copy_all(&from, &to, target, quiet).await;
    to.close().await?;
    from.close().await?;
    copied
}

async fn open_target(settings: &Settings) -> Result<Engine> {
    let engine = match settings.engine.kind {
        EngineKind::Embedded => Engine::embedded(open_folder(settings, true)?),
        EngineKind::Distributed => Engine::make_to_carry(settings).await?,
    };
    let records = records_of(&*engine.log, &CARRIED).await?;
    let has_keys = !engine.carrier().keys(None, 1).await?.is_empty();
    if records > 0 || has_keys {
        engine.close().await?;
        bail!("it is not empty ({records} records): name a folder, topics and keyspaces that do not exist");
    }
    Ok(engine)
}

async fn copy_all(from: &Engine, to: &Engine, settings: &Settings, quiet: bool) -> Result<Report> {
    let mut report = Report {
        partitions: (from.log.partitions(Topic::Person), to.log.partitions(Topic::Person)),
        ..Report::default()
    };
    let before = records_of(&*from.log, &CARRIED).await?;
    copy_keys(from, to, &mut report).await?;
    let bar = Bar::new("copying the log", before, quiet);
    let carried = records::carry(from, to, &mut |records| bar.set(records)).await?;
    bar.done();
    report.times_moved = carried.times_moved;
    report.erased = erase_again(from, to, &carried.persons).await?;
    let after = records_of(&*from.log, &CARRIED).await?;
    ensure!(before == after, "the source grew from {before} to {after} records meanwhile: stop its processes first");
    report.topics = compare::logs(to, &carried, quiet).await?;
    let store = to.generations.open(to.generations.live()).await?;
    fill(to, settings, store.clone(), quiet).await.context("building the tables of the copy")?;
    report.rows = compare::tables(from, (to, store), &carried, quiet).await?;
    to.carrier().end_carrying().await?;
    Ok(report)
}

/// Keys between two keyrings at once.
const KEYS: usize = 1024;

async fn copy_keys(from: &Engine, to: &Engine, report: &mut Report) -> Result<()> {
    let (source, target) = (from.carrier(), to.carrier());
    let mut after = None;
    loop {
        let keys = source.keys(after, KEYS).await.context("reading the keyring")?;
        let Some(last) = keys.last() else { break };
        after = Some(last.name);
        report.keys += keys.len() as u64;
        target.take_keys(keys).await.context("writing the keyring")?;
    }
    let now = SystemClock.now();
    let used = source.used_once(now).await?;
    report.used_once = used.len() as u64;
    Ok(target.take_used_once(used, now).await?)
}

/// Whoever is erased at the source is erased in the copy, by its own journal.
async fn erase_again(from: &Engine, to: &Engine, persons: &std::collections::HashSet<Pid>) -> Result<u64> {
    let mut erased = 0;
    for &pid in persons {
        if is_erased(&*from.keys, pid).await? {
            to.keys.destroy_person(pid).await?;
            erased += 1;
        }
    }
    Ok(erased)
}
