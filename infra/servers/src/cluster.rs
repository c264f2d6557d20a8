//! The servers of one folder: started, found again, ended.

use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;

use crate::certificates::Authority;
use crate::plan::Plan;
use crate::prepare::prepare;
use crate::process::{self, State};
use crate::server::{self, Server};
use crate::{engines, files};

/// Longer than any of them needs to end in order, when all of them do at once.
const STOP_LIMIT: Duration = Duration::from_secs(30);
/// A process that was killed is gone as soon as the system has freed its memory.
const KILL_LIMIT: Duration = Duration::from_secs(10);

/// A process that somebody killed just now is not taken for a running one.
const DYING_LIMIT: Duration = Duration::from_secs(1);

/// Running servers. One that was made by [`Cluster::start`] kills its servers when it is dropped, one that was made by
/// [`Cluster::open`] leaves them.
///
/// One process at a time may hold a folder: the record of process ids is read when it is opened.
#[derive(Debug)]
pub struct Cluster {
    pub(crate) folder: PathBuf,
    pub(crate) servers: Vec<Server>,
    /// Of this process, to be reaped when they end
    pub(crate) children: Vec<Child>,
    owned: bool,
}

impl Cluster {
    /// Starts all servers of the plan at once and returns when each of them serves and sees the others. `FOLDER/servers.toml`
    /// names the processes from the moment that they exist, `FOLDER/engines.toml` is written at the end.
    ///
    /// Blocks: some 10 s for single nodes, 40 s for three of each; on an asynchronous runtime call it from a blocking thread.
    ///
    /// # Errors
    /// The folder runs already or holds other servers than planned; jars cannot be fetched; a server ends or is not ready in
    /// time, then with the last lines of its log. Whatever was started is killed.
    pub fn start(plan: &Plan) -> Result<Self> {
        files::create_folder(&plan.folder)?;
        let folder = plan.folder.canonicalize().with_context(|| format!("`{}`", plan.folder.display()))?;
        files::text_of(&folder)?;
        let mut cluster = if record(&folder).exists() {
            Self::open(&folder)?
        } else {
            let servers = prepare(plan, &folder)?;
            Self { folder, servers, children: Vec::new(), owned: false }
        };
        cluster.fits(plan)?;
        cluster.owned = true;
        cluster.remove_engines()?;
        let all: Vec<_> = (0..cluster.servers.len()).collect();
        cluster.launch(&all)?;
        let authority = Authority::open_or_create(&cluster.folder)?;
        engines::write(&cluster.engines(), &cluster.servers, &authority)?;
        Ok(cluster)
    }

    /// The cluster that was started in this folder, by whichever process. Its servers may be running or gone: [`Server::state`]
    /// tells, and takes no other process for one of them.
    ///
    /// # Errors
    /// No cluster was ever started there.
    pub fn open(folder: &Path) -> Result<Self> {
        let none = || format!("no servers were ever started in `{}`", folder.display());
        let folder = folder.canonicalize().with_context(none)?;
        let servers = server::read_record(&record(&folder)).with_context(none)?;
        Ok(Self { folder, servers, children: Vec::new(), owned: false })
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Kafka's nodes, then Cassandra's.
    pub fn servers(&self) -> &[Server] {
        &self.servers
    }

    /// Signs certificates for more clients of these servers.
    ///
    /// # Errors
    /// Its files are gone.
    pub fn authority(&self) -> Result<Authority> {
        Authority::open_or_create(&self.folder)
    }

    /// Lets the servers run on after this process. `xtask down` or [`Cluster::open`] with [`Cluster::stop`] ends them.
    pub fn leave_running(mut self) {
        self.owned = false;
    }

    /// Ends all servers: asks them, waits up to 30 s, kills the rest. Data stay; the same plan starts them again. Servers
    /// that are gone are no error.
    ///
    /// # Errors
    /// A process may not be signalled, or the record cannot be written.
    pub fn stop(mut self) -> Result<()> {
        self.remove_engines()?;
        for server in &self.servers {
            server.signal(Signal::TERM)?;
            // A halted process would hear it only later.
            server.signal(Signal::CONT)?;
        }
        self.wait_until_gone(STOP_LIMIT);
        self.kill_all()?;
        for server in &mut self.servers {
            server.pid = None;
        }
        self.write_record()
    }

    pub(crate) fn write_record(&self) -> Result<()> {
        server::write_record(&record(&self.folder), &self.servers)
    }

    fn engines(&self) -> PathBuf {
        self.folder.join("engines.toml")
    }

    fn remove_engines(&self) -> Result<()> {
        let path = self.engines();
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("removing `{}`", path.display()))
            }
            _ => Ok(()),
        }
    }

    /// Takes the ended processes of ours off the system's list.
    pub(crate) fn reap(&mut self) {
        self.children.retain_mut(|child| matches!(child.try_wait(), Ok(None)));
    }

    fn kill_all(&mut self) -> Result<()> {
        let killed: Vec<_> = self.servers.iter().map(|server| server.signal(Signal::KILL)).collect();
        let gone = self.wait_until_gone(KILL_LIMIT);
        self.reap();
        killed.into_iter().collect::<Result<()>>()?;
        ensure!(gone, "a killed server of `{}` is still there", self.folder.display());
        Ok(())
    }

    fn wait_until_gone(&self, limit: Duration) -> bool {
        process::wait_until(limit, || self.servers.iter().all(|server| server.state() == State::Gone))
    }

    /// Nothing runs here, and what is recorded is what is wanted.
    fn fits(&self, plan: &Plan) -> Result<()> {
        let folder = self.folder.display();
        let idle = self.wait_until_gone(DYING_LIMIT);
        ensure!(idle, "servers of `{folder}` are running: `xtask down --folder {folder}` ends them");
        let recorded: Vec<_> = self.servers.iter().map(|server| (server.release, server.node)).collect();
        ensure!(
            recorded == plan.members(),
            "`{folder}` holds other servers than these: choose another folder or remove it"
        );
        Ok(())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if self.owned {
            // Nobody is left to hear of an error.
            let _ = self.kill_all();
        }
    }
}

fn record(folder: &Path) -> PathBuf {
    folder.join("servers.toml")
}
