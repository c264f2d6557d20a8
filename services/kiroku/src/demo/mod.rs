//! `kiroku demo`: one node on a fresh folder, a small world in it, and a story told over real HTTP. Every step is checked: an
//! answer that is not what the story says is marked as failed.

mod acts;
mod file;
mod oversight;
mod print;
mod resources;
#[cfg(feature = "distributed")]
mod servers;
mod step;
mod story;
mod world;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use chassis::config::{self, Settings, Sources};
use chassis::telemetry;

pub use step::{Check, Exchange, Step};
pub use story::tell;
pub use world::{Citizen, Site, Who, World};

use crate::Node;
use crate::cli::until_signal;
use file::DemoFile;

/// How long the story waits for its node, and how often it looks.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// What `kiroku demo` was asked.
#[derive(clap::Args)]
pub struct Options {
    /// Folder for data, requests and demo.json; a new one by default. One that was a demo's before is emptied, any other must be empty
    #[arg(long)]
    data: Option<PathBuf>,
    /// Address to listen on; a free port of 127.0.0.1 by default
    #[arg(long)]
    listen: Option<String>,
    /// On the distributed engine: on the servers that the settings name, or on a broker and a database started from their jars
    #[cfg(feature = "distributed")]
    #[arg(long, value_name = "KIND", value_parser = ["embedded", "distributed"], default_value = "embedded")]
    engine: String,
    /// End after the story: 0 if every step held, 1 if not
    #[arg(long)]
    exit: bool,
    /// Print each step as one line of JSON
    #[arg(long)]
    json: bool,
    /// Tell no story: print a token for WHO of a demo that is serving, as named in its demo.json
    #[arg(long, value_name = "WHO", requires = "data", conflicts_with_all = ["exit", "listen", "json"])]
    token: Option<String>,
    /// Tell no story: print a fresh proof of WHO's card for the header Kiroku-Card; each is good once
    #[arg(long, value_name = "WHO", requires = "data", conflicts_with_all = ["exit", "listen", "json", "token"])]
    card: Option<String>,
}

/// Runs the command. `Ok(false)`: the story was told to its end and a step failed.
pub async fn run(options: Options, file: Option<PathBuf>, flags: Vec<(String, String)>) -> Result<bool> {
    if let (Some(folder), Some(who)) = (&options.data, &options.token) {
        print::line(&DemoFile::read(folder)?.token(who).await?);
        return Ok(true);
    }
    if let (Some(folder), Some(who)) = (&options.data, &options.card) {
        print::line(&DemoFile::read(folder)?.card_proof(who).await?);
        return Ok(true);
    }
    let folder = prepare_folder(options.data.clone())?;
    #[cfg(feature = "distributed")]
    let (_servers, flags) = servers_of(&folder, &options, file.clone(), flags).await?;
    let settings = settings(&folder, &options, file, flags)?;
    let guard = telemetry::init(&settings.log, &settings.telemetry)?;
    #[cfg(feature = "distributed")]
    servers::prepare(&settings).await?;
    let held = play(&folder, &options, settings).await?;
    guard.flush();
    Ok(held)
}

/// The servers of a demo on the distributed engine, if it started some, and the settings by which it reaches them.
#[cfg(feature = "distributed")]
async fn servers_of(
    folder: &Path,
    options: &Options,
    file: Option<PathBuf>,
    mut flags: Vec<(String, String)>,
) -> Result<(Option<::servers::Cluster>, Vec<(String, String)>)> {
    if options.engine != "distributed" {
        return Ok((None, flags));
    }
    let named = settings(folder, options, file, flags.clone())?;
    let mut cluster = None;
    if named.engine.kafka.brokers.is_empty() {
        let (started, reached) = servers::start(folder).await?;
        cluster = Some(started);
        flags.extend(reached);
    }
    flags.extend(servers::names_of_its_own(&random_name()?));
    Ok((cluster, flags))
}

async fn play(folder: &Path, options: &Options, settings: Settings) -> Result<bool> {
    let printer = print::Printer { is_json: options.json };
    printer.opening(folder);
    let node = Node::start(settings).await?;
    let mut world = World::build(&node, Some(folder.to_owned())).await?;
    until_ready(&node).await?;
    if let Ok(program) = std::env::current_exe() {
        world.command = program.display().to_string();
    }
    let mut demo = DemoFile::of(&world, &node.url);
    demo.write(folder)?;
    let steps = tell(&world, &mut |step| printer.step(step)).await;
    let held = steps.iter().all(Step::held);
    demo.case = world::CASE.to_owned();
    demo.write(folder)?;
    printer.closing(&steps, (folder, &world.command), &demo, !options.exit);
    if !options.exit {
        until_signal().await?;
    }
    node.stop().await?;
    Ok(held || !options.exit)
}

/// On servers a process takes over its partitions some seconds after its start; until its first heartbeat the registry counts as
/// old, and decisions are made as if it could not be asked.
async fn until_ready(node: &Node) -> Result<()> {
    let ready = async {
        while node.registry.is_stale() || !node.is_running() {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    };
    tokio::time::timeout(PATIENCE, ready).await.context("the node is not ready: ask its `/health/ready`")
}

fn settings(
    folder: &Path,
    options: &Options,
    file: Option<PathBuf>,
    mut flags: Vec<(String, String)>,
) -> Result<Settings> {
    let listen = options.listen.clone().unwrap_or_else(|| "127.0.0.1:0".to_owned());
    let given = |flags: &[(String, String)], key: &str| flags.iter().any(|(name, _)| name == key);
    flags.push(("data".to_owned(), folder.join(file::DATA).display().to_string()));
    if options.listen.is_some() || !given(&flags, "http.listen") {
        flags.push(("http.listen".to_owned(), listen));
    }
    if !given(&flags, "log.level") {
        // The story is what is read here; a line of log per request would bury it.
        flags.push(("log.level".to_owned(), "warn".to_owned()));
    }
    Ok(config::load(&Sources::of_process(file, flags))?)
}

/// A folder for this demo alone. What an earlier demo left in it is removed, nothing else ever.
fn prepare_folder(given: Option<PathBuf>) -> Result<PathBuf> {
    use std::os::unix::fs::DirBuilderExt;
    let folder = match given {
        Some(folder) => folder,
        None => std::env::temp_dir().join(format!("kiroku-demo-{}", random_name()?)),
    };
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).context("making the demo's folder")?;
    let folder = folder.canonicalize()?;
    let is_empty = std::fs::read_dir(&folder)?.next().is_none();
    if !is_empty && !folder.join(file::NAME).is_file() {
        bail!("`{}` is not empty and was no demo's folder: name an empty one", folder.display());
    }
    for name in [file::DATA, file::REQUESTS] {
        let inner = folder.join(name);
        ensure!(!inner.is_symlink(), "`{}` is a link; remove it by hand", inner.display());
        if inner.is_dir() {
            std::fs::remove_dir_all(&inner).context("removing what the last demo left")?;
        }
    }
    // The journal of erasures lies beside the data folder; keys of the last demo mean nothing to this one.
    let journal = folder.join(format!("{}.erasures", file::DATA));
    if journal.is_file() {
        std::fs::remove_file(&journal).context("removing what the last demo left")?;
    }
    // Marks the folder as a demo's from the first moment on, so that one that was cut off can be told again.
    file::write_private(&folder.join(file::NAME), b"{}")?;
    Ok(folder)
}

fn random_name() -> Result<String> {
    let mut bytes = [0u8; 4];
    openssl::rand::rand_bytes(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_used_again_only_if_it_was_a_demos_and_nothing_else_in_it_is_touched() -> Result<()> {
        let base = std::env::temp_dir().join(format!("kiroku-demo-test-{}", random_name()?));
        let folder = prepare_folder(Some(base.clone()))?;
        std::fs::create_dir(folder.join(file::DATA))?;
        std::fs::write(folder.join("notes.txt"), "mine")?;
        prepare_folder(Some(base.clone()))?;
        assert!(!folder.join(file::DATA).exists());
        assert!(folder.join("notes.txt").is_file());
        std::fs::remove_file(folder.join(file::NAME))?;
        assert!(prepare_folder(Some(base)).is_err(), "without demo.json it may be anybody's");
        assert!(folder.join("notes.txt").is_file());
        Ok(std::fs::remove_dir_all(folder)?)
    }
}
