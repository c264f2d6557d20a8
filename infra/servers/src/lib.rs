//! Real Kafka and Cassandra on this machine: fetched as jars, started on loopback behind mutual TLS, ended by process id.
//!
//! For tests and for development. A [`Plan`] names a folder and what is to run; [`Cluster::start`] returns when all of it
//! answers, and `FOLDER/engines.toml` then says how to reach it.

mod cassandra;
mod certificates;
mod cluster;
mod control;
mod engines;
mod files;
mod jars;
mod java;
mod kafka;
mod plan;
mod ports;
mod prepare;
mod process;
mod server;
mod tls;
mod wire;

pub use certificates::{Authority, Issued};
pub use cluster::Cluster;
pub use jars::{Jars, Release};
pub use plan::{KafkaPlan, KafkaVersion, Nodes, Plan};
pub use process::State;
pub use server::Server;
