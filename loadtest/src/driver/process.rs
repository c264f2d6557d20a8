//! The servers under test as processes of their own: started, waited for, measured through `/proc`, stopped in order.

use std::fs::{self, File};
use std::io::Read as _;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use super::http::{Connection, write_request};

/// Ticks per second of `/proc/<pid>/stat` (USER_HZ, 100 on every Linux that we run on).
const TICKS: f64 = 100.0;
const BLOCK: usize = 4096;
const STOP_WAIT: Duration = Duration::from_secs(60);

/// A running server.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
    pub url: String,
    /// From the start of the process to its first ready answer.
    pub ready_after: Duration,
}

/// An address of this machine that nobody listens on now.
pub fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

impl Server {
    /// Starts `program arguments`; its output goes to `log`. Ready when `GET path` answers 200.
    pub async fn start(
        (program, arguments): (&Path, &[String]),
        (address, path): (SocketAddr, &str),
        log: &Path,
        patience: Duration,
    ) -> Result<Self> {
        let output = File::options().create(true).append(true).open(log)?;
        let begun = Instant::now();
        let child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("cannot start `{}`", program.display()))?;
        let url = format!("http://{address}");
        let mut server = Self { child, address, url, ready_after: Duration::ZERO };
        while !is_ready(address, path).await {
            if let Some(status) = server.child.try_wait()? {
                bail!("`{}` ended with {status} before it was ready; see `{}`", program.display(), log.display());
            }
            ensure!(begun.elapsed() < patience, "`{}` is not ready after {patience:?}", program.display());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        server.ready_after = begun.elapsed();
        Ok(server)
    }

    /// Processor time used so far, seconds.
    pub fn cpu_seconds(&self) -> Result<f64> {
        cpu_seconds(&format!("/proc/{}/stat", self.child.id()))
    }

    /// Resident memory, bytes: (now, of it anonymous).
    pub fn memory(&self) -> Result<(u64, u64)> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let field = |name: &str| -> Option<u64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            Some(line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()? * 1024)
        };
        Ok((field("VmRSS:").context("VmRSS")?, field("RssAnon:").context("RssAnon")?))
    }

    /// Prometheus text of `/metrics`.
    pub async fn metrics(&self) -> Result<String> {
        let mut request = Vec::new();
        write_request(&mut request, ("GET", "/metrics"), "", "", b"");
        let mut connection = Connection::open(self.address).await?;
        let answer = connection.send(&request).await?;
        Ok(String::from_utf8_lossy(answer.body).into_owned())
    }

    /// SIGTERM, then waits until the process has ended.
    pub fn stop(mut self) -> Result<()> {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        let begun = Instant::now();
        while self.child.try_wait()?.is_none() {
            ensure!(begun.elapsed() < STOP_WAIT, "the server did not stop in {STOP_WAIT:?}");
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}

impl Drop for Server {
    /// A run that fails leaves no server behind.
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Processor time that the generator itself used so far, seconds.
pub fn own_cpu_seconds() -> Result<f64> {
    cpu_seconds("/proc/self/stat")
}

/// Seconds that all processors of the machine have worked so far.
pub fn busy_seconds() -> Result<f64> {
    let stat = fs::read_to_string("/proc/stat")?;
    let line = stat.lines().next().context("/proc/stat has a first line")?;
    let ticks: Vec<f64> = line.split_whitespace().skip(1).filter_map(|n| n.parse().ok()).collect();
    // user nice system idle iowait irq softirq
    ensure!(ticks.len() >= 7, "/proc/stat has no times");
    Ok((ticks[0] + ticks[1] + ticks[2] + ticks[5] + ticks[6]) / TICKS)
}

fn cpu_seconds(path: &str) -> Result<f64> {
    let stat = fs::read_to_string(path)?;
    // The name in parentheses may hold anything; what follows it is numbers: utime and stime are fields 14 and 15.
    let (_, rest) = stat.rsplit_once(')').context("/proc stat")?;
    let ticks: Vec<f64> = rest.split_whitespace().skip(11).take(2).filter_map(|n| n.parse().ok()).collect();
    ensure!(ticks.len() == 2, "/proc stat has no times");
    Ok((ticks[0] + ticks[1]) / TICKS)
}

async fn is_ready(address: SocketAddr, path: &str) -> bool {
    let mut request = Vec::new();
    write_request(&mut request, ("GET", path), "", "", b"");
    let Ok(mut connection) = Connection::open(address).await else { return false };
    connection.send(&request).await.is_ok_and(|answer| answer.status == 200)
}

/// Bytes that files below `folder` hold, by the first path element: blocks of 4 KiB that are not all zero. The log makes its
/// segments ahead and fills them with zeros; those do not count before something is written there.
pub fn bytes_held(folder: &Path) -> Result<Vec<(String, u64)>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        all.push((entry.file_name().to_string_lossy().into_owned(), held(&entry.path())?));
    }
    all.sort();
    Ok(all)
}

fn held(path: &PathBuf) -> Result<u64> {
    let meta = fs::symlink_metadata(path)?;
    if meta.is_dir() {
        return fs::read_dir(path)?.map(|entry| held(&entry?.path())).sum();
    }
    let mut file = File::open(path)?;
    let mut blocks = 0;
    let mut block = vec![0_u8; BLOCK];
    let mut left = usize::try_from(meta.len())?;
    while left > 0 {
        let length = left.min(BLOCK);
        file.read_exact(&mut block[..length])?;
        blocks += u64::from(block[..length].iter().any(|&byte| byte != 0));
        left -= length;
    }
    Ok(blocks * BLOCK as u64)
}
