//! The contract of the log through kafka-rust, on brokers of version 3.9; newer ones are refused in words.
//!
//! `KIROKU_ENGINES_V3` names the file of `cargo run -p xtask -- up --folder DIR --kafka 3 --cassandra-nodes 0`.

use std::sync::Arc;

use chassis::clock::SystemClock;
use chassis::ports::log::{Log, LogError};
use engines::kafka::{self, Tls};
use engines::kafka_rust::{self, Config, KafkaRustLog};
use schemas::vocab::Topic;

use crate::harness::{read_all, record};
use crate::log::contract;
use crate::servers::{Kafka, engines, engines_v3, fresh_name};

fn config(brokers: Kafka, owned: Option<Vec<u16>>) -> Config {
    let tls = Tls { ca: brokers.ca, certificate: brokers.certificate, key: brokers.key };
    let kafka = kafka::Config {
        brokers: brokers.brokers,
        tls: Some(tls),
        prefix: format!("{}.", fresh_name("rust")),
        partitions: 3,
        replication: 1,
        carrying: false,
    };
    Config { kafka, owned, clock: Arc::new(SystemClock) }
}

async fn fresh_log(owned: Option<Vec<u16>>) -> Arc<KafkaRustLog> {
    let config = config(engines_v3(), owned);
    assert_eq!(kafka::create_topics(&config.kafka).await.unwrap(), []);
    kafka_rust::open(config).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_through_kafka_rust_keeps_the_contract() {
    contract(fresh_log(None).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_broker_is_refused_and_the_other_client_named() {
    let refused = kafka_rust::open(config(engines().kafka, None)).await.err().unwrap();
    assert!(matches!(&refused, LogError::NotWritable(why) if why.contains("up to 3.9")), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_owns_what_its_settings_say() {
    let log = fresh_log(Some(vec![0, 2])).await;
    assert_eq!(*log.ownership(Topic::Person).borrow(), [0, 2]);
    assert_eq!(*log.ownership(Topic::Identity).borrow(), [0]);
    log.append(record(Topic::Person, 0, b"x")).await.unwrap();
    let read = read_all(&*log, Topic::Person, 0).await.unwrap();
    assert!(read[0].time > 1_700_000_000_000, "the appending process stamps its clock");
    log.close();
    assert!(matches!(log.append(record(Topic::Person, 0, b"x")).await, Err(LogError::Closed)));
    assert!(matches!(log.wait_for(Topic::Access, 1, 0).await, Err(LogError::Closed)));
}
