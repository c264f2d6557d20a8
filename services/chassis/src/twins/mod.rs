//! In-memory twins of the ports, for tests and the simulation. They pass the same contract tests as the engines, take their
//! time from a [`crate::clock::Clock`], and fail when told to. Nothing in them is durable.

mod keys;
mod log;
mod store;

pub use self::keys::MemoryKeys;
pub use self::log::MemoryLog;
pub use self::store::{MemoryGenerations, MemoryStore};
