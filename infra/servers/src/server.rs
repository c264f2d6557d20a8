//! One server of a cluster, as it is recorded in `servers.toml`.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::Signal;
use serde::{Deserialize, Serialize};

use crate::jars::Release;
use crate::process::{self, State};

const TAIL_LINES: usize = 30;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Server {
    /// Such as `kafka-1` or `cassandra-3`
    pub name: String,
    pub release: Release,
    /// From 1, within its product
    pub node: u8,
    /// Where clients connect
    pub address: SocketAddr,
    /// Settings and data
    pub folder: PathBuf,
    /// All that it has said, over all its starts
    pub log: PathBuf,
    /// Of its last start
    pub pid: Option<u32>,
    /// How long its last start took; unknown for servers that another process has started
    #[serde(skip)]
    pub ready_after: Option<Duration>,
}

/// `servers.toml`
#[derive(Serialize, Deserialize)]
struct Record {
    server: Vec<Server>,
}

impl Server {
    pub fn state(&self) -> State {
        self.pid.map_or(State::Gone, |pid| process::state(pid, &self.arguments()))
    }

    /// Where its command line lies.
    pub(crate) fn arguments(&self) -> PathBuf {
        self.folder.join("java.args")
    }

    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        let done = self.pid.map_or(Ok(()), |pid| process::signal(pid, &self.arguments(), signal));
        done.with_context(|| self.name.clone())
    }

    /// The last lines of its log.
    pub(crate) fn tail(&self) -> String {
        let log = std::fs::read(&self.log).unwrap_or_default();
        let mut last = VecDeque::new();
        for line in String::from_utf8_lossy(&log).lines() {
            last.push_back(line.to_owned());
            if last.len() > TAIL_LINES {
                last.pop_front();
            }
        }
        Vec::from(last).join("\n")
    }
}

pub(crate) fn read_record(path: &Path) -> Result<Vec<Server>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("reading `{}`", path.display()))?;
    let record: Record = toml::from_str(&text).with_context(|| format!("`{}`", path.display()))?;
    Ok(record.server)
}

/// Replaces the record as a whole: whoever reads it meanwhile sees the old one or the new one.
pub(crate) fn write_record(path: &Path, servers: &[Server]) -> Result<()> {
    let text = toml::to_string(&Record { server: servers.to_vec() })?;
    let new = path.with_extension("toml.new");
    crate::files::write(&new, &text)?;
    std::fs::rename(&new, path).with_context(|| format!("renaming `{}`", new.display()))
}
