//! Records come in, and are read back by whoever wrote them.

use anyhow::Result;
use tests::Harness;

#[tokio::test]
async fn a_hospital_writes_a_record_and_reads_back_what_it_sent() -> Result<()> {
    let harness = Harness::start().await?;
    let citizen = harness.bear(1).await?;
    let record = harness.record(&citizen, 3);
    let reply = harness.send(&harness.hospital, &record).await?;
    assert_eq!(reply.status, 201, "{}", reply.body);
    let id = reply.location_id().unwrap_or_default();
    let token = harness.token(&harness.hospital, &harness.hospital.care()).await?;
    let path = format!("/fhir/{}/{id}", record["resourceType"].as_str().unwrap_or_default());
    let read = harness.api.get(&token, &path).await?;
    assert_eq!(read.status, 200, "{}", read.body);
    assert!(!read.header("kiroku-receipt").is_empty());
    for (name, value) in record.as_object().into_iter().flatten().filter(|(name, _)| *name != "meta" && *name != "id") {
        assert_eq!(&read.body[name], value, "{name}");
    }
    harness.node.stop().await
}
