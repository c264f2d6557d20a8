//! Chores of the repository: tables that are derived from published definitions, checks that they are fresh, the shipped build,
//! the servers that it runs with.

mod dictionary;
mod faults;
mod package;
mod profiled;
mod search_params;
mod servers;
mod shape;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

#[derive(Parser)]
#[command(about = "Chores of the Kiroku repository")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Derives services/fhir/definitions/shape.txt from the R4 structure definitions and value sets
    #[command(name = "fhir-shape")]
    Shape(Derive),
    /// Derives the table of search parameters from the R4 definitions
    #[command(name = "fhir-search-params")]
    SearchParams(search_params::Args),
    /// Trains a dictionary for the compression of stored values
    StorageDictionary(dictionary::Args),
    /// Builds the binary that is shipped, optimised with a profile of its own load
    Profiled(profiled::Args),
    /// Makes the faults of the distributed engine many times and writes what they showed
    Faults(faults::Args),
    /// Starts Kafka and Cassandra in a folder and leaves them running
    Up(servers::Up),
    /// Ends what `up` has started in a folder
    Down(servers::Down),
}

/// How a derived table is made.
#[derive(Args)]
pub(crate) struct Derive {
    /// Fail if the committed file differs, write nothing
    #[arg(long)]
    pub(crate) check: bool,
    /// An unpacked folder of the definitions instead of the Maven package
    #[arg(long)]
    pub(crate) package: Option<PathBuf>,
    /// Root of the workspace
    #[arg(long, default_value = ".")]
    pub(crate) root: PathBuf,
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().task {
        Task::Shape(derive) => shape::run(&derive),
        Task::SearchParams(args) => search_params::run(&args),
        Task::StorageDictionary(args) => dictionary::run(&args),
        Task::Profiled(args) => profiled::run(&args),
        Task::Faults(args) => faults::run(&args),
        Task::Up(args) => servers::up(args),
        Task::Down(args) => servers::down(&args),
    }
}
