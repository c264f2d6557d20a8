//! The faults of `tests/distributed`, many times each, on servers of their own; what they showed becomes a page.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use loadtest::driver::machine;
use serde::{Deserialize, Serialize};
use servers::{Cluster, Jars, KafkaPlan, KafkaVersion, Nodes, Plan};

/// `xtask faults --rounds 20 --report tests/distributed/REPORT.md`
#[derive(clap::Args)]
pub(crate) struct Args {
    /// How often each fault is made
    #[arg(long, default_value_t = 20)]
    rounds: u64,
    /// Only the tests whose names hold this
    #[arg(long, default_value = "nothing")]
    only: String,
    /// What chance follows from; each round has the next one. Another one at each start unless it is given
    #[arg(long)]
    seed: Option<u64>,
    /// Keep the rounds of earlier calls: twenty of each take more than an hour, and a call may leave out faults (`KIROKU_FAULT`, `--only`)
    #[arg(long)]
    add: bool,
    /// All rounds, a line of JSON each
    #[arg(long, default_value = "tests/distributed/rounds.jsonl")]
    all: PathBuf,
    /// The page of all rounds
    #[arg(long, default_value = "tests/distributed/REPORT.md")]
    report: PathBuf,
}

/// What the tests say of a round.
#[derive(Serialize, Deserialize)]
struct Round {
    /// What was tested; the tests do not say it.
    #[serde(default)]
    commit: String,
    fault: String,
    seed: u64,
    moment_s: f64,
    back_s: f64,
    waited_s: f64,
    records: u64,
    releases: u64,
}

/// Starts servers, makes the faults, writes the page.
pub(crate) fn run(args: &Args) -> Result<()> {
    let commit = machine::commit();
    let mut rounds = if args.add {
        read(&std::fs::read_to_string(&args.all).context("the rounds of earlier calls")?)?
    } else {
        Vec::new()
    };
    let folder = std::env::temp_dir().join(format!("kiroku-faults-{}", std::process::id()));
    let kafka = Some(KafkaPlan { version: KafkaVersion::V4, nodes: Nodes::One });
    let plan = Plan { folder: folder.clone(), kafka, cassandra: Some(Nodes::One), jars: Jars::default() };
    // They end when this is dropped, also where a test fails.
    let cluster = Cluster::start(&plan)?;
    let results = folder.join("results.jsonl");
    let mut tests = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    tests.args(["test", "--workspace", "--features", "tests/distributed,engines/kafka-rust", "--test", "distributed"]);
    tests.args(["--no-fail-fast", "--", "--test-threads", "1", "--nocapture", &args.only]);
    tests.env("KIROKU_ENGINES", folder.join("engines.toml")).env("KIROKU_FAULT_RESULTS", &results);
    tests.env("KIROKU_FAULT_ROUNDS", args.rounds.to_string());
    tests.envs(args.seed.map(|seed| ("KIROKU_SEED", seed.to_string())));
    let status = tests.status().context("cargo")?;
    drop(cluster);
    // Also what was told of good rounds does not count then: the last check is of all of them.
    ensure!(
        status.success(),
        "a fault did harm: the tests ended with {status}; rounds before: `{}`",
        results.display()
    );
    let said = std::fs::read_to_string(&results).context("no round was made")?;
    rounds.extend(read(&said)?.into_iter().map(|round| Round { commit: commit.clone(), ..round }));
    let lines = rounds.iter().map(serde_json::to_string).collect::<Result<Vec<_>, _>>()?;
    std::fs::write(&args.all, lines.join("\n") + "\n")?;
    std::fs::write(&args.report, page(&rounds)?)?;
    Ok(std::fs::remove_dir_all(&folder)?)
}

fn read(said: &str) -> Result<Vec<Round>> {
    said.lines().map(|line| serde_json::from_str(line).with_context(|| format!("`{line}`"))).collect()
}

const HEAD: &str = "\
# Faults

Made by `cargo run -p xtask -- faults`; not edited. Two processes of each role and one more ledger, one broker and one node of the database (three where it says so) on two
cores, debug build; six persons, each with a client that writes and reads one after the other and asks again with its key until it is answered. In each round the fault comes at a moment that the
seed gives. After each round, of every person: each acknowledged record is there once and each version once, dense, in the order of the acknowledgements, with times of the log; a retry is told the same;
each release stands in the person's list once, naming what was released, and the numbers of the list have no gap. At the end of each call `kiroku check` compares tables, lists, log and decisions of all its rounds:
what stands in the tables is what a fresh rebuild gives. (The persons of each round are others, so later rounds cover nothing up.)

*Back*: from the fault until every person could be written and read again; where a server is killed, with its start. *Waited*: the longest that one client waited for one answer, retries included.

| fault | rounds | seeds | back, median (s) | back, longest (s) | waited, longest (s) | records | releases | commits |
|---|---|---|---|---|---|---|---|---|
";

fn page(rounds: &[Round]) -> Result<String> {
    let mut by_fault: BTreeMap<&str, Vec<&Round>> = BTreeMap::new();
    for round in rounds {
        by_fault.entry(&round.fault).or_default().push(round);
    }
    let mut page = HEAD.to_owned();
    for (fault, rounds) in by_fault {
        let mut back: Vec<f64> = rounds.iter().map(|round| round.back_s).collect();
        back.sort_by(f64::total_cmp);
        let (median, longest) = (back[back.len() / 2], back[back.len() - 1]);
        let waited = rounds.iter().map(|round| round.waited_s).fold(0.0, f64::max);
        let seeds: Vec<String> = rounds.chunk_by(|one, next| one.seed + 1 == next.seed).map(seeds).collect();
        let seeds = seeds.join(", ");
        let records: u64 = rounds.iter().map(|round| round.records).sum();
        let releases: u64 = rounds.iter().map(|round| round.releases).sum();
        let commits: BTreeSet<&str> = rounds.iter().map(|round| round.commit.as_str()).collect();
        let commits = commits.into_iter().collect::<Vec<_>>().join(", ");
        let count = rounds.len();
        writeln!(
            page,
            "| {fault} | {count} | {seeds} | {median:.1} | {longest:.1} | {waited:.1} | {records} | {releases} | {commits} |"
        )?;
    }
    Ok(page)
}

/// Of the rounds of one call.
fn seeds(call: &[&Round]) -> String {
    let (first, last) = (call[0].seed, call[call.len() - 1].seed);
    format!("{first} to {last}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_a_line_for_each_fault_with_its_median_and_longest_times() {
        let line = |seed: u64, back: f64, commit: &str| {
            format!(
                "{{\"fault\":\"a fault\",\"seed\":{seed},\"moment_s\":0.1,\"back_s\":{back},\"waited_s\":0.5,\"records\":2,\"releases\":3,\
                 \"commit\":\"{commit}\"}}"
            )
        };
        let rounds = read(&[line(7, 1.0, "b"), line(8, 4.0, "a"), line(9, 2.0, "b")].join("\n")).unwrap();
        let page = page(&rounds).unwrap();
        assert_eq!(page.lines().last(), Some("| a fault | 3 | 7 to 9 | 2.0 | 4.0 | 0.5 | 6 | 9 | a, b |"));
        let again = read(&[line(7, 1.0, "b"), line(8, 4.0, "b"), line(20, 2.0, "b")].join("\n")).unwrap();
        assert!(super::page(&again).unwrap().contains("| 7 to 8, 20 to 20 |"));
        assert!(read("nothing of ours").is_err());
    }
}
