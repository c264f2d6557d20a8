//! The command line.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use chassis::config::{self, Sources};
use chassis::telemetry;
use clap::{Parser, Subcommand};

use crate::Node;
use crate::commands::{backup, check, copy, data_flag, load, manual, rebuild, registry, restore};
use crate::engine;

/// A national health record.
#[derive(Parser)]
#[command(name = "kiroku", version, arg_required_else_help = true, long_about = manual::MAIN)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Settings file (TOML).
    #[arg(long, global = true, env = "KIROKU_CONFIG")]
    config: Option<PathBuf>,
    /// A setting by name, as in the table of `kiroku settings`; may be repeated: --set http.listen=127.0.0.1:9000
    #[arg(long = "set", global = true, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

#[derive(Subcommand)]
enum Command {
    /// Serve all roles of this process (or those that the setting `roles` names) until SIGTERM.
    Serve {
        /// Folder with log, keys and tables; made if absent.
        #[arg(long)]
        data: Option<PathBuf>,
        /// Address and port; 127.0.0.1:8080 unless a setting says otherwise.
        #[arg(long)]
        listen: Option<String>,
        /// Roles to serve, joined by commas: edge,projector,query,ledger.
        #[arg(long)]
        role: Option<String>,
    },
    /// Print the table of all settings.
    Settings,
    /// Facilities, professionals, clients and their keys, cards, cases: who exists and may ask for what.
    #[command(long_about = manual::REGISTRY)]
    Registry(registry::Args),
    /// Send FHIR files to a server, or into a data folder.
    #[command(long_about = manual::LOAD)]
    Load(load::Args),
    /// Test log, tables, access lists and decisions of a data folder against one another.
    #[command(long_about = manual::CHECK)]
    Check(check::Args),
    /// Build the tables again from the log, then switch to them.
    #[command(long_about = manual::REBUILD)]
    Rebuild(rebuild::Args),
    /// Copy log and keyring of a data folder; never the tables.
    #[command(long_about = manual::BACKUP)]
    Backup(backup::Args),
    /// Make a data folder out of a backup, with the newest erasure journal.
    #[command(long_about = manual::RESTORE)]
    Restore(restore::Args),
    /// Copy a whole system to another engine, or to another number of partitions.
    #[command(long_about = manual::COPY)]
    Copy(copy::Args),
    /// Make the topics of the distributed engine, and say what is wrong with those that exist.
    Topics,
    /// Bring keyspaces and tables of the distributed engine up to what this program needs.
    Schema,
    /// Start everything in a fresh folder, tell the story of one person over real HTTP, and keep serving.
    Demo(crate::demo::Options),
}

/// Runs the command; the exit code says whether it did what it was asked.
pub fn main() -> ExitCode {
    telemetry::hide_panics();
    match run(Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            report(&error);
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stderr, reason = "the command line speaks to its user")]
fn report(error: &anyhow::Error) {
    eprintln!("kiroku: {error:#}");
}

fn run(cli: Cli) -> Result<ExitCode> {
    let mut flags = Vec::new();
    for pair in &cli.set {
        let (key, value) = pair.split_once('=').context("--set wants KEY=VALUE")?;
        flags.push((key.to_owned(), value.to_owned()));
    }
    telemetry::no_core_dumps().context("switching core dumps off")?;
    telemetry::no_huge_pages();
    match cli.command {
        Command::Serve { data, listen, role } => {
            let text = |path: PathBuf| path.display().to_string();
            flags.extend(data.map(|data| ("data".to_owned(), text(data))));
            flags.extend(listen.map(|listen| ("http.listen".to_owned(), listen)));
            flags.extend(role.map(|role| ("roles".to_owned(), role)));
            let settings = config::load(&Sources::of_process(cli.config, flags))?;
            runtime()?.block_on(serve(settings))?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Settings => {
            print(&config::table_markdown());
            Ok(ExitCode::SUCCESS)
        }
        Command::Registry(args) => {
            let settings = settings_of(cli.config, flags, args.data.as_ref())?;
            runtime()?.block_on(registry::run(args, &settings))
        }
        Command::Load(args) => {
            let settings = settings_of(cli.config, flags, args.data.as_ref())?;
            runtime()?.block_on(load::run(args, settings))
        }
        Command::Check(args) => {
            let settings = settings_of(cli.config, flags, args.data.as_ref())?;
            runtime()?.block_on(check::run(args, &settings))
        }
        Command::Rebuild(args) => {
            let settings = settings_of(cli.config, flags, args.data.as_ref())?;
            runtime()?.block_on(rebuild::run(args, &settings))
        }
        Command::Backup(args) => {
            let settings = settings_of(cli.config, flags, args.data.as_ref())?;
            runtime()?.block_on(backup::run(args, &settings))
        }
        Command::Restore(args) => {
            let settings = settings_of(cli.config, flags, args.data.as_ref())?;
            runtime()?.block_on(restore::run(args, &settings))
        }
        Command::Copy(args) => {
            let settings = settings_of(cli.config, flags, args.data.as_ref())?;
            runtime()?.block_on(copy::run(args, &settings))
        }
        Command::Topics => {
            let settings = settings_of(cli.config, flags, None)?;
            runtime()?.block_on(engine::make_topics(&settings))?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Schema => {
            let settings = settings_of(cli.config, flags, None)?;
            runtime()?.block_on(engine::make_schema(&settings))?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Demo(options) => match runtime()?.block_on(crate::demo::run(options, cli.config, flags))? {
            true => Ok(ExitCode::SUCCESS),
            false => Ok(ExitCode::FAILURE),
        },
    }
}

/// Settings of a command on the data folder that `--data` names.
fn settings_of(
    file: Option<PathBuf>,
    mut flags: Vec<(String, String)>,
    data: Option<&PathBuf>,
) -> Result<config::Settings> {
    flags.extend(data_flag(data));
    Ok(config::load(&Sources::of_process(file, flags))?)
}

/// The runtime of the process; HTTP workers have their own.
pub fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?)
}

async fn serve(settings: config::Settings) -> Result<()> {
    let guard = telemetry::init(&settings.log, &settings.telemetry)?;
    let node = Node::start(settings).await?;
    tracing::info!(url = node.url, "serving");
    until_signal().await?;
    node.drain().await;
    node.stop().await?;
    guard.flush();
    Ok(())
}

/// Returns at SIGTERM or SIGINT.
pub(crate) async fn until_signal() -> Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut term = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = term.recv() => {}
        done = tokio::signal::ctrl_c() => done?,
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the command line speaks to its user")]
fn print(text: &str) {
    println!("{text}");
}
