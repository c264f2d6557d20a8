//! Early appends: seen before they are durable, durable with the next append, and never in another place than where they were seen.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use chassis::ports::log::{Log, LogError, Record};
use engines::embedded::log::EmbeddedLog;
use schemas::vocab::Topic;

use crate::harness::{Dice, copy_folder, faulty_log, open_log, read_all, record};

fn same(a: &Record, b: &Record) -> bool {
    (a.offset, a.time, &a.value) == (b.offset, b.time, &b.value)
}

#[tokio::test]
async fn an_early_record_is_seen_at_once_and_is_on_disk_with_the_next_append() {
    let folder = tempfile::tempdir().unwrap();
    let log = open_log(folder.path()).unwrap();
    log.append_early(record(Topic::Person, 0, b"early")).await.unwrap();
    log.wait_for(Topic::Person, 0, 0).await.unwrap();
    assert_eq!(read_all(&log, Topic::Person, 0).await.unwrap()[0].value, "early");
    assert_eq!(log.head().commit, 0, "nothing was written for it");
    let crashed = folder.path().join("crashed");
    copy_folder(&folder.path().join("log"), &crashed.join("log"));
    assert!(read_all(&open_log(&crashed).unwrap(), Topic::Person, 0).await.unwrap().is_empty());

    assert_eq!(log.append(record(Topic::Person, 0, b"outcome")).await.unwrap().offset, 1);
    assert_eq!(log.head().commit, 1, "one commit holds both");
    let seen = read_all(&log, Topic::Person, 0).await.unwrap();
    drop(log);
    let log = open_log(folder.path()).unwrap();
    let found = read_all(&log, Topic::Person, 0).await.unwrap();
    assert!(found.len() == 2 && found.iter().zip(&seen).all(|(found, seen)| same(found, seen)));
    log.scrub().unwrap();
}

#[tokio::test]
async fn settling_makes_early_records_durable_and_writes_nothing_where_there_are_none() {
    let folder = tempfile::tempdir().unwrap();
    let log = open_log(folder.path()).unwrap();
    log.settle().await.unwrap();
    assert_eq!(log.head().commit, 0);
    log.append_early(record(Topic::Person, 0, b"early")).await.unwrap();
    log.settle().await.unwrap();
    log.settle().await.unwrap();
    assert_eq!(log.head().commit, 1);
    drop(log);
    assert_eq!(read_all(&open_log(folder.path()).unwrap(), Topic::Person, 0).await.unwrap().len(), 1);
}

#[tokio::test]
async fn early_records_wait_for_space_and_are_written_where_they_were_seen() {
    let folder = tempfile::tempdir().unwrap();
    let (log, disk) = faulty_log(folder.path());
    disk.full.store(true, Ordering::SeqCst);
    while log.append(record(Topic::Person, 0, &[1; 4000])).await.is_ok() {}
    log.append_early(record(Topic::Person, 0, &[2; 4000])).await.unwrap();
    assert!(matches!(log.settle().await, Err(LogError::NotWritable(_))));
    log.append_early(record(Topic::Person, 0, &[3; 4000])).await.unwrap();
    let seen = read_all(&log, Topic::Person, 0).await.unwrap();
    disk.full.store(false, Ordering::SeqCst);
    log.append(record(Topic::Person, 0, &[4; 4000])).await.unwrap();
    drop(log);
    let log = open_log(folder.path()).unwrap();
    let found = read_all(&log, Topic::Person, 0).await.unwrap();
    assert_eq!(found.len(), seen.len() + 1);
    assert!(found.iter().zip(&seen).all(|(found, seen)| same(found, seen)));
}

#[tokio::test]
async fn after_a_failed_sync_no_early_record_is_taken_and_none_settles() {
    let folder = tempfile::tempdir().unwrap();
    let (log, disk) = faulty_log(folder.path());
    log.append_early(record(Topic::Person, 0, b"early")).await.unwrap();
    disk.sync_fails.store(true, Ordering::SeqCst);
    assert!(matches!(log.settle().await, Err(LogError::NotWritable(_))));
    assert!(matches!(log.append_early(record(Topic::Person, 0, b"x")).await, Err(LogError::NotWritable(_))));
    assert!(matches!(log.settle().await, Err(LogError::NotWritable(_))));
}

/// Appends early and not, by chance; a few values are larger than what may wait in memory.
async fn write(log: Arc<EmbeddedLog>, mut dice: Dice) {
    for _ in 0..200 {
        let (shard, length) = (u16::try_from(dice.below(4096)).unwrap(), dice.below(3000));
        let length = if dice.below(100) == 0 { 9_000_000 } else { length };
        let append = record(Topic::Person, shard, &dice.bytes(length));
        match dice.below(3) {
            0 => log.append(append).await.map(drop).unwrap(),
            _ => log.append_early(append).await.unwrap(),
        }
        if dice.below(10) == 0 {
            log.settle().await.unwrap();
        }
    }
}

/// Reads a partition as it grows, until the log closes.
async fn follow(log: Arc<EmbeddedLog>, partition: u16, total: Arc<tokio::sync::watch::Sender<u64>>) -> Vec<Record> {
    let mut seen: Vec<Record> = Vec::new();
    loop {
        let some = log.read(Topic::Person, partition, seen.len() as u64, 5).await.unwrap();
        assert!(some.iter().zip(seen.len() as u64..).all(|(r, offset)| r.offset == offset));
        total.send_modify(|n| *n += some.len() as u64);
        seen.extend(some);
        let next = log.wait_for(Topic::Person, partition, seen.len() as u64);
        if tokio::time::timeout(Duration::from_secs(60), next).await.expect("the writers are done").is_err() {
            return seen;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_followers_saw_of_early_records_is_what_a_restart_finds() {
    const WRITERS: u64 = 4;
    let folder = tempfile::tempdir().unwrap();
    let log = Arc::new(open_log(folder.path()).unwrap());
    let total = Arc::new(tokio::sync::watch::channel(0).0);
    let followers: Vec<_> = (0..3).map(|p| tokio::spawn(follow(log.clone(), p, total.clone()))).collect();
    let writers: Vec<_> = (0..WRITERS).map(|n| tokio::spawn(write(log.clone(), Dice::new(11 + n)))).collect();
    for writer in writers {
        writer.await.unwrap();
    }
    log.settle().await.unwrap();
    total.subscribe().wait_for(|n| *n == WRITERS * 200).await.unwrap();
    log.close();
    let mut seen = HashMap::new();
    for (partition, follower) in (0..3u16).zip(followers) {
        seen.insert(partition, follower.await.unwrap());
    }
    drop(log);
    let log = open_log(folder.path()).unwrap();
    log.scrub().unwrap();
    for (partition, seen) in seen {
        let found = read_all(&log, Topic::Person, partition).await.unwrap();
        assert_eq!(found.len(), seen.len());
        assert!(found.iter().zip(&seen).all(|(found, seen)| same(found, seen)), "partition {partition}");
    }
}
