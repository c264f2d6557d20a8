//! Histories page as searches do: each version of the start once, newest first, whatever is written between the pages.

use anyhow::{Context, Result};
use loadtest::population::Kind;
use serde_json::{Value, json};
use tests::wire::Line;
use tests::{Citizen, Harness};

use crate::paging::{link, page};
use crate::writing::item;

/// `id/version` of each entry, in the order of the page.
fn versions(page: &Value) -> Vec<String> {
    let resource = |entry: &Value| {
        let resource = &entry["resource"];
        Some(format!("{}/{}", resource["id"].as_str()?, resource["meta"]["versionId"].as_str()?))
    };
    page["entry"].as_array().into_iter().flatten().filter_map(resource).collect()
}

async fn change(harness: &Harness, citizen: &Citizen, id: &str, k: u64) -> Result<()> {
    let token = harness.token(&harness.hospital, &harness.hospital.records()).await?;
    let mut record = item(harness, citizen, Kind::Laboratory, k);
    record["id"] = json!(id);
    let reply = harness.api.put(&token, &format!("/fhir/Observation/{id}"), &record, &[]).await?;
    assert_eq!(reply.status, 200, "{}", reply.body);
    Ok(())
}

#[tokio::test]
async fn a_history_shows_each_version_of_the_start_once_while_others_are_written() -> Result<()> {
    let harness = Harness::start().await?;
    let citizen = harness.bear(1).await?;
    let line = Line::new(&harness.api.url);
    let doctor = harness.token(&harness.hospital, &harness.hospital.care()).await?;
    let stranger = harness.token(&harness.clinic, &harness.clinic.care()).await?;
    let mut ids = Vec::new();
    for k in 0..2 {
        let id =
            harness.keep(&harness.hospital, &item(&harness, &citizen, Kind::Laboratory, k), &format!("{k}")).await?;
        for again in 1..3 {
            change(&harness, &citizen, &id, 10 * k + again).await?;
        }
        ids.push(id);
    }
    let of = |id: &str| (1..=3).rev().map(|v| format!("{id}/{v}")).collect::<Vec<_>>();
    // The first round of pages writes one more version of the first item.
    let both = [vec![format!("{}/4", ids[0])], of(&ids[1]), of(&ids[0])].concat();
    for (path, start) in [
        (format!("/fhir/Observation/{}/_history?_count=2", ids[0]), of(&ids[0])),
        (format!("/fhir/Observation/_history?patient={}&_count=2", citizen.patient), both),
    ] {
        let mut pages = vec![page(&line, &doctor, &path).await?];
        let first_link = link(&pages[0], "next", &line).context("more than a page")?;
        while let Some(next) = link(pages.last().context("a page")?, "next", &line) {
            change(&harness, &citizen, &ids[0], 100 + pages.len() as u64).await?;
            pages.push(page(&line, &doctor, &next).await?);
            assert!(pages.len() < 20, "pages end");
        }
        assert_eq!(pages.iter().flat_map(versions).collect::<Vec<_>>(), start, "{path}");
        assert!(pages.iter().all(|page| page["total"] == start.len()), "{path}: the total stays");
        let previous = link(&pages[1], "previous", &line).context("a page before")?;
        assert_eq!(versions(&page(&line, &doctor, &previous).await?), versions(&pages[0]), "{path}: the way back");
        assert!(page(&line, &doctor, &path).await?["total"].as_u64() > Some(start.len() as u64), "{path}: begun again");
        for foreign in [(&stranger, &first_link), (&doctor, &first_link.replace("_count=2", "_count=3"))] {
            assert_ne!(
                line.get(foreign.0, foreign.1).await?.status,
                200,
                "{path}: a link is its reader's and its query's"
            );
        }
    }
    harness.node.stop().await
}
