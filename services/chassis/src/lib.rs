//! What every role stands on: the four ports with their in-memory twins, HTTP, sign-in, settings, telemetry, the clock.
//! No rule of care lives here.

pub mod auth;
pub mod clock;
pub mod config;
pub mod crypto;
pub mod entry;
pub mod envelope;
pub mod http;
pub mod ledger;
pub mod owned;
pub mod ports;
pub mod registry;
pub mod release;
pub mod session;
pub mod shelf;
pub mod shelves;
pub mod telemetry;
pub mod twins;
pub mod verdicts;
