//! The test on brokers and a database: how fast, and which share of what these do by themselves in the same run.

use std::fs;
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use super::measure::{Row, Target};
use super::process::busy_seconds;
use super::scenario::create::Create;
use super::scenario::read::Read;
use super::suite::Run;
use super::world::World;

pub(super) const SCENARIOS: [&str; 3] = ["read", "create", "rebuild"];
/// What the rows of the engines alone are called.
const READ: &str = "engines alone, read";
const SUBMISSION: &str = "engines alone, submission";

/// A line of the program `raw-engines`.
#[derive(Deserialize)]
struct Raw {
    shape: String,
    rate_per_s: f64,
    p50_ms: f64,
    p99_ms: f64,
    p999_ms: f64,
    max_ms: f64,
    answers: u64,
}

/// The scenarios that are wanted.
pub(super) async fn run(run: &mut Run<'_>, world: &World) -> Result<()> {
    let options = run.options;
    if options.wants("read") || options.wants("create") {
        requests(run, world).await?;
    }
    if options.wants("rebuild") {
        rebuild(run)?;
    }
    Ok(())
}

/// The engines alone, then reads and creates, held against them.
async fn requests(run: &mut Run<'_>, world: &World) -> Result<()> {
    let options = run.options;
    let raw = raw(run)?;
    let server = options.serving(&options.set, &[]).start().await?;
    let reader = world.reader(&server).await?;
    if options.wants("read") {
        let read = Read::verified(world, &server, &reader, options.sample).await?;
        let target = Target { what: "read", server: &server, job: Arc::new(read), tokens: Some(reader.clone()) };
        measure(run, &target, &raw, READ).await?;
    }
    if options.wants("create") {
        fs::remove_file(World::file(&options.data(&options.set)))?;
        let job = Arc::new(Create::new(world)?);
        let tokens = Some(world.writer(&server).await?);
        let target = Target { what: "create", server: &server, job: job.clone(), tokens };
        measure(run, &target, &raw, SUBMISSION).await?;
        let read = job.read_back(&server, &reader).await?;
        run.notes.push(format!("Creates: {read} of the acknowledged were read back and compared."));
    }
    run.rows.extend(raw);
    server.stop()
}

/// The tables again from the log, as an operator would make them: a command of its own, of everything that was put in and read.
fn rebuild(run: &mut Run<'_>) -> Result<()> {
    let options = run.options;
    let report = options.program.rebuild(&options.data(&options.set))?;
    let rows = |table: &str| report["new_rows"][table].as_u64().with_context(|| format!("no count of `{table}`"));
    let part = |name: &str| report["seconds"][name].as_f64().with_context(|| format!("no seconds of `{name}`"));
    let [make, tables, lists, count] = [part("make")?, part("tables")?, part("lists")?, part("count")?];
    let (versions, seconds) = (rows("header")? + rows("version")?, make + tables + lists + count);
    run.facts.rebuild_per_s = Some(versions as f64 / seconds);
    run.notes.push(format!(
        "Rebuild: {versions} resources of {} submissions and {} accesses in {seconds:.1} s: {make:.1} to make the tables, \
         {tables:.1} to fill them, {lists:.1} for the lists, {count:.1} to count the rows of old and new tables and to switch.",
        rows("submission")?,
        rows("access")?,
    ));
    Ok(())
}

/// Closed loops, held against the engines' rates.
async fn measure(run: &mut Run<'_>, target: &Target<'_>, raw: &[Row], shape: &str) -> Result<()> {
    let busy = busy_seconds()?;
    let mut rows = target.saturate(&run.options.shape).await?;
    let answers: u64 = rows.iter().map(|row| row.answers).sum();
    run.notes.push(format!(
        "{}: {:.0} us of the machine's processors for each answer, broker, database and generator included (warm-up counted).",
        target.what,
        (busy_seconds()? - busy) * 1e6 / answers.max(1) as f64
    ));
    for row in &mut rows {
        let raw = raw.iter().find(|raw| raw.what == shape && raw.connections == row.connections);
        row.share_of_bare = raw.map(|raw| row.rate_per_s / raw.rate_per_s);
    }
    run.rows.extend(rows);
    Ok(())
}

/// The engines by themselves, at every number of clients.
fn raw(run: &Run<'_>) -> Result<Vec<Row>> {
    let options = run.options;
    let file = options.program.engines.as_ref().context("no file names engines")?;
    let mut rows = Vec::new();
    for clients in &options.shape.connections {
        let ran = Command::new(&options.raw)
            .args([options.shape.lasting.as_secs().max(1).to_string(), clients.to_string()])
            .env("KIROKU_ENGINES", file)
            .output();
        let ran = ran.with_context(|| format!("cannot run `{}`", options.raw.display()))?;
        ensure!(ran.status.success(), "`raw-engines` failed: {}", String::from_utf8_lossy(&ran.stderr));
        for line in String::from_utf8_lossy(&ran.stdout).lines() {
            rows.push(row(serde_json::from_str(line).context("what `raw-engines` prints")?, *clients));
        }
    }
    Ok(rows)
}

fn row(raw: Raw, clients: usize) -> Row {
    Row {
        what: format!("engines alone, {}", raw.shape),
        connections: clients,
        asked_per_s: None,
        rate_per_s: raw.rate_per_s,
        p50_ms: raw.p50_ms,
        p99_ms: raw.p99_ms,
        p999_ms: raw.p999_ms,
        max_ms: raw.max_ms,
        server_us: 0.0,
        generator_us: 0.0,
        answers: raw.answers,
        wrong: 0,
        faults: Vec::new(),
        mean_bytes: 0.0,
        share_of_bare: None,
    }
}
