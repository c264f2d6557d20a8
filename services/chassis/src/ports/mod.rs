//! The four ports. Each has an in-memory twin ([`crate::twins`]) and passes one contract test, as does every engine.

pub mod keys;
pub mod log;
pub mod store;
