//! The machine and the code that figures were taken with.

use std::fs::{self, File};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::Result;
use serde::Serialize;

/// What a reader needs to compare figures.
#[derive(Serialize, Clone, Debug)]
pub struct Machine {
    pub cpu: String,
    pub cores: usize,
    pub memory_gib: f64,
    pub kernel: String,
    /// File system and device of the work folder.
    pub disk: String,
    /// Median and 99th percentile of one fdatasync of 4 KiB into a written file, milliseconds.
    pub sync_ms: (f64, f64),
    /// Load average of the last minute when the run began: others on the machine blur the figures.
    pub load_average: f64,
    pub commit: String,
    pub date: String,
}

const SYNCS: usize = 400;

impl Machine {
    /// Looks at this machine; writes and removes one small file in `work`.
    pub fn look(work: &Path) -> Result<Self> {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let field = |text: &str, name: &str| {
            text.lines().find(|l| l.starts_with(name)).and_then(|l| l.split_once(':')).map(|(_, v)| v.trim().to_owned())
        };
        let memory = field(&read("/proc/meminfo"), "MemTotal").unwrap_or_default();
        let kib: f64 = memory.trim_end_matches("kB").trim().parse().unwrap_or(0.0);
        Ok(Self {
            cpu: field(&read("/proc/cpuinfo"), "model name").unwrap_or_else(|| "unknown".to_owned()),
            cores: std::thread::available_parallelism()?.get(),
            memory_gib: kib / 1024.0 / 1024.0,
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            disk: said("df", &["--output=fstype,source", &work.display().to_string()])
                .lines()
                .last()
                .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" on "))
                .unwrap_or_default(),
            sync_ms: sync_speed(&work.join("sync-speed"))?,
            load_average: read("/proc/loadavg").split(' ').next().and_then(|n| n.parse().ok()).unwrap_or(0.0),
            commit: commit(),
            date: said("date", &["-u", "+%Y-%m-%d %H:%M UTC"]),
        })
    }
}

/// Of the working folder, and whether it has changes.
pub fn commit() -> String {
    let head = said("git", &["rev-parse", "--short=12", "HEAD"]);
    let changed = !said("git", &["status", "--porcelain"]).is_empty();
    match (head.is_empty() || head.contains("HEAD"), changed) {
        (true, _) => "before the first commit".to_owned(),
        (false, true) => format!("{head} with changes"),
        (false, false) => head,
    }
}

fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map(|o| String::from_utf8_lossy(&o.stdout).trim().to_owned()).unwrap_or_default()
}

fn sync_speed(path: &Path) -> Result<(f64, f64)> {
    let mut file = File::create(path)?;
    let block = [7_u8; 4096];
    for _ in 0..SYNCS {
        file.write_all(&block)?;
    }
    file.sync_all()?;
    let mut times = Vec::with_capacity(SYNCS);
    for at in 0..SYNCS {
        file.seek(SeekFrom::Start(at as u64 * 4096))?;
        file.write_all(&block)?;
        let begun = Instant::now();
        file.sync_data()?;
        times.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    fs::remove_file(path)?;
    times.sort_by(f64::total_cmp);
    Ok((times[SYNCS / 2], times[SYNCS * 99 / 100]))
}
