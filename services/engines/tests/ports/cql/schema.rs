//! Migrations, generations and roles on CQL.

use std::time::Duration;

use chassis::ports::store::{StoreError, Table};
use engines::cql::{Cql, CqlError, Login, migrate, open};
use schemas::Pid;

use super::store::submission;
use super::{Dropped, behind, config, fresh};
use crate::harness::NOW;
use crate::servers::fresh_name;
use crate::store::{batch, generations_contract};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn generations_on_cql_keep_the_contract_and_another_process_sees_the_switch() {
    let folder = tempfile::tempdir().unwrap();
    let (cql, config, _dropped) = fresh(folder.path(), "generations").await;
    let other = open(&config).await.unwrap();
    generations_contract(&*cql.generations).await;
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while other.generations.live() != 2 {
        assert!(std::time::Instant::now() < deadline, "the switch was not seen");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let store = other.generations.open(1).await.unwrap();
    assert_eq!(store.get(Table::State, b"p", b"").await.unwrap(), None, "made anew after it was removed");
    assert_eq!(store.apply(vec![batch(b"p", 1, Vec::new())]).await.unwrap(), [true]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_engine_does_not_open_without_its_schema_its_key_or_its_journal() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path(), "refused");
    let _dropped = Dropped(config.clone());
    let refused = |opened: Result<Cql, CqlError>| opened.err().expect("refused").to_string();
    let words = refused(open(&config).await);
    assert!(words.contains("migrate it first"), "{words}");
    migrate(&config).await.unwrap();
    migrate(&config).await.unwrap();
    drop(open(&config).await.unwrap());
    let kek = std::fs::read(folder.path().join("kek")).unwrap();
    std::fs::write(folder.path().join("kek"), [5; 32]).unwrap();
    let words = refused(open(&config).await);
    assert!(words.contains("key_encryption_key"), "{words}");
    std::fs::remove_file(folder.path().join("kek")).unwrap();
    refused(open(&config).await);
    assert!(!folder.path().join("kek").exists(), "a lost key is never replaced");
    std::fs::write(folder.path().join("kek"), kek).unwrap();
    drop(open(&config).await.unwrap());
    let session = behind(&config).await;
    let change = async |text: String| drop(session.query_unpaged(text, ()).await.unwrap());
    let ks = &config.keyspace;
    change(format!("UPDATE {ks}.migration SET hash = 0x00 WHERE number = 2")).await;
    assert!(matches!(open(&config).await, Err(CqlError::ChangedMigration { number: 2, .. })));
    assert!(matches!(migrate(&config).await, Err(CqlError::ChangedMigration { number: 2, .. })));
    change(format!("DELETE FROM {ks}.migration WHERE number = 2")).await;
    let words = refused(open(&config).await);
    assert!(words.contains("migration 2 is missing"), "{words}");
    migrate(&config).await.unwrap();
    change(format!("INSERT INTO {ks}.migration (number, hash) VALUES (99, 0x00)")).await;
    drop(open(&config).await.expect("an older program runs on while a newer one is rolled out"));
    assert!(matches!(migrate(&config).await, Err(CqlError::NewerSchema { number: 99, .. })));
    change(format!("DROP TABLE {ks}_erasures.erasure")).await;
    change(format!("CREATE TABLE {ks}_erasures.erasure (mark blob PRIMARY KEY, at bigint)")).await;
    let words = refused(open(&config).await);
    assert!(words.contains("journal of erasures"), "{words}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_applications_role_reads_and_writes_rows_and_changes_no_table() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path(), "roles");
    config.admin = Some(std::mem::replace(&mut config.login, Login::new(fresh_name("app"), "it's secret")));
    config.keys_login = Some(Login::new(fresh_name("keys"), "another"));
    let _dropped = Dropped(config.clone());
    migrate(&config).await.unwrap();
    let mut served = config.clone();
    served.admin = None;
    let cql = open(&served).await.unwrap();
    let store = cql.generations.open(1).await.unwrap();
    assert_eq!(store.apply(vec![submission(b"p", 1, 2, b"")]).await.unwrap(), [true]);
    assert!(store.once(b"k", NOW + 9, NOW).await.unwrap());
    cql.keys.create_person(Pid([1; 16])).await.unwrap();
    assert!(matches!(cql.generations.open(2).await, Err(StoreError::NotWritable(_))), "tables are made by the admin");
    let mut keys = served.clone();
    keys.keys_login = None;
    assert!(open(&keys).await.is_err(), "the application's role does not reach the keyring");
    drop(open(&config).await.unwrap().generations.open(2).await.unwrap());
    drop(cql.generations.open(2).await.unwrap());
}
