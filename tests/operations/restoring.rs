//! Backup and restore, with erasures in between.

use anyhow::{Result, ensure};
use chassis::config::Settings;
use chassis::ports::keys::Keys;
use kiroku::commands::backup::backup;
use kiroku::commands::check::check;
use kiroku::commands::open_folder;
use kiroku::commands::restore::{Sources, restore};

use super::folders::Filled;

fn at(filled: &Filled, name: &str) -> Settings {
    Settings { data: filled.beside(name), ..filled.settings.clone() }
}

#[tokio::test]
async fn a_restored_backup_reads_as_what_was_backed_up() -> Result<()> {
    let filled = Filled::make().await?;
    let before = filled.read_on(&filled.settings, &filled.record).await?;
    let to = filled.beside("backup");
    let manifest = backup(&filled.settings, &to, false).await?;
    ensure!(manifest.log_commit > 0 && !to.join("tables").exists(), "the tables are no part of a backup");
    let restored = at(&filled, "restored");
    let journal = filled.beside("data.erasures");
    let sources = Sources { backup: &to, erasure_journal: &journal, kek: None };
    restore(&restored, &sources, true).await?;
    let report = check(&restored, false, true).await?;
    ensure!(report.is_good(), "{:?}", report.findings);
    let after = filled.read_on(&restored, &filled.record).await?;
    assert_eq!((after.status, &after.body), (200, &before.body));
    Ok(())
}

#[tokio::test]
async fn a_destroyed_person_stays_erased_after_an_older_backup_is_restored() -> Result<()> {
    let filled = Filled::make().await?;
    let to = filled.beside("backup");
    backup(&filled.settings, &to, false).await?;
    let engine = open_folder(&filled.settings, false)?;
    engine.embedded_keys().destroy_person(filled.pid()?).await?;
    engine.close().await?;
    drop(engine);
    let report = check(&filled.settings, false, true).await?;
    ensure!(report.is_good() && report.rows_erased > 0, "{report:?}");
    let restored = at(&filled, "restored");
    let journal = filled.beside("data.erasures");
    let missing = filled.beside("no.erasures");
    let without = Sources { backup: &to, erasure_journal: &missing, kek: None };
    ensure!(restore(&restored, &without, true).await.is_err(), "it opened without the journal");
    let sources = Sources { backup: &to, erasure_journal: &journal, kek: None };
    let rebuilt = restore(&restored, &sources, true).await?;
    assert_eq!(rebuilt.erasures, Some(1));
    let read = filled.read_on(&restored, &filled.record).await?;
    ensure!(matches!(read.status, 404 | 410), "status {}", read.status);
    let report = check(&restored, false, true).await?;
    ensure!(report.is_good(), "{:?}", report.findings);
    Ok(())
}

#[tokio::test]
async fn a_damaged_backup_is_not_restored() -> Result<()> {
    let filled = Filled::make().await?;
    let to = filled.beside("backup");
    backup(&filled.settings, &to, false).await?;
    let slots = to.join("keys/slots");
    let mut bytes = std::fs::read(&slots)?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&slots, bytes)?;
    let journal = filled.beside("data.erasures");
    let sources = Sources { backup: &to, erasure_journal: &journal, kek: None };
    let restored = at(&filled, "restored");
    let error = restore(&restored, &sources, true).await.err().map(|e| format!("{e:#}")).unwrap_or_default();
    ensure!(error.contains("keys/slots") && error.contains("damaged"), "{error}");
    ensure!(!restored.data.join("format").exists(), "nothing lies at the place of the folder");
    Ok(())
}
