//! The real program in a process of its own, on a folder that a harness has filled.

use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use anyhow::{Context, Result, ensure};
use chassis::config::Settings;
use rustix::process::{Pid, Signal, kill_process};

use crate::wire::{Line, until};

/// A running `kiroku serve`. Killed when dropped, so that a failed test leaves nothing running.
pub struct Program {
    child: Child,
    pub line: Line,
}

impl Program {
    /// Starts `binary` (the `CARGO_BIN_EXE_...` of the test) with the folder and address of `settings` and further settings
    /// by name; returns when it is ready. The limit of core files is lifted before, so that only the program's own hand keeps
    /// it from leaving one. It works in, and logs to `stderr.log` of, the folder `cwd`.
    pub async fn serve(binary: &str, settings: &Settings, more: &[(&str, &str)], cwd: &Path) -> Result<Self> {
        let mut program = Self::spawn(binary, settings, more, (cwd, &[]))?;
        program.until_answers(cwd, 200).await?;
        Ok(program)
    }

    /// Starts it as [`Program::serve`] does, with further variables of the environment, and does not wait.
    pub fn spawn(
        binary: &str,
        settings: &Settings,
        more: &[(&str, &str)],
        (cwd, environment): (&Path, &[(&str, &str)]),
    ) -> Result<Self> {
        let line = Line::new(&format!("http://{}", settings.http.listen));
        let mut command = Command::new("sh");
        command.args(["-c", "ulimit -c unlimited 2>&-; exec \"$0\" \"$@\"", binary, "serve", "--data"]);
        command.arg(&settings.data).args(["--listen", &settings.http.listen, "--set", "http.workers=2"]);
        for (key, value) in more {
            command.args(["--set", &format!("{key}={value}")]);
        }
        let log = std::fs::OpenOptions::new().create(true).append(true).open(cwd.join("stderr.log"))?;
        command.envs(environment.iter().copied()).current_dir(cwd);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn()?;
        Ok(Self { child, line })
    }

    /// Waits until `/health/ready` answers with `status`; gives what it says.
    pub async fn until_answers(&mut self, cwd: &Path, status: u16) -> Result<serde_json::Value> {
        let line = self.line.clone();
        let wanted = format!("the program answers {status} at /health/ready");
        let answered = until(&wanted, async || {
            let gone = self.child.try_wait()?;
            ensure!(gone.is_none(), "the program has ended: {}", std::fs::read_to_string(cwd.join("stderr.log"))?);
            let answer = line.get("", "/health/ready").await.ok().filter(|answer| answer.status == status);
            Ok(answer.map(|answer| answer.json()))
        });
        answered.await
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, signal: Signal) -> Result<()> {
        let id = i32::try_from(self.child.id())?;
        Ok(kill_process(Pid::from_raw(id).context("a process has an id above 0")?, signal)?)
    }

    /// Sends a signal and waits for the end.
    pub async fn end(mut self, signal: Signal) -> Result<ExitStatus> {
        self.signal(signal)?;
        until("the program has ended", async || Ok(self.child.try_wait()?)).await
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
