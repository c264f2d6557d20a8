//! Faults that need servers of their own: three nodes of the database, and a broker on a disk that gets full.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use chassis::config::EngineSettings;
use loadtest::population::Dice;
use servers::{Cluster, Jars, KafkaPlan, KafkaVersion, Nodes, Plan, State};
use tests::cluster;

use crate::scene::{Fault, Scene};
use crate::servers::{OneOfThree, with_servers};

/// Starts servers in a folder; they end with what is given. And how to reach them, and the others that they need.
async fn start(plan: Plan) -> Result<(Cluster, EngineSettings)> {
    let file = plan.folder.join("engines.toml");
    let cluster = tokio::task::spawn_blocking(move || Cluster::start(&plan)).await??;
    Ok((cluster, cluster::engines_with(&file)?))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_system_goes_on_while_one_node_of_three_of_the_database_is_gone_or_hangs() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().to_owned();
    let plan = Plan { folder: path.clone(), kafka: None, cassandra: Some(Nodes::Three), jars: Jars::default() };
    let (_servers, engine) = start(plan).await?;
    let mut scene = Scene::start(engine).await?;
    scene.suffer(&mut OneOfThree { folder: path.clone(), hangs: false, number: 1 }).await?;
    scene.suffer(&mut OneOfThree { folder: path, hangs: true, number: 1 }).await?;
    scene.end().await
}

/// A small file system in memory; it goes when this is dropped.
struct SmallDisk(PathBuf);

const DISK: &str = "size=192m";

impl SmallDisk {
    fn mount(path: PathBuf) -> Result<Self> {
        let done = Command::new("mount").args(["-t", "tmpfs", "-o", DISK, "tmpfs"]).arg(&path).output()?;
        let said = String::from_utf8_lossy(&done.stderr);
        ensure!(done.status.success(), "a small disk needs the rights of root: {said}");
        Ok(Self(path))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a server that was just killed may still hold files. Nobody is left to hear of an error.
        drop(Command::new("umount").arg("--lazy").arg(&self.0).status());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_whose_disk_is_full_loses_nothing_and_goes_on_when_there_is_room() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let disk = SmallDisk::mount(folder.path().to_owned())?;
    let kafka = Some(KafkaPlan { version: KafkaVersion::V4, nodes: Nodes::One });
    let plan = Plan { folder: disk.0.clone(), kafka, cassandra: None, jars: Jars::default() };
    let (servers, engine) = start(plan).await?;
    let mut scene = Scene::start(engine).await?;
    scene.suffer(&mut FullDisk { folder: disk.0.clone() }).await?;
    scene.end().await?;
    drop(servers);
    Ok(())
}

/// Something else fills the broker's disk, until the broker gives up; then there is room again, and it is started.
struct FullDisk {
    folder: PathBuf,
}

/// Until the broker has noticed.
const NOTICED: Duration = Duration::from_secs(60);

impl Fault for FullDisk {
    fn name(&self) -> &'static str {
        "the broker's disk is full"
    }

    async fn strike(&mut self, _: &mut Scene, _: &mut Dice) -> Result<()> {
        let rest = self.folder.join("something else");
        let took = with_servers(self.folder.clone(), move |cluster| {
            fill(&rest)?;
            let filled = Instant::now();
            while cluster.server("kafka-1")?.state() != State::Gone {
                ensure!(filled.elapsed() < NOTICED, "the broker goes on without a disk");
                std::thread::sleep(Duration::from_millis(50));
            }
            eprintln!("the broker ended {:.1} s after its disk was full", filled.elapsed().as_secs_f64());
            std::fs::remove_file(&rest).context("making room")?;
            cluster.restart("kafka-1")
        });
        eprintln!("it was ready again after {:.1} s", took.await?.as_secs_f64());
        Ok(())
    }
}

/// Writes until there is no room for a byte more.
fn fill(path: &Path) -> Result<()> {
    let mut file = std::fs::File::create(path)?;
    for size in [1 << 20, 4096, 1] {
        let piece = vec![0; size];
        while file.write_all(&piece).is_ok() {}
    }
    Ok(())
}
