//! The same system on Kafka and Cassandra, its roles in several processes. Needs servers (`tests/src/cluster.rs`), and kills them: one
//! test at a time.

mod journeys;
mod projectors;
mod scene;
mod servers;
