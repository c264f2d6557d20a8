//! The binary that is shipped: optimised with a profile of its own load (decision 0009).

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// What the profile is taken from: every scenario of the load test, the small set.
const SCENARIOS: [&str; 5] = ["read", "search", "everything", "create", "synthea"];

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Seconds of one run of the load test
    #[arg(long, default_value_t = 3)]
    seconds: u32,
    /// Folder for builds, profile and the load test's data
    #[arg(long, default_value = "target/profiled")]
    target: PathBuf,
}

/// Builds with counters, runs the load test, builds again with what was counted. Takes some 25 minutes on two cores.
pub(crate) fn run(args: &Args) -> Result<()> {
    std::fs::create_dir_all(&args.target)?;
    let target = args.target.canonicalize()?;
    let host = host()?;
    let merge = merger(&host)?;
    let (raw, work, profile) = (target.join("raw"), target.join("work"), target.join("kiroku.profdata"));
    for old in [&raw, &work] {
        if old.exists() {
            std::fs::remove_dir_all(old)?;
        }
    }
    let binaries = target.join(&host).join("release");

    build(&target, &host, &format!("-Cprofile-generate={}", raw.display()), &[("CARGO_PROFILE_RELEASE_LTO", "off")])?;
    let mut load = Command::new(binaries.join("loadtest"));
    load.args(["--seconds", &args.seconds.to_string(), "--work"]).arg(&work).args(SCENARIOS);
    succeed(&mut load)?;
    let counted = std::fs::read_dir(&raw)?.map(|file| Ok(file?.path())).collect::<Result<Vec<_>>>()?;
    succeed(Command::new(merge).args(["merge", "-o"]).arg(&profile).args(counted))?;
    std::fs::remove_dir_all(&work)?;
    build(&target, &host, &format!("-Cprofile-use={}", profile.display()), &[])
}

/// `kiroku` and `loadtest`. With the target named, so that the flags are not for build scripts and macros.
fn build(target: &Path, host: &str, flags: &str, settings: &[(&str, &str)]) -> Result<()> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--release", "-p", "kiroku", "-p", "loadtest", "--target", host, "--target-dir"]).arg(target);
    succeed(cargo.env("RUSTFLAGS", flags).envs(settings.iter().copied()))
}

fn host() -> Result<String> {
    let said = Command::new("rustc").arg("-vV").output().context("rustc")?;
    let said = String::from_utf8(said.stdout)?;
    let host = said.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("`rustc -vV` names no host")?.to_owned())
}

/// The compiler's own tool: another version does not read its counters.
fn merger(host: &str) -> Result<PathBuf> {
    let said = Command::new("rustc").args(["--print", "sysroot"]).output().context("rustc")?;
    let tool =
        Path::new(String::from_utf8(said.stdout)?.trim()).join("lib/rustlib").join(host).join("bin/llvm-profdata");
    ensure!(tool.exists(), "`llvm-profdata` is missing: `rustup component add llvm-tools`");
    Ok(tool)
}

fn succeed(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("{:?}", command.get_program()))?;
    ensure!(status.success(), "{:?} ended with {status}", command.get_program());
    Ok(())
}
