//! `kiroku registry`: who exists, works where, may ask for what. Appends to topic `authority` of a data folder.

mod card;
mod case;
mod client;
mod entry;
mod file;
mod organisation;
mod professional;
mod rules;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use chassis::clock::SystemClock;
use chassis::config::Settings;
use chassis::registry::{Registry, RegistryState};
use clap::Subcommand;
use schemas::authority::AuthorityEvent;

use entry::{Add, Verb};

use super::{open_engine, print, print_json};
use crate::engine::Engine;

pub use file::events_of_file;
pub use rules::check_event;

/// Arguments of `kiroku registry`.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    noun: Noun,
    /// Data folder; the commands that write make it if it is absent. No server may run on it.
    #[arg(long, global = true)]
    pub data: Option<PathBuf>,
    /// Answer in JSON.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand)]
enum Noun {
    /// Facilities, insurers, municipalities, regulators.
    #[command(subcommand, visible_alias = "facility")]
    Organisation(Verb<organisation::Add>),
    /// Professionals with licence and roles.
    #[command(subcommand)]
    Professional(Verb<professional::Add>),
    /// Systems that may ask for tokens, and their keys.
    #[command(subcommand)]
    Client(client::Verb),
    /// Cards of persons (demo and tests; the national issuer's in production).
    #[command(subcommand)]
    Card(card::Verb),
    /// Cases of a regulator: two officials, at most 30 days (R43).
    #[command(subcommand)]
    Case(case::Verb),
    /// Append all that a JSON or TOML file holds: organisations, professionals, clients, cards, cases.
    #[command(long_about = file::HELP)]
    Apply {
        /// TOML if its name ends so, else JSON.
        file: PathBuf,
    },
}

/// What a verb wants done.
enum Step {
    /// Nothing of the registry is touched; this is the answer.
    Answer(serde_json::Value),
    /// Append these.
    Append(Vec<AuthorityEvent>),
}

/// Runs the command.
pub async fn run(args: Args, settings: &Settings) -> Result<ExitCode> {
    if let Noun::Client(client::Verb::NewKey(new)) = &args.noun {
        answer(&new.run()?, args.json);
        return Ok(ExitCode::SUCCESS);
    }
    let reads_only = match &args.noun {
        Noun::Organisation(verb) => verb.reads_only(),
        Noun::Professional(verb) => verb.reads_only(),
        Noun::Client(verb) => matches!(verb, client::Verb::Entry(verb) if verb.reads_only()),
        Noun::Card(verb) => verb.reads_only(),
        Noun::Case(verb) => verb.reads_only(),
        Noun::Apply { .. } => false,
    };
    let opened = Opened::open(settings, !reads_only).await?;
    let state = opened.registry.state();
    let step = match args.noun {
        Noun::Organisation(verb) => verb.step(&state)?,
        Noun::Professional(verb) => verb.step(&state)?,
        Noun::Client(client::Verb::Entry(verb)) => verb.step(&state)?,
        Noun::Client(client::Verb::NewKey(new)) => Step::Answer(new.run()?),
        Noun::Card(verb) => verb.step(&state)?,
        Noun::Case(verb) => verb.step(&state)?,
        Noun::Apply { file } => Step::Append(file::events_of_file(&file)?),
    };
    let value = match step {
        Step::Answer(value) => value,
        Step::Append(events) => opened.append(events).await?,
    };
    opened.engine.close().await?;
    answer(&value, args.json);
    Ok(ExitCode::SUCCESS)
}

/// A registry: in a folder that no server uses, or beside the servers of the distributed engine.
pub struct Opened {
    pub engine: Engine,
    pub registry: Arc<Registry>,
}

impl Opened {
    /// Opens the engine (`make`: also a folder that does not exist yet) and replays the registry.
    pub async fn open(settings: &Settings, make: bool) -> Result<Self> {
        let engine = open_engine(settings, make).await?;
        let registry = Registry::open(engine.log.clone(), engine.keys.clone(), Arc::new(SystemClock)).await?;
        Ok(Self { engine, registry })
    }

    /// Checks all events against the registry and one another, then appends all or none. Returns what was written, for people.
    pub async fn append(&self, events: Vec<AuthorityEvent>) -> Result<serde_json::Value> {
        rules::check_all(&self.registry.state(), &events)?;
        let written: Vec<_> = events.iter().map(rules::name_of).collect();
        let places = self.registry.append_all(events).await?;
        let last = places.last().map(|place| place.offset);
        Ok(serde_json::json!({"written": written, "position": last}))
    }
}

/// Entries one a line for people; JSON for programs.
fn answer(value: &serde_json::Value, json: bool) {
    use serde_json::Value;
    if json {
        return print_json(value);
    }
    match value {
        Value::Array(entries) => entries.iter().for_each(|entry| print(&line(entry))),
        Value::Object(it) if it.contains_key("written") => {
            for name in it["written"].as_array().into_iter().flatten() {
                print(&format!("written: {}", name.as_str().unwrap_or_default()));
            }
        }
        other => print_json(other),
    }
}

fn line(entry: &serde_json::Value) -> String {
    let text = |name: &str| entry.get(name).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
    let kind = ["type", "profession", "organisation", "kind"].into_iter().map(text).find(|t| !t.is_empty());
    format!("{:<24} {:<10} {:<16} {}", text("id"), text("status"), kind.unwrap_or_default(), text("name"))
        .trim_end()
        .to_owned()
}

type State = RegistryState;
