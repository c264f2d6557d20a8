//! One contract test per port, passed by the twin and by every engine; faults and damage of the embedded one. Those of
//! Kafka and CQL need real servers (`servers.rs`).

#[cfg(feature = "distributed")]
mod cql;
mod damage;
mod early;
mod faults;
mod harness;
#[cfg(feature = "distributed")]
mod kafka;
#[cfg(feature = "kafka-rust")]
mod kafka_rust;
mod keys;
mod kill;
mod log;
#[cfg(feature = "distributed")]
mod servers;
mod store;
