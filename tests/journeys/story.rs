//! The story of the demo, told in process.

use anyhow::Result;
use chassis::config::Settings;
use kiroku::Node;
use tests::journeys;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_step_of_the_demo_story_holds() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut settings = Settings { data: folder.path().join("data"), ..Settings::default() };
    settings.http.listen = "127.0.0.1:0".to_owned();
    settings.http.workers = 2;
    let node = Node::start(settings).await?;
    journeys::story(&node, folder.path()).await?;
    node.stop().await
}
