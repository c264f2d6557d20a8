//! Tests of the policies: named cases in three engines, the golden access matrix, random inputs, bundles, filter laws.

mod bundles;
mod cases;
mod filter;
mod host;
mod matrix;
mod random;
mod sources;
mod support;
