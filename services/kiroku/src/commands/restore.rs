//! `kiroku restore`: a backup and the newest erasure journal become a data folder.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use chassis::config::Settings;

use super::backup::{
    FILES, FORM, MANIFEST, Manifest, copy_file, erasure_journal, hex, journal_start, make_empty_folder, sync_folder,
};
use super::rebuild::{self, rebuild};
use super::{open_folder, print, print_json};

/// Arguments of `kiroku restore`.
#[derive(clap::Args)]
pub struct Args {
    /// The backup.
    #[arg(long)]
    from: PathBuf,
    /// Data folder to make; must be absent or empty.
    #[arg(long)]
    pub data: Option<PathBuf>,
    /// The newest erasure journal; it is copied to its place beside the new folder (or where the setting says).
    #[arg(long)]
    erasure_journal: PathBuf,
    /// The key-encryption key, where the backup does not hold it.
    #[arg(long, value_name = "FILE")]
    kek: Option<PathBuf>,
    /// The report in JSON on stdout, no progress bar.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub async fn run(args: Args, settings: &Settings) -> Result<ExitCode> {
    let sources = Sources { backup: &args.from, erasure_journal: &args.erasure_journal, kek: args.kek.as_deref() };
    let report = restore(settings, &sources, args.json).await?;
    if args.json {
        print_json(&report);
    } else {
        let rows: u64 = report.new_rows.values().sum();
        let (data, erasures) = (settings.data.display(), report.erasures.unwrap_or(0));
        print(&format!("`{data}` is restored: {} records, {rows} rows, {erasures} erasures in force", report.records));
    }
    Ok(ExitCode::SUCCESS)
}

/// What a data folder is restored from.
pub struct Sources<'a> {
    pub backup: &'a Path,
    pub erasure_journal: &'a Path,
    /// Where the backup does not hold the key-encryption key and no setting names one.
    pub kek: Option<&'a Path>,
}

/// Makes `settings.data` out of a backup and builds its tables.
///
/// # Errors
/// The backup or the journal is not what it must be; nothing lies at `settings.data` then, except where the last step, building
/// the tables, failed: `kiroku rebuild` repeats it.
pub async fn restore(settings: &Settings, sources: &Sources<'_>, quiet: bool) -> Result<rebuild::Report> {
    let manifest = read_manifest(sources.backup)?;
    check_journal(&manifest, sources.erasure_journal)?;
    make_empty_folder(&settings.data)?;
    let mut staging = settings.data.clone().into_os_string();
    staging.push(".restoring");
    let staging = PathBuf::from(staging);
    // Left behind by a restore that was interrupted: it was never a data folder.
    if staging.exists() {
        std::fs::remove_dir_all(&staging).with_context(|| format!("removing `{}`", staging.display()))?;
    }
    make_empty_folder(&staging)?;
    copy_backup(&manifest, sources, &staging)?;
    let journal = erasure_journal(settings);
    place_journal(&manifest, sources.erasure_journal, &journal)?;
    test(settings, &staging, &journal, &manifest).await?;
    let parent = settings.data.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::rename(&staging, &settings.data).with_context(|| format!("naming `{}`", settings.data.display()))?;
    sync_folder(parent)?;
    // Erasures after the backup make the new tables smaller than any before: nothing to compare with.
    rebuild(settings, true, quiet)
        .await
        .context("the folder is restored; building its tables (repeat with `kiroku rebuild`)")
}

fn read_manifest(backup: &Path) -> Result<Manifest> {
    let path = backup.join(MANIFEST);
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("`{}` is no whole backup: reading `{MANIFEST}`", backup.display()))?;
    let manifest: Manifest = serde_json::from_str(&text).with_context(|| format!("reading `{}`", path.display()))?;
    ensure!(manifest.form == FORM, "the backup has form {}, this program knows {FORM}", manifest.form);
    Ok(manifest)
}

/// The journal must continue the one that the folder had at the backup.
fn check_journal(manifest: &Manifest, journal: &Path) -> Result<()> {
    let start = journal_start(journal, manifest.erasures)?;
    ensure!(start == manifest.erasures_sha256, "`{}` is the erasure journal of another data folder", journal.display());
    Ok(())
}

fn copy_backup(manifest: &Manifest, sources: &Sources<'_>, staging: &Path) -> Result<()> {
    for (name, sha256) in &manifest.files {
        ensure!(FILES.contains(&name.as_str()), "the backup names a file that is not part of one");
        let copied = copy_file(&sources.backup.join(name), &staging.join(name))?;
        ensure!(copied == *sha256, "`{}` of the backup is damaged", name);
    }
    if let Some(kek) = sources.kek {
        ensure!(!manifest.files.contains_key("kek"), "the backup holds a key-encryption key; leave --kek out");
        copy_file(kek, &staging.join("kek"))?;
    }
    let log = sources.backup.join("log");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&log).with_context(|| format!("reading `{}`", log.display()))? {
        names.push(entry?.file_name());
    }
    for name in names {
        copy_file(&log.join(&name), &staging.join("log").join(&name))?;
    }
    Ok(())
}

/// Copies the journal to its place. A longer one that is there already is the newer: nothing may shorten it.
fn place_journal(manifest: &Manifest, given: &Path, place: &Path) -> Result<()> {
    let read = |path: &Path| std::fs::read(path).with_context(|| format!("reading `{}`", path.display()));
    let new = read(given)?;
    if place.exists() {
        let there = read(place)?;
        if there == new {
            return Ok(());
        }
        if !new.starts_with(&there) {
            bail!(
                "`{}` holds erasures that `{}` does not hold ({} were known at the backup); give the newest journal",
                place.display(),
                given.display(),
                manifest.erasures
            );
        }
        let mut aside = place.as_os_str().to_owned();
        aside.push(".before-restore");
        std::fs::rename(place, &aside).with_context(|| format!("moving `{}` aside", place.display()))?;
    }
    copy_file(given, place).map(drop)
}

/// Opens the copy where it lies: log, chain and keyring, with the erasures applied.
async fn test(settings: &Settings, staging: &Path, journal: &Path, manifest: &Manifest) -> Result<()> {
    let mut settings = Settings { data: staging.to_owned(), ..settings.clone() };
    settings.erasure_journal = Some(journal.to_owned());
    let kek = settings.key_encryption_key_file.clone().unwrap_or_else(|| staging.join("kek"));
    ensure!(
        kek.exists(),
        "the backup holds no key-encryption key: give it with --kek or the setting key_encryption_key_file"
    );
    let engine = open_folder(&settings, false).context("the backup does not open")?;
    let log = engine.embedded_log().clone();
    let scrub = tokio::task::spawn_blocking(move || log.scrub()).await?.context("the log of the backup")?;
    engine.close().await?;
    let whole = scrub.head.commit == manifest.log_commit && hex(&scrub.head.chain) == manifest.log_chain;
    ensure!(whole, "the log of the backup is not the one that was copied: its chain differs");
    Ok(())
}
