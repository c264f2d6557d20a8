//! The contract of the keyring, and what only the embedded one must do (`cql.rs`: what only the one on CQL must).

use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use chassis::clock::ManualClock;
use chassis::ports::keys::{Job, Keys, KeysError, LogKey, PlatformKey, RecordKey, Ticket};
use chassis::twins::MemoryKeys;
use engines::embedded::disk::FaultyDisk;
use engines::embedded::{Embedded, EngineError, open};
use schemas::access::AccessList;
use schemas::header::Bucket;
use schemas::{EntryId, Pid};

use crate::harness::{NOW, copy_folder, engine_config};

/// Something done to a folder.
type Damage = fn(&Path);

/// A value that tells two record keys apart without showing them.
pub(crate) fn print(key: &RecordKey) -> [u8; 32] {
    *key.header_key(&Ticket::for_job(Job::Operate))
}
pub(crate) fn log_print(key: &LogKey) -> [u8; 32] {
    *key.entry_key(&EntryId([1; 16]))
}

async fn a_person_has_keys_of_their_own_from_the_first_day(keys: &dyn Keys) {
    let (one, other, unknown) = (Pid([1; 16]), Pid([2; 16]), Pid([3; 16]));
    keys.create_person(one).await.unwrap();
    keys.create_person(other).await.unwrap();
    let buckets = [Bucket::Long, Bucket::Year(2026), Bucket::Year(2027)];
    let mut seen = Vec::new();
    for pid in [one, other] {
        for bucket in buckets {
            let first = print(&keys.record_key(pid, bucket).await.unwrap());
            assert_eq!(first, print(&keys.record_key(pid, bucket).await.unwrap()));
            assert!(!seen.contains(&first));
            seen.push(first);
        }
    }
    keys.create_person(one).await.unwrap();
    assert_eq!(seen[0], print(&keys.record_key(one, Bucket::Long).await.unwrap()), "created twice, the same keys");
    for bucket in buckets {
        assert!(matches!(keys.record_key(unknown, bucket).await, Err(KeysError::NoKey)));
    }
    assert!(matches!(keys.log_key(&AccessList::Person(unknown), 2026).await, Err(KeysError::NoKey)));
}

async fn log_keys_follow_from_year_to_year_and_not_back(keys: &dyn Keys) {
    for list in [AccessList::Person(Pid([1; 16])), AccessList::Facility("0123456789".into())] {
        let this = keys.log_key(&list, 2026).await.unwrap();
        let next = keys.log_key(&list, 2027).await.unwrap();
        assert_eq!(log_print(&next), log_print(&LogKey::from_secret(this.next_year())));
        assert_eq!(log_print(&this), log_print(&keys.log_key(&list, 2026).await.unwrap()));
        assert!(matches!(keys.log_key(&list, 2025).await, Err(KeysError::NoKey)));
        assert!(matches!(keys.log_key(&list, 9999).await, Err(KeysError::NoKey)));
    }
    let late = AccessList::Facility("another".into());
    let next = log_print(&keys.log_key(&late, 2028).await.unwrap());
    let this = keys.log_key(&late, 2026).await.unwrap();
    let derived = LogKey::from_secret(LogKey::from_secret(this.next_year()).next_year());
    assert_eq!(log_print(&derived), next, "a list that begins with a later year still has this year's key");
}

async fn keys_of_the_platform_stay_the_same_and_differ(keys: &dyn Keys) {
    let mut seen = Vec::new();
    for key in PlatformKey::ALL {
        let secret = keys.platform_key(key).await.unwrap();
        assert_eq!(secret, keys.platform_key(key).await.unwrap());
        assert!(!seen.contains(&secret));
        seen.push(secret);
    }
}

async fn an_erased_person_has_no_key_ever_again(keys: &dyn Keys) {
    let (gone, stays) = (Pid([2; 16]), Pid([1; 16]));
    keys.record_key(gone, Bucket::Year(2026)).await.unwrap();
    keys.log_key(&AccessList::Person(gone), 2026).await.unwrap();
    keys.destroy_person(gone).await.unwrap();
    keys.destroy_person(gone).await.unwrap();
    for bucket in [Bucket::Long, Bucket::Year(2026), Bucket::Year(2030)] {
        assert!(matches!(keys.record_key(gone, bucket).await, Err(KeysError::NoKey)));
    }
    assert!(matches!(keys.log_key(&AccessList::Person(gone), 2026).await, Err(KeysError::NoKey)));
    assert!(matches!(keys.create_person(gone).await, Err(KeysError::NoKey)));
    assert!(keys.record_key(stays, Bucket::Long).await.is_ok());
}

async fn callers_at_once_get_one_key(keys: Arc<dyn Keys>) {
    let pid = Pid([9; 16]);
    let tasks: Vec<_> = (0..32)
        .map(|_| {
            let keys = keys.clone();
            tokio::spawn(async move {
                keys.create_person(pid).await.unwrap();
                let list = AccessList::Facility("at once".into());
                let log = log_print(&keys.log_key(&list, 2026).await.unwrap());
                (print(&keys.record_key(pid, Bucket::Year(2026)).await.unwrap()), log)
            })
        })
        .collect();
    let mut seen = std::collections::HashSet::new();
    for task in tasks {
        seen.insert(task.await.unwrap());
    }
    assert_eq!(seen.len(), 1);
}

pub(crate) async fn contract(keys: Arc<dyn Keys>) {
    a_person_has_keys_of_their_own_from_the_first_day(&*keys).await;
    log_keys_follow_from_year_to_year_and_not_back(&*keys).await;
    keys_of_the_platform_stay_the_same_and_differ(&*keys).await;
    callers_at_once_get_one_key(keys.clone()).await;
    an_erased_person_has_no_key_ever_again(&*keys).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_twin_keeps_the_contract() {
    contract(Arc::new(MemoryKeys::new(Arc::new(ManualClock::at(NOW))))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_embedded_keyring_keeps_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    let engine = open(&engine_config(folder.path())).unwrap();
    contract(engine.keys.clone()).await;
}

/// All keys of a person and the platform, as values to compare.
async fn prints(engine: &Embedded, pid: Pid) -> Vec<[u8; 32]> {
    let keys = &engine.keys;
    let mut out = vec![print(&keys.record_key(pid, Bucket::Long).await.unwrap())];
    out.push(print(&keys.record_key(pid, Bucket::Year(2026)).await.unwrap()));
    out.push(log_print(&keys.log_key(&AccessList::Person(pid), 2028).await.unwrap()));
    out.push(log_print(&keys.log_key(&AccessList::Facility("f".into()), 2026).await.unwrap()));
    for key in PlatformKey::ALL {
        out.push(*keys.platform_key(key).await.unwrap());
    }
    out
}

#[tokio::test]
async fn a_key_returned_once_is_returned_again_after_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let engine = open(&engine_config(folder.path())).unwrap();
    engine.keys.create_person(Pid([1; 16])).await.unwrap();
    let before = prints(&engine, Pid([1; 16])).await;
    // A copy of the files while the engine is open is what a killed process leaves.
    let crash = tempfile::tempdir().unwrap();
    copy_folder(folder.path(), crash.path());
    let after = open(&engine_config(crash.path())).unwrap();
    assert_eq!(prints(&after, Pid([1; 16])).await, before);
}

#[tokio::test]
async fn a_restored_backup_stays_erased_and_the_slots_hold_zeros() {
    let folder = tempfile::tempdir().unwrap();
    let (gone, stays) = (Pid([7; 16]), Pid([8; 16]));
    let engine = open(&engine_config(folder.path())).unwrap();
    engine.keys.create_person(gone).await.unwrap();
    engine.keys.create_person(stays).await.unwrap();
    let before = prints(&engine, stays).await;
    engine.keys.record_key(gone, Bucket::Year(2026)).await.unwrap();
    let data = folder.path().join("data");
    let backup = folder.path().join("backup");
    copy_folder(&data, &backup);
    assert!(holds(&data.join("keys/slots"), &gone.0));
    engine.keys.destroy_person(gone).await.unwrap();
    assert!(!holds(&data.join("keys/slots"), &gone.0));
    assert!(!holds(&folder.path().join("data.erasures"), &gone.0), "the journal holds a hash, not the pid");
    drop(engine);
    std::fs::remove_dir_all(&data).unwrap();
    std::fs::rename(&backup, &data).unwrap();
    assert!(holds(&data.join("keys/slots"), &gone.0));
    let engine = open(&engine_config(folder.path())).unwrap();
    assert!(matches!(engine.keys.record_key(gone, Bucket::Long).await, Err(KeysError::NoKey)));
    assert!(matches!(engine.keys.create_person(gone).await, Err(KeysError::NoKey)));
    assert!(!holds(&data.join("keys/slots"), &gone.0), "destroyed again on disk");
    assert_eq!(prints(&engine, stays).await, before);
}

fn holds(path: &Path, bytes: &[u8]) -> bool {
    std::fs::read(path).unwrap().windows(bytes.len()).any(|w| w == bytes)
}

#[tokio::test]
async fn the_keyring_does_not_open_without_its_key_or_its_erasure_journal_or_with_damage() {
    let folder = tempfile::tempdir().unwrap();
    let engine = open(&engine_config(folder.path())).unwrap();
    engine.keys.create_person(Pid([1; 16])).await.unwrap();
    let before = folder.path().join("before.erasures");
    std::fs::copy(folder.path().join("data.erasures"), &before).unwrap();
    engine.keys.create_person(Pid([2; 16])).await.unwrap();
    engine.keys.destroy_person(Pid([2; 16])).await.unwrap();
    assert_eq!(std::fs::metadata(folder.path().join("data/kek")).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::metadata(folder.path().join("data")).unwrap().permissions().mode() & 0o777, 0o700);
    assert!(matches!(open(&engine_config(folder.path())), Err(EngineError::Locked(_))), "one process at a time");
    drop(engine);
    let cases: [(&str, Damage); 6] = [
        ("key-encryption key gone", |f| std::fs::remove_file(f.join("data/kek")).unwrap()),
        ("another key-encryption key", |f| std::fs::write(f.join("data/kek"), [5; 32]).unwrap()),
        ("journal gone", |f| std::fs::remove_file(f.join("data.erasures")).unwrap()),
        ("journal older than the keyring", |f| drop(std::fs::copy(f.join("before.erasures"), f.join("data.erasures")))),
        ("flipped byte in the journal", |f| flip(&f.join("data.erasures"), 9)),
        ("flipped byte in a slot", |f| flip(&f.join("data/keys/slots"), 512 + 40)),
    ];
    for (what, damage) in cases {
        let copy = tempfile::tempdir().unwrap();
        copy_folder(folder.path(), copy.path());
        damage(copy.path());
        assert!(open(&engine_config(copy.path())).is_err(), "{what}");
    }
    assert!(open(&engine_config(folder.path())).is_ok());
}

fn flip(path: &Path, at: u64) {
    let file = std::fs::File::options().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 4], at).unwrap();
}

#[tokio::test]
async fn a_key_that_is_not_durable_is_not_returned() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Arc::new(FaultyDisk::new());
    let mut config = engine_config(folder.path());
    config.disk = disk.clone();
    let engine = open(&config).unwrap();
    engine.keys.create_person(Pid([1; 16])).await.unwrap();
    disk.sync_fails.store(true, Ordering::SeqCst);
    assert!(matches!(engine.keys.create_person(Pid([2; 16])).await, Err(KeysError::NotWritable(_))));
    assert!(matches!(engine.keys.record_key(Pid([2; 16]), Bucket::Long).await, Err(KeysError::NotWritable(_))));
    assert!(matches!(engine.keys.destroy_person(Pid([1; 16])).await, Err(KeysError::NotWritable(_))));
    assert!(
        engine.keys.record_key(Pid([1; 16]), Bucket::Long).await.is_ok(),
        "an erasure that failed destroyed nothing"
    );
    drop(engine);
    let engine = open(&engine_config(folder.path())).unwrap();
    engine.keys.create_person(Pid([2; 16])).await.unwrap();
    engine.keys.record_key(Pid([2; 16]), Bucket::Long).await.unwrap();
}
