//! The same system on Kafka and Cassandra, its roles in several processes. Needs servers (`tests/src/cluster.rs`), and kills them: one
//! test at a time.

mod alone;
mod checks;
mod copying;
mod faults;
mod journeys;
mod load;
mod own_servers;
mod processes;
mod report;
mod scene;
mod servers;
