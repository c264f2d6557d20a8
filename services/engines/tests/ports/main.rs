//! One contract test per port, passed by the twin and by the embedded engine; faults and damage of the embedded one.

mod damage;
mod faults;
mod harness;
mod keys;
mod kill;
mod log;
mod store;
