//! Source and copy, compared: the copied log is read back, and the tables that were built from it are opened row by row.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use anyhow::{Result, bail, ensure};
use chassis::ports::store::Store;
use schemas::SubmissionId;
use schemas::submission::{Envelope, EnvelopeKind};

use super::records::{Copied, Merge, Read, open_outcome, without_position};
use super::sums::Sums;
use crate::commands::Bar;
use crate::commands::tables::{Comparison, Moved, Side};
use crate::engine::Engine;

/// Reads the copy; count and sum of each topic must be the source's, and each outcome must name its submission's new position.
pub(super) async fn logs(to: &Engine, copied: &Copied, quiet: bool) -> Result<BTreeMap<&'static str, (u64, String)>> {
    let (mut sums, mut open) = (Sums::default(), HashMap::new());
    let bar = Bar::new("reading the copy", 0, quiet);
    let mut merge = Merge::new(&*to.log).await?;
    while let Some((topic, record)) = merge.next().await? {
        let read = Read::of(topic, &record)?;
        let shard = read.shard(topic);
        let content = match &read {
            Read::Envelope(envelope) => content(to, envelope, record.offset, &mut open).await?,
            Read::Other(_) => None,
        };
        sums.add((topic, shard), record.time, content.as_deref().unwrap_or(&record.value));
        bar.add(1);
    }
    bar.done();
    let (source, copy) = (copied.sums.told(), sums.told());
    for (topic, told) in &source {
        let found = copy.get(topic);
        ensure!(found == Some(told), "topic `{topic}` of the copy is not its source's: {found:?}, {told:?} there");
    }
    ensure!(copy.len() == source.len(), "the copy holds topics that its source does not hold");
    Ok(copy)
}

async fn content(
    to: &Engine,
    envelope: &Envelope,
    offset: u64,
    open: &mut HashMap<SubmissionId, u64>,
) -> Result<Option<Vec<u8>>> {
    if envelope.kind == EnvelopeKind::Submission {
        open.entry(envelope.submission).or_insert(offset);
        return Ok(None);
    }
    let Some(position) = open.remove(&envelope.submission) else { return Ok(None) };
    let Some((_, outcome)) = open_outcome(&*to.keys, envelope).await? else { return Ok(None) };
    ensure!(outcome.position == position, "an outcome names position {}, not {position}", outcome.position);
    Ok(Some(without_position(&outcome)))
}

/// Opens the rows of both sides; returns how many.
pub(super) async fn tables(
    from: &Engine,
    (to, store): (&Engine, Arc<dyn Store>),
    copied: &Copied,
    quiet: bool,
) -> Result<u64> {
    let ours = from.generations.open(from.generations.live()).await?;
    let moved = Moved { before: from.log.clone(), places: &copied.moved };
    let bar = Bar::new("comparing rows", 0, quiet);
    let sides = (Side { store: ours, keys: from.keys.clone() }, Side { store, keys: to.keys.clone() });
    let compared = Comparison::new(sides.0, sides.1, HashSet::new()).moved(moved);
    let compared = compared.run(&mut |rows| bar.set(rows)).await?;
    bar.done();
    if compared.finding_count > 0 {
        let first: Vec<&str> = compared.findings.iter().take(5).map(String::as_str).collect();
        bail!("{} rows of the copy are not its source's; the first: {}", compared.finding_count, first.join("; "));
    }
    Ok(compared.rows)
}
