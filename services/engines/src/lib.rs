//! Engines behind the ports of `chassis`. Linked only by the binary and by tests.

pub mod embedded;
