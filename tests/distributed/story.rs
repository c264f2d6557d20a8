//! The story of the demo, with projectors in processes of their own.

use anyhow::Result;
use chassis::config::Role;
use kiroku::demo::{World, tell};
use tests::cluster;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_step_of_the_story_holds_when_other_processes_decide() -> Result<()> {
    let harness = cluster::start(&[Role::Edge, Role::Query, Role::Ledger], 4).await?;
    let mut projectors = Vec::new();
    for name in ["projector-1", "projector-2"] {
        let folder = harness.folder.path().join(name);
        projectors
            .push(cluster::process(env!("CARGO_BIN_EXE_kiroku-under-test"), &harness, "projector", &folder).await?);
    }
    let world = World::build(&harness.node, None).await?;
    let steps = tell(&world, &mut |_| {}).await;
    assert_eq!(steps.len(), 9);
    for step in &steps {
        let failed: Vec<_> = step.checks.iter().filter(|check| !check.held).map(|check| &check.what).collect();
        assert!(step.held(), "step {}: {} {failed:?} {:?}", step.number, step.sentence, step.trouble);
    }
    harness.node.stop().await
}
