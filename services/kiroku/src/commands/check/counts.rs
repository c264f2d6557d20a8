//! What was applied to the tables, against what the log holds: number, and sum of hashes, per stream of positions.

use std::collections::{HashMap, HashSet};

use anyhow::{Context, Result};
use chassis::ports::store::{Store, Table};
use engines::embedded::store::StreamMarks;
use schemas::submission::{Envelope, EnvelopeKind};
use schemas::vocab::Topic;
use schemas::{Pid, SubmissionId, codec};

use super::Report;
use crate::commands::Bar;
use crate::commands::rebuild::records_of;
use crate::commands::tables::is_erased;
use crate::engine::Engine;

const READ: usize = 1024;

/// What the log says must have been applied.
#[derive(Default)]
struct Expected {
    marks: StreamMarks,
    submissions: u64,
    outcomes: u64,
    /// Submissions without an outcome: decided at the next start.
    undecided: u64,
    /// Outcomes at the end of the log that the tables do not have yet.
    pending: u64,
    pending_shelves: HashSet<Pid>,
}

/// Compares the streams of shelves and commons (where the engine keeps marks of what was applied; else the rows tell); returns
/// the shelves that the next start completes.
pub(super) async fn compare(
    engine: &Engine,
    store: &dyn Store,
    report: &mut Report,
    quiet: bool,
) -> Result<HashSet<Pid>> {
    let bar = Bar::new("counting", records_of(&*engine.log, &[Topic::Commons, Topic::Person]).await?, quiet);
    let marks = match engine.as_embedded() {
        Some(embedded) => Some(embedded.embedded_generations().open_store(engine.generations.live())?.marks()),
        None => None,
    };
    let mut pending = HashSet::new();
    for topic in [Topic::Commons, Topic::Person] {
        let mut expected = Expected::default();
        for partition in 0..engine.log.partitions(topic) {
            read_partition(engine, store, (topic, partition), &mut expected, &bar).await?;
        }
        if let Some(marks) = &marks {
            let applied = marks.streams.get(topic.as_str()).cloned().unwrap_or_default();
            compare_marks(topic, &applied, &expected.marks, report);
        }
        report.submissions += expected.submissions;
        report.outcomes += expected.outcomes;
        if expected.pending > 0 {
            report.note(format!(
                "{} outcomes of topic `{topic}` are not in the tables yet; the next start applies them",
                expected.pending
            ));
        }
        if expected.undecided > 0 {
            report.note(format!(
                "{} submissions of topic `{topic}` have no outcome yet; the next start decides them",
                expected.undecided
            ));
        }
        pending.extend(expected.pending_shelves);
    }
    bar.done();
    Ok(pending)
}

fn compare_marks(topic: Topic, applied: &StreamMarks, expected: &StreamMarks, report: &mut Report) {
    if applied.count != expected.count {
        let (has, wants) = (applied.count, expected.count);
        report.find(format!(
            "the tables have applied {has} outcomes of topic `{topic}`, the log holds {wants}; run `kiroku rebuild`"
        ));
    } else if applied.sum != expected.sum {
        report.find(format!(
            "the tables have applied other outcomes of topic `{topic}` than the log holds; run `kiroku rebuild`"
        ));
    }
}

async fn read_partition(
    engine: &Engine,
    store: &dyn Store,
    (topic, partition): (Topic, u16),
    expected: &mut Expected,
    bar: &Bar,
) -> Result<()> {
    let checkpoint = read_checkpoint(store, topic, partition).await?;
    let mut open: HashMap<SubmissionId, u64> = HashMap::new();
    let mut closed: HashSet<SubmissionId> = HashSet::new();
    let mut next = 0;
    loop {
        let records = engine.log.read(topic, partition, next, READ).await?;
        let Some(last) = records.last() else { break };
        next = last.offset + 1;
        for record in &records {
            let envelope: Envelope = codec::decode("envelope", &record.value)
                .with_context(|| format!("record {} of topic `{topic}`, partition {partition}", record.offset))?;
            if envelope.kind == EnvelopeKind::Submission {
                expected.submissions += 1;
                if !closed.contains(&envelope.submission) {
                    open.entry(envelope.submission).or_insert(record.offset);
                }
                continue;
            }
            let Some(position) = open.remove(&envelope.submission) else { continue };
            closed.insert(envelope.submission);
            expected.outcomes += 1;
            count(engine, store, &envelope, (topic, position, checkpoint), expected).await?;
        }
        bar.add(records.len() as u64);
    }
    expected.undecided += open.len() as u64;
    Ok(())
}

/// Adds one outcome. Behind the checkpoint, and of erased persons in rebuilt tables, it may be missing: then its verdict row is.
async fn count(
    engine: &Engine,
    store: &dyn Store,
    envelope: &Envelope,
    (topic, position, checkpoint): (Topic, u64, u64),
    expected: &mut Expected,
) -> Result<()> {
    let (pid, id) = (envelope.pid, envelope.submission);
    let erased = is_erased(&*engine.keys, pid).await?;
    if (erased || position >= checkpoint) && store.get(Table::Verdict, &pid.0, &id.0).await?.is_none() {
        if !erased {
            expected.pending += 1;
            expected.pending_shelves.insert(pid);
        }
        return Ok(());
    }
    expected.marks.add(topic.as_str(), &pid.0, position);
    Ok(())
}

/// First offset that may not be in the tables yet, as the projector writes it.
async fn read_checkpoint(store: &dyn Store, topic: Topic, partition: u16) -> Result<u64> {
    let key = [topic.as_str().as_bytes(), b"/", &partition.to_be_bytes()].concat();
    let value = store.get(Table::Checkpoint, b"projector", &key).await?;
    Ok(value.and_then(|v| v.as_ref().try_into().ok()).map_or(0, u64::from_be_bytes))
}
