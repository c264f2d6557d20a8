//! Figures of the embedded engine: `cargo run --release -p engines --example engine_speed [FOLDER]`.
//!
//! Appends of 900 bytes by 64 tasks on two workers, a start with what was appended, rows applied, look-ups of keys.

#![expect(clippy::print_stdout, reason = "a tool that prints its figures")]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use chassis::ports::log::Append;
use chassis::ports::store::{Batch, Row, Table};
use engines::embedded::{Config, Embedded, open};
use hdrhistogram::Histogram;
use schemas::Pid;
use schemas::access::AccessList;
use schemas::header::Bucket;
use schemas::vocab::Topic;

const TASKS: u16 = 64;
const RECORD_BYTES: usize = 900;
const FOR: Duration = Duration::from_secs(8);

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let parent = std::env::args().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = tempfile::tempdir_in(parent)?;
    let config = Config::new(folder.path().join("data"));
    let engine = open(&config)?;
    append(&engine).await?;
    keys(&engine).await?;
    apply(&engine).await?;
    engine.close().await?;
    drop(engine);
    let started = Instant::now();
    let engine = open(&config)?;
    let log = started.elapsed();
    engine.generations.open(engine.generations.live()).await?;
    println!("start: log, keys {log:?}; with the tables {:?}", started.elapsed());
    let started = Instant::now();
    let scrub = engine.embedded_log().scrub()?;
    let megabytes = scrub.bytes / 1_000_000;
    println!(
        "scrub: {} records, {} segments, {megabytes} MB in {:?}",
        scrub.records,
        scrub.segments,
        started.elapsed()
    );
    Ok(())
}

async fn append(engine: &Embedded) -> Result<(), Box<dyn std::error::Error>> {
    let value = Bytes::from(vec![0xa5; RECORD_BYTES]);
    let (started, before) = (Instant::now(), engine.embedded_log().head().commit);
    let tasks: Vec<_> = (0..TASKS)
        .map(|n| {
            let (log, value) = (Arc::clone(&engine.log), value.clone());
            tokio::spawn(async move {
                let mut times = Histogram::<u64>::new(3).expect("three digits");
                while started.elapsed() < FOR {
                    let from = Instant::now();
                    let record = Append { topic: Topic::Access, shard: n * 64, value: value.clone() };
                    log.append(record).await.expect("the log is writable");
                    times.record(u64::try_from(from.elapsed().as_micros()).unwrap_or(0)).expect("the histogram grows");
                }
                times
            })
        })
        .collect();
    let mut all = Histogram::<u64>::new(3)?;
    for task in tasks {
        all.add(task.await?)?;
    }
    let seconds = started.elapsed().as_secs_f64();
    let commits = engine.embedded_log().head().commit - before;
    println!(
        "append: {:.0} records/s, {:.0} syncs/s, {:.1} records a commit; us p50 {} p99 {} p99.9 {} max {}",
        all.len() as f64 / seconds,
        commits as f64 / seconds,
        all.len() as f64 / commits as f64,
        all.value_at_quantile(0.5),
        all.value_at_quantile(0.99),
        all.value_at_quantile(0.999),
        all.max()
    );
    Ok(())
}

async fn keys(engine: &Embedded) -> Result<(), Box<dyn std::error::Error>> {
    let pids: Vec<Pid> = (0..2000).map(|_| Pid::random()).collect();
    let started = Instant::now();
    for chunk in pids.chunks(100) {
        let made = chunk.iter().map(|pid| engine.keys.create_person(*pid));
        futures_util::future::try_join_all(made).await?;
    }
    println!("persons made: {:.0}/s by 100 at once", 2000.0 / started.elapsed().as_secs_f64());
    let lists: Vec<AccessList> = pids.iter().map(|pid| AccessList::Person(*pid)).collect();
    for round in 0..2 {
        let started = Instant::now();
        for (pid, list) in pids.iter().zip(&lists).cycle().take(200_000) {
            engine.keys.record_key(*pid, Bucket::Long).await?;
            engine.keys.log_key(list, 2026).await?;
        }
        println!("keys, round {round}: {} ns for one record key or log key", started.elapsed().as_nanos() / 400_000);
    }
    Ok(())
}

/// Per record: state, header, version, verdict, submission, checkpoint and a body of 700 bytes.
async fn apply(engine: &Embedded) -> Result<(), Box<dyn std::error::Error>> {
    let store = engine.generations.open(1).await?;
    for (group, records) in [(1u64, 60_000u64), (64, 200_000)] {
        let mut times = Histogram::<u64>::new(3)?;
        let started = Instant::now();
        for first in (0..records).step_by(usize::try_from(group)?) {
            let batches = (first..first + group).map(|n| batch(group, n)).collect();
            let from = Instant::now();
            store.apply(batches).await?;
            times.record(u64::try_from(from.elapsed().as_micros())?)?;
        }
        println!(
            "apply by {group}: {:.0} records/s; us a call p50 {} p99 {} max {}",
            records as f64 / started.elapsed().as_secs_f64(),
            times.value_at_quantile(0.5),
            times.value_at_quantile(0.99),
            times.max()
        );
    }
    Ok(())
}

fn batch(group: u64, n: u64) -> Batch {
    let pid =
        Bytes::copy_from_slice(&openssl::sha::sha256(&[group.to_le_bytes(), (n % 1000).to_le_bytes()].concat())[..16]);
    let key = Bytes::copy_from_slice(&n.to_be_bytes());
    let row = |table, bytes: usize| Row {
        table,
        partition: pid.clone(),
        key: key.clone(),
        value: Bytes::from(vec![7; bytes]),
    };
    let rows = vec![
        Row { key: Bytes::new(), ..row(Table::State, 400) },
        row(Table::Header, 250),
        row(Table::Version, 250),
        row(Table::Verdict, 200),
        row(Table::Submission, 40),
        Row { key: Bytes::new(), ..row(Table::Checkpoint, 8) },
        row(Table::Body, 700),
    ];
    Batch { subject: pid, stream: "person", position: n, rows }
}
