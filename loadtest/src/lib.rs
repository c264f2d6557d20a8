//! Load for Kiroku, and the seeded Japanese population that demo, tests and load share.

pub mod driver;
pub mod population;
