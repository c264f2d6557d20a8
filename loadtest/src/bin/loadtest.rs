//! The load test from the command line.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Parser;
use loadtest::driver::measure::Shape;
use loadtest::driver::suite::{Options, run};
use loadtest::driver::world::Program;

/// Loads a Kiroku server, checks every answer, and writes the figures against their bounds.
///
/// Starts `kiroku serve` and the bare endpoint itself, as processes on this machine. A filled folder is used again by the
/// next run with the same --work and --set.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Scenarios: all, or any of read, search, everything, create, start, synthea; with --engines of read, create, rebuild.
    #[arg(default_value = "all")]
    scenarios: Vec<String>,
    /// A smoke run: 20 persons, 2,000 resources, two seconds a run, set `quick`.
    #[arg(long)]
    quick: bool,
    /// small (200 persons, 100,000 resources) or large (4,000 persons, 2,000,000 resources).
    #[arg(long, default_value = "small")]
    set: String,
    /// Persons, in place of the set's.
    #[arg(long)]
    persons: Option<usize>,
    /// Resources of each person, in place of 500.
    #[arg(long)]
    each: Option<usize>,
    /// Seconds of one run.
    #[arg(long)]
    seconds: Option<f64>,
    /// Connections of the closed loop, joined by commas.
    #[arg(long, value_delimiter = ',', default_values_t = [16, 64])]
    connections: Vec<usize>,
    /// Threads of the generator.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// The server's program; default: `kiroku` beside this one.
    #[arg(long)]
    kiroku: Option<PathBuf>,
    /// Settings file of brokers and a database (`engines.toml` of `xtask up`): the server works on them, and is measured
    /// against the engines alone.
    #[arg(long, conflicts_with_all = ["quick", "set", "cold_cache", "synthea"])]
    engines: Option<PathBuf>,
    /// Folder for data, keys and logs.
    #[arg(long, default_value = "target/loadtest")]
    work: PathBuf,
    /// A setting of the server: --server-set store.cache_bytes=268435456; may be repeated.
    #[arg(long = "server-set")]
    settings: Vec<String>,
    /// Header cache of the cold searches and of the large set, bytes; default: a quarter of 1,000 bytes for each resource.
    #[arg(long)]
    cold_cache: Option<u64>,
    /// Synthea's archive; default: below `KIROKU_SHARED` or ../shared.
    #[arg(long)]
    synthea: Option<PathBuf>,
    /// Markdown to write the figures into, between marks; the JSON goes beside it.
    #[arg(long)]
    out: Option<PathBuf>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let out = arguments.out.clone();
    let options = options(arguments)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let report = runtime.block_on(run(&options))?;
    if let Some(out) = out {
        report.write(&out)?;
    }
    print(&report.markdown());
    let wrong: u64 = report.rows.iter().map(|row| row.wrong).sum();
    anyhow::ensure!(wrong == 0, "{wrong} answers were wrong");
    Ok(())
}

fn options(arguments: Arguments) -> Result<Options> {
    let set = match &arguments.engines {
        Some(_) => "engines".to_owned(),
        None if arguments.quick => "quick".to_owned(),
        None => arguments.set,
    };
    let (persons, each, seconds) = match set.as_str() {
        "quick" => (20, 100, 2.0),
        "engines" => (200, 50, 10.0),
        "large" => (4_000, 500, 15.0),
        _ => (200, 500, 10.0),
    };
    let (persons, each) = (arguments.persons.unwrap_or(persons), arguments.each.unwrap_or(each));
    let beside = std::env::current_exe()?.parent().context("a program lies in a folder")?.to_owned();
    let shared = std::env::var("KIROKU_SHARED").unwrap_or_else(|_| "../shared".to_owned());
    let archive =
        arguments.synthea.unwrap_or_else(|| PathBuf::from(shared).join("data/synthea-r4/synthea-r4-patients.tar.gz"));
    let lasting = Duration::from_secs_f64(arguments.seconds.unwrap_or(seconds));
    Ok(Options {
        program: Program {
            kiroku: arguments.kiroku.unwrap_or_else(|| beside.join("kiroku")),
            engines: arguments.engines,
        },
        bare: beside.join("bare"),
        raw: beside.join("raw-engines"),
        work: arguments.work,
        set,
        persons,
        each,
        shape: Shape {
            connections: arguments.connections,
            threads: arguments.threads,
            warm_up: lasting / 4,
            lasting,
            seed: arguments.seed,
        },
        settings: arguments.settings,
        cold_cache: arguments.cold_cache.unwrap_or((persons * each * 1_000 / 4) as u64),
        archive: archive.exists().then_some(archive),
        sample: (persons * each / 10).clamp(200, 5_000),
        only: arguments.scenarios.into_iter().filter(|name| name != "all").collect(),
    })
}

#[expect(clippy::print_stdout, reason = "the command line speaks to its user")]
fn print(text: &str) {
    println!("{text}");
}
