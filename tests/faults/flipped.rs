//! A flipped byte in a row that a record uses is found and said; a wrong answer is never given.

use anyhow::{Context, Result};
use bytes::Bytes;
use chassis::ports::store::{Batch, Row, Store, Table};
use schemas::ResourceId;
use serde_json::json;
use tests::Harness;
use tests::wire::Line;

#[tokio::test]
async fn a_flipped_byte_in_a_row_is_found_and_said() -> Result<()> {
    for table in [Table::Header, Table::Body, Table::State] {
        let harness = Harness::start().await?;
        let citizen = harness.bear(1).await?;
        let record = json!({
            "resourceType": "Observation", "status": "final", "code": {"text": "as it was"},
            "subject": {"reference": format!("Patient/{}", citizen.patient)},
        });
        let id = harness.keep(&harness.hospital, &record, "one").await?;
        let local = id.parse::<ResourceId>()?.local;
        let doctor = harness.token(&harness.hospital, &harness.hospital.care()).await?;
        let store = &*harness.node.store;
        let concerned = |row: &Row| {
            (table == Table::State && row.partition.as_ref() == citizen.pid.0)
                || row.key.windows(local.0.len()).any(|w| w == local.0)
        };
        let row = store
            .scan(table, None, 10_000)
            .await?
            .into_iter()
            .find(concerned)
            .with_context(|| format!("a row of {table:?}"))?;
        let line = Line::new(&harness.api.url);
        let path = format!("/fhir/Observation/{id}");
        let search = format!("/fhir/Observation?patient={}", citizen.patient);
        // From the end on: position and key name stand in front.
        for (n, back) in [1, 5, row.value.len() / 2].into_iter().enumerate() {
            let mut value = row.value.to_vec();
            let at = value.len() - back;
            value[at] ^= 0x10;
            let damaged = Row { value: value.into(), ..row.clone() };
            put(store, damaged, n).await?;
            for path in [&path, &search] {
                let answer = line.get(&doctor, path).await?;
                assert_eq!(answer.status, 500, "{table:?} byte {at}: {path}: {}", answer.text);
                assert!(!answer.text.contains("as it was"), "{table:?}: {}", answer.text);
            }
        }
        put(store, row, 99).await?;
        assert_eq!(line.get(&doctor, &path).await?.status, 200, "{table:?}: the row as it was reads again");
        harness.node.stop().await?;
    }
    Ok(())
}

/// Writes a row past everybody who would seal it.
async fn put(store: &dyn Store, row: Row, n: usize) -> Result<()> {
    let subject = Bytes::from(format!("damage of {:?}", row.table));
    let new = store.apply(vec![Batch { subject, stream: "damage", position: n as u64, rows: vec![row] }]).await?;
    assert_eq!(new, [true], "the damaged row was written");
    Ok(())
}
