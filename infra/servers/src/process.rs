//! A server's process: started apart from ours, found again by its command line, ended by its id.

use std::fs::OpenOptions;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};

/// What the system says of a server's process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Running,
    /// Halted with SIGSTOP
    Paused,
    Gone,
}

const POLL: Duration = Duration::from_millis(20);

/// Starts `java @ARGUMENTS` in a session of its own, so that no signal of our terminal reaches it. What it says goes to the
/// end of `log`.
pub(crate) fn spawn(arguments: &Path, folder: &Path, log: &Path) -> Result<Child> {
    let file = || OpenOptions::new().create(true).append(true).open(log);
    let mut command = Command::new("setsid");
    command.arg(crate::java::program()).arg(format!("@{}", arguments.display()));
    // Without it the allocator keeps an arena of memory for each of the server's many threads.
    command.env("MALLOC_ARENA_MAX", "2").current_dir(folder);
    command.stdin(Stdio::null()).stdout(file()?).stderr(file()?);
    command.spawn().context("cannot run `setsid java`: install util-linux and Java 17")
}

/// State of the process with this id. Another process that has got the id meanwhile does not count: ours works in the folder
/// of its argument file and has that file on its command line.
pub(crate) fn state(pid: u32, arguments: &Path) -> State {
    let (letter, threads) = stat(pid);
    match letter {
        // Its first thread is dead; the others hold its ports until they are.
        b'Z' | b'X' if threads > 1 => State::Running,
        b'Z' | b'X' => State::Gone,
        _ if !is_ours(pid, arguments) => State::Gone,
        b'T' | b't' => State::Paused,
        _ => State::Running,
    }
}

fn is_ours(pid: u32, arguments: &Path) -> bool {
    let folder = std::fs::read_link(format!("/proc/{pid}/cwd")).ok();
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let wanted = format!("@{}", arguments.display());
    // For a moment, when `setsid` becomes `java`, the command line is empty.
    let named = line.is_empty() || line.split(|byte| *byte == 0).any(|argument| argument == wanted.as_bytes());
    named && folder.as_deref() == arguments.parent()
}

/// State and number of threads of `PID (NAME) STATE ...`, where the name may hold anything; `X` (dead) if there is no process.
fn stat(pid: u32) -> (u8, usize) {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields: Vec<_> = text.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    let letter = fields.first().and_then(|field| field.bytes().next()).unwrap_or(b'X');
    (letter, fields.get(17).and_then(|field| field.parse().ok()).unwrap_or(0))
}

/// Signals the process if it is still there.
pub(crate) fn signal(pid: u32, arguments: &Path, signal: Signal) -> Result<()> {
    let known = pid.try_into().ok().and_then(Pid::from_raw).context("0 is no process id")?;
    if state(pid, arguments) == State::Gone {
        return Ok(());
    }
    match kill_process(known, signal) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(error) => Err(error).with_context(|| format!("cannot send {signal:?} to process {pid}")),
    }
}

/// Asks again and again until it holds; whether it did before the time was over.
pub(crate) fn wait_until(limit: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let begin = Instant::now();
    loop {
        if holds() {
            return true;
        }
        if begin.elapsed() > limit {
            return false;
        }
        std::thread::sleep(POLL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_process_with_the_id_is_not_taken_for_the_server() {
        let own = std::process::id();
        assert_ne!(stat(own).0, b'X');
        assert!(stat(own).1 > 0);
        assert_eq!(state(own, Path::new("/k/kafka-1/java.args")), State::Gone);
        assert_eq!(state(u32::MAX, Path::new("/k/kafka-1/java.args")), State::Gone);
    }
}
