//! Loading, and that check and rebuild agree with it.

use anyhow::{Context, Result, ensure};
use kiroku::commands::check::check;
use kiroku::commands::load::{Options, load};
use kiroku::commands::rebuild::rebuild;
use tests::Harness;

use super::folders::{Filled, without_meta, write_population};

#[tokio::test]
async fn what_was_loaded_passes_the_check_and_reads_the_same_after_a_rebuild() -> Result<()> {
    let filled = Filled::make().await?;
    let report = check(&filled.settings, false, true).await?;
    ensure!(report.is_good(), "{:?}", report.findings);
    ensure!(report.rows > 50 && report.log_records > 0, "{report:?}");
    ensure!(report.decisions_different == 0, "{:?}", report.notes);
    let before = filled.read_on(&filled.settings, &filled.record).await?;
    assert_eq!(before.status, 200, "{}", before.body);
    let rebuilt = rebuild(&filled.settings, false, true).await?;
    assert_eq!((rebuilt.old_generation, rebuilt.new_generation), (1, 2));
    let old = rebuilt.old_rows.context("the old tables read")?;
    for table in ["header", "body", "state", "verdict", "person_index", "commons_index", "submission"] {
        assert_eq!(old.get(table), rebuilt.new_rows.get(table), "{table}");
    }
    let after = filled.read_on(&filled.settings, &filled.record).await?;
    assert_eq!((after.status, &after.body), (200, &before.body));
    assert_eq!(after.header("etag"), before.header("etag"));
    let again = check(&filled.settings, false, true).await?;
    ensure!(again.is_good(), "{:?}", again.findings);
    Ok(())
}

#[tokio::test]
async fn loading_twice_writes_nothing_twice() -> Result<()> {
    let harness = Harness::start().await?;
    let files = harness.folder.path().join("files");
    write_population(&harness.population, &files, 2)?;
    let options = Options { register_persons: true, ..Options::default() };
    let paths = [files];
    let first = load(&harness.node.url, &harness.insurer, &options, &paths).await?;
    ensure!(first.all_accepted(), "{:?}", first.refusals);
    let headers = headers(&harness).await?;
    let second = load(&harness.node.url, &harness.insurer, &options, &paths).await?;
    assert_eq!((second.accepted, second.refused), (first.accepted, 0));
    assert_eq!(self::headers(&harness).await?, headers);
    harness.node.stop().await
}

async fn headers(harness: &Harness) -> Result<usize> {
    Ok(harness.node.store.scan(chassis::ports::store::Table::Header, None, usize::MAX).await?.len())
}

#[tokio::test]
async fn records_of_persons_who_are_not_registered_are_counted_as_quarantined_and_refusals_are_told_with_their_path()
-> Result<()> {
    let harness = Harness::start().await?;
    let files = harness.folder.path().join("files");
    write_population(&harness.population, &files, 1)?;
    std::fs::write(files.join("wrong.json"), r#"{"resourceType":"Organization","nane":"x"}"#)?;
    // The hospital's own system may not register anybody.
    let report = load(&harness.node.url, &harness.hospital.key, &Options::default(), &[files]).await?;
    assert_eq!((report.quarantined, report.refused), (1, 1), "{report:?}");
    assert!(
        report.refusals[0].file.ends_with("wrong.json") && report.refusals[0].status >= 400,
        "{:?}",
        report.refusals
    );
    ensure!(!report.all_accepted(), "a refusal is not success");
    harness.node.stop().await
}

#[tokio::test]
async fn lines_about_one_person_are_grouped_and_read_back_as_they_were_sent() -> Result<()> {
    let harness = Harness::start().await?;
    let citizen = harness.bear(5).await?;
    let lines: Vec<String> = (0..7).map(|k| harness.record(&citizen, k).to_string()).collect();
    let path = harness.folder.path().join("history.ndjson");
    std::fs::write(&path, lines.join("\n"))?;
    let options = Options { batch: 3, ..Options::default() };
    let report = load(&harness.node.url, &harness.hospital.key, &options, &[path]).await?;
    ensure!(report.all_accepted(), "{:?}", report.refusals);
    assert_eq!((report.accepted, report.documents), (7, 3));
    let token = harness.token(&harness.hospital, &harness.hospital.care()).await?;
    let sent = harness.record(&citizen, 0);
    let resource_type = sent["resourceType"].as_str().unwrap_or_default();
    let found = harness
        .api
        .get(&token, &format!("/fhir/{resource_type}?patient=Patient/{}&_count=50", citizen.patient))
        .await?;
    let mut wanted = without_meta(&sent);
    let entries = found.body["entry"].as_array().context("entries")?;
    let same = entries.iter().any(|entry| {
        wanted["id"] = entry["resource"]["id"].clone();
        without_meta(&entry["resource"]) == wanted
    });
    ensure!(same, "the first line is not among what is read: {}", found.body);
    harness.node.stop().await
}

#[tokio::test]
async fn synthea_bundles_are_loaded_hospitals_first() -> Result<()> {
    let shared = std::env::var("KIROKU_SHARED").unwrap_or_else(|_| "../../shared".to_owned());
    let archive = std::path::Path::new(&shared).join("data/synthea-r4/synthea-r4-patients.tar.gz");
    let Ok(file) = std::fs::File::open(&archive) else {
        skip("the shared data is absent: Synthea is not loaded");
        return Ok(());
    };
    let harness = Harness::start().await?;
    let files = harness.folder.path().join("synthea");
    std::fs::create_dir_all(&files)?;
    let mut patients = 0;
    for entry in tar::Archive::new(flate2::read::GzDecoder::new(file)).entries()? {
        let mut entry = entry?;
        let name = entry.path()?.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let wanted = name.starts_with("0-") || (entry.header().size()? < 750_000 && name.ends_with(".json"));
        if wanted && (name.starts_with("0-") || patients < 3) {
            patients += usize::from(!name.starts_with("0-"));
            entry.unpack(files.join(&name))?;
        }
    }
    let options = Options { register_persons: true, ..Options::default() };
    let report = load(&harness.node.url, &harness.insurer, &options, &[files]).await?;
    ensure!(report.all_accepted(), "{:?}", report.refusals);
    assert_eq!((report.documents, report.persons_registered), (5, 3));
    harness.node.stop().await
}

#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn skip(why: &str) {
    eprintln!("skipped: {why}");
}
