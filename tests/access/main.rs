//! Access: what each reader sees, what is refused, and what is withheld without a trace.

mod alike;
mod canary;
mod consent;
mod entries;
mod input;
mod mutated;
mod person;
mod tokens;
mod withheld;
mod writing;
