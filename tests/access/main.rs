//! Access: what each reader sees, what is refused, and what is withheld without a trace.

mod alike;
mod canary;
mod certificates;
mod consent;
mod entries;
mod erased;
mod histories;
mod input;
mod limits;
mod mutated;
mod paging;
mod person;
mod probing;
mod tokens;
mod untold;
mod waiting;
mod withheld;
mod writing;
