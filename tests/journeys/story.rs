//! The story of the demo, told in process.

use anyhow::Result;
use chassis::config::Settings;
use kiroku::Node;
use kiroku::demo::{Step, World, tell};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_step_of_the_demo_story_holds() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut settings = Settings { data: folder.path().join("data"), ..Settings::default() };
    settings.http.listen = "127.0.0.1:0".to_owned();
    settings.http.workers = 2;
    let node = Node::start(settings).await?;
    let world = World::build(&node, Some(folder.path().to_owned())).await?;
    let mut heard = 0;
    let steps = tell(&world, &mut |_| heard += 1).await;
    assert_eq!((steps.len(), heard), (9, 9));
    for step in &steps {
        assert!(step.held(), "{}", told(step));
        assert!(!step.exchanges.is_empty(), "step {} made no request", step.number);
    }
    let bodies = std::fs::read_dir(folder.path().join("requests"))?.count();
    let sent = steps.iter().flat_map(|s| &s.exchanges).filter(|e| e.curl.contains("--data-binary")).count();
    assert_eq!(bodies, sent, "each body is kept, so that its request can be made again");
    node.stop().await
}

fn told(step: &Step) -> String {
    let failed = step.checks.iter().filter(|check| !check.held).map(|check| format!("  not so: {}\n", check.what));
    let made = step.exchanges.iter().map(|e| format!("  {} {} -> {} {}\n", e.method, e.path, e.status, e.answer));
    let trouble = step.trouble.iter().map(|text| format!("  trouble: {text}\n"));
    let lines: String = made.chain(failed).chain(trouble).collect();
    format!("step {} did not hold: {}\n{lines}", step.number, step.sentence)
}
