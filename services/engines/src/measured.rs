//! What each call of brokers or database took.

use std::time::Instant;

use chassis::telemetry::metrics;

/// Runs a call (`append`, `read`, `write`) and counts it.
pub(crate) async fn measured<T, E>(call: &'static str, work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    let begun = Instant::now();
    let done = work.await;
    metrics::engine_call(call, begun.elapsed().as_secs_f64(), done.is_ok());
    done
}
