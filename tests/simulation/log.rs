//! The log as one process sees it.

use std::sync::Arc;

use async_trait::async_trait;
use chassis::ports::log::{Append, Appended, Log, LogError, Record};
use schemas::codec;
use schemas::submission::{Envelope, EnvelopeKind};
use schemas::vocab::Topic;
use tokio::sync::watch;
use tokio::time::{Duration, sleep};

use crate::incarnation::{Fault, Incarnation};
use crate::trace::Call;
use crate::world::Planted;

pub(crate) struct ProcessLog(pub(crate) Arc<Incarnation>);

const APPENDING: [Fault; 5] = [Fault::Before, Fault::After, Fault::Part, Fault::Late, Fault::Twice];

fn lost() -> LogError {
    LogError::NotWritable("simulated".to_owned())
}

fn unread() -> LogError {
    std::io::Error::other("simulated").into()
}

impl ProcessLog {
    fn shared(&self) -> &dyn Log {
        &*self.0.world.log
    }

    async fn append_with(&self, fault: Option<Fault>, mut records: Vec<Append>) -> Result<Vec<Appended>, LogError> {
        let dice = &self.0.world.dice;
        match fault {
            None => self.shared().append_all(records).await,
            Some(Fault::Before) => Err(lost()),
            Some(Fault::After) => self.shared().append_all(records).await.and(Err(lost())),
            Some(Fault::Part) => {
                records.truncate(dice.below(records.len() as u64) as usize);
                self.shared().append_all(records).await.and(Err(lost()))
            }
            Some(Fault::Late) => {
                let (log, later) = (self.0.world.log.clone(), Duration::from_millis(dice.between(1, 3000)));
                tokio::spawn(async move {
                    sleep(later).await;
                    log.append_all(records).await
                });
                Err(lost())
            }
            // Each record of a client that sends again by itself, as kafka-rust does.
            Some(Fault::Twice) => {
                let twice = records.into_iter().flat_map(|record| [record.clone(), record]).collect();
                let places = self.shared().append_all(twice).await?;
                let known = dice.below(2) as usize;
                Ok(places.chunks(2).map(|two| two[known]).collect())
            }
        }
    }

    fn is_blind(&self) -> bool {
        self.0.process == 0 && self.0.world.planted == Some(Planted::BlindReadBack)
    }

    /// Planted: keeps in mind which outcomes are its own.
    fn remember(&self, records: &[Append], places: &[Appended]) {
        for (record, place) in records.iter().zip(places).filter(|(record, _)| record.topic == Topic::Person) {
            if let Some(envelope) = outcome(&record.value) {
                self.0.own_outcomes.lock().insert(envelope.submission, place.offset);
            }
        }
    }

    /// Planted: hides outcomes of others that lie before its own.
    fn hide(&self, records: &mut Vec<Record>) {
        let own = self.0.own_outcomes.lock();
        records.retain(|record| {
            let before_own = |e: Envelope| own.get(&e.submission).is_some_and(|own| record.offset < *own);
            !outcome(&record.value).is_some_and(before_own)
        });
    }
}

fn outcome(value: &[u8]) -> Option<Envelope> {
    codec::decode("envelope", value).ok().filter(|e: &Envelope| e.kind == EnvelopeKind::Outcome)
}

#[async_trait]
impl Log for ProcessLog {
    fn partitions(&self, topic: Topic) -> u16 {
        self.shared().partitions(topic)
    }

    async fn append_all(&self, records: Vec<Append>) -> Result<Vec<Appended>, LogError> {
        let first = records.first().map(|r| (r.topic, self.partition_of(r.topic, r.shard)));
        let call = Call { name: "append", place: first, number: records.len() as u64 };
        let fate = self.0.enter(call, &APPENDING).await;
        let kept = if self.is_blind() { records.clone() } else { Vec::new() };
        let done = self.append_with(fate.fault, records).await;
        if let Ok(places) = &done {
            self.remember(&kept, places);
        }
        self.0.leave(call, fate).await;
        done
    }

    async fn read(&self, topic: Topic, partition: u16, offset: u64, max: usize) -> Result<Vec<Record>, LogError> {
        let call = Call::at("read", topic, partition, offset);
        let fate = self.0.enter(call, &[Fault::Before]).await;
        // Less than was asked for is always right, as long as it is something.
        let max = if self.0.world.dice.chance(1000) && !self.is_blind() { max.min(2) } else { max };
        let mut read = match fate.fault {
            None => self.shared().read(topic, partition, offset, max).await,
            Some(_) => Err(unread()),
        };
        if let (true, Topic::Person, Ok(records)) = (self.is_blind(), topic, &mut read) {
            self.hide(records);
        }
        self.0.leave(call, fate).await;
        read
    }

    async fn end(&self, topic: Topic, partition: u16) -> Result<u64, LogError> {
        let call = Call::at("end", topic, partition, 0);
        let fate = self.0.enter(call, &[Fault::Before]).await;
        let end = match fate.fault {
            None => self.shared().end(topic, partition).await,
            Some(_) => Err(unread()),
        };
        self.0.leave(call, fate).await;
        end
    }

    async fn wait_for(&self, topic: Topic, partition: u16, offset: u64) -> Result<(), LogError> {
        let call = Call::at("wait", topic, partition, offset);
        let fate = self.0.enter(call, &[Fault::Before]).await;
        let waited = match fate.fault {
            None => self.shared().wait_for(topic, partition, offset).await,
            Some(_) => Err(unread()),
        };
        self.0.leave(call, fate).await;
        waited
    }

    fn owners_may_overlap(&self) -> bool {
        self.0.world.planted != Some(Planted::BlindReadBack)
    }

    fn ownership(&self, topic: Topic) -> watch::Receiver<Vec<u16>> {
        let mut owned = self.0.owned.lock();
        owned.entry(topic).or_insert_with(|| watch::channel(Vec::new()).0).subscribe()
    }
}
