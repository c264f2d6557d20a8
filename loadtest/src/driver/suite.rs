//! The whole test in order: fill, reads against the bare endpoint, searches, whole shelves, creates, cold start, Synthea.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::fill::fill;
use super::machine::Machine;
use super::measure::{Buckets, Row, Shape, Target};
use super::process::{Server, bytes_held};
use super::report::{Figure, Report};
use super::scenario::create::Create;
use super::scenario::everything::Everything;
use super::scenario::search::Search;
use super::scenario::synthea;
use super::world::{Program, Serving, World};
use super::{at_scale, bounds, reads, token::Tokens};

/// What to test, and on what.
#[derive(Clone, Debug)]
pub struct Options {
    pub program: Program,
    /// What the engines do by themselves; only on brokers and a database.
    pub raw: PathBuf,
    /// The bare endpoint's program.
    pub bare: PathBuf,
    /// Folder for data, logs and keys.
    pub work: PathBuf,
    pub set: String,
    pub persons: usize,
    /// Resources of each.
    pub each: usize,
    pub shape: Shape,
    /// Settings of the server, `key=value`.
    pub settings: Vec<String>,
    /// Bytes of the header cache when it shall be cold: for the second searches, and for all of the large set.
    pub cold_cache: u64,
    pub archive: Option<PathBuf>,
    /// Resources that are compared with what was sent before the reads.
    pub sample: usize,
    /// Scenarios to run; empty: all.
    pub only: Vec<String>,
}

const ALL: [&str; 6] = ["read", "search", "everything", "create", "start", "synthea"];
/// The server is at rest when it has had nothing to do for so long.
const REST: Duration = Duration::from_secs(5);

impl Options {
    pub(super) fn wants(&self, scenario: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|name| name == scenario)
    }

    pub(super) fn data(&self, name: &str) -> PathBuf {
        self.work.join(name)
    }

    /// The setting with which the header cache holds a quarter of the set.
    fn cold(&self) -> String {
        format!("query.header_cache_bytes={}", self.cold_cache)
    }

    pub(super) fn serving(&self, name: &str, more: &[String]) -> Serving {
        let mut settings = vec!["http.workers=2".to_owned(), "log.level=warn".to_owned()];
        settings.extend(self.settings.iter().chain(more).cloned());
        Serving { program: self.program.clone(), data: self.data(name), settings }
    }
}

/// What a run collects.
pub(super) struct Run<'a> {
    pub(super) options: &'a Options,
    pub(super) rows: Vec<Row>,
    pub(super) notes: Vec<String>,
    pub(super) facts: bounds::Facts,
    decided: Buckets,
}

/// Runs everything that the options want.
pub async fn run(options: &Options) -> Result<Report> {
    let at_scale = options.program.engines.is_some();
    let scenarios: &[&str] = if at_scale { &at_scale::SCENARIOS } else { &ALL };
    let unknown = options.only.iter().find(|name| !scenarios.contains(&name.as_str()));
    ensure!(unknown.is_none(), "scenarios are {}", scenarios.join(", "));
    std::fs::create_dir_all(&options.work)?;
    let machine = Machine::look(&options.work)?;
    let (rows, notes, facts, decided) = Default::default();
    let mut run = Run { options, rows, notes, facts, decided };
    let world = run.filled().await?;
    if at_scale {
        at_scale::run(&mut run, &world).await?;
        let figures = bounds::at_scale(&run.rows, &run.facts);
        return Ok(run.report(&world, machine, figures));
    }
    // The large set is the one that no cache holds: everything on it is cold.
    let large = options.set == "large";
    let settings = if large { vec![options.cold()] } else { Vec::new() };
    let server = options.serving(&options.set, &settings).start().await?;
    let reader = world.reader(&server).await?;
    let before = Buckets::parse(&server.metrics().await?, "kiroku_decision_seconds");
    if options.wants("read") {
        reads::run(&mut run, &world, (&server, &reader)).await?;
    }
    if options.wants("search") {
        let what = if large { "search cold" } else { "search warm" };
        run.searches(&world, (&server, &reader), what).await?;
    }
    if options.wants("everything") {
        run.everything(&world, &server, &reader).await?;
    }
    run.decisions("reading and searching", &server.metrics().await?, &before);
    server.stop()?;
    if options.wants("search") && !large {
        run.cold(&world).await?;
    }
    if options.wants("start") {
        run.start(&world).await?;
    }
    // Last on the set: what is created is not in the world that the other scenarios compare with.
    if options.wants("create") {
        run.creates(&world).await?;
    }
    if options.wants("synthea") {
        run.synthea().await?;
    }
    let figures = bounds::figures(&run.rows, &run.facts);
    Ok(run.report(&world, machine, figures))
}

impl Run<'_> {
    fn report(self, world: &World, machine: Machine, figures: Vec<Figure>) -> Report {
        let options = self.options;
        Report {
            set: options.set.clone(),
            machine,
            persons: world.shelves.len(),
            resources: world.len(),
            settings: options.settings.clone(),
            generator_threads: options.shape.threads,
            seconds_per_run: options.shape.lasting.as_secs_f64(),
            figures,
            rows: self.rows,
            notes: self.notes,
        }
    }

    /// The set, from an earlier run on the same folder or made now.
    async fn filled(&mut self) -> Result<World> {
        let options = self.options;
        let data = options.data(&options.set);
        if World::file(&data).exists() {
            let world = World::load(&data)?;
            let same = world.shelves.len() == options.persons && world.len() == options.persons * options.each;
            ensure!(same, "`{}` holds another set: name another --work or remove it", data.display());
            return Ok(world);
        }
        if data.exists() {
            std::fs::remove_dir_all(&data)?;
        }
        let mut world = World::prepare(&options.program, &data, options.shape.seed)?;
        let server = options.serving(&options.set, &[]).start().await?;
        let cpu = server.cpu_seconds()?;
        let seconds = fill(&mut world, &server, (options.persons, options.each)).await?;
        let cpu = server.cpu_seconds()? - cpu;
        self.notes.push(format!(
            "Filling: {} resources in transactions of 100 in {seconds:.1} s, {:.0}/s, {:.0} us of server processor time each.",
            world.len(),
            world.len() as f64 / seconds,
            cpu * 1e6 / world.len() as f64
        ));
        world.save(&data)?;
        server.stop()?;
        Ok(world)
    }

    async fn searches(&mut self, world: &World, (server, reader): (&Server, &Arc<Tokens>), what: &str) -> Result<()> {
        let shape = &self.options.shape;
        let search = Search::verified(world, server, reader, self.options.sample.min(200)).await?;
        let target = Target { what, server, job: Arc::new(search), tokens: Some(reader.clone()) };
        let mut rows = target.saturate(shape).await?;
        let saturation = rows.iter().map(|row| row.rate_per_s).fold(0.0, f64::max);
        rows.push(target.pace(shape, saturation * 0.7).await?);
        rows.push(target.pace(shape, 1_000.0).await?);
        self.rows.extend(rows);
        Ok(())
    }

    async fn everything(&mut self, world: &World, server: &Server, reader: &Arc<Tokens>) -> Result<()> {
        let job = Everything::verified(world, server, reader, 50).await?;
        let target = Target { what: "$everything", server, job: Arc::new(job), tokens: Some(reader.clone()) };
        self.rows.push(target.pace(&self.options.shape, 50.0).await?);
        Ok(())
    }

    /// Afterwards the shelves hold more than the file of the world says: the next run fills anew.
    async fn creates(&mut self, world: &World) -> Result<()> {
        std::fs::remove_file(World::file(&self.options.data(&self.options.set)))?;
        let server = &self.options.serving(&self.options.set, &[]).start().await?;
        let shape = &self.options.shape;
        let (writer, reader) = (world.writer(server).await?, &world.reader(server).await?);
        let job = Arc::new(Create::new(world)?);
        let target = Target { what: "create", server, job: job.clone(), tokens: Some(writer) };
        let mut rows = target.saturate(shape).await?;
        let saturation = rows.iter().map(|row| row.rate_per_s).fold(0.0, f64::max);
        rows.push(target.pace(shape, saturation * 0.7).await?);
        let busy = server.metrics().await?;
        self.decisions("creating, saturated", &busy, &Buckets::default());
        rows.push(target.pace(shape, 2_000.0).await?);
        let saturated = Buckets::parse(&busy, "kiroku_decision_seconds");
        self.decisions("creating at 2,000/s", &server.metrics().await?, &saturated);
        let read = job.read_back(server, reader).await?;
        self.notes.push(format!("Creates: {read} of the acknowledged were read back and compared."));
        self.rows.extend(rows);
        Ok(())
    }

    fn decisions(&mut self, what: &str, metrics: &str, before: &Buckets) {
        let decisions = Buckets::parse(metrics, "kiroku_decision_seconds").since(before);
        let at = |quantile| decisions.quantile_at_most(quantile).unwrap_or_default() * 1e6;
        self.notes.push(format!(
            "Decisions inside the server, {what}: {:.0}, p50 at most {:.0} us, p99 at most {:.0} us, {:.2} % within 100 us.",
            decisions.count(),
            at(0.5),
            at(0.99),
            decisions.share_up_to(0.0001) * 100.0
        ));
        self.decided = std::mem::take(&mut self.decided).plus(decisions);
        self.facts.decision_p99_us = self.decided.quantile_at_most(0.99).map(|seconds| seconds * 1e6);
        let names = [
            "kiroku_decision_evaluation_seconds",
            "kiroku_ledger_append_seconds",
            "kiroku_log_sync_seconds",
            "kiroku_log_commit_records",
            "kiroku_header_scan_seconds",
        ];
        for name in names {
            let all = Buckets::parse(metrics, name);
            if let (Some(median), Some(p99)) = (all.quantile_at_most(0.5), all.quantile_at_most(0.99)) {
                self.notes
                    .push(format!("`{name}`: {:.0} values, p50 at most {median}, p99 at most {p99}.", all.count()));
            }
        }
    }

    /// Searches right after a start, with a header cache that holds a part of the set.
    async fn cold(&mut self, world: &World) -> Result<()> {
        let cache = self.options.cold();
        let server = self.options.serving(&self.options.set, std::slice::from_ref(&cache)).start().await?;
        let reader = world.reader(&server).await?;
        self.searches(world, (&server, &reader), "search cold").await?;
        self.notes
            .push(format!("Cold: server started anew with `{cache}`; the files may still be in the system's cache."));
        server.stop()
    }

    async fn start(&mut self, world: &World) -> Result<()> {
        let server = self.options.serving(&self.options.set, &[]).start().await?;
        tokio::time::sleep(REST).await;
        let (resident, anonymous) = server.memory()?;
        let seconds = server.ready_after.as_secs_f64();
        let mib = |bytes: u64| bytes as f64 / 1024.0 / 1024.0;
        self.notes.push(format!(
            "Start with {} resources: ready after {seconds:.2} s; {:.0} MiB resident at rest, {:.0} MiB of it not file-backed.",
            world.len(),
            mib(resident),
            mib(anonymous)
        ));
        self.facts.start = Some((world.len(), seconds, resident as f64 / 1e6));
        server.stop()
    }

    async fn synthea(&mut self) -> Result<()> {
        let Some(archive) = self.options.archive.clone() else {
            self.notes.push("Synthea: the archive is absent, not measured.".to_owned());
            return Ok(());
        };
        let name = format!("{}-synthea", self.options.set);
        let data = self.options.data(&name);
        if data.exists() {
            std::fs::remove_dir_all(&data).with_context(|| format!("`{}`", data.display()))?;
        }
        let world = World::prepare(&self.options.program, &data, self.options.shape.seed)?;
        let serving = self.options.serving(&name, &[]);
        // A started and stopped server has made all its files: what they take empty is not Synthea's.
        serving.start().await?.stop()?;
        let empty = total(&data)?;
        let server = serving.start().await?;
        let cpu = server.cpu_seconds()?;
        let loaded = synthea::load(&world, &server, &archive).await?;
        let cpu = server.cpu_seconds()? - cpu;
        server.stop()?;
        let (count, full) = (loaded.resources as f64, total(&data)?);
        self.facts.synthea_per_s = Some(count / loaded.seconds);
        self.facts.disk_kib = Some(full.saturating_sub(empty) as f64 / 1024.0 / count);
        let parts = bytes_held(&data)?;
        let parts: Vec<String> =
            parts.iter().map(|(name, bytes)| format!("{name} {:.1} MiB", *bytes as f64 / 1024.0 / 1024.0)).collect();
        self.notes.push(format!(
            "Synthea: {} resources ({} persons, {:.1} MB raw) in {:.2} s; {:.0} us of server processor time each (checks after the \
             load included); {} counts confirmed by search. Held on disk after a stop: {}; before the load {:.2} MiB.",
            loaded.resources,
            loaded.persons,
            loaded.raw_bytes as f64 / 1e6,
            loaded.seconds,
            cpu * 1e6 / count,
            loaded.counted,
            parts.join(", "),
            empty as f64 / 1024.0 / 1024.0,
        ));
        Ok(())
    }
}

fn total(folder: &Path) -> Result<u64> {
    Ok(bytes_held(folder)?.iter().map(|(_, bytes)| bytes).sum())
}
