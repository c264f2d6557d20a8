//! Engines behind the ports of `chassis`. Linked only by the binary and by tests.

pub mod carry;
#[cfg(feature = "distributed")]
pub mod cql;
pub mod embedded;
#[cfg(feature = "distributed")]
pub mod kafka;
#[cfg(feature = "kafka-rust")]
pub mod kafka_rust;
#[cfg(feature = "distributed")]
mod measured;
