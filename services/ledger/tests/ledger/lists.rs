//! Numbers and chains.

use std::sync::Arc;
use std::time::Duration;

use chassis::ledger::{Ledger, Wanted};
use chassis::ports::log::{Append, Log};
use chassis::ports::store::{Store, Table};
use chassis::twins::MemoryStore;
use ledger::{list_name, replay_lists, row_key, row_partition};
use schemas::access::{AccessHead, AccessList, AccessRow};
use schemas::vocab::Topic;
use schemas::{Pid, codec};

use crate::world::{Citizen, NOW, World, access};

async fn rows(store: &dyn Store, list: &AccessList) -> Vec<AccessRow> {
    let page = store.range(Table::Access, &row_partition(list, 2026), &[], &[], usize::MAX).await.unwrap();
    page.rows.iter().map(|(_, value)| codec::decode("row", value).unwrap()).collect()
}

/// Waits until all that the log holds is in the lists, through a reading of each.
async fn settle(world: &World, citizens: &[&Citizen]) {
    for citizen in citizens {
        let token = world.sign_in(citizen).await;
        assert_eq!(world.get(&token, "/me/accesses").await.status, 200);
    }
}

#[actix_web::test]
async fn numbers_are_dense_from_one_in_each_list_under_concurrent_appends() {
    let world = Arc::new(World::new().await);
    let citizens: Vec<Citizen> = futures_util::future::join_all((0..5).map(|_| world.citizen())).await;
    let pids: Vec<Pid> = citizens.iter().map(|c| c.pid).collect();
    let mut tasks = Vec::new();
    for task in 0..8usize {
        let (world, pids) = (world.clone(), pids.clone());
        tasks.push(tokio::spawn(async move {
            for turn in 0..40 {
                let wanted = |pid: &Pid| Wanted { access: access(*pid), closed: Vec::new() };
                let some: Vec<Wanted> = pids.iter().skip((task + turn) % 3).map(wanted).collect();
                world.ledger.append_all(some).await.unwrap();
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    settle(&world, &citizens.iter().collect::<Vec<_>>()).await;
    let mut all = 0;
    for citizen in &citizens {
        let rows = rows(&*world.store, &AccessList::Person(citizen.pid)).await;
        assert!(rows.iter().map(|r| r.person_seq).eq(1..=rows.len() as u64), "dense from 1");
        assert!(rows.windows(2).all(|w| w[0].position < w[1].position), "in log order");
        let mut chain = [0u8; 32];
        for row in &rows {
            let parts = [&chain[..], &row.person_seq.to_be_bytes(), &row.record.commitment.0].concat();
            chain = openssl::sha::sha256(&parts);
            assert_eq!(row.chain, chain);
        }
        all += rows.len();
    }
    let appended: u64 = futures_util::future::join_all((0..3).map(|p| world.log.end(Topic::Access, p)))
        .await
        .into_iter()
        .map(Result::unwrap)
        .sum();
    assert!(all as u64 > appended - 6, "{all} rows of {appended} records; only the last readings may be missing");
}

#[actix_web::test]
async fn a_record_that_was_appended_twice_gets_no_second_number() {
    let world = World::new().await;
    let citizen = world.citizen().await;
    world.append(access(citizen.pid)).await;
    let shard = citizen.pid.shard();
    let partition = world.log.partition_of(Topic::Access, shard);
    let record = world.log.read(Topic::Access, partition, 0, 1).await.unwrap().remove(0);
    for _ in 0..2 {
        // What a retry does after an append that was not acknowledged and yet was written.
        world.log.append(Append { topic: Topic::Access, shard, value: record.value.clone() }).await.unwrap();
    }
    let last = world.append(access(citizen.pid)).await;
    settle(&world, &[&citizen]).await;
    let rows = rows(&*world.store, &AccessList::Person(citizen.pid)).await;
    assert_eq!((rows[0].person_seq, rows[0].position), (1, 0), "the first in log order");
    assert_eq!((rows[1].person_seq, rows[1].record.id), (2, last));
}

#[actix_web::test]
async fn a_restart_and_a_rebuild_write_the_same_rows_byte_for_byte() {
    let mut world = World::new().await;
    let citizens = [world.citizen().await, world.citizen().await];
    for turn in 0..30 {
        world.append(access(citizens[turn % 2].pid)).await;
    }
    settle(&world, &citizens.iter().collect::<Vec<_>>()).await;
    // Both last readings are in the log and may not be in the lists; the role stops in the middle of that.
    world.handle.stop().await;
    let deps = world.list_deps();
    replay_lists(&deps, world.store.clone(), &mut |_| {}).await.unwrap();
    let fresh = Arc::new(MemoryStore::new());
    let mut told = 0;
    let read = replay_lists(&deps, fresh.clone(), &mut |n| told = n).await.unwrap();
    assert_eq!((read, told), (32, 32));
    for table in [Table::Access, Table::AccessHead, Table::Checkpoint] {
        let old = world.store.scan(table, None, usize::MAX).await.unwrap();
        assert_eq!(old, fresh.scan(table, None, usize::MAX).await.unwrap());
        assert!(!old.is_empty());
    }
    assert_eq!(replay_lists(&deps, fresh.clone(), &mut |_| {}).await.unwrap(), 0, "nothing is done twice");
}

/// Wherever numbering stops, also between two writes of one reading of the log, it goes on to the same rows.
#[actix_web::test]
async fn numbering_that_ends_after_any_of_its_writes_goes_on_to_the_same_rows() {
    let mut world = World::new().await;
    // One of the partitions has two of them, and each has more rows than one write.
    let lists = world.log.partitions(Topic::Access) + 1;
    for _ in 0..lists {
        let citizen = world.citizen().await;
        for _ in 0..520 {
            world.append(access(citizen.pid)).await;
        }
    }
    world.handle.stop().await;
    let (deps, whole) = (world.list_deps(), Arc::new(MemoryStore::new()));
    replay_lists(&deps, whole.clone(), &mut |_| {}).await.unwrap();
    let mut ends = 0;
    for writes in 0.. {
        let store = Arc::new(MemoryStore::new());
        store.fail_after(writes);
        if replay_lists(&deps, store.clone(), &mut |_| {}).await.is_ok() {
            break;
        }
        store.fail_applies(false);
        ends += 1;
        replay_lists(&deps, store.clone(), &mut |_| {}).await.unwrap();
        for table in [Table::Access, Table::AccessHead, Table::Checkpoint] {
            let (there, wanted) =
                (store.scan(table, None, usize::MAX).await, whole.scan(table, None, usize::MAX).await);
            assert_eq!(there.unwrap(), wanted.unwrap(), "after {writes} writes");
        }
    }
    assert!(ends > lists, "a write for each list and the checkpoints, and not {ends}");
}

#[actix_web::test]
async fn tables_that_cannot_be_written_for_a_while_lose_no_entry_and_make_no_gap() {
    let world = World::new().await;
    let citizen = world.citizen().await;
    world.append(access(citizen.pid)).await;
    world.store.fail_next_apply(2);
    for _ in 0..3 {
        world.append(access(citizen.pid)).await;
    }
    let list = AccessList::Person(citizen.pid);
    let head = || async {
        let stored = world.store.get(Table::AccessHead, &list_name(&list), b"").await.unwrap();
        stored.map(|bytes| codec::decode::<AccessHead>("head", &bytes).unwrap().count)
    };
    let wait = async {
        while head().await != Some(4) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait).await.expect("numbered after the fault");
    assert!(world.handle.is_running());
    assert!(rows(&*world.store, &list).await.iter().map(|r| r.person_seq).eq(1..=4));
}

#[actix_web::test]
async fn entries_of_two_years_lie_in_two_partitions_and_read_as_one_list() {
    let world = World::new().await;
    let citizen = world.citizen().await;
    // Midnight of New Year in UTC: a slower door logs an entry of the old year after one of the new.
    let new_year = 1_798_761_600_000;
    for released_at in [new_year - 5, new_year + 1, new_year - 1, new_year + 2, NOW] {
        let mut entry = access(citizen.pid);
        entry.released_at = released_at;
        world.append(entry).await;
    }
    let token = world.sign_in(&citizen).await;
    let said = world.get(&token, "/me/accesses").await;
    assert_eq!(said.column("no"), [5, 4, 3, 2, 1]);
    let list = AccessList::Person(citizen.pid);
    for (year, numbers) in [(2026, vec![1u64, 3, 5]), (2027, vec![2, 4])] {
        for number in numbers {
            let row = world.store.get(Table::Access, &row_partition(&list, year), &row_key(number)).await.unwrap();
            assert!(row.is_some(), "{number} in {year}");
        }
    }
}
