//! `kiroku backup`: what cannot be made again from anything else.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use chassis::clock::{Clock, SystemClock};
use chassis::config::Settings;
use engines::embedded::Embedded;
use serde::{Deserialize, Serialize};

use super::{open_folder, print, print_json};

/// Arguments of `kiroku backup`.
#[derive(clap::Args)]
pub struct Args {
    /// Data folder. No server may run on it.
    #[arg(long)]
    pub data: Option<PathBuf>,
    /// Folder for the backup; must be absent or empty.
    #[arg(long)]
    to: PathBuf,
    /// Do not copy the key-encryption key: keep it elsewhere, the backup is worth nothing without it.
    #[arg(long)]
    without_kek: bool,
    /// The report in JSON on stdout.
    #[arg(long)]
    json: bool,
}

/// Name of the manifest in a backup; written last, so that a folder with it is a whole backup.
pub(super) const MANIFEST: &str = "backup.json";
/// Version of the form of a backup.
pub(super) const FORM: u32 = 1;
/// Files besides the log, by their place in the data folder; all but the first two may be absent.
pub(super) const FILES: [&str; 4] = ["format", "keys/slots", "once/journal", "kek"];
/// Bytes of one record of the erasure journal.
const ERASURE_BYTES: u64 = 64;

/// What a backup says about itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub form: u32,
    /// Milliseconds since 1970.
    pub made_at: i64,
    /// Number of the last commit of the log, and the chain over all commits (hex).
    pub log_commit: u64,
    pub log_chain: String,
    /// SHA-256 (hex) of each copied file besides the log.
    pub files: std::collections::BTreeMap<String, String>,
    /// Erasures when the backup was made, and SHA-256 (hex) of the journal so far: a later journal begins with it.
    pub erasures: u64,
    pub erasures_sha256: String,
}

/// Runs the command.
pub async fn run(args: Args, settings: &Settings) -> Result<ExitCode> {
    let manifest = backup(settings, &args.to, args.without_kek).await?;
    if args.json {
        print_json(&manifest);
        return Ok(ExitCode::SUCCESS);
    }
    print(&format!("`{}` holds the log up to commit {} and the keyring", args.to.display(), manifest.log_commit));
    if !manifest.files.contains_key("kek") {
        print("the key-encryption key is not in it: keep it apart, the backup cannot be opened without it");
    }
    let journal = erasure_journal(settings);
    print(&format!(
        "keep the erasure journal `{}` elsewhere, always the newest: restore does not open without it",
        journal.display()
    ));
    Ok(ExitCode::SUCCESS)
}

/// Copies log and keyring of the folder to the empty folder `to`; durable when it returns.
///
/// # Errors
/// The folder is in use, `to` is not empty, or something could not be copied; `to` then holds no manifest.
pub async fn backup(settings: &Settings, to: &Path, without_kek: bool) -> Result<Manifest> {
    let engine = open_folder(settings, false)?;
    let copied = copy_all(&engine, settings, to, without_kek).await;
    engine.close().await?;
    copied
}

async fn copy_all(engine: &Arc<Embedded>, settings: &Settings, to: &Path, without_kek: bool) -> Result<Manifest> {
    make_empty_folder(to)?;
    let (log, target) = (engine.embedded_log().clone(), to.join("log"));
    let head = tokio::task::spawn_blocking(move || log.copy_to(&target)).await?.context("copying the log")?;
    let mut files = std::collections::BTreeMap::new();
    for name in FILES {
        let source = settings.data.join(name);
        let apart = name == "kek" && (without_kek || settings.key_encryption_key_file.is_some());
        if !apart && source.exists() {
            files.insert(name.to_owned(), copy_file(&source, &to.join(name))?);
        }
    }
    let erasures = engine.embedded_keys().counts().1;
    let erasures_sha256 = journal_start(&erasure_journal(settings), erasures)?;
    let log_chain = hex(&head.chain);
    let manifest = Manifest {
        form: FORM,
        made_at: SystemClock.now(),
        log_commit: head.commit,
        log_chain,
        files,
        erasures,
        erasures_sha256,
    };
    write_synced(&to.join(MANIFEST), serde_json::to_string_pretty(&manifest)?.as_bytes())?;
    sync_folder(to)?;
    Ok(manifest)
}

/// Where the erasure journal of a data folder lies.
pub(super) fn erasure_journal(settings: &Settings) -> PathBuf {
    settings.erasure_journal.clone().unwrap_or_else(|| {
        let mut name = settings.data.clone().into_os_string();
        name.push(".erasures");
        name.into()
    })
}

/// SHA-256 (hex) of the first `records` of a journal.
///
/// # Errors
/// Where it cannot be read or is shorter.
pub(super) fn journal_start(path: &Path, records: u64) -> Result<String> {
    let bytes = std::fs::read(path).with_context(|| format!("reading the erasure journal `{}`", path.display()))?;
    let length = usize::try_from(records * ERASURE_BYTES)?;
    match bytes.get(..length) {
        Some(start) => Ok(hex(&openssl::sha::sha256(start))),
        None => {
            bail!("the erasure journal `{}` holds fewer erasures than the {records} that were made", path.display())
        }
    }
}

/// Makes a private folder, or takes an empty one.
pub(super) fn make_empty_folder(path: &Path) -> Result<()> {
    let failed = || format!("making the folder `{}`", path.display());
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path).with_context(failed)?;
    if std::fs::read_dir(path).with_context(failed)?.next().is_some() {
        bail!("`{}` is not empty; name a folder that does not exist", path.display());
    }
    Ok(())
}

/// Copies a file, synced, readable by its owner alone. Returns the SHA-256 (hex) of its content.
pub(super) fn copy_file(source: &Path, target: &Path) -> Result<String> {
    let bytes = std::fs::read(source).with_context(|| format!("reading `{}`", source.display()))?;
    if let Some(folder) = target.parent() {
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.with_context(|| format!("making the folder `{}`", folder.display()))?;
    }
    write_synced(target, &bytes)?;
    if let Some(folder) = target.parent() {
        sync_folder(folder)?;
    }
    Ok(hex(&openssl::sha::sha256(&bytes)))
}

pub(super) fn write_synced(path: &Path, bytes: &[u8]) -> Result<()> {
    let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let written = opened.and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
    written.with_context(|| format!("writing `{}`", path.display()))
}

pub(super) fn sync_folder(path: &Path) -> Result<()> {
    File::open(path).and_then(|folder| folder.sync_all()).with_context(|| format!("syncing `{}`", path.display()))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
