//! Numbers for Prometheus. INVARIANT: labels come from closed sets (`&'static str`, route patterns), never from input.

use std::sync::LazyLock;

use prometheus::core::Collector;
use prometheus::{
    Encoder, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder,
};

static REGISTRY: LazyLock<Registry> = LazyLock::new(Registry::new);

/// Seconds, from 50 us to 10 s.
const SECONDS: &[f64] =
    &[0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
const SIZES: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 4096.0];

static HTTP_REQUESTS: LazyLock<IntCounterVec> =
    LazyLock::new(|| counter_vec("kiroku_http_requests_total", "requests answered", &["route", "method", "status"]));
static HTTP_SECONDS: LazyLock<HistogramVec> = LazyLock::new(|| {
    histogram_vec(
        "kiroku_http_request_seconds",
        "time from the head of a request to the head of its answer",
        &["route", "method"],
        SECONDS,
    )
});
/// Handlers that panicked; should stay 0.
pub static PANICS: LazyLock<IntCounter> =
    LazyLock::new(|| counter("kiroku_http_panics_total", "handlers that panicked"));
static DECISIONS: LazyLock<IntCounterVec> =
    LazyLock::new(|| counter_vec("kiroku_decisions_total", "decisions on access", &["purpose", "result"]));
/// Seconds of one decision that was given, remembered or made for it.
pub static DECISION_SECONDS: LazyLock<Histogram> =
    LazyLock::new(|| histogram("kiroku_decision_seconds", "time until one decision was given", SECONDS));
/// Seconds of one run of the policies.
pub static EVALUATION_SECONDS: LazyLock<Histogram> =
    LazyLock::new(|| histogram("kiroku_decision_evaluation_seconds", "time of one run of the policies", SECONDS));
static LEDGER_APPENDS: LazyLock<IntCounterVec> =
    LazyLock::new(|| counter_vec("kiroku_ledger_appends_total", "access entries made durable", &["kind"]));
/// Seconds until an access entry is durable.
pub static LEDGER_SECONDS: LazyLock<Histogram> =
    LazyLock::new(|| histogram("kiroku_ledger_append_seconds", "wait for a durable access entry", SECONDS));
static SUBMISSIONS: LazyLock<IntCounterVec> =
    LazyLock::new(|| counter_vec("kiroku_submissions_total", "submissions by verdict", &["verdict"]));
/// Records in one commit of the log.
pub static LOG_COMMIT_RECORDS: LazyLock<Histogram> =
    LazyLock::new(|| histogram("kiroku_log_commit_records", "records in one commit of the log", SIZES));
/// Seconds of one sync of the log.
pub static LOG_SYNC_SECONDS: LazyLock<Histogram> =
    LazyLock::new(|| histogram("kiroku_log_sync_seconds", "time of one sync of the log", SECONDS));
/// Seconds of a search's scan of headers, scaled to 1,000 of them: the one work that may follow what is withheld.
pub static HEADER_SCAN_SECONDS: LazyLock<Histogram> = LazyLock::new(|| {
    histogram("kiroku_header_scan_seconds", "time of a search's scan, scaled to 1,000 headers", SECONDS)
});
/// Scans of fewer headers say little of a thousand.
const SCANNED_MIN: usize = 100;
static LAG: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    gauge_vec(
        "kiroku_lag_records",
        "records of a partition of this process that are not in the tables yet",
        &["topic", "partition"],
    )
});
static ENGINE_SECONDS: LazyLock<HistogramVec> = LazyLock::new(|| {
    histogram_vec(
        "kiroku_engine_seconds",
        "time of one call of brokers or database, retries included",
        &["call"],
        SECONDS,
    )
});
static ENGINE_ERRORS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    counter_vec("kiroku_engine_errors_total", "calls of brokers or database that failed, retries included", &["call"])
});
static QUEUE_DEPTH: LazyLock<IntGaugeVec> =
    LazyLock::new(|| gauge_vec("kiroku_queue_depth", "work that waits", &["queue"]));
static BUILD: LazyLock<IntGaugeVec> =
    LazyLock::new(|| gauge_vec("kiroku_build_info", "always 1; the version is the label", &["version"]));

/// One answered request.
pub(crate) fn http_request(route: &str, method: &'static str, status: u16, seconds: f64) {
    HTTP_REQUESTS.with_label_values(&[route, method, status_word(status)]).inc();
    HTTP_SECONDS.with_label_values(&[route, method]).observe(seconds);
}

/// One decision that was given; `result` is permit, deny or step-up. `evaluated`: the policies ran for it, it was not remembered.
pub fn decision(purpose: &'static str, result: &'static str, (seconds, evaluated): (f64, bool)) {
    DECISIONS.with_label_values(&[purpose, result]).inc();
    DECISION_SECONDS.observe(seconds);
    if evaluated {
        EVALUATION_SECONDS.observe(seconds);
    }
}

/// One access entry of a kind (read, search, write, denied ...).
pub fn ledger_append(kind: &'static str, seconds: f64) {
    LEDGER_APPENDS.with_label_values(&[kind]).inc();
    LEDGER_SECONDS.observe(seconds);
}

/// One submission; `verdict` is accepted, refused, quarantined, waiting or the like.
pub fn submission(verdict: &'static str) {
    SUBMISSIONS.with_label_values(&[verdict]).inc();
}

/// One commit of the log.
pub fn log_commit(records: usize, sync_seconds: f64) {
    LOG_COMMIT_RECORDS.observe(f64::from(u32::try_from(records).unwrap_or(u32::MAX)));
    LOG_SYNC_SECONDS.observe(sync_seconds);
}

/// One scan of `headers` headers for a search; headers that had to be opened first are part of it.
pub fn header_scan(headers: usize, seconds: f64) {
    if headers >= SCANNED_MIN {
        HEADER_SCAN_SECONDS.observe(seconds * 1000.0 / headers as f64);
    }
}

/// For each partition that this process works on (topic, number) the records that are not in the tables yet. Others are forgotten.
pub fn lags(lags: &[(&'static str, u16, u64)]) {
    LAG.reset();
    for (topic, partition, records) in lags {
        let lag = LAG.with_label_values(&[topic, partition.to_string().as_str()]);
        lag.set(i64::try_from(*records).unwrap_or(i64::MAX));
    }
}

/// One call of brokers or database: `append`, `read` or `write`.
pub fn engine_call(call: &'static str, seconds: f64, is_ok: bool) {
    ENGINE_SECONDS.with_label_values(&[call]).observe(seconds);
    if !is_ok {
        ENGINE_ERRORS.with_label_values(&[call]).inc();
    }
}

/// Depth of a queue; keep the gauge where it is set often.
pub fn queue_depth(queue: &'static str) -> IntGauge {
    QUEUE_DEPTH.with_label_values(&[queue])
}

/// A counter of a role's own. The name starts with `kiroku_`, ends with `_total`; register it once, in a static.
pub fn counter(name: &str, help: &str) -> IntCounter {
    registered(IntCounter::new(name, help).expect("a metric's name is fixed in the code"))
}

/// A counter with labels of closed sets.
pub fn counter_vec(name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
    registered(IntCounterVec::new(Opts::new(name, help), labels).expect("a metric's name is fixed in the code"))
}

/// A gauge with labels of closed sets.
pub fn gauge_vec(name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
    registered(IntGaugeVec::new(Opts::new(name, help), labels).expect("a metric's name is fixed in the code"))
}

/// A histogram; `buckets` are upper bounds.
pub fn histogram(name: &str, help: &str, buckets: &[f64]) -> Histogram {
    let opts = HistogramOpts::new(name, help).buckets(buckets.to_vec());
    registered(Histogram::with_opts(opts).expect("a metric's name is fixed in the code"))
}

fn histogram_vec(name: &str, help: &str, labels: &[&str], buckets: &[f64]) -> HistogramVec {
    let opts = HistogramOpts::new(name, help).buckets(buckets.to_vec());
    registered(HistogramVec::new(opts, labels).expect("a metric's name is fixed in the code"))
}

fn registered<C: Collector + Clone + 'static>(collector: C) -> C {
    REGISTRY.register(Box::new(collector.clone())).expect("a metric is registered once, in a static");
    collector
}

/// Names every metric of this module, so that it shows from the start; sets the build info.
fn touch_all() {
    LazyLock::force(&PANICS);
    for lazy in [
        &DECISION_SECONDS,
        &EVALUATION_SECONDS,
        &LEDGER_SECONDS,
        &LOG_COMMIT_RECORDS,
        &LOG_SYNC_SECONDS,
        &HEADER_SCAN_SECONDS,
    ] {
        LazyLock::force(lazy);
    }
    BUILD.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
}

/// All metrics in Prometheus' text format.
pub fn render() -> String {
    touch_all();
    let mut out = Vec::with_capacity(16 * 1024);
    match TextEncoder::new().encode(&REGISTRY.gather(), &mut out) {
        Ok(()) => String::from_utf8_lossy(&out).into_owned(),
        Err(error) => {
            tracing::error!(%error, "metrics cannot be written");
            String::new()
        }
    }
}

/// The status as a label; those that we never send share one word.
fn status_word(status: u16) -> &'static str {
    match status {
        200 => "200",
        201 => "201",
        202 => "202",
        204 => "204",
        304 => "304",
        400 => "400",
        401 => "401",
        403 => "403",
        404 => "404",
        405 => "405",
        406 => "406",
        408 => "408",
        409 => "409",
        410 => "410",
        412 => "412",
        413 => "413",
        415 => "415",
        422 => "422",
        429 => "429",
        500 => "500",
        503 => "503",
        _ => "other",
    }
}
