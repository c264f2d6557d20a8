//! The same system on Kafka and Cassandra, its roles in several processes. Needs servers: see `tests/src/cluster.rs`.

mod projectors;
mod story;
