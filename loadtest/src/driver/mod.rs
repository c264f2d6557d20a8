//! The load test: a generator that checks what it reads, scenarios, and the report.

mod at_scale;
pub mod bounds;
pub mod drive;
pub mod fill;
pub mod http;
pub mod machine;
pub mod measure;
pub mod process;
mod reads;
pub mod recorded;
pub mod report;
pub mod scenario;
pub mod suite;
pub mod token;
pub mod world;
