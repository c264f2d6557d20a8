//! The role as a whole, over the twins of the ports.

mod audit_events;
mod lists;
mod reading;
mod regulator;
mod sentences;
mod speed;
mod verify;
mod world;
