//! Brokers and databases that die or hang while records come in.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use loadtest::population::Dice;
use servers::Cluster;

use crate::scene::{Fault, Scene};

/// The folder of the servers that these tests run on.
pub(crate) fn folder() -> Result<PathBuf> {
    let file = std::env::var("KIROKU_ENGINES").context("KIROKU_ENGINES names no file")?;
    Ok(Path::new(&file).parent().context("a file lies in a folder")?.to_owned())
}

/// Does something to the servers of a folder. It blocks, so it has a thread of its own.
pub(crate) async fn with_servers<T: Send + 'static>(
    folder: PathBuf,
    act: impl FnOnce(&mut Cluster) -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(move || act(&mut Cluster::open(&folder)?)).await?
}

/// A server is killed and started again with the data that it has.
pub(crate) struct Restarted {
    pub(crate) folder: PathBuf,
    pub(crate) server: &'static str,
    pub(crate) name: &'static str,
}

impl Fault for Restarted {
    fn name(&self) -> &'static str {
        self.name
    }

    async fn strike(&mut self, _: &mut Scene, _: &mut Dice) -> Result<()> {
        let server = self.server;
        let took = with_servers(self.folder.clone(), move |cluster| {
            cluster.kill(server)?;
            cluster.restart(server)
        });
        eprintln!("{server} was ready again after {:.1} s", took.await?.as_secs_f64());
        Ok(())
    }
}

/// A server says nothing for a while, and goes on.
pub(crate) struct Hung {
    pub(crate) folder: PathBuf,
    pub(crate) server: &'static str,
    pub(crate) name: &'static str,
    pub(crate) milliseconds: (i64, i64),
}

impl Fault for Hung {
    fn name(&self) -> &'static str {
        self.name
    }

    async fn strike(&mut self, _: &mut Scene, dice: &mut Dice) -> Result<()> {
        let server = self.server;
        let pause = Duration::from_millis(dice.between(self.milliseconds.0, self.milliseconds.1).unsigned_abs());
        with_servers(self.folder.clone(), move |cluster| cluster.pause(server)).await?;
        tokio::time::sleep(pause).await;
        with_servers(self.folder.clone(), move |cluster| cluster.resume(server)).await
    }
}

/// One of three servers is gone, or says nothing, until the system does without it.
pub(crate) struct OneOfThree {
    pub(crate) folder: PathBuf,
    pub(crate) hangs: bool,
    pub(crate) number: i64,
}

impl OneOfThree {
    fn server(&self) -> String {
        format!("cassandra-{}", self.number)
    }
}

impl Fault for OneOfThree {
    fn name(&self) -> &'static str {
        match self.hangs {
            true => "one node of three of the database hangs",
            false => "one node of three of the database is killed",
        }
    }

    async fn strike(&mut self, _: &mut Scene, dice: &mut Dice) -> Result<()> {
        self.number = dice.between(1, 3);
        let (server, hangs) = (self.server(), self.hangs);
        let struck = move |cluster: &mut Cluster| if hangs { cluster.pause(&server) } else { cluster.kill(&server) };
        with_servers(self.folder.clone(), struck).await
    }

    async fn mend(&mut self, _: &mut Scene) -> Result<()> {
        let (server, hangs) = (self.server(), self.hangs);
        let mended = move |cluster: &mut Cluster| {
            if hangs { cluster.resume(&server) } else { cluster.restart(&server).map(drop) }
        };
        with_servers(self.folder.clone(), mended).await
    }
}
