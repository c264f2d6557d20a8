//! The rules of care as pure functions: (the person's state, command, log time) -> outcome. No I/O, no clock, no dice.
//! The same input gives the same bytes, so that a replay gives the same tables (invariants 2 and 6).

pub mod action;
pub mod apply;
pub mod decide;
pub mod facts;
pub mod safety;

pub use action::{action_of, by_action};
pub use apply::apply;
pub use decide::decide;
pub use facts::{Current, Facts};
