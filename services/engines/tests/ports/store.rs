//! The contract of the store, and what only the embedded one must do (`cql.rs`: what only the one on CQL must).

use std::collections::BTreeMap;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;
use chassis::ports::store::{Batch, Generations, Row, Store, StoreError, Table};
use chassis::twins::{MemoryGenerations, MemoryStore};
use engines::embedded::store::{Marks, StreamMarks};
use engines::embedded::{Embedded, open};

use crate::harness::{Dice, NOW, copy_folder, engine_config};

pub(crate) fn row(table: Table, partition: &[u8], key: &[u8], value: &[u8]) -> Row {
    let bytes = Bytes::copy_from_slice;
    Row { table, partition: bytes(partition), key: bytes(key), value: bytes(value) }
}

pub(crate) fn batch(subject: &[u8], position: u64, rows: Vec<Row>) -> Batch {
    Batch { subject: Bytes::copy_from_slice(subject), stream: "person", position, rows }
}

async fn a_batch_is_applied_once_and_in_order(store: &dyn Store) {
    let write = |position, value: &'static [u8]| batch(b"p1", position, vec![row(Table::State, b"p1", b"", value)]);
    let fresh = store.apply(vec![write(3, b"a"), write(3, b"b"), write(2, b"c"), write(5, b"d")]).await.unwrap();
    assert_eq!(fresh, [true, false, false, true]);
    assert_eq!(store.get(Table::State, b"p1", b"").await.unwrap().unwrap(), "d");
    assert_eq!(store.apply(vec![write(5, b"e")]).await.unwrap(), [false]);
    assert_eq!(store.get(Table::State, b"p1", b"").await.unwrap().unwrap(), "d");
    let other = Batch { stream: "access", ..write(1, b"f") };
    assert_eq!(store.apply(vec![other]).await.unwrap(), [true], "streams have positions of their own");
    let zero = batch(b"p0", 0, Vec::new());
    assert_eq!(store.apply(vec![zero.clone(), zero]).await.unwrap(), [true, false], "a record may leave no rows");
}

async fn ranges_stay_within_partition_and_table(store: &dyn Store) {
    let mut rows = Vec::new();
    for partition in [&b"q"[..], b"q\0", b"q\0\xff", b"qq", b"r", b""] {
        for key in [&b""[..], b"\0", b"a", b"b\0", b"b", b"\xff\xff"] {
            for table in [Table::Header, Table::Version, Table::Body] {
                rows.push(row(table, partition, key, &[partition, b"/", key].concat()));
            }
        }
    }
    store.apply(vec![batch(b"q", 1, rows)]).await.unwrap();
    for table in [Table::Header, Table::Body] {
        for partition in [&b"q"[..], b"q\0", b"", b"q\0\xff"] {
            let keys =
                |page: chassis::ports::store::Page| page.rows.into_iter().map(|r| r.0.to_vec()).collect::<Vec<_>>();
            let all = store.range(table, partition, b"", b"", 100).await.unwrap();
            assert!(!all.more && all.rows.iter().all(|(k, v)| *v == [partition, b"/", k].concat()));
            assert_eq!(keys(all), [&b""[..], b"\0", b"a", b"b", b"b\0", b"\xff\xff"]);
            let some = store.range(table, partition, b"a", b"b\0", 100).await.unwrap();
            assert_eq!(keys(some), [b"a", b"b"]);
            let first = store.range(table, partition, b"", b"", 2).await.unwrap();
            assert!(first.more && first.rows.len() == 2);
            assert!(!store.range(table, partition, b"a", b"b", 1).await.unwrap().more);
            assert!(store.range(table, partition, b"b", b"a", 10).await.unwrap().rows.is_empty());
            let back = store.range_back(table, partition, b"b", 2).await.unwrap();
            assert!(back.more);
            assert_eq!(keys(back), [&b"a"[..], b"\0"]);
            assert_eq!(keys(store.range_back(table, partition, b"", 1).await.unwrap()), [b"\xff\xff"]);
        }
    }
    assert!(store.range(Table::Header, b"none", b"", b"", 9).await.unwrap().rows.is_empty());
}

/// Every row of a table, in steps.
pub(crate) async fn scan_all(store: &dyn Store, table: Table, step: usize) -> Vec<Row> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let some = store.scan(table, after.clone(), step).await.unwrap();
        assert!(some.len() <= step);
        let Some(last) = some.last() else { return all };
        after = Some((last.partition.clone(), last.key.clone()));
        all.extend(some);
    }
}

async fn a_scan_gives_every_row_once_and_a_partition_together_in_order_of_its_keys(store: &dyn Store) {
    for table in [Table::Version, Table::Body] {
        let all = scan_all(store, table, 5).await;
        assert_eq!(all.len(), 36);
        assert!(all.iter().all(|r| r.table == table && r.value == [&r.partition[..], b"/", &r.key].concat()));
        let mut seen = std::collections::HashSet::new();
        for partition in all.chunk_by(|a, b| a.partition == b.partition) {
            assert!(seen.insert(&partition[0].partition), "a partition comes in one piece");
            assert!(partition.windows(2).all(|w| w[0].key < w[1].key));
        }
        for step in [1, 7, 36, 100] {
            assert_eq!(scan_all(store, table, step).await, all, "the same order at each scan");
        }
    }
}

/// What the engines in one process give beyond the contract.
async fn a_scan_of_this_engine_is_in_order_of_partitions_too(store: &dyn Store) {
    let all = scan_all(store, Table::Version, 5).await;
    assert!(!all.is_empty());
    assert!(all.windows(2).all(|w| (&w[0].partition, &w[0].key) < (&w[1].partition, &w[1].key)));
}

async fn a_dropped_partition_is_gone_and_its_neighbours_stay(store: &dyn Store) {
    for table in [Table::Header, Table::Body] {
        store.drop_partition(table, b"q\0").await.unwrap();
        assert!(store.range(table, b"q\0", b"", b"", 9).await.unwrap().rows.is_empty());
        assert_eq!(store.range(table, b"q", b"", b"", 9).await.unwrap().rows.len(), 6);
        assert_eq!(store.range(table, b"q\0\xff", b"", b"", 9).await.unwrap().rows.len(), 6);
    }
}

async fn once_is_true_for_the_first_caller_until_it_expires(store: Arc<dyn Store>) {
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { store.once(b"jti", NOW + 1000, NOW).await.unwrap() })
        })
        .collect();
    let mut firsts = 0;
    for task in tasks {
        firsts += usize::from(task.await.unwrap());
    }
    assert_eq!(firsts, 1);
    assert!(!store.once(b"jti", NOW + 5000, NOW + 999).await.unwrap());
    assert!(store.once(b"jti", NOW + 5000, NOW + 1000).await.unwrap());
    assert!(store.once(b"another", NOW + 1, NOW).await.unwrap());
}

async fn random_batches_agree_with_a_model(store: &dyn Store, seed: u64) {
    let mut dice = Dice::new(seed);
    let mut model: BTreeMap<(u8, Vec<u8>), Vec<u8>> = BTreeMap::new();
    for position in 10..200 {
        let mut batches = Vec::new();
        for _ in 0..1 + dice.below(4) {
            let subject = [b's', u8::try_from(dice.below(5)).unwrap()];
            let mut rows = Vec::new();
            for _ in 0..dice.below(4) {
                let (key_length, value_length) = (dice.below(3), dice.below(6000));
                let (key, value) = (dice.bytes(key_length), dice.bytes(value_length));
                rows.push(row(Table::Body, &subject, &key, &value));
            }
            batches.push(batch(&subject, position, rows));
        }
        let fresh = store.apply(batches.clone()).await.unwrap();
        for (one, fresh) in batches.into_iter().zip(fresh) {
            for r in one.rows.into_iter().filter(|_| fresh) {
                model.insert((r.partition[1], r.key.to_vec()), r.value.to_vec());
            }
        }
    }
    for subject in 0..5u8 {
        let page = store.range(Table::Body, &[b's', subject], b"", b"", usize::MAX).await.unwrap();
        let wanted = model.iter().filter(|(k, _)| k.0 == subject).map(|(k, v)| (k.1.clone(), v.clone()));
        assert!(page.rows.iter().map(|(k, v)| (k.to_vec(), v.to_vec())).eq(wanted));
    }
}

pub(crate) async fn contract(store: Arc<dyn Store>) {
    a_batch_is_applied_once_and_in_order(&*store).await;
    ranges_stay_within_partition_and_table(&*store).await;
    a_scan_gives_every_row_once_and_a_partition_together_in_order_of_its_keys(&*store).await;
    a_dropped_partition_is_gone_and_its_neighbours_stay(&*store).await;
    once_is_true_for_the_first_caller_until_it_expires(store.clone()).await;
    random_batches_agree_with_a_model(&*store, 3).await;
    store.sync().await.unwrap();
}

pub(crate) async fn generations_contract(generations: &dyn Generations) {
    assert_eq!(generations.live(), 1);
    let one = generations.open(1).await.unwrap();
    one.apply(vec![batch(b"p", 1, vec![row(Table::State, b"p", b"", b"old")])]).await.unwrap();
    assert!(matches!(generations.switch(2).await, Err(StoreError::NoGeneration(2))));
    let two = generations.open(2).await.unwrap();
    assert_eq!(two.get(Table::State, b"p", b"").await.unwrap(), None, "a generation is a full set of its own");
    assert!(one.once(b"shared", NOW + 9, NOW).await.unwrap());
    assert!(!two.once(b"shared", NOW + 9, NOW).await.unwrap());
    generations.switch(2).await.unwrap();
    assert_eq!(generations.live(), 2);
    assert!(generations.remove(2).await.is_err(), "the one that serves stays");
    assert!(generations.remove(1).await.is_err(), "one that is read stays");
    drop(one);
    generations.remove(1).await.unwrap();
    assert!(matches!(generations.remove(1).await, Err(StoreError::NoGeneration(1))));
}

#[tokio::test]
async fn the_twin_keeps_the_contract() {
    let store = Arc::new(MemoryStore::new());
    contract(store.clone()).await;
    a_scan_of_this_engine_is_in_order_of_partitions_too(&*store).await;
    generations_contract(&MemoryGenerations::new()).await;
    store.fail_next_apply(1);
    let one = || vec![batch(b"f", 1, Vec::new())];
    assert!(matches!(store.apply(one()).await, Err(StoreError::NotWritable(_))));
    assert_eq!(store.apply(one()).await.unwrap(), [true]);
}

#[tokio::test]
async fn the_embedded_store_keeps_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    let engine = open(&engine_config(folder.path())).unwrap();
    let store = engine.generations.open(7).await.unwrap();
    contract(store.clone()).await;
    a_scan_of_this_engine_is_in_order_of_partitions_too(&*store).await;
    generations_contract(&*engine.generations).await;
}

fn reopen(engine: Embedded, folder: &std::path::Path) -> Embedded {
    drop(engine);
    open(&engine_config(folder)).unwrap()
}

#[tokio::test]
async fn rows_positions_once_and_the_live_generation_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let engine = open(&engine_config(folder.path())).unwrap();
    let store = engine.generations.open(4).await.unwrap();
    engine.generations.switch(4).await.unwrap();
    store.apply(vec![batch(b"p", 9, vec![row(Table::State, b"p", b"k", b"v")])]).await.unwrap();
    assert!(store.once(b"jti", NOW + 1000, NOW).await.unwrap());
    assert!(store.once(b"expired", NOW - 1, NOW - 10).await.unwrap());
    drop(store);
    let engine = reopen(engine, folder.path());
    assert_eq!(engine.generations.live(), 4);
    let store = engine.generations.open(4).await.unwrap();
    assert_eq!(store.get(Table::State, b"p", b"k").await.unwrap().unwrap(), "v");
    assert_eq!(
        store.apply(vec![batch(b"p", 9, Vec::new()), batch(b"p", 10, Vec::new())]).await.unwrap(),
        [false, true]
    );
    assert!(!store.once(b"jti", NOW + 1000, NOW).await.unwrap());
    assert!(store.once(b"expired", NOW + 5, NOW).await.unwrap());
}

#[tokio::test]
async fn the_marks_count_what_was_applied_whatever_the_order() {
    let folder = tempfile::tempdir().unwrap();
    let engine = open(&engine_config(folder.path())).unwrap();
    let store = engine.embedded_generations().open_store(1).unwrap();
    for (subject, position) in [(b"b", 2u64), (b"a", 1), (b"a", 1), (b"a", 7)] {
        store.apply(vec![batch(subject, position, Vec::new())]).await.unwrap();
    }
    let mut wanted = StreamMarks::default();
    [(b"a", 1u64), (b"a", 7), (b"b", 2)].iter().for_each(|(s, p)| wanted.add("person", *s, *p));
    let marks: Marks = store.marks();
    assert_eq!(marks.streams["person"], wanted);
    drop(store);
    let engine = reopen(engine, folder.path());
    assert_eq!(engine.embedded_generations().open_store(1).unwrap().marks(), marks);
}

/// The engine's journals of generation 1.
fn journal(data: &std::path::Path) -> std::path::PathBuf {
    let folder = std::fs::read_dir(data.join("tables/1")).unwrap().map(|e| e.unwrap().path());
    folder.filter(|p| p.extension().is_some_and(|e| e == "jnl")).max().unwrap()
}

#[tokio::test]
async fn a_flipped_byte_in_the_journal_of_the_tables_is_an_error_or_loses_only_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let engine = open(&engine_config(folder.path())).unwrap();
    let store = engine.generations.open(1).await.unwrap();
    for n in 0..200u64 {
        let value = n.to_be_bytes();
        let rows = vec![
            row(Table::Header, b"p", &value, &value),
            row(Table::Body, b"p", &value, &[value.as_slice(), &[1; 900]].concat()),
            row(Table::Checkpoint, b"person/0", b"", &(n + 1).to_be_bytes()),
        ];
        store.apply(vec![batch(b"p", n, rows)]).await.unwrap();
    }
    store.sync().await.unwrap();
    drop(store);
    drop(engine);
    let mut dice = Dice::new(61);
    let (mut refused, mut shorter) = (0, 0);
    let bytes = std::fs::read(journal(&folder.path().join("data"))).unwrap();
    let used = bytes.iter().rposition(|b| *b != 0).unwrap_or(0) + 1;
    for _ in 0..12 {
        let copy = tempfile::tempdir().unwrap();
        copy_folder(&folder.path().join("data"), &copy.path().join("data"));
        std::fs::copy(folder.path().join("data.erasures"), copy.path().join("data.erasures")).unwrap();
        let path = journal(&copy.path().join("data"));
        let at = dice.below(used);
        let file = std::fs::File::options().write(true).open(&path).unwrap();
        file.write_all_at(&[bytes[at] ^ (1 << dice.below(8))], at as u64).unwrap();
        let engine = open(&engine_config(copy.path())).unwrap();
        let Ok(store) = engine.generations.open(1).await else {
            refused += 1;
            continue;
        };
        // The checkpoint is lost with the rows: the log replays from there.
        let checkpoint = store.get(Table::Checkpoint, b"person/0", b"").await.unwrap();
        let next = checkpoint.map_or(0, |c| u64::from_be_bytes(c[..].try_into().unwrap()));
        for table in [Table::Header, Table::Body] {
            let rows = store.range(table, b"p", b"", b"", 1000).await.unwrap().rows;
            assert_eq!(rows.len() as u64, next, "rows and checkpoint are lost together");
            assert!(rows.iter().all(|(k, v)| v.starts_with(k)));
        }
        assert_eq!(store.apply(vec![batch(b"p", next, Vec::new())]).await.unwrap(), [true]);
        shorter += 1;
    }
    assert_eq!(refused + shorter, 12);
}

#[tokio::test]
async fn a_write_batch_that_is_missing_before_later_ones_is_found_at_open() {
    let folder = tempfile::tempdir().unwrap();
    let engine = open(&engine_config(folder.path())).unwrap();
    let store = engine.generations.open(1).await.unwrap();
    for n in 0..10u64 {
        let table = [Table::Body, Table::Header, Table::Access][n as usize % 3];
        store.apply(vec![batch(b"p", n, vec![row(table, b"p", &n.to_be_bytes(), &[1; 50])])]).await.unwrap();
    }
    drop(store);
    drop(engine);
    for (keyspace, lost) in [("rows", 5u64), ("blobs", 4), ("lists", 6)] {
        let copy = tempfile::tempdir().unwrap();
        copy_folder(&folder.path().join("data"), &copy.path().join("data"));
        std::fs::copy(folder.path().join("data.erasures"), copy.path().join("data.erasures")).unwrap();
        {
            // As if the engine had lost that batch from its journal but kept what came after it.
            let db = fjall::Database::builder(copy.path().join("data/tables/1")).open().unwrap();
            let keyspace = db.keyspace(keyspace, fjall::KeyspaceCreateOptions::default).unwrap();
            keyspace.remove([&[0xf1][..], &lost.to_be_bytes()].concat()).unwrap();
            db.persist(fjall::PersistMode::SyncAll).unwrap();
        }
        let engine = open(&engine_config(copy.path())).unwrap();
        match engine.generations.open(1).await {
            Err(StoreError::Damaged(what)) => assert!(what.contains(&format!("batch {lost}")), "{what}"),
            other => panic!("{keyspace}: {:?}", other.map(|_| ())),
        }
        assert!(engine.generations.open(2).await.is_ok(), "a rebuild beside it is possible");
    }
}

#[tokio::test]
async fn tables_laid_out_by_an_older_release_are_refused_with_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let engine = open(&engine_config(folder.path())).unwrap();
    let store = engine.embedded_generations().open_store(1).unwrap();
    store.apply(vec![batch(b"p", 0, vec![row(Table::Header, b"p", b"k", b"v")])]).await.unwrap();
    let mut marks = store.marks();
    marks.layout -= 1;
    drop((store, engine));
    {
        let db = fjall::Database::builder(folder.path().join("data/tables/1")).open().unwrap();
        let rows = db.keyspace("rows", fjall::KeyspaceCreateOptions::default).unwrap();
        rows.insert([0xf2], schemas::codec::encode(&marks)).unwrap();
        db.persist(fjall::PersistMode::SyncAll).unwrap();
    }
    let engine = open(&engine_config(folder.path())).unwrap();
    match engine.generations.open(1).await {
        Err(StoreError::Damaged(what)) => assert!(what.contains("rebuild"), "{what}"),
        other => panic!("{:?}", other.map(|_| ())),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_is_read_while_it_is_written_never_goes_back_and_is_the_newest_once_applied() {
    for table in [Table::State, Table::Header, Table::Body] {
        rows_never_go_back(table).await;
    }
}

async fn rows_never_go_back(table: Table) {
    const LAST: u64 = 2_000;
    let folder = tempfile::tempdir().unwrap();
    let engine = open(&engine_config(folder.path())).unwrap();
    let store = engine.generations.open(engine.generations.live()).await.unwrap();
    let read = move |store: Arc<dyn Store>| async move {
        let row = store.get(table, b"p1", b"").await.unwrap();
        row.map_or(0, |row| u64::from_be_bytes(row[..8].try_into().unwrap()))
    };
    let reader = |store: Arc<dyn Store>| {
        tokio::spawn(async move {
            let mut seen = 0;
            while seen < LAST {
                let now = read(store.clone()).await;
                assert!(now >= seen, "{now} after {seen}");
                seen = now;
                tokio::task::yield_now().await;
            }
        })
    };
    let readers = [reader(store.clone()), reader(store.clone())];
    for position in 1..=LAST {
        let value = [&position.to_be_bytes()[..], &[7; 500]].concat();
        store.apply(vec![batch(b"p1", position, vec![row(table, b"p1", b"", &value)])]).await.unwrap();
        assert_eq!(read(store.clone()).await, position);
    }
    for reader in readers {
        reader.await.unwrap();
    }
    store.drop_partition(table, b"p1").await.unwrap();
    assert_eq!(read(store.clone()).await, 0, "what was dropped is not kept beside the engine");
}
