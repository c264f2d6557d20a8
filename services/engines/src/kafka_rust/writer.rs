//! One thread that appends: what waits while a request is under way goes together in the next.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use bytes::Bytes;
use chassis::clock::Clock;
use chassis::ports::log::{Appended, LogError};
use kafka::client::{ProduceConfirm, ProduceMessage};
use tokio::sync::oneshot;

use super::link::{Link, STAMP};

/// Bytes of one request, but at least one caller's records.
const REQUEST_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Topic's name, partition, value.
type Wanted = (String, u16, Bytes);

struct Job {
    records: Vec<Wanted>,
    answer: oneshot::Sender<Result<Vec<Appended>, LogError>>,
}

pub(super) struct Writer {
    jobs: Sender<Job>,
}

impl Writer {
    pub(super) fn start(link: Arc<Link>, clock: Arc<dyn Clock>) -> Result<Self, LogError> {
        let (jobs, waiting) = channel();
        std::thread::Builder::new().name("kafka-writer".to_owned()).spawn(move || run(&link, &*clock, &waiting))?;
        Ok(Self { jobs })
    }

    pub(super) async fn append(&self, records: Vec<Wanted>) -> Result<Vec<Appended>, LogError> {
        if records.is_empty() {
            return Ok(Vec::new());
        }
        let (answer, appended) = oneshot::channel();
        self.jobs.send(Job { records, answer }).map_err(|_| LogError::Closed)?;
        appended.await.map_err(|_| LogError::Closed)?
    }
}

/// Ends when nobody can ask any more.
fn run(link: &Link, clock: &dyn Clock, waiting: &Receiver<Job>) {
    let mut last = i64::MIN;
    while let Ok(first) = waiting.recv() {
        let mut bytes = size(&first);
        let mut jobs = vec![first];
        while bytes < REQUEST_BYTES_MAX
            && let Ok(job) = waiting.try_recv()
        {
            bytes += size(&job);
            jobs.push(job);
        }
        last = last.max(clock.now());
        let sent = send(link, &jobs, last);
        for (at, job) in jobs.into_iter().enumerate() {
            let answer = match &sent {
                Ok(places) => collect(&places[at]),
                Err(error) => Err(LogError::NotWritable(error.to_string())),
            };
            // A caller that went away is no concern of ours.
            let _gone = job.answer.send(answer);
        }
    }
}

fn size(job: &Job) -> usize {
    job.records.iter().map(|(_, _, value)| value.len()).sum()
}

/// All or nothing for one caller: a record that was refused fails its whole call.
fn collect(places: &[Result<Appended, String>]) -> Result<Vec<Appended>, LogError> {
    places.iter().map(|place| place.clone().map_err(LogError::NotWritable)).collect()
}

/// One request for all; for each job and record its place, or why the broker refused it.
fn send(link: &Link, jobs: &[Job], time: i64) -> Result<Vec<Vec<Result<Appended, String>>>, LogError> {
    let stamp: [u8; STAMP] = time.to_be_bytes();
    let stamped = |job: &Job| job.records.iter().map(|(_, _, value)| [&stamp[..], value].concat()).collect();
    let stamped: Vec<Vec<Vec<u8>>> = jobs.iter().map(stamped).collect();
    let mut messages = Vec::new();
    for (job, values) in jobs.iter().zip(&stamped) {
        for ((topic, partition, _), value) in job.records.iter().zip(values) {
            messages.push(ProduceMessage::new(topic, i32::from(*partition), None, Some(value.as_slice())));
        }
    }
    let mut next = offsets(&link.produce(&messages)?);
    let mut place = |topic: &str, partition: u16| match next.get_mut(&(topic.to_owned(), i32::from(partition))) {
        Some(Ok(offset)) => {
            let here = *offset;
            *offset += 1;
            Ok(Appended { partition, offset: here, time })
        }
        Some(Err(what)) => Err(what.clone()),
        None => Err("Kafka: the broker confirmed nothing".to_owned()),
    };
    let places = |job: &Job, place: &mut dyn FnMut(&str, u16) -> Result<Appended, String>| {
        job.records.iter().map(|(topic, partition, _)| place(topic, *partition)).collect()
    };
    Ok(jobs.iter().map(|job| places(job, &mut place)).collect())
}

/// First offset of what was appended to each partition. The request as a whole is fine even where a partition refused.
fn offsets(confirms: &[ProduceConfirm]) -> HashMap<(String, i32), Result<u64, String>> {
    let mut all = HashMap::new();
    for confirm in confirms {
        for part in &confirm.partition_confirms {
            let offset = part.offset.map(i64::unsigned_abs).map_err(|code| format!("Kafka: {code:?}"));
            all.insert((confirm.topic.clone(), part.partition), offset);
        }
    }
    all
}
