//! How bytes leave: [`Answer`] about a person, [`Plain`] about none. Two types, so that the compiler tells them apart.

use std::time::{Duration, UNIX_EPOCH};

use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue, HttpDate};
use actix_web::{HttpRequest, HttpResponse, Responder};
use bytes::Bytes;

use crate::release::{Answer, NOTICE};

/// Media type of everything that is FHIR.
pub const FHIR_JSON: &str = "application/fhir+json; charset=utf-8";

const RECEIPT_HEADER: HeaderName = HeaderName::from_static("kiroku-receipt");
const NOTICE_HEADER: HeaderName = HeaderName::from_static("kiroku-notice");
/// Bodies below this many bytes leave uncompressed, whatever the client can take: they fill few packets, and a compressor
/// costs ten times what the rest of such an answer does.
const COMPRESSED_FROM: usize = 4096;
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

impl Responder for Answer {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        let receipt = self.receipt().header_value();
        let mut response = response(self.status, FHIR_JSON, &self.headers, self.body);
        let headers = response.headers_mut();
        headers.insert(RECEIPT_HEADER, HeaderValue::from_str(&receipt).expect("base64url is visible ascii"));
        headers.insert(NOTICE_HEADER, HeaderValue::from_static(NOTICE));
        headers.insert(header::CACHE_CONTROL, NO_STORE);
        response
    }
}

/// An answer that is about no person: CapabilityStatement, commons, health, tokens, OpenAPI.
/// INVARIANT: never carries anything of a shelf.
#[derive(Debug, Clone)]
pub struct Plain {
    pub status: u16,
    pub content_type: &'static str,
    /// Header names in lower case.
    pub headers: Vec<(&'static str, String)>,
    pub body: Bytes,
}

impl Plain {
    /// FHIR about no person.
    pub fn fhir(status: u16, body: impl Into<Bytes>) -> Self {
        Self { status, content_type: FHIR_JSON, headers: Vec::new(), body: body.into() }
    }

    /// JSON that is not FHIR.
    pub fn json(status: u16, body: &serde_json::Value) -> Self {
        Self { status, content_type: "application/json", headers: Vec::new(), body: body.to_string().into() }
    }

    /// Text.
    pub fn text(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self { status, content_type, headers: Vec::new(), body: body.into() }
    }

    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

impl Responder for Plain {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        let mut response = response(self.status, self.content_type, &self.headers, self.body);
        let headers: &mut HeaderMap = response.headers_mut();
        if !headers.contains_key(header::CACHE_CONTROL) {
            headers.insert(header::CACHE_CONTROL, NO_STORE);
        }
        response
    }
}

/// IMF-fixdate of RFC 9110, for `Last-Modified`. `ms` since 1970.
pub fn http_date(ms: i64) -> String {
    HttpDate::from(UNIX_EPOCH + Duration::from_millis(ms.unsigned_abs())).to_string()
}

/// Tells the compressor to let the body be; the mark is taken off before the answer leaves ([`unmark`]).
pub(super) fn leave_uncompressed(headers: &mut HeaderMap) {
    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("identity"));
}

/// Takes the mark of [`leave_uncompressed`] off.
pub(super) fn unmark(headers: &mut HeaderMap) {
    if headers.get(header::CONTENT_ENCODING).is_some_and(|value| value == "identity") {
        headers.remove(header::CONTENT_ENCODING);
    }
}

fn response(status: u16, content_type: &'static str, headers: &[(&'static str, String)], body: Bytes) -> HttpResponse {
    let status = StatusCode::from_u16(status).expect("handlers use real status codes");
    let is_small = body.len() < COMPRESSED_FROM;
    let mut response = HttpResponse::with_body(status, BoxBody::new(body));
    let out = response.headers_mut();
    if is_small {
        leave_uncompressed(out);
    }
    out.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    for (name, value) in headers {
        // A value that is no header value (a Location with foreign bytes) is our bug; leaving it out keeps the answer.
        match HeaderValue::from_str(value) {
            Ok(value) => out.append(HeaderName::from_static(name), value),
            Err(_) => tracing::error!(header = *name, "a header value was left out"),
        }
    }
    response
}
