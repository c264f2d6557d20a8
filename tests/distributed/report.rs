//! What the rounds showed: on the terminal, and a line of JSON each in the file `KIROKU_FAULT_RESULTS`, of which
//! `cargo run -p xtask -- faults` makes its report.

use std::io::Write;

use anyhow::{Context, Result};
use serde_json::json;

use crate::scene::Round;

pub(crate) fn tell(round: &Round) -> Result<()> {
    let (moment, back, waited) = (round.moment.as_secs_f64(), round.back.as_secs_f64(), round.waited.as_secs_f64());
    let Round { fault, seed, written, released, .. } = round;
    eprintln!(
        "{fault}: seed {seed}, {moment:.2} s after the start; service back after {back:.1} s, longest wait {waited:.1} s; \
         {written} records and {released} releases hold"
    );
    let Ok(file) = std::env::var("KIROKU_FAULT_RESULTS") else { return Ok(()) };
    let line = json!({
        "fault": fault, "seed": seed, "moment_s": moment, "back_s": back, "waited_s": waited,
        "records": written, "releases": released,
    });
    let mut out = std::fs::OpenOptions::new().create(true).append(true).open(&file).with_context(|| file.clone())?;
    Ok(writeln!(out, "{line}")?)
}
