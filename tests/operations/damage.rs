//! Damage is found and said.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::Path;

use anyhow::{Result, ensure};
use chassis::ports::store::{Batch, Row, Store, Table};
use kiroku::commands::check::check;
use kiroku::commands::open_folder;
use kiroku::commands::rebuild::rebuild;

use super::folders::Filled;

fn flip(path: &Path, position: u64) -> Result<()> {
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    let mut byte = [0u8; 1];
    file.read_exact_at(&mut byte, position)?;
    file.write_all_at(&[byte[0] ^ 0x10], position)?;
    Ok(())
}

#[tokio::test]
async fn a_flipped_byte_in_the_log_is_found_and_said_with_its_place() -> Result<()> {
    let filled = Filled::make().await?;
    flip(&filled.data().join("log/00000001.seg"), 3000)?;
    let report = check(&filled.settings, true, true).await?;
    ensure!(!report.is_good(), "nothing was found");
    ensure!(report.findings[0].contains("segment 1 of the log is damaged at byte"), "{:?}", report.findings);
    Ok(())
}

/// Changes one row of the tables behind everybody's back.
async fn tamper(filled: &Filled, table: Table) -> Result<()> {
    let engine = open_folder(&filled.settings, false)?;
    let store = engine.embedded_generations().open_store(engine.generations.live())?;
    let rows = store.scan(table, None, usize::MAX).await?;
    let pid = filled.pid()?;
    let row = rows.into_iter().find(|row| row.partition.starts_with(&pid.0)).ok_or_else(|| anyhow::anyhow!("a row"))?;
    let mut value = row.value.to_vec();
    let middle = value.len() / 2;
    value[middle] ^= 1;
    let row = Row { value: value.into(), ..row };
    let batch = Batch { subject: b"tamper".as_slice().into(), stream: "tamper", position: 0, rows: vec![row] };
    store.apply(vec![batch]).await?;
    drop(store);
    Ok(engine.close().await?)
}

#[tokio::test]
async fn a_flipped_byte_in_a_row_is_found_by_the_check_and_made_good_by_a_rebuild() -> Result<()> {
    let filled = Filled::make().await?;
    for table in [Table::Header, Table::Body, Table::State, Table::Verdict] {
        tamper(&filled, table).await?;
        let report = check(&filled.settings, false, true).await?;
        ensure!(report.findings.len() == 1, "{}: {:?}", table.name(), report.findings);
        ensure!(report.findings[0].contains("damaged"), "{:?}", report.findings);
        rebuild(&filled.settings, false, true).await?;
        let report = check(&filled.settings, false, true).await?;
        ensure!(report.is_good(), "{}: {:?}", table.name(), report.findings);
    }
    Ok(())
}

#[tokio::test]
async fn rows_that_were_lost_are_found_by_the_check() -> Result<()> {
    let filled = Filled::make().await?;
    let engine = open_folder(&filled.settings, false)?;
    let store = engine.embedded_generations().open_store(engine.generations.live())?;
    store.drop_partition(Table::Header, &filled.pid()?.0).await?;
    drop(store);
    engine.close().await?;
    drop(engine);
    let report = check(&filled.settings, false, true).await?;
    ensure!(
        report.findings.iter().any(|f| f.contains("table `header`") && f.contains("missing")),
        "{:?}",
        report.findings
    );
    Ok(())
}

#[tokio::test]
async fn an_interrupted_rebuild_leaves_the_old_tables_serving_and_its_leftovers_go_with_the_next() -> Result<()> {
    let filled = Filled::make().await?;
    let engine = open_folder(&filled.settings, false)?;
    // As a rebuild leaves it that was killed before the switch: a generation with some rows.
    let store = engine.embedded_generations().open_store(2)?;
    let row = Row {
        table: Table::State,
        partition: b"half".as_slice().into(),
        key: Default::default(),
        value: b"x".as_slice().into(),
    };
    store
        .apply(vec![Batch { subject: b"half".as_slice().into(), stream: "person", position: 0, rows: vec![row] }])
        .await?;
    drop(store);
    engine.close().await?;
    drop(engine);
    let read = filled.read_on(&filled.settings, &filled.record).await?;
    assert_eq!(read.status, 200, "{}", read.body);
    rebuild(&filled.settings, false, true).await?;
    let report = check(&filled.settings, false, true).await?;
    ensure!(report.is_good(), "{:?}", report.findings);
    ensure!(
        !filled.data().join("tables/1").exists() && filled.data().join("tables/2").exists(),
        "one generation is left"
    );
    Ok(())
}
