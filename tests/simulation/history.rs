//! The log as a judge reads it: each submission once, with the first outcome in log order.

use std::collections::{BTreeMap, btree_map};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use chassis::envelope;
use chassis::ports::keys::{Job, Keys, Ticket};
use chassis::ports::log::Log;
use schemas::header::Bucket;
use schemas::submission::{Envelope, EnvelopeKind, Outcome, Submission};
use schemas::vocab::Topic;
use schemas::{Pid, SubmissionId, codec};

use crate::world::{PARTITIONS, World};

pub(crate) const TICKET: Ticket = Ticket::for_job(Job::Operate);

/// One submission and what became of it.
pub(crate) struct Entry {
    pub(crate) submission: Submission,
    /// Offset of its first record.
    pub(crate) position: u64,
    pub(crate) outcome: Option<Outcome>,
}

/// All submissions of topic `person`.
#[derive(Default)]
pub(crate) struct History {
    pub(crate) entries: BTreeMap<SubmissionId, Entry>,
    /// Outcomes that came second, and those of them that differ from the first: they show that the seed was worth its while.
    pub(crate) seconds: u64,
    pub(crate) contradicted: u64,
}

impl History {
    pub(crate) async fn read(world: &Arc<World>) -> Result<Self> {
        let mut history = Self::default();
        for partition in 0..PARTITIONS {
            for record in world.log.read(Topic::Person, partition, 0, usize::MAX).await? {
                let envelope: Envelope = codec::decode("envelope", &record.value)?;
                match envelope.kind {
                    EnvelopeKind::Submission => history.submission(world, &envelope, record.offset).await?,
                    EnvelopeKind::Outcome => history.outcome(world, &envelope).await?,
                }
            }
        }
        Ok(history)
    }

    async fn submission(&mut self, world: &World, envelope: &Envelope, position: u64) -> Result<()> {
        if let btree_map::Entry::Vacant(place) = self.entries.entry(envelope.submission) {
            let bucket = envelope::submission_bucket(envelope)?;
            let key = world.keys.record_key(envelope.pid, bucket).await?;
            let submission = envelope::open_submission(&TICKET, &key, envelope)?;
            place.insert(Entry { submission, position, outcome: None });
        }
        Ok(())
    }

    async fn outcome(&mut self, world: &World, envelope: &Envelope) -> Result<()> {
        let key = world.keys.record_key(envelope.pid, Bucket::Long).await?.header_key(&TICKET);
        let outcome = envelope::open_verdict(&key, envelope.submission, &envelope.sealed)?;
        let entry = self.entries.get_mut(&envelope.submission).context("an outcome without a submission")?;
        match &entry.outcome {
            None => {
                ensure!(
                    outcome.position == entry.position,
                    "an outcome names the offset {} of another record",
                    outcome.position
                );
                entry.outcome = Some(outcome);
            }
            Some(first) => {
                self.seconds += 1;
                self.contradicted += u64::from(first.result != outcome.result);
            }
        }
        Ok(())
    }

    /// The entries of one person in the order of the log.
    pub(crate) fn of(&self, pid: Pid) -> Vec<&Entry> {
        let mut entries: Vec<&Entry> = self.entries.values().filter(|e| e.submission.pid == pid).collect();
        entries.sort_by_key(|entry| entry.position);
        entries
    }
}
