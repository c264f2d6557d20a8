//! The way out of the first machine and back: a folder becomes topics and tables, and those become a folder again.

use anyhow::{Result, ensure};
use chassis::config::Settings;
use kiroku::api::Api;
use kiroku::commands::check::check;
use kiroku::commands::copy::copy;
use kiroku::commands::rebuild::rebuild;
use tests::{Harness, cluster};

/// Persons with records, consents' visits and accesses, in a folder that nobody serves any more.
async fn folder() -> Result<(Settings, tempfile::TempDir)> {
    let harness = Harness::start().await?;
    let api = Api::new(&harness.node.url);
    let token = harness.token(&harness.hospital, &harness.hospital.care()).await?;
    for index in 1..=4 {
        let citizen = harness.bear(index).await?;
        for record in 0..3 {
            let sent = harness.send(&harness.hospital, &harness.record(&citizen, record)).await?;
            ensure!(sent.status == 201, "{}", sent.body);
            let path = format!(
                "/fhir/{}/{}",
                sent.body["resourceType"].as_str().unwrap_or_default(),
                sent.location_id().unwrap_or_default()
            );
            let read = api.get(&token, &path).await?;
            ensure!(read.status == 200, "{}", read.body);
        }
    }
    let Harness { node, folder, .. } = harness;
    let mut settings = node.settings.clone();
    "127.0.0.1:0".clone_into(&mut settings.http.listen);
    node.stop().await?;
    Ok((settings, folder))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_is_copied_to_the_servers_and_back_and_holds_the_same_everywhere() -> Result<()> {
    let (first, temporary) = folder().await?;
    let at = |name: &str, partitions| Settings { data: temporary.path().join(name), partitions, ..first.clone() };
    // The same number of partitions: rows built from Kafka are those of the folder, position by position.
    let out = Settings { engine: cluster::engines()?, ..at("out", first.partitions) };
    let copied = copy(&first, &out, true).await?;
    ensure!(copied.rows > 50 && copied.times_moved == 0, "{copied:?}");
    let rebuilt = rebuild(&out, false, true).await?;
    assert_eq!((rebuilt.old_generation, rebuilt.new_generation), (1, 2));
    let checked = check(&out, false, true).await?;
    ensure!(checked.is_good() && checked.rows == copied.rows && checked.decisions_different == 0, "{checked:?}");
    // Another number, then back into a folder.
    let wide = Settings { engine: cluster::engines()?, ..at("wide", 5) };
    let widened = copy(&out, &wide, true).await?;
    assert_eq!((widened.rows, widened.partitions), (copied.rows, (first.partitions, 5)));
    let back = at("back", 3);
    let returned = copy(&wide, &back, true).await?;
    assert_eq!((returned.rows, returned.partitions), (copied.rows, (5, 3)));
    assert_eq!(returned.topics, copied.topics, "every record under its own time, in the order of its shard");
    let checked = check(&back, false, true).await?;
    ensure!(checked.is_good() && checked.decisions_different == 0, "{:?} {:?}", checked.findings, checked.notes);
    Ok(())
}
