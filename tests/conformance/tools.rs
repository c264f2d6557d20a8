//! Where the tools of others lie, and how their programs are run. `tests/conformance/prepare` fetches them; without them the
//! tests that need them say so and pass, unless KIROKU_CONFORMANCE=1 makes that a failure (as CI does).

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

/// The workspace's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A line for whoever reads the test's output.
pub(crate) fn note(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// The shared example data, or `None` with a word where it is absent.
pub(crate) fn shared() -> Option<PathBuf> {
    let given = std::env::var_os("KIROKU_SHARED").map(PathBuf::from);
    let folder = given.unwrap_or_else(|| root().join("../shared")).join("data");
    if folder.is_dir() {
        return Some(folder);
    }
    note(&format!("skipped: no example data in {}", folder.display()));
    None
}

/// A program of others that `prepare` made ready, or `None` with a word.
fn prepared(path: &str) -> Option<PathBuf> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let file = target.join("conformance").join(path);
    if file.exists() {
        return Some(file);
    }
    assert!(
        std::env::var_os("KIROKU_CONFORMANCE").is_none(),
        "{} is absent: run tests/conformance/prepare",
        file.display()
    );
    note(&format!("skipped: {} is absent, tests/conformance/prepare fetches it", file.display()));
    None
}

/// A Python interpreter with `fhirpy`.
pub(crate) fn python(script: &str) -> Option<Command> {
    let mut command = Command::new(prepared("venv/bin/python")?);
    command.arg(root().join("tests/conformance/fhirpy").join(script));
    Some(command)
}

/// A compiled Java program with HAPI on its class path.
pub(crate) fn java(class: &str) -> Option<Command> {
    let (lib, classes) = (prepared("lib")?, prepared(&format!("classes/{class}.class"))?);
    let classes = classes.parent()?.display().to_string();
    let mut command = Command::new("java");
    command.arg("-Xmx512m").arg("-cp").arg(format!("{classes}:{}/*", lib.display())).arg(class);
    Some(command)
}

/// Runs a program to its end, away from the runtime that serves it; its output is the error if it fails.
pub(crate) async fn run(mut command: Command) -> Result<String> {
    let done = tokio::task::spawn_blocking(move || command.stdin(Stdio::null()).output()).await?;
    let done = done.context("the program does not start")?;
    let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    ensure!(done.status.success(), "the program ended with {}\n{out}\n{err}", done.status);
    Ok(out.into_owned())
}
