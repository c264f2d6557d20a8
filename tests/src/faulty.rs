//! A harness that outlives its node: stop, damage, start again on the same folder.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use chassis::config::Settings;
use engines::embedded::Config;
use engines::embedded::disk::FaultyDisk;
use kiroku::Node;
use kiroku::api::Api;
use kiroku::engine::embedded_config;

use crate::Harness;

impl Harness {
    /// A node on a disk with faults to switch on.
    pub async fn start_on_faulty_disk(segment_bytes: u64) -> Result<(Self, Arc<FaultyDisk>)> {
        let mut harness = Self::start().await?;
        let disk = Arc::new(FaultyDisk::new());
        let with_faults = disk.clone();
        harness = harness
            .restart(move |config| {
                config.disk = with_faults;
                config.segment_bytes = segment_bytes;
            })
            .await?;
        Ok((harness, disk))
    }

    /// Stops the node and starts another on the same folder.
    pub async fn restart(self, change: impl FnOnce(&mut Config)) -> Result<Self> {
        self.restart_as(|_| {}, change).await
    }

    /// [`Harness::restart`] with other settings.
    pub async fn restart_as(
        mut self,
        change_settings: impl FnOnce(&mut Settings),
        change: impl FnOnce(&mut Config),
    ) -> Result<Self> {
        let mut settings = self.node.settings.clone();
        change_settings(&mut settings);
        let mut config = embedded_config(&settings);
        change(&mut config);
        // A node on a failed disk cannot close in order; it must start again all the same.
        drop(self.node.stop().await);
        self.node = start_again(&settings, &config).await?;
        self.api = Api::new(&self.node.url);
        Ok(self)
    }
}

/// The tasks of a stopped node let go of the tables a moment after it has ended.
async fn start_again(settings: &Settings, config: &Config) -> Result<Node> {
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        match Node::start_with_engine(settings.clone(), config).await {
            Err(error) if format!("{error:#}").contains("in use by another process") && Instant::now() < until => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            started => return started,
        }
    }
}

/// A harness without its node: the folder is free for another process.
pub struct Paused {
    pub settings: Settings,
    pub folder: tempfile::TempDir,
    pub hospital: crate::Site,
    rest: (loadtest::population::Population, kiroku::api::ClientKey, [crate::Site; 3]),
}

impl Harness {
    /// Stops the node and keeps all else.
    pub async fn pause(self) -> Result<Paused> {
        let Self { node, population, folder, insurer, hospital, clinic, other_clinic, pharmacy, .. } = self;
        let settings = node.settings.clone();
        node.stop().await?;
        Ok(Paused { settings, folder, hospital, rest: (population, insurer, [clinic, other_clinic, pharmacy]) })
    }
}

impl Paused {
    /// Starts a node on the folder again.
    pub async fn resume(self) -> Result<Harness> {
        let config = embedded_config(&self.settings);
        let node = start_again(&self.settings, &config).await?;
        let api = Api::new(&node.url);
        let (population, insurer, [clinic, other_clinic, pharmacy]) = self.rest;
        let (folder, hospital) = (self.folder, self.hospital);
        Ok(Harness { node, api, population, folder, insurer, hospital, clinic, other_clinic, pharmacy })
    }
}
