//! A folder copied to another one: the same records under the same times, the same keys, with another number of partitions.

use anyhow::{Context, Result, ensure};
use chassis::config::Settings;
use chassis::ports::keys::Keys;
use kiroku::commands::check::check;
use kiroku::commands::copy::copy;
use kiroku::commands::open_folder;

use super::folders::Filled;

fn at(filled: &Filled, name: &str, partitions: u16) -> Settings {
    Settings { data: filled.beside(name), partitions, ..filled.settings.clone() }
}

#[tokio::test]
async fn a_copy_with_more_partitions_reads_the_same_and_shows_the_same_access_list() -> Result<()> {
    let filled = Filled::make().await?;
    let before = filled.read_on(&filled.settings, &filled.record).await?;
    for partitions in [2, 7] {
        let copied = at(&filled, &format!("copied-{partitions}"), partitions);
        let report = copy(&filled.settings, &copied, true).await?;
        assert_eq!(report.partitions, (2, partitions));
        ensure!(report.rows > 50 && report.keys > 5 && report.topics["access"].0 > 0, "{report:?}");
        assert_eq!(report.times_moved, 0);
        let checked = check(&copied, false, true).await?;
        ensure!(checked.is_good() && checked.decisions_different == 0, "{:?} {:?}", checked.findings, checked.notes);
        let after = filled.read_on(&copied, &filled.record).await?;
        assert_eq!((after.status, &after.body), (200, &before.body), "{partitions} partitions");
        assert_eq!(after.header("etag"), before.header("etag"));
    }
    Ok(())
}

#[tokio::test]
async fn who_was_erased_before_is_erased_in_the_copy() -> Result<()> {
    let filled = Filled::make().await?;
    let engine = open_folder(&filled.settings, false)?;
    engine.embedded_keys().destroy_person(filled.pid()?).await?;
    engine.close().await?;
    drop(engine);
    let copied = at(&filled, "copied", 3);
    let report = copy(&filled.settings, &copied, true).await?;
    assert_eq!(report.erased, 1);
    let read = filled.read_on(&copied, &filled.record).await?;
    ensure!(matches!(read.status, 404 | 410), "status {}", read.status);
    let report = check(&copied, false, true).await?;
    ensure!(report.is_good(), "{:?}", report.findings);
    Ok(())
}

#[tokio::test]
async fn a_copy_goes_only_where_nothing_is() -> Result<()> {
    let filled = Filled::make().await?;
    let copied = at(&filled, "copied", 2);
    copy(&filled.settings, &copied, true).await?;
    let again = copy(&filled.settings, &copied, true).await.err().context("the second copy was made")?;
    ensure!(format!("{again:#}").contains("is not empty"), "{again:#}");
    let itself = copy(&filled.settings, &filled.settings, true).await.err().context("a folder was copied to itself")?;
    ensure!(format!("{itself:#}").contains("in use"), "{itself:#}");
    let checked = check(&filled.settings, false, true).await?;
    ensure!(checked.is_good(), "{:?}", checked.findings);
    Ok(())
}
