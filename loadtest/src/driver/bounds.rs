//! The bounds of the issue, and which measured value each is held against.

use super::measure::Row;
use super::report::{Bound, Figure};

/// Measured values that are no rows.
#[derive(Default)]
pub struct Facts {
    pub decision_p99_us: Option<f64>,
    pub synthea_per_s: Option<f64>,
    pub disk_kib: Option<f64>,
    /// Resources, seconds until ready, MB at rest.
    pub start: Option<(usize, f64, f64)>,
    /// Resources per second of a rebuild.
    pub rebuild_per_s: Option<f64>,
}

/// Start time and memory are bounded for a million resources.
const START_RESOURCES: usize = 1_000_000;

/// Every figure of the issue, in its order.
pub fn figures(rows: &[Row], facts: &Facts) -> Vec<Figure> {
    let closed = |what: &str| rows.iter().find(|r| r.what == what && r.connections == 64 && r.asked_per_s.is_none());
    let paced = |what: &str, rate: f64| {
        rows.iter().find(|r| r.what == what && r.asked_per_s.is_some_and(|asked| (asked - rate).abs() < 0.5))
    };
    let (read, create) = (closed("read"), closed("create"));
    let calm = paced("read", 1_000.0);
    // A run with wrong answers gives no figure.
    let right = |row: Option<&Row>, value: fn(&Row) -> f64| row.filter(|row| row.wrong == 0).map(value);
    let start = facts.start;
    let size = start.map_or(START_RESOURCES, |(resources, _, _)| resources);
    vec![
        least("read one resource, 64 connections", ("/s", 20_000.0), Some(30_000.0), right(read, |r| r.rate_per_s)),
        least(
            "its share of the bare endpoint",
            ("%", 25.0),
            Some(50.0),
            read.filter(|r| r.wrong == 0).and_then(|r| r.share_of_bare).map(|share| share * 100.0),
        ),
        most("read at 1,000/s: p99", ("ms", 2.0), right(calm, |r| r.p99_ms)),
        most("read at 1,000/s: p99.9", ("ms", 5.0), right(calm, |r| r.p999_ms)),
        least("search, 10 results, warm", ("/s", 6_000.0), None, right(closed("search warm"), |r| r.rate_per_s)),
        least("search, 10 results, cold", ("/s", 1_500.0), None, right(closed("search cold"), |r| r.rate_per_s)),
        least("durable create, 64 connections", ("/s", 8_000.0), Some(15_000.0), right(create, |r| r.rate_per_s)),
        most("durable create, 64 connections: p99", ("ms", 40.0), right(create, |r| r.p99_ms)),
        most("durable create at 2,000/s: p99", ("ms", 5.0), right(paced("create", 2_000.0), |r| r.p99_ms)),
        least("load of Synthea, durable and searchable", ("resources/s", 8_000.0), None, facts.synthea_per_s),
        most("$everything at 50/s: p99", ("ms", 50.0), right(paced("$everything", 50.0), |r| r.p99_ms)),
        most("decision inside the server: p99 (bound of its bucket)", ("us", 100.0), facts.decision_p99_us),
        most(&format!("start (bound for 1 M resources; measured with {size})"), ("s", 3.0), start.map(|s| s.1)),
        most(&format!("memory at rest (measured with {size} resources)"), ("MB", 400.0), start.map(|s| s.2)),
        most("on disk per Synthea resource", ("KiB", 1.5), facts.disk_kib),
    ]
}

/// Every figure of the issue "A country's size" that this test measures.
pub fn at_scale(rows: &[Row], facts: &Facts) -> Vec<Figure> {
    let closed = |what: &str| rows.iter().find(|r| r.what == what && r.connections == 64 && r.wrong == 0);
    let (create, read) = (closed("create"), closed("read"));
    let share = |row: Option<&Row>| row.and_then(|row| row.share_of_bare).map(|share| share * 100.0);
    vec![
        least("durable submissions, 64 clients", ("/s", 600.0), None, create.map(|r| r.rate_per_s)),
        most("durable submissions, 64 clients: p99", ("ms", 300.0), create.map(|r| r.p99_ms)),
        least("their share of the engines alone", ("%", 60.0), None, share(create)),
        least("reads with decision and durable entry, 64 clients", ("/s", 1_500.0), None, read.map(|r| r.rate_per_s)),
        most("reads, 64 clients: p99", ("ms", 100.0), read.map(|r| r.p99_ms)),
        least("their share of the engines alone", ("%", 60.0), None, share(read)),
        least("rebuild", ("resources/s", 5_000.0), None, facts.rebuild_per_s),
    ]
}

fn least(what: &str, (unit, limit): (&'static str, f64), aim: Option<f64>, measured: Option<f64>) -> Figure {
    Figure { what: what.to_owned(), unit, bound: Bound::AtLeast, limit, aim, measured }
}

fn most(what: &str, (unit, limit): (&'static str, f64), measured: Option<f64>) -> Figure {
    Figure { what: what.to_owned(), unit, bound: Bound::AtMost, limit, aim: None, measured }
}
