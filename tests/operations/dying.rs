//! A program that dies leaves no memory behind: core files are off, and an abort shows it.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use rustix::process::Signal;
use tests::Harness;
use tests::program::Program;

const BINARY: &str = env!("CARGO_BIN_EXE_kiroku-under-test");

/// Files that a dumped core could be: whatever came into the folder besides what was there before.
fn names(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// Whether a program without our care leaves a core here: else the test below shows less than it could.
fn others_leave_a_core(folder: &Path) -> Result<bool> {
    std::fs::create_dir_all(folder)?;
    let status = Command::new("sh").args(["-c", "ulimit -c unlimited; kill -ABRT $$"]).current_dir(folder).status()?;
    Ok(status.core_dumped())
}

#[tokio::test]
async fn an_aborted_server_leaves_no_core_file() -> Result<()> {
    let harness = Harness::start().await?;
    let citizen = harness.bear(1).await?;
    let record = harness.record(&citizen, 3);
    let key = harness.hospital.clone();
    harness.keep(&key, &record, "one").await?;
    let acting = key.care();
    let paused = harness.pause().await?;
    let folder = paused.folder.path().join("cwd");
    std::fs::create_dir_all(&folder)?;
    let program = Program::serve(BINARY, &paused.settings, &[], &folder).await?;
    // Records and keys lie in its memory now.
    let token = kiroku::api::Api::new(&program.line.url).token(&key.key, &acting).await?;
    let path = format!("/fhir/Patient/{}/$everything", citizen.patient);
    assert_eq!(program.line.get(&token, &path).await?.status, 200);

    let limits = std::fs::read_to_string(format!("/proc/{}/limits", program.id()))?;
    let line = limits.lines().find(|line| line.starts_with("Max core file size")).context("a limit of core files")?;
    let words: Vec<&str> = line["Max core file size".len()..].split_whitespace().collect();
    assert_eq!(words[..2], ["0", "0"], "soft and hard: `{line}`");

    let before = names(&folder)?;
    let status = program.end(Signal::ABORT).await?;
    assert_eq!(status.signal(), Some(Signal::ABORT.as_raw()), "{status}");
    assert!(!status.core_dumped(), "{status}");
    assert_eq!(names(&folder)?, before, "the abort left a file");
    if !others_leave_a_core(&paused.folder.path().join("control"))? {
        eprintln!("this machine dumps no core of any program: only the limit was shown");
    }
    let harness = paused.resume().await?;
    harness.node.stop().await
}
