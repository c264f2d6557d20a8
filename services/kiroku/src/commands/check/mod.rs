//! `kiroku check`: log, tables, lists and decisions of a data folder, tested against one another.

mod counts;
mod steps;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use chassis::config::Settings;
use chassis::ports::store::{Store, StoreError};
use engines::embedded::EngineError;
use serde::Serialize;

use super::{open_engine, print, print_json};
use crate::engine::Engine;

/// Arguments of `kiroku check`.
#[derive(clap::Args)]
pub struct Args {
    /// Data folder. No server may run on it. On the distributed engine nothing may be written meanwhile.
    #[arg(long)]
    pub data: Option<PathBuf>,
    /// Only the log's checksums and chain, and the counts.
    #[arg(long)]
    quick: bool,
    /// The report in JSON on stdout, no progress bar.
    #[arg(long)]
    json: bool,
}

/// What the check found.
#[derive(Debug, Default, Clone, Serialize)]
pub struct Report {
    /// What is wrong, each with its place.
    pub findings: Vec<String>,
    /// What is not wrong and good to know.
    pub notes: Vec<String>,
    pub log_bytes: u64,
    pub log_commits: u64,
    pub log_records: u64,
    /// Chain over all commits (hex): to be compared with one kept elsewhere.
    pub log_chain: String,
    pub submissions: u64,
    pub outcomes: u64,
    /// Rows compared with a second set of tables.
    pub rows: u64,
    /// Rows of persons whose keys were destroyed.
    pub rows_erased: u64,
    /// Entries of access lists that agree with the log.
    pub accesses: u64,
    /// Outcomes that today's rules would not give.
    pub decisions_different: u64,
}

impl Report {
    /// True if nothing is wrong.
    pub fn is_good(&self) -> bool {
        self.findings.is_empty()
    }

    fn find(&mut self, what: impl Into<String>) {
        self.findings.push(what.into());
    }

    fn note(&mut self, what: impl Into<String>) {
        self.notes.push(what.into());
    }
}

/// Runs the command.
pub async fn run(args: Args, settings: &Settings) -> Result<ExitCode> {
    let report = check(settings, args.quick, args.json).await?;
    if args.json {
        print_json(&report);
    } else {
        tell(&report, args.quick);
    }
    Ok(if report.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn tell(report: &Report, quick: bool) {
    let Report { log_bytes, log_commits, log_records, submissions, outcomes, rows, rows_erased, accesses, .. } = report;
    if *log_commits > 0 {
        print(&format!("log: {log_bytes} bytes, {log_commits} commits, {log_records} records read"));
    }
    if *submissions > 0 {
        print(&format!("counts: {submissions} submissions, {outcomes} outcomes"));
        if !quick {
            print(&format!("tables: {rows} rows compared, {rows_erased} of them erased; {accesses} accesses in lists"));
        }
    }
    report.notes.iter().for_each(|note| print(&format!("note: {note}")));
    report.findings.iter().for_each(|finding| print(&format!("wrong: {finding}")));
    match report.findings.len() {
        0 if quick => print("in order, as far as a quick check sees"),
        0 => print("in order"),
        n => print(&format!("{n} findings")),
    }
}

/// Checks the folder, or what lies on the distributed engine.
///
/// # Errors
/// Only where the check could not be made (folder in use, disk unreadable); what is wrong with the data is in the report.
pub async fn check(settings: &Settings, quick: bool, quiet: bool) -> Result<Report> {
    let mut report = Report::default();
    let engine = match open_engine(settings, false).await {
        Ok(engine) => engine,
        Err(error) => match error.downcast_ref::<EngineError>() {
            Some(EngineError::Io { .. } | EngineError::Locked(_)) | None => return Err(error),
            Some(damage) => {
                report.find(damage.to_string());
                return Ok(report);
            }
        },
    };
    let checked = check_open(&engine, settings, (quick, quiet), &mut report).await;
    engine.close().await?;
    checked?;
    Ok(report)
}

async fn check_open(
    engine: &Engine,
    settings: &Settings,
    (quick, quiet): (bool, bool),
    report: &mut Report,
) -> Result<()> {
    // Beside others, tables that do not serve may be somebody's who rebuilds just now.
    if !engine.is_shared() {
        super::rebuild::remove_leftovers(engine).await?;
    }
    if !steps::scrub(engine, report, quiet).await? {
        return Ok(());
    }
    let Some(store) = open_tables(engine, report).await? else { return Ok(()) };
    let pending = counts::compare(engine, &*store, report, quiet).await?;
    if quick {
        return Ok(());
    }
    steps::compare_tables(engine, settings, store.clone(), pending, report, quiet).await?;
    steps::verify_lists(engine, store, report, quiet).await?;
    steps::decide_again(engine, settings, report, quiet).await
}

async fn open_tables(engine: &Engine, report: &mut Report) -> Result<Option<Arc<dyn Store>>> {
    match engine.generations.open(engine.generations.live()).await {
        Ok(store) => Ok(Some(store)),
        Err(StoreError::Damaged(what)) => {
            report.find(format!("the tables are damaged: {what}; run `kiroku rebuild`"));
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}
