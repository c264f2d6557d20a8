//! What Kafka and CQL give when nothing of Kiroku is asked for: the operations of one submission, and of one read, at the same number
//! of clients, with records of the same size and no rule, key, token or HTTP in between. The measure of "a share of the raw engines".
//!
//! `KIROKU_ENGINES=DIR/engines.toml target/release/raw-engines [SECONDS] [CLIENTS]` prints a line of JSON for each of the two, after
//! a warm-up that is not counted. `loadtest --engines` runs it beside its own.
//!
//! The operations go through the adapters of crate `engines` (librdkafka and the scylla driver with the settings that Kiroku uses).

#![expect(clippy::print_stdout, reason = "a tool that prints its figures")]

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bytes::Bytes;
use chassis::config::{self, Sources};
use chassis::ports::log::{Append, Log};
use chassis::ports::store::{Batch, Row, Store, Table};
use engines::{cql, kafka};
use hdrhistogram::Histogram;
use loadtest::driver::world::PARTITIONS;
use schemas::Pid;
use schemas::vocab::Topic;
use tokio::sync::{Mutex, oneshot};

const PERSONS: usize = 500;
/// Sealed bytes of a small Observation: submission, outcome, entry; header, body, state.
const SUBMISSION: usize = 1_100;
const OUTCOME: usize = 260;
const ENTRY: usize = 420;
const HEADER: usize = 420;
const BODY: usize = 520;
const STATE: usize = 300;
/// Decided together, as by a projector.
const BATCH: usize = 256;
/// Entries are numbered so often, as by a ledger that nobody waits for.
const GATHER: Duration = Duration::from_millis(500);

struct Engines {
    log: Arc<dyn Log>,
    store: Arc<dyn Store>,
    persons: Vec<Pid>,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<u64>());
    let seconds = Duration::from_secs(arguments.next().transpose()?.unwrap_or(10));
    let clients = arguments.next().transpose()?.unwrap_or(64);
    let engines = Arc::new(open().await?);
    let waiting = Waiting::default();
    for partition in 0..PARTITIONS {
        tokio::spawn(project(engines.clone(), partition, waiting.clone()));
        tokio::spawn(number(engines.clone(), partition));
    }
    for (lasting, is_counted) in [(seconds / 2, false), (seconds, true)] {
        let (e, w) = (engines.clone(), waiting.clone());
        let submissions = run((lasting, clients), move |n| submit(e.clone(), w.clone(), n)).await?;
        let e = engines.clone();
        let reads = run((lasting, clients), move |n| read(e.clone(), n)).await?;
        for (shape, times) in [("submission", submissions), ("read", reads)].into_iter().filter(|_| is_counted) {
            say(shape, &times, lasting);
        }
    }
    Ok(())
}

fn say(shape: &str, times: &Histogram<u64>, lasting: Duration) {
    let ms = |quantile| times.value_at_quantile(quantile) as f64 / 1000.0;
    let figures = serde_json::json!({
        "shape": shape,
        "rate_per_s": times.len() as f64 / lasting.as_secs_f64(),
        "p50_ms": ms(0.5),
        "p99_ms": ms(0.99),
        "p999_ms": ms(0.999),
        "max_ms": ms(1.0),
        "answers": times.len(),
    });
    println!("{figures}");
}

async fn open() -> Result<Engines> {
    let file = std::env::var("KIROKU_ENGINES").context("KIROKU_ENGINES names no file")?;
    let engine = config::load(&Sources { file: Some(file.into()), ..Sources::default() })?.engine;
    let name = format!("raw{}", std::process::id());
    let path = |path: &Option<PathBuf>| path.clone().context("a PEM file is not named");
    let (k, c) = (&engine.kafka, &engine.cql);
    let tls = kafka::Tls { ca: path(&k.ca)?, certificate: path(&k.certificate)?, key: path(&k.key)? };
    let config = kafka::Config {
        brokers: k.brokers.clone(),
        tls: Some(tls),
        prefix: format!("{name}."),
        partitions: PARTITIONS,
        replication: k.replication,
        carrying: false,
    };
    kafka::create_topics(&config).await?;
    let log = kafka::open(config).await?;
    let password = std::fs::read_to_string(path(&c.password_file)?)?;
    let login = cql::Login::new(&c.user, password.trim_end());
    let folder = tempfile::tempdir()?;
    let tls = [path(&c.ca)?, path(&c.certificate)?, path(&c.key)?];
    let mut config = cql::Config::new(c.nodes.clone(), tls, login, folder.path().join("kek"));
    (config.keyspace, config.replication) = (name, c.replication);
    cql::migrate(&config).await?;
    let store = cql::open(&config).await?.generations.open(1).await?;
    let persons = (0..PERSONS).map(|_| random16()).map(Pid).collect();
    Ok(Engines { log, store, persons })
}

fn random16() -> [u8; 16] {
    let mut bytes = [0; 16];
    schemas::random::fill(&mut bytes);
    bytes
}

fn value(id: &[u8; 16], bytes: usize) -> Bytes {
    [&id[..], &vec![0xa5; bytes]].concat().into()
}

/// `clients` in a closed loop; how long each turn took, microseconds.
async fn run<F, W>((lasting, clients): (Duration, u64), work: F) -> Result<Histogram<u64>>
where
    F: Fn(u64) -> W + Clone + Send + 'static,
    W: Future<Output = Result<()>> + Send,
{
    let turn = Arc::new(AtomicU64::new(0));
    let until = Instant::now() + lasting;
    let tasks: Vec<_> = (0..clients)
        .map(|_| {
            let (work, turn) = (work.clone(), turn.clone());
            tokio::spawn(async move {
                let mut times = Histogram::<u64>::new(3)?;
                while Instant::now() < until {
                    let begun = Instant::now();
                    work(turn.fetch_add(1, Ordering::Relaxed)).await?;
                    times.record(u64::try_from(begun.elapsed().as_micros())?)?;
                }
                Ok::<_, anyhow::Error>(times)
            })
        })
        .collect();
    let mut all = Histogram::<u64>::new(3)?;
    for task in tasks {
        all.add(task.await??)?;
    }
    Ok(all)
}

/// Who waits for which submission.
type Waiting = Arc<Mutex<HashMap<[u8; 16], oneshot::Sender<()>>>>;

/// One submission: append, and wait until outcome and rows are durable; then the entry of the access, as for every answer.
async fn submit(engines: Arc<Engines>, waiting: Waiting, n: u64) -> Result<()> {
    let pid = engines.persons[n as usize % PERSONS];
    let (id, (done, decided)) = (random16(), oneshot::channel());
    waiting.lock().await.insert(id, done);
    engines.log.append(Append { topic: Topic::Person, shard: pid.shard(), value: value(&id, SUBMISSION) }).await?;
    decided.await?;
    engines.log.append(Append { topic: Topic::Access, shard: pid.shard(), value: value(&pid.0, ENTRY) }).await?;
    Ok(())
}

/// What a projector does with the engines: reads, appends outcomes, reads them back, writes a batch of rows for each.
async fn project(engines: Arc<Engines>, partition: u16, waiting: Waiting) -> Result<()> {
    let log = &engines.log;
    let mut next = 0;
    let by_shard: HashMap<u16, Pid> = engines.persons.iter().map(|pid| (pid.shard(), *pid)).collect();
    let shards: Vec<Pid> =
        by_shard.values().filter(|pid| log.partition_of(Topic::Person, pid.shard()) == partition).copied().collect();
    loop {
        let records = log.read(Topic::Person, partition, next, BATCH).await?;
        let Some(last) = records.last() else {
            log.wait_for(Topic::Person, partition, next).await?;
            continue;
        };
        next = last.offset + 1;
        let submissions: Vec<_> = records.iter().filter(|record| record.value.len() > SUBMISSION).collect();
        if submissions.is_empty() {
            continue;
        }
        // Whether it was decided before, and the person's state.
        let asked = submissions.iter().enumerate().map(async |(n, s)| {
            let pid = &shards[n % shards.len()];
            engines.store.get(Table::Verdict, &pid.0, &submission_key(pid, s.offset)).await?;
            engines.store.get(Table::State, &pid.0, b"").await
        });
        futures_util::future::try_join_all(asked).await?;
        let outcome = |n: usize| {
            let pid = shards[n % shards.len()];
            Append { topic: Topic::Person, shard: pid.shard(), value: value(&pid.0, OUTCOME) }
        };
        log.append_all((0..submissions.len()).map(outcome).collect()).await?;
        let rows = submissions.iter().enumerate().map(|(n, s)| batch(&shards[n % shards.len()], s.offset, partition));
        engines.store.apply(rows.collect()).await?;
        let mut waiting = waiting.lock().await;
        for id in submissions.iter().filter_map(|s| <[u8; 16]>::try_from(&s.value[..16]).ok()) {
            // A client that has ended does not wait any more.
            let _ = waiting.remove(&id).map(|done| done.send(()));
        }
    }
}

fn submission_key(pid: &Pid, position: u64) -> Vec<u8> {
    [&pid.0[..8], &position.to_be_bytes()].concat()
}

fn body_partition(pid: &Pid) -> Vec<u8> {
    [&pid.0[..], &[0, 0]].concat()
}

fn body_key(position: u64) -> Vec<u8> {
    [&position.to_be_bytes()[..], &[0, 0]].concat()
}

/// The rows of one created Observation: header, version index, body, verdict, submission, state; and the checkpoint.
fn batch(pid: &Pid, position: u64, partition: u16) -> Batch {
    let row = |table, partition: &[u8], key: &[u8], bytes| Row {
        table,
        partition: Bytes::copy_from_slice(partition),
        key: Bytes::copy_from_slice(key),
        value: vec![0xa5; bytes].into(),
    };
    let key = position.to_be_bytes();
    let submission = submission_key(pid, position);
    let rows = vec![
        row(Table::State, &pid.0, b"", STATE),
        row(Table::Header, &pid.0, &key, HEADER),
        row(Table::Body, &body_partition(pid), &body_key(position), BODY),
        row(Table::Verdict, &pid.0, &submission, OUTCOME),
        row(Table::Submission, &submission, b"", 16),
        row(Table::Checkpoint, b"projector", &partition.to_be_bytes(), 8),
    ];
    Batch { subject: Bytes::copy_from_slice(&pid.0), stream: "person", position, rows }
}

/// One read: state, header, body; and the durable entry before it would leave.
async fn read(engines: Arc<Engines>, n: u64) -> Result<()> {
    let pid = engines.persons[n as usize % PERSONS];
    engines.store.get(Table::State, &pid.0, b"").await?;
    engines.store.get(Table::Header, &pid.0, &n.to_be_bytes()).await?;
    engines.store.get(Table::Body, &body_partition(&pid), &body_key(n)).await?;
    engines.log.append(Append { topic: Topic::Access, shard: pid.shard(), value: value(&pid.0, ENTRY) }).await?;
    Ok(())
}

/// What numbering the entries asks of the engines: rows and heads of lists, by batches.
async fn number(engines: Arc<Engines>, partition: u16) -> Result<()> {
    let mut next = 0;
    loop {
        let records = engines.log.read(Topic::Access, partition, next, 1024).await?;
        let Some(last) = records.last() else {
            engines.log.wait_for(Topic::Access, partition, next).await?;
            tokio::time::sleep(GATHER).await;
            continue;
        };
        next = last.offset + 1;
        let mut lists: HashMap<Bytes, Vec<u64>> = HashMap::new();
        for record in &records {
            lists.entry(record.value.slice(..16)).or_default().push(record.offset);
        }
        let batches = lists.into_iter().map(|(list, entries)| {
            let row = |table, key: &[u8], bytes| Row {
                table,
                partition: list.clone(),
                key: Bytes::copy_from_slice(key),
                value: vec![0xa5; bytes].into(),
            };
            let position = entries.last().copied().unwrap_or_default();
            let mut rows: Vec<Row> =
                entries.iter().map(|offset| row(Table::Access, &offset.to_be_bytes(), ENTRY)).collect();
            rows.push(row(Table::AccessHead, b"", 80));
            Batch { subject: list.clone(), stream: "access", position, rows }
        });
        engines.store.apply(batches.collect()).await?;
    }
}
