//! `kiroku check` of the lists.

use std::sync::Arc;

use bytes::Bytes;
use chassis::ports::log::{Append, Log};
use chassis::ports::store::{Store, Table};
use chassis::twins::MemoryStore;
use ledger::{ListDeps, Report, list_name, replay_lists, row_key, row_partition, verify_lists};
use schemas::access::{AccessList, AccessRecord};
use schemas::codec;
use schemas::vocab::Topic;

use crate::world::{Citizen, World, access};

/// Five entries of one person and one of another, numbered in a store where nothing else writes.
async fn numbered() -> (World, Citizen, ListDeps, Arc<MemoryStore>) {
    let world = World::new().await;
    let (citizen, other) = (world.citizen().await, world.citizen().await);
    for _ in 0..5 {
        world.append(access(citizen.pid)).await;
    }
    world.append(access(other.pid)).await;
    let (deps, store) = (world.list_deps(), Arc::new(MemoryStore::new()));
    replay_lists(&deps, store.clone(), &mut |_| {}).await.unwrap();
    (world, citizen, deps, store)
}

async fn check(deps: &ListDeps, store: &Arc<MemoryStore>) -> Report {
    verify_lists(deps, store.clone(), &mut |_, _| {}).await.unwrap()
}

fn words(report: &Report) -> Vec<&'static str> {
    report.differences.iter().map(|d| d.what).collect()
}

#[actix_web::test]
async fn lists_that_follow_from_the_log_are_good_and_counted() {
    let (world, citizen, deps, store) = numbered().await;
    let mut told = (0, 0);
    let report = verify_lists(&deps, store.clone(), &mut |done, all| told = (done, all)).await.unwrap();
    assert!(report.is_good(), "{report:?}");
    assert_eq!((report.records, report.rows, report.opened, report.lists, report.pending), (6, 6, 6, 2, 0));
    assert_eq!(told, (6, 6));
    world.append(access(citizen.pid)).await;
    let report = check(&deps, &store).await;
    assert!(report.is_good() && report.pending == 1, "tables may follow the log later: {report:?}");
}

#[actix_web::test]
async fn every_disagreement_is_found_and_said_by_its_place() {
    let (_world, citizen, deps, store) = numbered().await;
    let list = AccessList::Person(citizen.pid);
    let (rows, name) = (row_partition(&list, 2026), list_name(&list));
    let row = store.get(Table::Access, &rows, &row_key(3)).await.unwrap().unwrap();
    let mut flipped = row.to_vec();
    flipped[10] ^= 1;
    store.tamper(Table::Access, &rows, &row_key(3), Some(flipped.into()));
    let report = check(&deps, &store).await;
    assert_eq!(words(&report), ["the row is not what the log says"]);
    assert_eq!(report.differences[0].offset, Some(2));
    store.tamper(Table::Access, &rows, &row_key(3), None);
    assert_eq!(words(&check(&deps, &store).await), ["the row is missing"]);
    store.tamper(Table::Access, &rows, &row_key(3), Some(row.clone()));

    store.tamper(Table::Access, &rows, &row_key(99), Some(row));
    assert_eq!(words(&check(&deps, &store).await), ["there are rows without a record in the log"]);
    store.tamper(Table::Access, &rows, &row_key(99), None);

    let head = store.get(Table::AccessHead, &name, b"").await.unwrap();
    store.tamper(Table::AccessHead, &name, b"", Some(Bytes::from_static(b"no head")));
    assert_eq!(words(&check(&deps, &store).await), ["the head of the list is not what the log says"]);
    store.tamper(Table::AccessHead, &name, b"", None);
    assert_eq!(check(&deps, &store).await.difference_count, 5, "each row misses its head");
    store.tamper(Table::AccessHead, &name, b"", head);
    assert!(check(&deps, &store).await.is_good());
}

#[actix_web::test]
async fn a_record_with_another_commitment_than_its_body_is_found() {
    let (world, citizen, deps, store) = numbered().await;
    let shard = citizen.pid.shard();
    let partition = world.log.partition_of(Topic::Access, shard);
    let last = world.log.read(Topic::Access, partition, 0, 100).await.unwrap().pop().unwrap();
    let mut record: AccessRecord = codec::decode("record", &last.value).unwrap();
    record.id = schemas::EntryId::random();
    world.log.append(Append { topic: Topic::Access, shard, value: codec::encode(&record).into() }).await.unwrap();
    world.log.append(Append { topic: Topic::Access, shard, value: Bytes::from_static(b"not a record") }).await.unwrap();
    world.log.append(Append { topic: Topic::Access, shard, value: last.value }).await.unwrap();
    let report = check(&deps, &store).await;
    assert_eq!(words(&report), ["the body does not open to its commitment", "the record does not read"]);
    assert_eq!(report.duplicates, 1);
}
