//! The keyring on CQL.

use std::sync::Arc;
use std::time::Duration;

use chassis::ports::keys::{Keys, KeysError, PlatformKey};
use engines::cql::{migrate, open};
use schemas::Pid;
use schemas::access::AccessList;
use schemas::header::Bucket;

use super::{Dropped, behind, config, fresh};
use crate::harness::NOW;
use crate::keys::{contract, log_print, print};

async fn is_gone(keys: &dyn Keys, pid: Pid) -> bool {
    let mut all = vec![
        keys.record_key(pid, Bucket::Long).await.err(),
        keys.record_key(pid, Bucket::Year(2026)).await.err(),
        keys.record_key(pid, Bucket::Year(2031)).await.err(),
        keys.log_key(&AccessList::Person(pid), 2026).await.err(),
    ];
    if all.iter().any(Option::is_none) {
        return false;
    }
    all.push(keys.create_person(pid).await.err());
    all.iter().all(|error| matches!(error, Some(KeysError::NoKey)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_keyring_on_cql_keeps_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    let (cql, _, _dropped) = fresh(folder.path(), "keys").await;
    contract(cql.keys).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_start_a_new_keyring_at_once_share_it() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path(), "first");
    let _dropped = Dropped(config.clone());
    migrate(&config).await.unwrap();
    let (one, two, three) = tokio::join!(open(&config), open(&config), open(&config));
    let later = open(&config).await.unwrap();
    let mut seen = std::collections::HashSet::new();
    for cql in [one.unwrap(), two.unwrap(), three.unwrap(), later] {
        seen.insert(cql.keys.platform_key(PlatformKey::Index).await.unwrap().to_vec());
    }
    assert_eq!(seen.len(), 1);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "the key-encryption key and nothing beside it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_that_create_the_same_keys_agree() {
    let folder = tempfile::tempdir().unwrap();
    let (one, config, _dropped) = fresh(folder.path(), "agree").await;
    let two = open(&config).await.unwrap();
    for round in 0..8u8 {
        let make = |keys: Arc<dyn Keys>, log_year: u16| {
            tokio::spawn(async move {
                let pid = Pid([round + 1; 16]);
                keys.create_person(pid).await.unwrap();
                let list = AccessList::Facility(format!("facility {round}").as_str().into());
                let mut prints = vec![log_print(&keys.log_key(&list, log_year).await.unwrap())];
                for bucket in [Bucket::Long, Bucket::Year(2026), Bucket::Year(2027)] {
                    prints.push(print(&keys.record_key(pid, bucket).await.unwrap()));
                }
                prints.push(log_print(&keys.log_key(&AccessList::Person(pid), 2026).await.unwrap()));
                prints
            })
        };
        let (a, b) = (make(one.keys.clone(), 2026), make(two.keys.clone(), 2026));
        assert_eq!(a.await.unwrap(), b.await.unwrap(), "round {round}");
    }
    let (store, other) = (one.generations.open(1).await.unwrap(), two.generations.open(1).await.unwrap());
    for n in 0..10u8 {
        let key = [n];
        let (first, second) = tokio::join!(store.once(&key, NOW + 9, NOW), other.once(&key, NOW + 9, NOW));
        assert!(first.unwrap() != second.unwrap(), "one of the two is the first");
    }
    let third = open(&config).await.unwrap();
    let again = print(&third.keys.record_key(Pid([1; 16]), Bucket::Long).await.unwrap());
    assert_eq!(again, print(&one.keys.record_key(Pid([1; 16]), Bucket::Long).await.unwrap()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erased_person_stays_erased_for_others_and_when_the_rows_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let (cql, config, _dropped) = fresh(folder.path(), "erased").await;
    let other = open(&config).await.unwrap();
    let (gone, stays) = (Pid([4; 16]), Pid([5; 16]));
    for pid in [gone, stays] {
        cql.keys.create_person(pid).await.unwrap();
        other.keys.record_key(pid, Bucket::Long).await.unwrap();
        other.keys.record_key(pid, Bucket::Year(2026)).await.unwrap();
        other.keys.log_key(&AccessList::Person(pid), 2026).await.unwrap();
    }
    let session = behind(&config).await;
    let table = format!("{}_keys.key", config.keyspace);
    let read = format!("SELECT kind, year, wrapped FROM {table} WHERE subject = ?");
    let rows = async || -> Vec<(i8, i16, Vec<u8>)> {
        let rows = session.query_unpaged(read.clone(), (&gone.0[..],)).await.unwrap().into_rows_result().unwrap();
        let rows = rows.rows::<(Option<i8>, Option<i16>, Option<Vec<u8>>)>().unwrap().map(Result::unwrap);
        rows.filter_map(|(kind, year, wrapped)| Some((kind?, year?, wrapped?))).collect()
    };
    let backup = rows().await;
    assert_eq!(backup.len(), 3);
    cql.keys.destroy_person(gone).await.unwrap();
    assert!(is_gone(&*cql.keys, gone).await, "at once for the process that erased");
    assert!(rows().await.is_empty());
    let deadline = std::time::Instant::now() + Duration::from_secs(5);
    while !is_gone(&*other.keys, gone).await {
        assert!(std::time::Instant::now() < deadline, "another process still has the key");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // A backup of the keys is restored; the journal of erasures is in no backup.
    for (kind, year, wrapped) in backup {
        let put = format!("INSERT INTO {table} (subject, kind, year, wrapped, status) VALUES (?, ?, ?, ?, 'live')");
        session.query_unpaged(put, (&gone.0[..], kind, year, wrapped)).await.unwrap();
    }
    assert_eq!(rows().await.len(), 3);
    let restored = open(&config).await.unwrap();
    for keys in [&restored.keys, &cql.keys, &other.keys] {
        assert!(is_gone(&**keys, gone).await, "the journal counts, not the rows");
        keys.record_key(stays, Bucket::Long).await.unwrap();
    }
    restored.keys.destroy_person(gone).await.unwrap();
    assert!(rows().await.is_empty(), "destroyed again");
    let marks = format!("SELECT mark FROM {}_erasures.erasure", config.keyspace);
    let marks = session.query_unpaged(marks, ()).await.unwrap().into_rows_result().unwrap();
    let marks: Vec<(Vec<u8>,)> = marks.rows().unwrap().map(Result::unwrap).collect();
    assert!(marks.len() == 2 && marks.iter().all(|(m,)| !m.windows(8).any(|w| w == [4; 8])), "hashes, not persons");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn creating_and_erasing_at_once_leaves_no_key() {
    let folder = tempfile::tempdir().unwrap();
    let (one, config, _dropped) = fresh(folder.path(), "race").await;
    let two = open(&config).await.unwrap();
    for round in 1..12u8 {
        let pid = Pid([round; 16]);
        let erasing = tokio::spawn({
            let keys = one.keys.clone();
            async move { keys.destroy_person(pid).await }
        });
        let created = two.keys.create_person(pid).await;
        let bucket = two.keys.record_key(pid, Bucket::Year(2026)).await;
        assert!(matches!(created, Ok(()) | Err(KeysError::NoKey)), "{created:?}");
        assert!(matches!(bucket.map(drop), Ok(()) | Err(KeysError::NoKey)));
        erasing.await.unwrap().unwrap();
        let third = open(&config).await.unwrap();
        assert!(is_gone(&*third.keys, pid).await, "round {round}");
    }
}
