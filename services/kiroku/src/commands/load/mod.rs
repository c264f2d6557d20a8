//! `kiroku load`: FHIR files through the door of a server, over HTTP like any client.

mod document;
mod persons;
mod report;
mod send;
mod source;
mod target;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;
use chassis::config::Settings;
use tokio::sync::mpsc;

use self::document::{Document, Rank};
use self::persons::Persons;
use self::send::Sender;
use self::source::{Batcher, visit};
use super::{Bar, print, print_json, warn};
use crate::api::ClientKey;

pub use report::{Refused, Report};

/// Arguments of `kiroku load`.
#[derive(clap::Args)]
pub struct Args {
    /// Files and folders; folders are read in the order of their names.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// The server.
    #[arg(long, conflicts_with = "data")]
    url: Option<String>,
    /// Key of the client that sends, as `kiroku registry client new-key` writes it.
    #[arg(long, value_name = "FILE")]
    client: Option<PathBuf>,
    /// Folder of a demo: server and client out of its demo.json.
    #[arg(long, value_name = "DIR", conflicts_with = "data")]
    demo: Option<PathBuf>,
    /// Which client of demo.json sends.
    #[arg(long, requires = "demo")]
    client_id: Option<String>,
    /// Data folder to fill while no server runs: starts one on a loopback port inside this command.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// With --data and without --client: send for this registered organisation, with a key that lives as long as the command.
    #[arg(long, requires = "data", value_name = "ID")]
    organisation: Option<String>,
    #[command(flatten)]
    options: Options,
    /// Exit code 0 also when something was refused.
    #[arg(long)]
    tolerate: bool,
    /// The report in JSON on stdout, no progress bar.
    #[arg(long)]
    json: bool,
}

/// How to send.
#[derive(clap::Args, Clone, Debug)]
pub struct Options {
    /// Register the persons met by `POST /fhir/Patient` before their records are sent.
    #[arg(long)]
    pub register_persons: bool,
    /// Requests at a time.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub jobs: u16,
    /// Send up to N lines of NDJSON that are about the same person as one transaction.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub batch: u16,
    /// A word mixed into the Idempotency-Keys: what was refused before is then tried anew.
    #[arg(long, value_name = "WORD", default_value = "")]
    pub again: String,
}

impl Default for Options {
    fn default() -> Self {
        Self { register_persons: false, jobs: 4, batch: 1, again: String::new() }
    }
}

/// Runs the command.
pub async fn run(args: Args, settings: Settings) -> Result<ExitCode> {
    let target = target::open(&args, settings).await?;
    let loaded = load_quietly(&target.url, &target.key, &args.options, &args.paths, args.json).await;
    target.close().await?;
    let report = loaded?;
    tell(&report, args.json);
    Ok(if report.all_accepted() || args.tolerate { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn tell(report: &Report, json: bool) {
    if json {
        return print_json(report);
    }
    for refused in &report.refusals {
        warn(&refused.to_string());
    }
    if report.refused > report.refusals.len() as u64 {
        warn(&format!("and {} more", report.refused - report.refusals.len() as u64));
    }
    print(&report.to_string());
}

/// Sends all files to the server at `url` with a client's key; without a bar.
///
/// # Errors
/// A file that cannot be read, or a server that cannot be reached (after retries). A refusal is no error: it is in the report.
pub async fn load(url: &str, key: &ClientKey, options: &Options, paths: &[PathBuf]) -> Result<Report> {
    load_quietly(url, key, options, paths, true).await
}

async fn load_quietly(url: &str, key: &ClientKey, options: &Options, paths: &[PathBuf], quiet: bool) -> Result<Report> {
    let started = Instant::now();
    let sender = Arc::new(Sender::new(url, key, &options.again)?);
    let persons = options.register_persons.then(Persons::default).map(Arc::new);
    let mut report = Report::default();
    // Commons are sent while everything is read a first time, one after the other: the later ones refer to the earlier ones.
    let bar = Bar::new("reading, sending commons", 0, quiet);
    let counts = send_rank(&sender, None, (paths, Rank::Commons, 1), options, (&bar, &mut report)).await?;
    bar.done();
    for (rank, documents) in [(Rank::Patient, counts.patients), (Rank::Other, counts.others)] {
        if documents == 0 {
            continue;
        }
        let bar = Bar::new("sending", documents, quiet);
        let jobs = usize::from(options.jobs);
        send_rank(&sender, persons.clone(), (paths, rank, jobs), options, (&bar, &mut report)).await?;
        bar.done();
    }
    report.files = counts.files;
    report.files_passed_over = counts.passed_over;
    report.persons_registered = persons.map_or(0, |persons| persons.registered());
    report.finish(started.elapsed());
    Ok(report)
}

/// What one reading of all files met.
#[derive(Default)]
struct Counts {
    files: u64,
    passed_over: u64,
    patients: u64,
    others: u64,
}

/// Reads all files and sends the documents of one rank.
async fn send_rank(
    sender: &Arc<Sender>,
    persons: Option<Arc<Persons>>,
    (paths, rank, jobs): (&[PathBuf], Rank, usize),
    options: &Options,
    (bar, report): (&Bar, &mut Report),
) -> Result<Counts> {
    let (documents, to_send) = mpsc::channel::<Document>(jobs * 2);
    let (paths, batch) = (paths.to_vec(), usize::from(options.batch));
    let reading = tokio::task::spawn_blocking(move || read_rank(&paths, rank, batch, &documents));
    let to_send = Arc::new(tokio::sync::Mutex::new(to_send));
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..jobs {
        let (sender, persons, to_send, bar) = (sender.clone(), persons.clone(), to_send.clone(), bar.clone());
        workers.spawn(async move {
            let mut report = Report::default();
            loop {
                let next = to_send.lock().await.recv().await;
                let Some(document) = next else { return anyhow::Ok(report) };
                let lines = document.lines;
                send_one(&sender, persons.as_deref(), document, &mut report).await?;
                bar.add(lines);
            }
        });
    }
    while let Some(done) = workers.join_next().await {
        // The first error ends the whole: dropping the workers closes the channel, which ends the reader.
        report.merge(done.map_err(anyhow::Error::from).flatten()?);
    }
    drop(to_send);
    reading.await?
}

async fn send_one(sender: &Sender, persons: Option<&Persons>, document: Document, report: &mut Report) -> Result<()> {
    report.documents += 1;
    if let Some(persons) = persons {
        let refused = persons.register(sender, &document).await?;
        if let Some(refused) = refused {
            return {
                report.refuse(refused);
                Ok(())
            };
        }
        if document.rank() == Rank::Patient && document.has_identified_person() {
            report.accepted += 1;
            return Ok(());
        }
    }
    sender.send(&document, report).await
}

/// Reads all files; documents of `rank` go to the channel, NDJSON of one person in groups.
fn read_rank(paths: &[PathBuf], rank: Rank, batch: usize, to: &mpsc::Sender<Document>) -> Result<Counts> {
    let mut counts = Counts::default();
    let mut batcher = Batcher::new(batch);
    let visited = visit(paths, &mut |document| {
        match document.rank() {
            Rank::Commons => {}
            Rank::Patient => counts.patients += document.lines,
            Rank::Other => counts.others += document.lines,
        }
        if document.rank() != rank {
            return true;
        }
        batcher.push(document).into_iter().all(|document| to.blocking_send(document).is_ok())
    })?;
    batcher.finish().into_iter().all(|document| to.blocking_send(document).is_ok());
    (counts.files, counts.passed_over) = (visited.files, visited.passed_over);
    Ok(counts)
}

/// `demo.json` of a demo's folder.
fn demo_file(folder: &Path) -> PathBuf {
    folder.join("demo.json")
}
