//! The steps of the check that read everything.

use std::collections::HashSet;
use std::sync::Arc;

use anyhow::Result;
use chassis::clock::SystemClock;
use chassis::config::Settings;
use chassis::ports::store::{Store, StoreError};
use chassis::registry::{Registry, RegistryError};
use chassis::twins::MemoryStore;
use engines::embedded::{Embedded, EngineError};
use projector::ProjectorError;
use schemas::Pid;
use schemas::vocab::Topic;

use super::Report;
use crate::commands::Bar;
use crate::commands::rebuild::{fill, projector_deps, records_of};
use crate::commands::tables::{Comparison, Side};
use crate::engine::Engine;

/// Up to so many records decisions are compared in memory; beyond that in tables on disk that are removed afterwards.
const IN_MEMORY: u64 = 20_000;

/// Reads every byte of the log of a data folder (brokers test their own checksums as they serve), and the registry in it. False:
/// it is damaged, and nothing else can be judged by it.
pub(super) async fn scrub(engine: &Engine, report: &mut Report, quiet: bool) -> Result<bool> {
    if let Some(embedded) = engine.as_embedded()
        && !scrub_files(embedded, report, quiet).await?
    {
        return Ok(false);
    }
    match Registry::open(engine.log.clone(), engine.keys.clone(), Arc::new(SystemClock)).await {
        Ok(_) => {}
        Err(error @ RegistryError::Unreadable { .. }) => report.find(error.to_string()),
        Err(error) => return Err(error.into()),
    }
    Ok(true)
}

async fn scrub_files(embedded: &Embedded, report: &mut Report, quiet: bool) -> Result<bool> {
    let bar = Bar::new("reading the log", 0, quiet);
    let log = embedded.embedded_log().clone();
    let scrubbed = tokio::task::spawn_blocking(move || log.scrub()).await?;
    bar.done();
    match scrubbed {
        Ok(scrub) => {
            (report.log_bytes, report.log_commits, report.log_records) = (scrub.bytes, scrub.commits, scrub.records);
            report.log_chain = scrub.head.chain.iter().map(|b| format!("{b:02x}")).collect();
        }
        Err(error @ EngineError::Io { .. }) => return Err(error.into()),
        Err(damage) => {
            report.find(format!("{damage}; restore a backup"));
            return Ok(false);
        }
    }
    Ok(true)
}

/// Builds a second set of tables from the log and compares row by row.
pub(super) async fn compare_tables(
    engine: &Engine,
    settings: &Settings,
    live: Arc<dyn Store>,
    pending: HashSet<Pid>,
    report: &mut Report,
    quiet: bool,
) -> Result<()> {
    let scratch = Scratch::open(engine).await?;
    let fresh = engine.generations.open(scratch.generation).await?;
    if let Err(error) = fill(engine, settings, fresh.clone(), quiet).await {
        let damaged =
            error.downcast_ref::<ProjectorError>().is_some() || error.downcast_ref::<ledger::ListError>().is_some();
        if damaged {
            report.find(format!("the tables cannot be built from the log: {error}"));
            drop(fresh);
            return scratch.remove(engine).await;
        }
        return Err(error);
    }
    let bar = Bar::new("comparing rows", 0, quiet);
    let side = |store| Side { store, keys: engine.keys.clone() };
    let comparison = Comparison::new(side(live), side(fresh), pending);
    let compared = comparison.run(&mut |rows| bar.set(rows)).await;
    bar.done();
    scratch.remove(engine).await?;
    match compared {
        Ok(compared) => {
            (report.rows, report.rows_erased) = (compared.rows, compared.erased);
            let more = compared.finding_count - compared.findings.len() as u64;
            report.findings.extend(compared.findings);
            if more > 0 {
                report.find(format!("and {more} more rows"));
            }
            if compared.finding_count > 0 {
                report.note("rows that are damaged or missing are made again by `kiroku rebuild`");
            }
            if compared.pending > 0 {
                report.note(format!("{} rows are not in the tables yet; the next start writes them", compared.pending));
            }
            Ok(())
        }
        Err(error) => match error.downcast_ref::<StoreError>() {
            Some(StoreError::Damaged(what)) => {
                report.find(format!("the tables are damaged: {what}; run `kiroku rebuild`"));
                Ok(())
            }
            _ => Err(error),
        },
    }
}

/// Numbers, chains and bodies of the access lists.
pub(super) async fn verify_lists(
    engine: &Engine,
    store: Arc<dyn Store>,
    report: &mut Report,
    quiet: bool,
) -> Result<()> {
    let bar = Bar::new("reading access lists", records_of(&*engine.log, &[Topic::Access]).await?, quiet);
    let deps = ledger::ListDeps { log: engine.log.clone(), keys: engine.keys.clone() };
    let lists = match ledger::verify_lists(&deps, store, &mut |read, _| bar.set(read)).await {
        Ok(lists) => lists,
        Err(ledger::ListError::Store(StoreError::Damaged(what))) => {
            report.find(format!("the access lists are damaged: {what}; run `kiroku rebuild`"));
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    };
    bar.done();
    report.accesses = lists.rows;
    for difference in &lists.differences {
        let place = difference.offset.map_or(String::new(), |offset| format!(", offset {offset}"));
        report.find(format!("access lists, partition {}{place}: {}", difference.partition, difference.what));
    }
    let more = lists.difference_count - lists.differences.len() as u64;
    if more > 0 {
        report.find(format!("and {more} more places in access lists"));
    }
    if lists.pending > 0 {
        report.note(format!("{} accesses are not numbered yet; the next start numbers them", lists.pending));
    }
    Ok(())
}

/// Every submission under today's rules.
pub(super) async fn decide_again(engine: &Engine, settings: &Settings, report: &mut Report, quiet: bool) -> Result<()> {
    let total = records_of(&*engine.log, &[Topic::Commons, Topic::Person]).await?;
    let scratch = if total > IN_MEMORY { Some(Scratch::open(engine).await?) } else { None };
    let store: Arc<dyn Store> = match &scratch {
        Some(scratch) => engine.generations.open(scratch.generation).await?,
        None => Arc::new(MemoryStore::new()),
    };
    let deps = projector_deps(engine, settings, store.clone())?;
    let bar = Bar::new("deciding again", report.submissions, quiet);
    let checked = projector::check_decisions(&deps, store, &mut |read| bar.set(read)).await;
    bar.done();
    drop(deps);
    if let Some(scratch) = scratch {
        scratch.remove(engine).await?;
    }
    let checked = match checked {
        Ok(checked) => checked,
        // Log or disk: the check was not made. All else is about what stands in the log.
        Err(error @ (ProjectorError::Log(_) | ProjectorError::Store(_))) => return Err(error.into()),
        Err(error) => {
            report.find(format!("submissions cannot be decided again: {error}"));
            return Ok(());
        }
    };
    report.decisions_different = checked.different.len() as u64;
    for (topic, partition, offset) in checked.different.iter().take(20) {
        report.note(format!(
            "record {offset} of topic `{topic}`, partition {partition}, would be decided differently today"
        ));
    }
    if checked.different.len() > 20 {
        report.note(format!("and {} more would be decided differently today", checked.different.len() - 20));
    }
    if checked.erased > 0 {
        report.note(format!(
            "{} submissions of persons whose keys were destroyed were not decided again",
            checked.erased
        ));
    }
    Ok(())
}

/// A generation for comparison only.
struct Scratch {
    generation: u32,
}

impl Scratch {
    async fn open(engine: &Engine) -> Result<Self> {
        let highest = engine.generations.list().await?.into_iter().max().unwrap_or(0);
        Ok(Self { generation: highest.max(engine.generations.live()) + 1 })
    }

    async fn remove(self, engine: &Engine) -> Result<()> {
        Ok(engine.generations.remove(self.generation).await?)
    }
}
