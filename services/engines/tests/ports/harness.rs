//! Folders, settings and records for the tests.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use chassis::clock::ManualClock;
use chassis::ports::log::{Append, Log, LogError, Record};
use engines::embedded::disk::FaultyDisk;
use engines::embedded::log::{EmbeddedLog, LogConfig};
use engines::embedded::{Config, EngineError};
use schemas::vocab::Topic;

/// 21 November 2026.
pub(crate) const NOW: i64 = 1_795_219_200_000;

/// Small segments, so that tests cross many of them, and a small tail, so that reads reach the disk.
pub(crate) fn log_config(folder: &Path) -> LogConfig {
    let mut config = LogConfig::new(folder.join("log"));
    config.partitions = 3;
    config.segment_bytes = 32 * 1024;
    config.tail_bytes = 4 * 1024;
    config.clock = Arc::new(ManualClock::at(NOW));
    config
}

pub(crate) fn open_log(folder: &Path) -> Result<EmbeddedLog, EngineError> {
    EmbeddedLog::open(log_config(folder))
}

pub(crate) fn faulty_log(folder: &Path) -> (EmbeddedLog, Arc<FaultyDisk>) {
    let disk = Arc::new(FaultyDisk::new());
    let mut config = log_config(folder);
    config.disk = disk.clone();
    (EmbeddedLog::open(config).expect("a fresh log opens"), disk)
}

pub(crate) fn engine_config(folder: &Path) -> Config {
    let mut config = Config::new(folder.join("data"));
    config.partitions = 3;
    config.segment_bytes = 32 * 1024;
    config.tail_bytes = 4 * 1024;
    config.clock = Arc::new(ManualClock::at(NOW));
    config.store.cache_bytes = 1024 * 1024;
    config.store.memtable_bytes = 1024 * 1024;
    config
}

pub(crate) fn record(topic: Topic, shard: u16, value: &[u8]) -> Append {
    Append { topic, shard, value: Bytes::copy_from_slice(value) }
}

/// All records of a partition, read in small steps.
pub(crate) async fn read_all(log: &dyn Log, topic: Topic, partition: u16) -> Result<Vec<Record>, LogError> {
    let mut all: Vec<Record> = Vec::new();
    loop {
        let some = log.read(topic, partition, all.len() as u64, 7).await?;
        if some.is_empty() {
            return Ok(all);
        }
        all.extend(some);
    }
}

/// A small generator of numbers, so that a failure can be repeated from its seed.
pub(crate) struct Dice(u64);

impl Dice {
    /// Seed from `KIROKU_SEED`, else `fixed`; printed by the harness when a test fails.
    #[expect(clippy::print_stdout, reason = "the seed belongs into the output of a failed test")]
    pub(crate) fn new(fixed: u64) -> Self {
        let seed = std::env::var("KIROKU_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(fixed);
        println!("seed {seed}");
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).expect("below a usize")
    }
    pub(crate) fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next().to_le_bytes()[3]).collect()
    }
}

/// Copies a folder with all below it. A file that its engine removes meanwhile is not there after a crash either.
pub(crate) fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("folder");
    for entry in std::fs::read_dir(from).expect("folder") {
        let entry = entry.expect("entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("type").is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            match std::fs::copy(entry.path(), target) {
                Err(gone) if gone.kind() == std::io::ErrorKind::NotFound => {}
                copied => {
                    copied.expect("copied");
                }
            }
        }
    }
}
