//! Single servers of a cluster: killed, halted, started again. And what it means to be ready.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::Signal;

use crate::cassandra::{self, Level};
use crate::certificates::{ADMIN, Issued};
use crate::cluster::Cluster;
use crate::kafka;
use crate::process::{self, State};
use crate::server::Server;

/// Ten times what a start takes on two idle cores.
const READY_LIMIT: Duration = Duration::from_secs(180);
const POLL: Duration = Duration::from_millis(100);
/// For what the system does at once.
const SIGNAL_LIMIT: Duration = Duration::from_secs(10);

impl Cluster {
    /// The server with this name, such as `kafka-1`.
    ///
    /// # Errors
    /// There is none; the error names those that there are.
    pub fn server(&self, name: &str) -> Result<&Server> {
        Ok(&self.servers[self.index(name)?])
    }

    /// SIGKILL; returns when the process is gone.
    ///
    /// # Errors
    /// No such server, or the process may not be signalled.
    pub fn kill(&mut self, name: &str) -> Result<()> {
        let done = self.signal(name, Signal::KILL, State::Gone);
        self.reap();
        done
    }

    /// SIGSTOP: it keeps its connections and says nothing more.
    ///
    /// # Errors
    /// No such server, or it does not run.
    pub fn pause(&mut self, name: &str) -> Result<()> {
        self.signal(name, Signal::STOP, State::Paused)
    }

    /// SIGCONT.
    ///
    /// # Errors
    /// No such server, or it does not run.
    pub fn resume(&mut self, name: &str) -> Result<()> {
        self.signal(name, Signal::CONT, State::Running)
    }

    /// Starts a server again that is gone, with the data it has. Returns when it serves and the running servers of its product
    /// see it, with the time that took.
    ///
    /// # Errors
    /// It still runs, or ends, or is not ready in time (it is killed then). A node of three that finds no majority never gets
    /// ready: use [`Cluster::restart_together`].
    pub fn restart(&mut self, name: &str) -> Result<Duration> {
        self.restart_together(&[name])
    }

    /// As [`Cluster::restart`], for servers that need each other.
    ///
    /// # Errors
    /// As there.
    pub fn restart_together(&mut self, names: &[&str]) -> Result<Duration> {
        let wanted = names.iter().map(|name| self.index(name)).collect::<Result<Vec<_>>>()?;
        let begin = Instant::now();
        self.launch(&wanted)?;
        Ok(begin.elapsed())
    }

    /// Starts these servers and waits for them. On failure kills them.
    pub(crate) fn launch(&mut self, wanted: &[usize]) -> Result<()> {
        for index in wanted {
            let server = &self.servers[*index];
            ensure!(server.state() == State::Gone, "`{}` is still running: kill it first", server.name);
        }
        let done = self.spawn(wanted).and_then(|()| self.wait_ready(wanted));
        if done.is_err() {
            for index in wanted {
                let name = self.servers[*index].name.clone();
                // The first error says more than one of the clearing up.
                let _ = self.kill(&name);
            }
        }
        done
    }

    fn spawn(&mut self, wanted: &[usize]) -> Result<()> {
        for index in wanted {
            let server = &mut self.servers[*index];
            let child = process::spawn(&server.arguments(), &server.folder, &server.log);
            let child = child.with_context(|| server.name.clone())?;
            server.pid = Some(child.id());
            server.ready_after = None;
            self.children.push(child);
        }
        self.write_record()
    }

    fn wait_ready(&mut self, wanted: &[usize]) -> Result<()> {
        let begin = Instant::now();
        let admin = self.authority()?.client(ADMIN)?;
        // The neighbours too: a node that only it believes to be up does not help anybody.
        let neighbour = |server: &Server| {
            let of_one_product = wanted.iter().any(|index| self.servers[*index].release == server.release);
            of_one_product && server.state() == State::Running
        };
        let all = self.servers.iter().enumerate();
        let concerned = all.filter(|(index, server)| wanted.contains(index) || neighbour(server));
        let mut waiting: Vec<usize> = concerned.map(|(index, _)| index).collect();
        loop {
            let mut unready = Vec::new();
            for index in waiting {
                match self.probe(&self.servers[index], &admin) {
                    Ok(()) if wanted.contains(&index) => self.servers[index].ready_after = Some(begin.elapsed()),
                    Ok(()) => (),
                    Err(problem) => unready.push((index, problem)),
                }
            }
            let Some((index, problem)) = unready.first() else { return Ok(()) };
            let late = &self.servers[*index];
            let (name, limit_s) = (&late.name, READY_LIMIT.as_secs());
            if begin.elapsed() > READY_LIMIT {
                bail!("`{name}` was not ready after {limit_s} s: {problem:#}; the end of its log:\n{}", late.tail());
            }
            for server in unready.iter().map(|(index, _)| &self.servers[*index]) {
                let (name, there) = (&server.name, server.state() != State::Gone);
                ensure!(there, "`{name}` has ended; the end of its log:\n{}", server.tail());
            }
            waiting = unready.into_iter().map(|(index, _)| index).collect();
            std::thread::sleep(POLL);
        }
    }

    /// The server answers, and through it all servers of its product that run.
    fn probe(&self, server: &Server, admin: &Issued) -> Result<()> {
        let nodes: Vec<_> = self.servers.iter().filter(|other| other.release == server.release).collect();
        let running = nodes.iter().filter(|node| node.state() == State::Running);
        let running: Vec<i32> = running.map(|node| i32::from(node.node)).collect();
        if server.release.product() == "kafka" {
            return kafka::ask(server.address, admin)?.check(&running);
        }
        cassandra::ask(server.address, admin, Level::of(running.len(), nodes.len()))
    }

    fn signal(&mut self, name: &str, signal: Signal, wanted: State) -> Result<()> {
        let server = self.server(name)?;
        server.signal(signal)?;
        let done = process::wait_until(SIGNAL_LIMIT, || server.state() == wanted || server.state() == State::Gone);
        ensure!(done && server.state() == wanted, "`{name}` is {:?} after {signal:?}", server.state());
        Ok(())
    }

    fn index(&self, name: &str) -> Result<usize> {
        let names = || self.servers.iter().map(|server| server.name.as_str()).collect::<Vec<_>>().join(", ");
        let found = self.servers.iter().position(|server| server.name == name);
        found.with_context(|| format!("`{name}` is none of the servers {}", names()))
    }
}
