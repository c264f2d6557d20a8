//! The store on CQL.

use std::sync::Arc;

use bytes::Bytes;
use chassis::ports::store::{Batch, Store, Table};
use engines::cql::open;

use super::{behind, fresh};
use crate::store::{batch, contract, row, scan_all};

/// Rows of all tables, as a person's submission leaves them.
pub(super) fn submission(subject: &[u8], position: u64, headers: u16, by: &[u8]) -> Batch {
    let value = [&position.to_be_bytes()[..], by].concat();
    let mut rows = vec![
        row(Table::State, subject, b"", &value),
        row(Table::Verdict, subject, &position.to_be_bytes(), &value),
        row(Table::Submission, &position.to_be_bytes(), b"", subject),
        row(Table::CommonsIndex, b"commons", &[subject, &position.to_be_bytes()].concat(), by),
        row(Table::Checkpoint, b"projector", b"person/0", &position.to_be_bytes()),
    ];
    for n in 0..headers {
        rows.push(row(Table::Header, subject, &n.to_be_bytes(), &value));
        for part in 0..3u8 {
            rows.push(row(
                Table::Body,
                &[subject, b"2026"].concat(),
                &[&n.to_be_bytes()[..], &[part]].concat(),
                &value,
            ));
        }
    }
    batch(subject, position, rows)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_on_cql_keeps_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    let (cql, _, _dropped) = fresh(folder.path(), "contract").await;
    contract(cql.generations.open(7).await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_write_of_an_older_position_never_wins() {
    let folder = tempfile::tempdir().unwrap();
    let (cql, config, _dropped) = fresh(folder.path(), "late").await;
    let zombie = open(&config).await.unwrap().generations.open(1).await.unwrap();
    let store = cql.generations.open(1).await.unwrap();
    // The zombie knows position 1 as the last one applied and never asks again.
    assert_eq!(zombie.apply(vec![submission(b"p", 1, 2, b"one")]).await.unwrap(), [true]);
    assert_eq!(store.apply(vec![submission(b"p", 9, 2, b"owner")]).await.unwrap(), [true]);
    assert_eq!(zombie.apply(vec![submission(b"p", 5, 2, b"zombie")]).await.unwrap(), [true]);
    let value = [&9u64.to_be_bytes()[..], b"owner"].concat();
    assert_eq!(store.get(Table::State, b"p", b"").await.unwrap().unwrap(), value);
    assert_eq!(store.get(Table::Header, b"p", &[0, 1]).await.unwrap().unwrap(), value);
    assert_eq!(store.get(Table::Body, b"p2026", &[0, 1, 0]).await.unwrap().unwrap(), value);
    let checkpoint = store.get(Table::Checkpoint, b"projector", b"person/0").await.unwrap().unwrap();
    assert_eq!(checkpoint, 9u64.to_be_bytes()[..]);
    let fresh = open(&config).await.unwrap().generations.open(1).await.unwrap();
    assert_eq!(fresh.apply(vec![submission(b"p", 9, 2, b"again")]).await.unwrap(), [false], "9 stays the last applied");
    for table in [Table::State, Table::Header, Table::Version, Table::Verdict] {
        store.drop_partition(table, b"p").await.unwrap();
    }
    store.drop_partition(Table::Body, b"p2026").await.unwrap();
    assert_eq!(zombie.apply(vec![submission(b"p", 7, 2, b"zombie")]).await.unwrap(), [true]);
    for (table, partition) in [(Table::State, &b"p"[..]), (Table::Header, b"p"), (Table::Body, b"p2026")] {
        assert!(
            store.range(table, partition, b"", b"", 9).await.unwrap().rows.is_empty(),
            "dropped for ever: {table:?}"
        );
    }
    assert_eq!(store.apply(vec![submission(b"p", 9, 2, b"again")]).await.unwrap(), [false]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_that_apply_the_same_batches_leave_the_same_rows_of_one_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let (cql, config, _dropped) = fresh(folder.path(), "two").await;
    let other = open(&config).await.unwrap();
    let write = |store: Arc<dyn Store>, by: &'static [u8]| {
        tokio::spawn(async move {
            for position in 0..40u64 {
                let subjects = [b"a", b"b", b"c"];
                let batches = subjects.map(|s| submission(s, position * 3 + u64::from(s[0] - b'a'), 4, by)).to_vec();
                store.apply(batches).await.unwrap();
            }
        })
    };
    let one = cql.generations.open(1).await.unwrap();
    let two = other.generations.open(1).await.unwrap();
    let (first, second) = (write(one.clone(), b"one"), write(two.clone(), b"two"));
    first.await.unwrap();
    second.await.unwrap();
    for (n, subject) in [b"a", b"b", b"c"].into_iter().enumerate() {
        let last = 39 * 3 + n as u64;
        let state = one.get(Table::State, subject, b"").await.unwrap().unwrap();
        assert_eq!(state[..8], last.to_be_bytes());
        let headers = one.range(Table::Header, subject, b"", b"", 9).await.unwrap().rows;
        assert_eq!(headers.len(), 4);
        assert!(headers.iter().all(|(_, v)| *v == state), "a home partition is that of one writer, never a mixture");
        let bodies = one.range(Table::Body, &[&subject[..], b"2026"].concat(), b"", b"", 99).await.unwrap().rows;
        assert_eq!(bodies.len(), 12);
        assert!(bodies.iter().all(|(_, v)| *v == bodies[0].1 && v[..8] == last.to_be_bytes()), "nor are bodies");
        assert_eq!(two.range(Table::Verdict, subject, b"", b"", 99).await.unwrap().rows.len(), 40);
        assert_eq!(one.apply(vec![submission(subject, last, 4, b"late")]).await.unwrap(), [false]);
    }
    let index = scan_all(&*two, Table::CommonsIndex, 7).await;
    assert_eq!(index.len(), 120);
    assert!(index.iter().all(|r| r.partition == "commons" && r.key.len() == 9));
    assert!(one.range(Table::CommonsIndex, b"commons", b"", b"", 9).await.is_err(), "read by the whole key only");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_applied_position_and_its_rows_are_never_seen_apart() {
    let folder = tempfile::tempdir().unwrap();
    let (cql, config, _dropped) = fresh(folder.path(), "apart").await;
    let store = cql.generations.open(1).await.unwrap();
    store.apply(vec![submission(b"p", 0, 60, b"")]).await.unwrap();
    let writer = tokio::spawn({
        let store = store.clone();
        async move {
            for position in 1..60 {
                store.apply(vec![submission(b"p", position, 60, b"")]).await.unwrap();
            }
        }
    });
    let session = behind(&config).await;
    let all = format!("SELECT kind, key, value FROM {}.shelf_1 WHERE pk = 0x0170", config.keyspace);
    let all = session.prepare(all).await.unwrap();
    let mut seen = std::collections::BTreeSet::new();
    while !writer.is_finished() {
        let rows = session.execute_unpaged(&all, ()).await.unwrap().into_rows_result().unwrap();
        let rows: Vec<(i8, Bytes, Bytes)> = rows.rows().unwrap().map(Result::unwrap).collect();
        let position = rows.iter().find(|(kind, ..)| *kind == 0).unwrap().2.clone();
        let newest = |kind: i8| rows.iter().filter(move |r| r.0 == kind).map(|r| r.2[..8].to_vec());
        assert_eq!(newest(1).chain(newest(2)).filter(|v| v[..] == position[..]).count(), 61, "state and 60 headers");
        assert_eq!(newest(4).max().unwrap(), position[..]);
        seen.insert(position);
    }
    writer.await.unwrap();
    assert!(seen.len() > 5, "the writer was watched at work: {}", seen.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_of_ten_mebibytes_and_thousands_of_headers_is_applied() {
    let folder = tempfile::tempdir().unwrap();
    let (cql, _, _dropped) = fresh(folder.path(), "large").await;
    let store = cql.generations.open(1).await.unwrap();
    let mut rows = vec![row(Table::State, b"p", b"", b"state")];
    rows.extend((0..5000u16).map(|n| row(Table::Header, b"p", &n.to_be_bytes(), &[7; 900])));
    rows.extend((0..20u16).map(|n| row(Table::Body, b"p2026", &n.to_be_bytes(), &vec![8; 512 * 1024])));
    assert_eq!(store.apply(vec![batch(b"p", 1, rows)]).await.unwrap(), [true]);
    // Above the largest mutation: in pieces, the state with the last one.
    let mut rows = vec![row(Table::State, b"q", b"", b"state")];
    rows.extend((0..20_000u16).map(|n| row(Table::Header, b"q", &n.to_be_bytes(), &[7; 900])));
    assert_eq!(store.apply(vec![batch(b"q", 2, rows)]).await.unwrap(), [true]);
    for (subject, count) in [(b"p", 5000), (b"q", 20_000)] {
        assert_eq!(store.get(Table::State, subject, b"").await.unwrap().unwrap(), "state");
        let headers = store.range(Table::Header, subject, b"", b"", usize::MAX).await.unwrap();
        assert!(headers.rows.len() == count && !headers.more, "{}", headers.rows.len());
    }
    let bodies = store.range(Table::Body, b"p2026", b"", b"", usize::MAX).await.unwrap().rows;
    assert!(bodies.len() == 20 && bodies.iter().all(|(_, v)| v.len() == 512 * 1024));
}
