//! Reads, and the bare endpoint that gives back the same bytes.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;

use super::measure::{Row, Target};
use super::process::{Server, free_address};
use super::scenario::read::Read;
use super::suite::Run;
use super::token::Tokens;
use super::world::World;

/// The two in turns, because the machine's speed changes within a minute. The rows are of the round with the median share;
/// the other shares stand in a note.
const ROUNDS: usize = 5;

/// Answers that the bare endpoint gives back, so many at most. Two million of them filled the machine's memory twice, as a file and
/// in the endpoint, and pushed out of it what the server reads.
const RECORDED: usize = 100_000;

/// One round: the bare endpoint, then the server.
struct Round {
    bare: Vec<Row>,
    read: Vec<Row>,
}

impl Round {
    async fn run(bare: &Target<'_>, read: &Target<'_>, run: &Run<'_>) -> Result<Self> {
        let shape = &run.options.shape;
        let mut round = Self { bare: bare.saturate(shape).await?, read: read.saturate(shape).await? };
        for (row, bare) in round.read.iter_mut().zip(&round.bare) {
            row.share_of_bare = Some(row.rate_per_s / bare.rate_per_s);
        }
        Ok(round)
    }

    /// At the last number of connections.
    fn share(&self) -> f64 {
        self.read.last().and_then(|row| row.share_of_bare).unwrap_or(0.0)
    }
}

/// Saturation of both, then the latency of each.
pub(super) async fn run(run: &mut Run<'_>, world: &World, (server, reader): (&Server, &Arc<Tokens>)) -> Result<()> {
    let shape = &run.options.shape;
    let read = Arc::new(Read::verified(world, server, reader, run.options.sample).await?);
    let answers = run.options.work.join("bare-answers");
    let recorded = Arc::new(read.part(RECORDED));
    recorded.record(server, reader, &answers)?;
    let bare = start(run, &answers).await?;
    std::fs::remove_file(&answers)?;
    let target = Target { what: "read", server, job: read, tokens: Some(reader.clone()) };
    // The same requests, tokens included, and the same checks.
    let same = Target { what: "bare endpoint", server: &bare, job: recorded, ..target.clone() };
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        rounds.push(Round::run(&same, &target, run).await?);
    }
    rounds.sort_by(|one, other| one.share().total_cmp(&other.share()));
    let shares: Vec<_> = rounds.iter().map(|round| format!("{:.1} %", round.share() * 100.0)).collect();
    run.notes.push(format!("Share of the bare endpoint in each round, sorted: {}.", shares.join(", ")));
    let Round { bare: mut base, read: mut rows } = rounds.swap_remove(ROUNDS / 2);
    base.push(same.pace(shape, 1_000.0).await?);
    bare.stop()?;
    let saturation = rows.iter().map(|row| row.rate_per_s).fold(0.0, f64::max);
    rows.push(target.pace(shape, saturation * 0.7).await?);
    rows.push(target.pace(shape, 1_000.0).await?);
    run.rows.extend(base.into_iter().chain(rows));
    Ok(())
}

/// The bare endpoint, which gives back `answers`.
async fn start(run: &Run<'_>, answers: &Path) -> Result<Server> {
    let address = free_address()?;
    let arguments = ["--answers", &answers.display().to_string(), "--listen", &address.to_string()];
    let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
    let log = run.options.work.join("bare.log");
    let patience = Duration::from_secs(120);
    Server::start((&run.options.bare, &arguments), (address, "/ready"), &log, patience).await
}
