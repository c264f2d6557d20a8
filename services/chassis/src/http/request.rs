//! What is known of a request before its handler runs: its id and its trace (W3C Trace Context).

use std::cell::Cell;
use std::fmt;
use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header::HeaderMap;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId as OtelTraceId, TraceState};
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// 16 bytes; shown as 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId(pub [u8; 16]);

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = hex(&self.0);
        f.write_str(std::str::from_utf8(&digits).expect("digits are ascii"))
    }
}

/// Ids of a request; an extractor.
#[derive(Debug, Clone)]
pub struct RequestInfo {
    /// What the client sent as `X-Request-Id` (at most 64 visible ascii characters), else the trace id. Given back to the
    /// client and kept in the access entry. A client's own words: never logged, unless they have the form of a UUID.
    pub request_id: String,
    pub trace_id: TraceId,
    /// The caller's span, if it sent a `traceparent`.
    pub(super) parent: Option<[u8; 8]>,
}

impl RequestInfo {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let parent = headers.get("traceparent").and_then(|value| parse_traceparent(value.as_bytes()));
        let trace_id = parent.map_or_else(|| TraceId(random16()), |(trace, _)| trace);
        let given = headers.get("x-request-id").and_then(|value| value.to_str().ok()).filter(|id| is_sane(id));
        let request_id = given.map_or_else(|| trace_id.to_string(), ToOwned::to_owned);
        Self { request_id, trace_id, parent: parent.map(|(_, span)| span) }
    }

    /// The request id as it may stand in logs.
    pub(super) fn loggable_id(&self) -> Option<&str> {
        is_uuid(&self.request_id).then_some(self.request_id.as_str())
    }

    /// Makes the caller's span the parent of `span`, or takes over the trace that `span` has begun. The caller does not
    /// choose what is sampled: its flag is passed over.
    pub(super) fn join(&mut self, span: &tracing::Span) {
        if let Some(parent) = self.parent {
            return hang_on(span, self.trace_id, parent);
        }
        let context = span.context();
        let begun = context.span().span_context().clone();
        if begun.is_valid() {
            let made_by_us = self.request_id == self.trace_id.to_string();
            self.trace_id = TraceId(begun.trace_id().to_bytes());
            if made_by_us {
                self.request_id = self.trace_id.to_string();
            }
        }
    }
}

impl FromRequest for RequestInfo {
    type Error = actix_web::Error;
    type Future = Ready<Result<Self, Self::Error>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let known = req.extensions().get::<Self>().cloned();
        ready(Ok(known.unwrap_or_else(|| Self::of(req.headers()))))
    }
}

/// Header `traceparent` for a call to another role, from the current span; `None` while no traces are sent.
pub fn traceparent_of_current_span() -> Option<String> {
    let context = tracing::Span::current().context();
    let span = context.span().span_context().clone();
    span.is_valid().then(|| format!("00-{}-{}-{:02x}", span.trace_id(), span.span_id(), span.trace_flags().to_u8()))
}

/// Makes the span that `traceparent` names the parent of `span`: work of one role for a request of another. Text that is no
/// traceparent changes nothing.
pub fn join_trace(span: &tracing::Span, traceparent: &str) {
    if let Some((trace, parent)) = parse_traceparent(traceparent.as_bytes()) {
        hang_on(span, trace, parent);
    }
}

fn hang_on(span: &tracing::Span, trace: TraceId, parent: [u8; 8]) {
    let (trace, parent) = (OtelTraceId::from_bytes(trace.0), SpanId::from_bytes(parent));
    let parent = SpanContext::new(trace, parent, TraceFlags::default(), true, TraceState::default());
    // Fails only where the level leaves no span; then there is nothing to join.
    let _ = span.set_parent(opentelemetry::Context::new().with_remote_span_context(parent));
}

/// Version 00 of W3C Trace Context: `00-<32 hex>-<16 hex>-<2 hex>`, lower case, neither id all zero.
fn parse_traceparent(value: &[u8]) -> Option<(TraceId, [u8; 8])> {
    if value.len() != 55 || !value.starts_with(b"00-") || value[35] != b'-' || value[52] != b'-' {
        return None;
    }
    let trace: [u8; 16] = unhex(&value[3..35])?;
    let span: [u8; 8] = unhex(&value[36..52])?;
    unhex::<1>(&value[53..])?;
    (trace != [0; 16] && span != [0; 8]).then_some((TraceId(trace), span))
}

fn unhex<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let digit = |d: u8| match d {
        b'0'..=b'9' => Some(d - b'0'),
        b'a'..=b'f' => Some(d - b'a' + 10),
        _ => None,
    };
    let mut out = [0; N];
    for (byte, pair) in out.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(out)
}

fn hex(bytes: &[u8; 16]) -> [u8; 32] {
    let mut out = [0; 32];
    for (pair, byte) in out.chunks_exact_mut(2).zip(bytes) {
        pair[0] = b"0123456789abcdef"[usize::from(byte >> 4)];
        pair[1] = b"0123456789abcdef"[usize::from(byte & 15)];
    }
    out
}

fn is_sane(id: &str) -> bool {
    (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic())
}

/// 32 hexadecimal digits, with or without the four hyphens of RFC 9562. Digits alone do not count: they could be a number
/// of a person.
fn is_uuid(id: &str) -> bool {
    let hyphens_right = match id.len() {
        32 => !id.contains('-'),
        36 => id.bytes().enumerate().all(|(at, b)| (b == b'-') == matches!(at, 8 | 13 | 18 | 23)),
        _ => false,
    };
    hyphens_right
        && id.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit())
        && id.bytes().any(|b| b.is_ascii_alphabetic())
}

/// Ids that need to be distinct, not secret: one draw of real randomness per thread, then SplitMix64 (public domain).
fn random16() -> [u8; 16] {
    thread_local! {
        static STATE: Cell<u64> = {
            let mut seed = [0; 8];
            openssl::rand::rand_bytes(&mut seed).expect("the system's random source works");
            Cell::new(u64::from_ne_bytes(seed))
        };
    }
    let next = || {
        let state = STATE.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        STATE.set(state);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    let mut out = [0; 16];
    out[..8].copy_from_slice(&next().to_be_bytes());
    out[8..].copy_from_slice(&next().to_be_bytes());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_traceparent_is_taken_only_in_its_exact_form() {
        let good = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let (trace, span) = parse_traceparent(good).unwrap();
        assert_eq!(trace.to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(span, [0, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7]);
        for at in 0..good.len() {
            let mut bad = *good;
            bad[at] = b'G';
            assert_eq!(parse_traceparent(&bad), None, "changed at {at}");
        }
        assert_eq!(parse_traceparent(b"00-00000000000000000000000000000000-00f067aa0ba902b7-01"), None);
        assert_eq!(parse_traceparent(b""), None);
    }

    #[test]
    fn only_ids_in_the_form_of_a_uuid_may_be_logged() {
        assert!(is_uuid("0190163d-8694-739b-aea5-966c26f8ad91") && is_uuid("4bf92f3577b34da6a3ce929d0e0e4736"));
        for other in ["yamada-taro", "01234567890123456789012345678901", "0190163d-8694-739b-aea5+966c26f8ad91", ""] {
            assert!(!is_uuid(other), "{other}");
        }
    }
}
