//! The contract of the log.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chassis::clock::ManualClock;
use chassis::ports::log::{Log, LogError};
use chassis::twins::MemoryLog;
use schemas::vocab::Topic;

use crate::harness::{Dice, NOW, log_config, open_log, read_all, record};
use engines::embedded::log::EmbeddedLog;

async fn offsets_are_dense_and_records_read_back(log: &dyn Log) {
    let appended = log
        .append_all(vec![
            record(Topic::Person, 0, b"a"),
            record(Topic::Person, 4095, b"b"),
            record(Topic::Person, 0, b"c"),
            record(Topic::Identity, 0, b""),
        ])
        .await
        .unwrap();
    let places: Vec<_> = appended.iter().map(|a| (a.partition, a.offset)).collect();
    assert_eq!(places, [(0, 0), (2, 0), (0, 1), (0, 0)]);
    assert!(appended.iter().all(|a| a.time > 0));
    let values: Vec<_> = read_all(log, Topic::Person, 0).await.unwrap().iter().map(|r| r.value.clone()).collect();
    assert_eq!(values, ["a", "c"]);
    assert_eq!(log.read(Topic::Identity, 0, 0, 1).await.unwrap()[0].value, "");
    assert_eq!(log.end(Topic::Person, 0).await.unwrap(), 2);
    assert!(log.append_all(Vec::new()).await.unwrap().is_empty());
}

async fn reading_at_or_behind_the_end_is_empty_and_unknown_partitions_are_errors(log: &dyn Log) {
    for offset in [log.end(Topic::Person, 0).await.unwrap(), u64::MAX] {
        assert!(log.read(Topic::Person, 0, offset, 10).await.unwrap().is_empty());
    }
    assert!(log.read(Topic::Person, 0, 0, 0).await.unwrap().is_empty());
    assert!(log.read(Topic::Person, 3, 0, 10).await.is_err());
    assert!(log.end(Topic::Identity, 1).await.is_err());
}

async fn a_record_above_the_limit_is_refused_and_one_at_the_limit_taken(log: &dyn Log) {
    let limit = 16 * 1024 * 1024;
    let result = log.append(record(Topic::Access, 0, &vec![1; limit + 1])).await;
    assert!(matches!(result, Err(LogError::TooLarge { limit: l, .. }) if l == limit));
    let large = log.append(record(Topic::Access, 0, &vec![7; limit])).await.unwrap();
    let back = log.read(Topic::Access, large.partition, large.offset, 5).await.unwrap();
    assert_eq!(back[0].value, vec![7; limit]);
}

async fn a_waiter_wakes_when_its_record_is_durable(log: Arc<dyn Log>) {
    let next = log.end(Topic::Verdict, 0).await.unwrap();
    let waiter = tokio::spawn({
        let log = Arc::clone(&log);
        async move { log.wait_for(Topic::Verdict, 0, next + 1).await }
    });
    log.append(record(Topic::Verdict, 0, b"one")).await.unwrap();
    tokio::task::yield_now().await;
    assert!(!waiter.is_finished());
    log.append(record(Topic::Verdict, 0, b"two")).await.unwrap();
    waiter.await.unwrap().unwrap();
    log.wait_for(Topic::Verdict, 0, next).await.unwrap();
}

async fn many_callers_at_once_get_places_of_their_own(log: Arc<dyn Log>) {
    let tasks: Vec<_> = (0..64u16)
        .map(|n| {
            let log = Arc::clone(&log);
            tokio::spawn(async move {
                let mut got = Vec::new();
                for m in 0..10u16 {
                    let value = [n.to_le_bytes(), m.to_le_bytes()].concat();
                    let place = log.append(record(Topic::Access, n * 64, &value)).await.unwrap();
                    got.push((place, value));
                }
                got
            })
        })
        .collect();
    let mut seen = HashMap::new();
    for task in tasks {
        let mut last = HashMap::new();
        for (place, value) in task.await.unwrap() {
            assert!(last.insert(place.partition, place.offset).is_none_or(|l| l < place.offset));
            assert!(seen.insert((place.partition, place.offset), value).is_none(), "a place was given twice");
        }
    }
    for partition in 0..3 {
        let all = read_all(&*log, Topic::Access, partition).await.unwrap();
        for r in all.iter().filter(|r| r.value.len() == 4) {
            assert_eq!(seen.remove(&(partition, r.offset)).as_deref(), Some(&r.value[..]));
        }
    }
    assert!(seen.is_empty());
}

async fn random_appends_and_reads_agree_with_a_model(log: &dyn Log, seed: u64, steps: usize) {
    let mut dice = Dice::new(seed);
    let mut model: HashMap<(Topic, u16), Vec<Vec<u8>>> = HashMap::new();
    for topic in Topic::ALL {
        for partition in 0..log.partitions(*topic) {
            let have = read_all(log, *topic, partition).await.unwrap();
            model.insert((*topic, partition), have.iter().map(|r| r.value.to_vec()).collect());
        }
    }
    for _ in 0..steps {
        let topic = Topic::ALL[dice.below(Topic::ALL.len())];
        if dice.below(2) == 0 {
            let mut records = Vec::new();
            for _ in 0..dice.below(5) {
                let (shard, length) = (u16::try_from(dice.below(4096)).unwrap(), dice.below(3000));
                records.push(record(topic, shard, &dice.bytes(length)));
            }
            let places = log.append_all(records.clone()).await.unwrap();
            for (place, r) in places.iter().zip(&records) {
                let list = model.get_mut(&(topic, place.partition)).unwrap();
                assert_eq!((place.partition, place.offset), (log.partition_of(topic, r.shard), list.len() as u64));
                list.push(r.value.to_vec());
            }
        } else {
            let partition = u16::try_from(dice.below(log.partitions(topic).into())).unwrap();
            let list = &model[&(topic, partition)];
            let (from, max) = (dice.below(list.len() + 2), 1 + dice.below(20));
            let read = log.read(topic, partition, from as u64, max).await.unwrap();
            let wanted: Vec<_> = list.iter().skip(from).take(max).collect();
            assert_eq!(
                read.iter().map(|r| r.value.to_vec()).collect::<Vec<_>>(),
                wanted.into_iter().cloned().collect::<Vec<_>>()
            );
            assert!(read.iter().zip(from as u64..).all(|(r, offset)| r.offset == offset));
        }
    }
}

async fn an_early_record_is_seen_soon_and_settles(log: &dyn Log) {
    let next = log.end(Topic::Verdict, 0).await.unwrap();
    log.append_early(record(Topic::Verdict, 0, b"early")).await.unwrap();
    log.wait_for(Topic::Verdict, 0, next).await.unwrap();
    assert_eq!(log.read(Topic::Verdict, 0, next, 1).await.unwrap()[0].value, "early");
    log.settle().await.unwrap();
    let behind = log.append(record(Topic::Verdict, 0, b"behind it")).await.unwrap();
    assert_eq!(behind.offset, next + 1);
}

pub(crate) async fn contract(log: Arc<dyn Log>) {
    offsets_are_dense_and_records_read_back(&*log).await;
    reading_at_or_behind_the_end_is_empty_and_unknown_partitions_are_errors(&*log).await;
    a_waiter_wakes_when_its_record_is_durable(Arc::clone(&log)).await;
    an_early_record_is_seen_soon_and_settles(&*log).await;
    many_callers_at_once_get_places_of_their_own(Arc::clone(&log)).await;
    a_record_above_the_limit_is_refused_and_one_at_the_limit_taken(&*log).await;
    random_appends_and_reads_agree_with_a_model(&*log, 7, 300).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_twin_keeps_the_contract() {
    let log = Arc::new(MemoryLog::new(3, Arc::new(ManualClock::at(NOW))));
    contract(log.clone()).await;
    log.fail_next_append(1);
    assert!(matches!(log.append(record(Topic::Person, 0, b"x")).await, Err(LogError::NotWritable(_))));
    log.append(record(Topic::Person, 0, b"x")).await.unwrap();
    log.close();
    let end = log.end(Topic::Person, 0).await.unwrap();
    assert!(matches!(log.wait_for(Topic::Person, 0, end).await, Err(LogError::Closed)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_embedded_log_keeps_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    contract(Arc::new(open_log(folder.path()).unwrap())).await;
}

#[tokio::test]
async fn the_embedded_log_keeps_the_contract_on_one_thread_and_across_restarts() {
    let folder = tempfile::tempdir().unwrap();
    for seed in 0..6 {
        let log = open_log(folder.path()).unwrap();
        random_appends_and_reads_agree_with_a_model(&log, seed, 120).await;
        let scrub = log.scrub().unwrap();
        assert!(scrub.segments >= 1 && scrub.head == log.head());
        log.close();
        assert!(matches!(log.append(record(Topic::Person, 0, b"x")).await, Err(LogError::Closed)));
    }
}

#[tokio::test]
async fn time_never_runs_backwards_in_the_log_also_across_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let clock = ManualClock::at(NOW);
    let open = || {
        let mut config = log_config(folder.path());
        config.clock = Arc::new(clock.clone());
        EmbeddedLog::open(config).unwrap()
    };
    let log = open();
    clock.advance(50);
    assert_eq!(log.append(record(Topic::Person, 0, b"x")).await.unwrap().time, NOW + 50);
    clock.advance(-1000);
    assert_eq!(log.append(record(Topic::Person, 0, b"x")).await.unwrap().time, NOW + 50);
    drop(log);
    assert_eq!(open().append(record(Topic::Person, 0, b"x")).await.unwrap().time, NOW + 50);
}

#[tokio::test]
async fn a_copy_taken_while_the_log_is_written_opens_and_holds_all_up_to_its_head() {
    let folder = tempfile::tempdir().unwrap();
    let log = Arc::new(open_log(folder.path()).unwrap());
    let writer = tokio::spawn({
        let log = Arc::clone(&log);
        async move {
            for n in 0..400u16 {
                log.append(record(Topic::Person, n * 10, &[1; 700])).await.unwrap();
            }
        }
    });
    log.wait_for(Topic::Person, 0, 40).await.unwrap();
    let target = folder.path().join("copy");
    let (copying, to) = (Arc::clone(&log), target.join("log"));
    let head = tokio::task::spawn_blocking(move || copying.copy_to(&to)).await.unwrap().unwrap();
    writer.await.unwrap();
    let copy = open_log(&target).unwrap();
    assert_eq!(copy.head(), head);
    assert_eq!(copy.scrub().unwrap().commits, head.commit);
    copy.append(record(Topic::Person, 0, b"the copy is a log of its own")).await.unwrap();
    assert!(log.copy_to(&target.join("log")).is_err(), "a copy never goes over another one");
}

/// Threads that serve requests lead by turns, others commit at once and take along whoever waits.
#[test]
fn all_kinds_of_threads_append_at_once_and_none_waits_for_ever() {
    const EACH: u16 = 300;
    let folder = tempfile::tempdir().unwrap();
    let log = Arc::new(open_log(folder.path()).unwrap());
    let append_all = |log: Arc<EmbeddedLog>, shard: u16| async move {
        for n in 0..EACH {
            let append = log.append(record(Topic::Person, shard, &n.to_be_bytes()));
            tokio::time::timeout(Duration::from_secs(20), append).await.expect("nobody leads").unwrap();
        }
    };
    std::thread::scope(|threads| {
        for shard in 0..2 {
            let log = log.clone();
            threads.spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                let both = async { tokio::join!(append_all(log.clone(), shard), append_all(log.clone(), shard + 2)) };
                runtime.block_on(both)
            });
        }
        let log = log.clone();
        threads.spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            let tasks = [4, 5].map(|shard| runtime.spawn(append_all(log.clone(), shard)));
            tasks.into_iter().for_each(|task| runtime.block_on(task).unwrap());
        });
    });
    let end = futures_util::future::FutureExt::now_or_never(log.end(Topic::Person, 0)).unwrap().unwrap();
    assert_eq!(end, 6 * u64::from(EACH));
    assert!(log.scrub().unwrap().commits <= end, "a commit holds a record or more");
}

#[test]
fn a_leader_whose_runtime_stops_commits_for_those_who_wait_whether_it_had_begun_or_not() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for begun in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let log = open_log(folder.path()).unwrap();
        let (leading, waiting) = (runtime(), runtime());
        let mut first = Box::pin(log.append(record(Topic::Person, 0, b"its caller goes too")));
        leading.block_on(async {
            assert!(futures_util::poll!(&mut first).is_pending());
            if begun {
                // The leader yields once before it commits.
                tokio::task::yield_now().await;
            }
        });
        let mut second = Box::pin(log.append(record(Topic::Person, 0, b"waits elsewhere")));
        waiting.block_on(async { assert!(futures_util::poll!(&mut second).is_pending(), "somebody leads already") });
        drop(leading);
        let told = waiting.block_on(async { tokio::time::timeout(Duration::from_secs(20), second).await });
        assert_eq!(told.expect("nobody leads").unwrap().offset, 1, "begun: {begun}");
    }
}
