//! Placeholder while this is written.
