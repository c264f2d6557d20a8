//! The contract of the log on real brokers, and what only that one must do.

use std::sync::Arc;

use chassis::ports::log::{Log, LogError};
use engines::kafka::{self, Config, Fault, KafkaLog, Tls};
use schemas::vocab::Topic;

use crate::harness::{read_all, record};
use crate::log::contract;
use crate::servers::{engines, fresh_name};

fn config(prefix: &str) -> Config {
    let kafka = engines().kafka;
    let tls = Tls { ca: kafka.ca, certificate: kafka.certificate, key: kafka.key };
    Config {
        brokers: kafka.brokers,
        tls: Some(tls),
        prefix: format!("{prefix}."),
        partitions: 3,
        replication: 1,
        carrying: false,
    }
}

async fn fresh_log(what: &str) -> (Arc<KafkaLog>, Config) {
    let config = config(&fresh_name(what));
    assert_eq!(kafka::create_topics(&config).await.unwrap(), []);
    (kafka::open(config.clone()).await.unwrap(), config)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_on_kafka_keeps_the_contract() {
    let (log, _) = fresh_log("contract").await;
    contract(log).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_process_appended_is_read_by_another_and_by_the_next_run() {
    let (writer, config) = fresh_log("two").await;
    let reader = kafka::open(config.clone()).await.unwrap();
    let waiting = tokio::spawn({
        let reader = reader.clone();
        async move { reader.wait_for(Topic::Person, 0, 0).await }
    });
    let places = writer.append_all((0..50).map(|n| record(Topic::Person, 0, &[n; 900])).collect()).await.unwrap();
    waiting.await.unwrap().unwrap();
    assert_eq!(reader.end(Topic::Person, 0).await.unwrap(), 50);
    let read = read_all(&*reader, Topic::Person, 0).await.unwrap();
    assert_eq!(read.iter().map(|r| r.time).collect::<Vec<_>>(), places.iter().map(|p| p.time).collect::<Vec<_>>());
    assert!(read.windows(2).all(|two| two[0].time <= two[1].time), "one broker's clock does not run backwards");
    writer.close().await.unwrap();
    assert!(matches!(writer.append(record(Topic::Person, 0, b"x")).await, Err(LogError::Closed)));
    drop((writer, reader));
    let next = kafka::open(config).await.unwrap();
    assert_eq!(read_all(&*next, Topic::Person, 0).await.unwrap().len(), 50);
    assert_eq!(next.append(record(Topic::Person, 0, b"on")).await.unwrap().offset, 50);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waiter_is_told_when_the_log_closes() {
    let (log, _) = fresh_log("closes").await;
    let waiting = tokio::spawn({
        let log = log.clone();
        async move { log.wait_for(Topic::Access, 2, 0).await }
    });
    tokio::task::yield_now().await;
    log.close().await.unwrap();
    assert!(matches!(waiting.await.unwrap(), Err(LogError::Closed)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn topics_with_wrong_settings_are_refused_in_words() {
    let mut config = config(&fresh_name("wrong"));
    let missing = kafka::check_topics(&config).await.unwrap();
    assert_eq!(missing.len(), Topic::ALL.len() + 1, "one for each topic, and that of the probes");
    assert!(missing.iter().all(|fault| matches!(fault, Fault::Missing(_))));
    let refused = kafka::open(config.clone()).await.unwrap_err().to_string();
    assert!(refused.contains("run `kiroku topics`"), "{refused}");
    kafka::create_topics(&config).await.unwrap();
    config.replication = 3;
    let faults = kafka::check_topics(&config).await.unwrap();
    let said: Vec<String> = faults.iter().map(ToString::to_string).collect();
    assert!(faults.iter().any(|f| matches!(f, Fault::Replicas { found: 1, wanted: 3, .. })), "{said:?}");
    assert!(said.iter().any(|s| s.contains("`min.insync.replicas` is `1` and must be 2")), "{said:?}");
}

#[tokio::test]
async fn a_broker_that_is_not_there_or_does_not_know_the_certificate_is_said() {
    let mut nobody = config("nobody");
    nobody.brokers = vec!["127.0.0.1:1".to_owned()];
    assert!(matches!(kafka::open(nobody).await, Err(LogError::Io(_))));
    let mut stranger = config("stranger");
    stranger.tls = None;
    assert!(matches!(kafka::open(stranger).await, Err(LogError::Io(_))));
}
