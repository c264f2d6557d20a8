//! To see into it: JSON logs, traces, metrics, health. INVARIANT: no personal data in any of them; labels come from closed
//! sets, requests appear by route pattern, libraries never log below `warn`.

pub mod health;
pub mod metrics;
mod process;

pub use process::{hide_panics, no_core_dumps, no_huge_pages};

use std::sync::atomic::{AtomicBool, Ordering};

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{Protocol, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{LogSettings, TelemetrySettings};

/// Our own crates: only these log below `warn`. Libraries are kept quiet at any setting, because they show paths, queries
/// and bodies when they are made to talk.
const OURS: &[&str] = &[
    "chassis",
    "domain",
    "edge",
    "engines",
    "fhir",
    "kiroku",
    "ledger",
    "loadtest",
    "policies",
    "projector",
    "query",
    "schemas",
];

static TRACES_ARE_SENT: AtomicBool = AtomicBool::new(false);

/// Telemetry cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    #[error("the otlp exporter for `telemetry.otlp_endpoint` cannot be made")]
    Exporter(#[from] opentelemetry_otlp::ExporterBuildError),
    #[error("logs are already set up in this process")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
}

/// Keep it until the process ends: dropping it sends the last spans.
#[derive(Debug)]
#[must_use]
pub struct Guard {
    provider: Option<SdkTracerProvider>,
}

impl Guard {
    /// Sends what is waiting to be sent. Blocks; not for a worker thread.
    pub fn flush(&self) {
        if let Some(Err(error)) = self.provider.as_ref().map(SdkTracerProvider::force_flush) {
            tracing::warn!(%error, "spans could not be sent");
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(provider) = self.provider.take() {
            TRACES_ARE_SENT.store(false, Ordering::Relaxed);
            // The process ends; nobody is left to tell.
            let _ = provider.shutdown();
        }
    }
}

/// Logs to standard error, traces to the collector if one is set; panics are logged without their payload.
pub fn init(log: &LogSettings, telemetry: &TelemetrySettings) -> Result<Guard, TelemetryError> {
    init_with(log, telemetry, std::io::stderr)
}

/// [`init`] with another place for the logs: for tests that search them.
pub fn init_with<W>(log: &LogSettings, telemetry: &TelemetrySettings, writer: W) -> Result<Guard, TelemetryError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let level: LevelFilter = log.level.parse().unwrap_or(LevelFilter::INFO);
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .with_current_span(true)
        .with_span_list(false)
        .with_writer(writer)
        .with_filter(ours_at(level));
    let provider = telemetry.otlp_endpoint.as_deref().map(|url| provider(url, telemetry.sample_ratio)).transpose()?;
    let spans = provider.as_ref().map(|provider| {
        tracing_opentelemetry::layer()
            .with_tracer(provider.tracer("kiroku"))
            .with_location(false)
            .with_threads(false)
            // Spans inside a request are of level debug: without a collector they are not made at all.
            .with_filter(ours_at(LevelFilter::DEBUG))
    });
    tracing_subscriber::registry().with(lines).with(spans).try_init()?;
    TRACES_ARE_SENT.store(provider.is_some(), Ordering::Relaxed);
    hide_panics();
    Ok(Guard { provider })
}

/// Whether spans go to a collector.
pub(crate) fn traces_are_sent() -> bool {
    TRACES_ARE_SENT.load(Ordering::Relaxed)
}

fn ours_at(level: LevelFilter) -> Targets {
    let rest = if level < LevelFilter::WARN { level } else { LevelFilter::WARN };
    Targets::new().with_default(rest).with_targets(OURS.iter().map(|name| (*name, level)))
}

/// The exporter runs on a thread of the SDK, with a blocking client: the asynchronous one panics there, for want of a reactor.
fn provider(endpoint: &str, sample_ratio: f64) -> Result<SdkTracerProvider, TelemetryError> {
    let base = endpoint.trim_end_matches('/').trim_end_matches("/v1/traces");
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(format!("{base}/v1/traces"))
        .build()?;
    Ok(SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        // By trace id alone, so that all roles choose the same traces and no caller chooses for us.
        .with_sampler(Sampler::TraceIdRatioBased(sample_ratio))
        .with_resource(Resource::builder().with_service_name("kiroku").build())
        .build())
}
