//! Disk full, short writes, failed syncs: nothing is acknowledged, the error says why, a restart is clean.

use std::sync::atomic::Ordering;

use chassis::ports::log::{Log, LogError};
use schemas::vocab::Topic;

use crate::harness::{faulty_log, open_log, read_all, record};

fn refused(result: Result<chassis::ports::log::Appended, LogError>) -> bool {
    matches!(result, Err(LogError::NotWritable(_)))
}

#[tokio::test]
async fn after_a_failed_sync_nothing_is_acknowledged_until_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (log, disk) = faulty_log(folder.path());
    log.append(record(Topic::Person, 0, b"kept")).await.unwrap();
    disk.sync_fails.store(true, Ordering::SeqCst);
    assert!(refused(log.append(record(Topic::Person, 0, b"lost")).await));
    disk.sync_fails.store(false, Ordering::SeqCst);
    assert!(refused(log.append(record(Topic::Person, 0, b"also lost")).await));
    assert!(log.check_writable().is_err());
    assert_eq!(log.end(Topic::Person, 0).await.unwrap(), 1, "what is not durable is not seen");
    drop(log);
    let log = open_log(folder.path()).unwrap();
    let all = read_all(&log, Topic::Person, 0).await.unwrap();
    assert_eq!(all[0].value, "kept");
    assert!(all.len() <= 2, "the write that failed may be there, the one after it may not");
    log.append(record(Topic::Person, 0, b"goes on")).await.unwrap();
    log.scrub().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_who_wait_for_a_failed_commit_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let (log, disk) = faulty_log(folder.path());
    let log = std::sync::Arc::new(log);
    disk.sync_fails.store(true, Ordering::SeqCst);
    let tasks: Vec<_> = (0..50u16)
        .map(|n| {
            let log = log.clone();
            tokio::spawn(async move { log.append(record(Topic::Access, n, b"x")).await })
        })
        .collect();
    for task in tasks {
        assert!(refused(task.await.unwrap()));
    }
}

#[tokio::test]
async fn short_writes_are_completed() {
    let folder = tempfile::tempdir().unwrap();
    let (log, disk) = faulty_log(folder.path());
    disk.longest_write.store(13, Ordering::SeqCst);
    for n in 0..20u8 {
        log.append(record(Topic::Person, 0, &[n; 500])).await.unwrap();
    }
    drop(log);
    let log = open_log(folder.path()).unwrap();
    assert_eq!(read_all(&log, Topic::Person, 0).await.unwrap().len(), 20);
    log.scrub().unwrap();
}

#[tokio::test]
async fn a_write_that_stops_half_way_is_cut_off_by_the_next_start() {
    for left in [0u64, 1, 27, 28, 100, 540, 590, 610] {
        let folder = tempfile::tempdir().unwrap();
        let (log, disk) = faulty_log(folder.path());
        log.append(record(Topic::Person, 0, b"kept")).await.unwrap();
        disk.bytes_left.store(left, Ordering::SeqCst);
        assert!(refused(log.append(record(Topic::Person, 0, &[9; 600])).await), "{left}");
        disk.bytes_left.store(u64::MAX, Ordering::SeqCst);
        assert!(refused(log.append(record(Topic::Person, 0, b"x")).await), "{left}");
        drop(log);
        let log = open_log(folder.path()).unwrap();
        assert_eq!(read_all(&log, Topic::Person, 0).await.unwrap().len(), 1, "{left}");
        assert_eq!(log.append(record(Topic::Person, 0, b"next")).await.unwrap().offset, 1);
        drop(log);
        open_log(folder.path()).unwrap().scrub().unwrap();
    }
}

#[tokio::test]
async fn a_full_disk_refuses_appends_and_goes_on_when_there_is_space_again() {
    let folder = tempfile::tempdir().unwrap();
    let (log, disk) = faulty_log(folder.path());
    disk.full.store(true, Ordering::SeqCst);
    let mut acknowledged = 0;
    let refusal = loop {
        match log.append(record(Topic::Person, 0, &[1; 4000])).await {
            Ok(_) => acknowledged += 1,
            Err(e) => break e,
        }
        assert!(acknowledged < 100, "segments of 32 KiB are full by now");
    };
    assert!(refusal.to_string().contains("new segment"), "{refusal}");
    assert!(refused(log.append(record(Topic::Person, 0, &[1; 4000])).await));
    assert_eq!(read_all(&log, Topic::Person, 0).await.unwrap().len(), acknowledged);
    disk.full.store(false, Ordering::SeqCst);
    let place = log.append(record(Topic::Person, 0, &[2; 4000])).await.unwrap();
    assert_eq!(place.offset, acknowledged as u64);
    drop(log);
    let log = open_log(folder.path()).unwrap();
    assert_eq!(read_all(&log, Topic::Person, 0).await.unwrap().len(), acknowledged + 1);
    log.scrub().unwrap();
}

#[tokio::test]
async fn a_caller_that_goes_away_does_not_stop_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let (log, _disk) = faulty_log(folder.path());
    let log = std::sync::Arc::new(log);
    for _ in 0..50 {
        let leaver = tokio::spawn({
            let log = log.clone();
            async move { log.append(record(Topic::Person, 0, b"left")).await }
        });
        tokio::task::yield_now().await;
        leaver.abort();
        log.append(record(Topic::Person, 0, b"stays")).await.unwrap();
    }
}
