//! `cargo run --release -p policies --example decide_speed`: time of start, of a decision per named base input, and of one
//! check of an item. Prints percentiles in microseconds.

use std::time::{Duration, Instant};

use policies::{Bundle, Policies};
use serde_json::value::to_raw_value;

const ROUNDS: usize = 20_000;

#[expect(clippy::print_stdout, reason = "an example that reports figures")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let start = Instant::now();
    let policies = Policies::new(Bundle::embedded()?)?;
    println!("start (compile, check, first instance): {:?}", start.elapsed());
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/cases/bases.json");
    let file: serde_json::Value = serde_json::from_slice(&std::fs::read(path)?)?;
    let rounds = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(ROUNDS);
    for (name, input) in file["bases"].as_object().ok_or("bases are named")? {
        let (json, now) = (to_raw_value(input)?, input["now"].as_i64().unwrap_or_default());
        let mut times: Vec<Duration> = Vec::with_capacity(rounds);
        for _ in 0..rounds {
            let start = Instant::now();
            std::hint::black_box(policies.decide_json(&json, now));
            times.push(start.elapsed());
        }
        times.sort_unstable();
        let at = |share: usize| times[(times.len() - 1) * share / 1000].as_secs_f64() * 1e6;
        println!(
            "{name:32} {:5} bytes  p50 {:6.1}  p99 {:6.1}  p99.9 {:6.1}",
            json.get().len(),
            at(500),
            at(990),
            at(999)
        );
    }
    println!("errors: {}", policies.error_count());
    Ok(())
}
