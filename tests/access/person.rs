//! R01: the person's own view. What she has not been told leaves no trace; what she sealed is hers alone.

use anyhow::Result;
use loadtest::population::Kind;
use schemas::vocab::{Category, Label};
use serde_json::{Value, json};
use tests::Harness;
use tests::desk::Ticked;
use tests::wire::Line;

use crate::writing::item;

/// `meta.security` of a label.
pub(crate) fn labelled(mut record: Value, label: Label) -> Value {
    let (system, code) = fhir::classify::label_coding(label);
    record["meta"] = match label {
        Label::Untold => json!({"tag": [{
            "system": "http://jpfhir.jp/fhir/clins/CodeSystem/JP_ehrshrs_indication", "code": "UNINFORMED",
        }]}),
        _ => json!({"security": [{"system": system, "code": code}]}),
    };
    record
}

#[tokio::test]
async fn the_person_reads_everything_but_what_she_has_not_been_told() -> Result<()> {
    let harness = Harness::start().await?;
    let citizen = harness.bear(1).await?;
    let mut kept = Vec::new();
    for (k, label) in [(1, None), (2, Some(Label::Sealed)), (3, Some(Label::RestrictedPsy)), (4, Some(Label::Untold))] {
        let record = item(&harness, &citizen, Kind::Laboratory, k);
        let record = label.map_or(record.clone(), |label| labelled(record, label));
        kept.push(harness.keep(&harness.hospital, &record, &format!("k{k}")).await?);
    }
    let line = Line::new(&harness.api.url);
    let own = harness.api.sign_in(&citizen.card).await?;
    let statuses = |ids: Vec<String>, token: String| {
        let line = &line;
        async move {
            let mut all = Vec::new();
            for id in ids {
                all.push(line.get(&token, &format!("/fhir/Observation/{id}")).await?.status);
            }
            anyhow::Ok(all)
        }
    };
    assert_eq!(statuses(kept.clone(), own.clone()).await?, [200, 200, 200, 404]);
    let found = line.get(&own, "/fhir/Observation").await?.json();
    assert_eq!(found["total"], 3, "her token names her");
    let all = line.get(&own, &format!("/fhir/Patient/{}/$everything", citizen.patient)).await?;
    assert!(!all.text.contains(&kept[3]), "what she was not told is in no list");
    assert!(all.text.contains(&kept[1]));

    harness.admit(&harness.clinic, &citizen, &Ticked::categories(&[Category::Ehr])).await?;
    let doctor = harness.token(&harness.clinic, &harness.clinic.care()).await?;
    assert_eq!(
        statuses(kept, doctor).await?,
        [200, 404, 404, 200],
        "a doctor sees what the person was not told, not what is sealed or restricted"
    );
    harness.node.stop().await
}

#[tokio::test]
async fn a_restricted_label_opens_only_where_it_was_ticked() -> Result<()> {
    let harness = Harness::start().await?;
    let citizen = harness.bear(1).await?;
    let record = labelled(item(&harness, &citizen, Kind::Laboratory, 1), Label::RestrictedPsy);
    let id = harness.keep(&harness.hospital, &record, "one").await?;
    let ticked = Ticked { categories: vec![Category::Ehr], labels: vec![Label::RestrictedPsy] };
    harness.admit(&harness.clinic, &citizen, &ticked).await?;
    let doctor = harness.token(&harness.clinic, &harness.clinic.care()).await?;
    assert_eq!(harness.api.get(&doctor, &format!("/fhir/Observation/{id}")).await?.status, 200);
    harness.node.stop().await
}

#[tokio::test]
async fn the_person_reads_nobody_elses() -> Result<()> {
    let harness = Harness::start().await?;
    let (one, two) = (harness.bear(1).await?, harness.bear(2).await?);
    let id = harness.keep(&harness.hospital, &item(&harness, &two, Kind::Laboratory, 1), "two").await?;
    let own = harness.api.sign_in(&one.card).await?;
    assert_eq!(harness.api.get(&own, &format!("/fhir/Observation/{id}")).await?.status, 404);
    let found = harness.api.get(&own, &format!("/fhir/Observation?patient={}", two.patient)).await?;
    assert_eq!(found.status, 400, "a token for one person and a query for another name two: {}", found.body);
    harness.node.stop().await
}
