//! Records come in, and are read back by whoever wrote them.

use anyhow::Result;
use tests::{Harness, journeys};

#[tokio::test]
async fn a_hospital_writes_a_record_and_reads_back_what_it_sent() -> Result<()> {
    let harness = Harness::start().await?;
    journeys::written_and_read_back(&harness, 1).await?;
    harness.node.stop().await
}
