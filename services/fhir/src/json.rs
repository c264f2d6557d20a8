//! A JSON tree that keeps decimals as they were written and refuses what JSON libraries let pass: duplicate keys, lone
//! surrogates, depth.

mod reader;
#[cfg(test)]
mod tests;

pub use fhir_second::Node;

pub use self::reader::{Limits, parse};

/// Whether `name` may be shown in a path. A name that is no FHIR element may hold anything, so only what looks like one is
/// shown: letters, beginning with a small one. The others become `?`.
pub fn is_shown(name: &str) -> bool {
    let letters = name.strip_prefix('_').unwrap_or(name);
    letters.len() <= 40
        && letters.starts_with(|c: char| c.is_ascii_lowercase())
        && letters.bytes().all(|b| b.is_ascii_alphabetic())
}
