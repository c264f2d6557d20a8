//! One measured run: rate, latency, processor time of both sides.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use serde::Serialize;

use super::drive::{Job, Load, Measured, drive};
use super::process::{Server, own_cpu_seconds};
use super::token::Tokens;

/// A line of the report.
#[derive(Serialize, Clone, Debug)]
pub struct Row {
    pub what: String,
    pub connections: usize,
    /// Requests per second that the open loop asked for; absent for the closed loop.
    pub asked_per_s: Option<f64>,
    /// Right answers per second.
    pub rate_per_s: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub p999_ms: f64,
    pub max_ms: f64,
    /// Processor time of the server per answer, microseconds.
    pub server_us: f64,
    /// Processor time of the generator per answer, microseconds.
    pub generator_us: f64,
    pub answers: u64,
    pub wrong: u64,
    pub faults: Vec<String>,
    pub mean_bytes: f64,
    /// Rate as a share of the bare endpoint's at the same number of connections.
    pub share_of_bare: Option<f64>,
}

/// How long and how broad.
#[derive(Clone, Debug)]
pub struct Shape {
    pub connections: Vec<usize>,
    pub threads: usize,
    pub warm_up: Duration,
    pub lasting: Duration,
    pub seed: u64,
}

/// Who is asked for what.
#[derive(Clone)]
pub struct Target<'a> {
    pub what: &'a str,
    pub server: &'a Server,
    pub job: Arc<dyn Job>,
    pub tokens: Option<Arc<Tokens>>,
}

impl Target<'_> {
    /// Closed loop at every number of connections, after one warm-up that is not counted.
    pub async fn saturate(&self, shape: &Shape) -> Result<Vec<Row>> {
        let most = shape.connections.iter().copied().max().unwrap_or(1);
        self.fresh().await?;
        drive(self.server.address, self.job.clone(), self.tokens.clone(), load(shape, most, None, shape.warm_up))?;
        let mut rows = Vec::new();
        for &connections in &shape.connections {
            rows.push(self.run(shape, connections, None).await?);
        }
        Ok(rows)
    }

    /// Open loop at `rate` per second, over the largest number of connections.
    pub async fn pace(&self, shape: &Shape, rate: f64) -> Result<Row> {
        let most = shape.connections.iter().copied().max().unwrap_or(1);
        self.run(shape, most, Some(rate)).await
    }

    async fn run(&self, shape: &Shape, connections: usize, rate: Option<f64>) -> Result<Row> {
        self.fresh().await?;
        let (server_before, own_before) = (self.server.cpu_seconds()?, own_cpu_seconds()?);
        let load = load(shape, connections, rate, shape.lasting);
        let measured = drive(self.server.address, self.job.clone(), self.tokens.clone(), load)?;
        let (server, own) = (self.server.cpu_seconds()? - server_before, own_cpu_seconds()? - own_before);
        Ok(row(self.what, (connections, rate), &measured, (server, own)))
    }

    async fn fresh(&self) -> Result<()> {
        match &self.tokens {
            Some(tokens) => tokens.refresh().await,
            None => Ok(()),
        }
    }
}

fn load(shape: &Shape, connections: usize, rate: Option<f64>, lasting: Duration) -> Load {
    Load { connections, threads: shape.threads, rate, lasting, limit: u64::MAX, seed: shape.seed }
}

fn row(what: &str, (connections, asked): (usize, Option<f64>), it: &Measured, (server, own): (f64, f64)) -> Row {
    let per_answer = |seconds: f64| seconds * 1e6 / it.answers.max(1) as f64;
    Row {
        what: what.to_owned(),
        connections,
        asked_per_s: asked,
        rate_per_s: it.rate(),
        p50_ms: it.ms(50.0),
        p99_ms: it.ms(99.0),
        p999_ms: it.ms(99.9),
        max_ms: it.ms(100.0),
        server_us: per_answer(server),
        generator_us: per_answer(own),
        answers: it.answers,
        wrong: it.wrong,
        faults: it.faults.clone(),
        mean_bytes: it.bytes as f64 / it.answers.max(1) as f64,
        share_of_bare: None,
    }
}

/// What a Prometheus histogram without labels holds between two scrapes.
#[derive(Clone, Debug, Default)]
pub struct Buckets(Vec<(f64, f64)>);

impl Buckets {
    /// Cumulative counts by upper bound of histogram `name`.
    pub fn parse(metrics: &str, name: &str) -> Self {
        let start = format!("{name}_bucket{{le=\"");
        let lines = metrics.lines().filter_map(|line| line.strip_prefix(&start)?.split_once("\"} "));
        let bound = |text: &str| if text == "+Inf" { Some(f64::INFINITY) } else { text.parse().ok() };
        Self(lines.filter_map(|(le, count)| Some((bound(le)?, count.trim().parse().ok()?))).collect())
    }

    /// What came since `before`.
    #[must_use]
    pub fn since(self, before: &Self) -> Self {
        let minus = |(at, (bound, count)): (usize, (f64, f64))| (bound, count - before.0.get(at).map_or(0.0, |b| b.1));
        Self(self.0.into_iter().enumerate().map(minus).collect())
    }

    /// These and those; both of the same bounds, or one without any.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        if self.0.is_empty() {
            return other;
        }
        let sum = |((bound, one), (_, more)): ((f64, f64), (f64, f64))| (bound, one + more);
        Self(self.0.into_iter().zip(other.0).map(sum).collect())
    }

    /// How many there are.
    pub fn count(&self) -> f64 {
        self.0.last().map_or(0.0, |bucket| bucket.1)
    }

    /// Upper bound of the bucket in which the quantile lies; `None` without values.
    pub fn quantile_at_most(&self, quantile: f64) -> Option<f64> {
        let wanted = self.count() * quantile;
        self.0.iter().find(|bucket| self.count() > 0.0 && bucket.1 >= wanted).map(|bucket| bucket.0)
    }

    /// Share of values up to `bound`, which must be a bound of a bucket.
    pub fn share_up_to(&self, bound: f64) -> f64 {
        let at = self.0.iter().find(|bucket| (bucket.0 - bound).abs() < 1e-9);
        at.map_or(0.0, |bucket| bucket.1 / self.count().max(1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_read_from_what_came_between_two_scrapes() {
        let text = |a, b, c| {
            format!("x_bucket{{le=\"0.0001\"}} {a}\nx_bucket{{le=\"0.001\"}} {b}\nx_bucket{{le=\"+Inf\"}} {c}\n")
        };
        let before = Buckets::parse(&text(10, 10, 10), "x");
        let after = Buckets::parse(&text(109, 110, 110), "x").since(&before);
        assert!((after.count() - 100.0).abs() < 1e-9);
        assert_eq!(after.quantile_at_most(0.99), Some(0.0001));
        assert_eq!(after.quantile_at_most(0.995), Some(0.001));
        assert!((after.share_up_to(0.0001) - 0.99).abs() < 1e-9);
        assert!((Buckets::default().plus(after.clone()).plus(after).count() - 200.0).abs() < 1e-9);
    }
}
