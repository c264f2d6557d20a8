//! A request that is refused: status, problems, headers; leaves as an OperationOutcome.

use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, ResponseError};
use schemas::problem::operation_outcome;
use schemas::{Problem, ProblemCode, ResourceType};

use super::answer::{FHIR_JSON, leave_uncompressed};

/// Why a request is not served. INVARIANT: holds no value of a person (see [`Problem`]); it is logged as codes and rule ids.
#[derive(Debug, Clone)]
pub struct Refusal {
    pub status: u16,
    pub problems: Vec<Problem>,
    /// Header names in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// For the log only, never in the answer: the chain of errors behind an `internal` or `unavailable`.
    cause: Option<String>,
}

impl Refusal {
    /// Any status with its problems.
    pub fn new(status: u16, problems: Vec<Problem>) -> Self {
        Self { status, problems, headers: Vec::new(), cause: None }
    }

    fn one(status: u16, code: ProblemCode, message: impl Into<String>) -> Self {
        Self::new(status, vec![Problem::new(code, "", message)])
    }

    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// With the receipt of the entry that this refusal left.
    #[must_use]
    pub fn with_receipt(self, receipt: &crate::ledger::Receipt) -> Self {
        self.with_header("kiroku-receipt", receipt.header_value())
    }

    /// 400: the request itself is wrong.
    pub fn bad_request(problems: Vec<Problem>) -> Self {
        Self::new(400, problems)
    }

    /// 401. `code` is one of RFC 6750 section 3.1 (`invalid_token`, ...); empty where no token was sent at all.
    pub fn unauthorized(code: &'static str) -> Self {
        let challenge = match code {
            "" => "Bearer realm=\"kiroku\"".to_owned(),
            code => format!("Bearer realm=\"kiroku\", error=\"{code}\""),
        };
        Self::one(401, ProblemCode::Login, "a valid access token is needed").with_header("www-authenticate", challenge)
    }

    /// 403: the request may not be made at all, whatever exists.
    pub fn forbidden(problem: Problem) -> Self {
        Self::new(403, vec![problem])
    }

    /// 404, always the same bytes: what is withheld is indistinguishable from what does not exist.
    pub fn not_found() -> Self {
        Self::one(404, ProblemCode::NotFound, "not found")
    }

    /// 405; `allowed` as in the header `Allow`.
    pub fn method_not_allowed(allowed: &'static str) -> Self {
        Self::one(405, ProblemCode::NotSupported, "this method is not allowed here").with_header("allow", allowed)
    }

    /// 406: only JSON is spoken.
    pub fn not_acceptable() -> Self {
        Self::one(406, ProblemCode::NotSupported, "only FHIR R4 JSON is served; ask for application/fhir+json")
    }

    /// 409.
    pub fn conflict(problem: Problem) -> Self {
        Self::new(409, vec![problem])
    }

    /// 412.
    pub fn precondition_failed(problem: Problem) -> Self {
        Self::new(412, vec![problem])
    }

    /// 413.
    pub fn too_large(bytes_max: usize) -> Self {
        Self::one(413, ProblemCode::TooLong, format!("the body is larger than {bytes_max} bytes"))
    }

    /// 415.
    pub fn unsupported_media_type() -> Self {
        Self::one(415, ProblemCode::NotSupported, "send JSON as application/fhir+json")
    }

    /// 422: well-formed, and against a rule.
    pub fn unprocessable(problems: Vec<Problem>) -> Self {
        Self::new(422, problems)
    }

    /// 429; `retry_after` in seconds.
    pub fn too_many(retry_after: u64) -> Self {
        Self::one(429, ProblemCode::Throttled, "too many requests; try again later")
            .with_header("retry-after", retry_after.to_string())
    }

    /// 500: our fault. `cause` goes to the log.
    pub fn internal(cause: &(dyn std::error::Error + 'static)) -> Self {
        Self::broken().caused_by(cause)
    }

    /// 500 without a known cause.
    pub(super) fn broken() -> Self {
        Self::one(500, ProblemCode::Exception, "internal error; nothing of this request was released")
    }

    /// 400: a parameter, a type or an interaction that this server does not have (said in the CapabilityStatement).
    pub fn not_supported(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(400, vec![Problem::new(ProblemCode::NotSupported, path, message)])
    }

    /// 503: a part that is needed does not answer. `cause` goes to the log; `retry_after` in seconds.
    pub fn unavailable(cause: &(dyn std::error::Error + 'static), retry_after: u64) -> Self {
        Self::one(503, ProblemCode::Transient, "not available now; try again later")
            .with_header("retry-after", retry_after.to_string())
            .caused_by(cause)
    }

    fn caused_by(mut self, cause: &(dyn std::error::Error + 'static)) -> Self {
        let chain: Vec<String> = std::iter::successors(Some(cause), |e| e.source()).map(ToString::to_string).collect();
        self.cause = Some(chain.join(": "));
        self
    }

    /// The refusal that says what a bare HTTP status says; for errors of the framework, whose own texts may quote input.
    pub(super) fn of_status(status: StatusCode, bytes_max: usize) -> Self {
        match status.as_u16() {
            404 => Self::one(404, ProblemCode::NotFound, "no such path on this server"),
            405 => Self::one(405, ProblemCode::NotSupported, "this method is not allowed here"),
            406 => Self::not_acceptable(),
            408 => Self::one(408, ProblemCode::Timeout, "the body did not arrive in time"),
            413 => Self::too_large(bytes_max),
            415 => Self::unsupported_media_type(),
            code @ 400..=499 => Self::one(
                code,
                ProblemCode::Structure,
                "the request cannot be read; check its syntax and its parameters",
            ),
            503 => Self::one(503, ProblemCode::Transient, "not available now; try again later"),
            _ => Self::broken(),
        }
    }

    /// The body.
    pub fn outcome(&self) -> Vec<u8> {
        operation_outcome(&self.problems).to_string().into_bytes()
    }

    /// Logs the refusal: kinds and rule ids, no path of the input, no message.
    pub(super) fn log(&self) {
        let kinds = || self.problems.iter().map(|p| p.code.as_str()).collect::<std::collections::BTreeSet<_>>();
        let rules = || self.problems.iter().map(|p| p.rule.as_str()).filter(|r| !r.is_empty()).collect::<Vec<_>>();
        if self.status >= 500 {
            tracing::error!(status = self.status, kinds = ?kinds(), cause = self.cause.as_deref(), "request failed");
        } else {
            tracing::info!(status = self.status, kinds = ?kinds(), rules = ?rules(), "request refused");
        }
    }
}

/// The type that a path names; an unknown one is told with the list.
pub fn parse_type(text: &str) -> Result<ResourceType, Refusal> {
    text.parse().map_err(|_| {
        let known: Vec<_> = ResourceType::ALL.iter().map(|t| t.as_str()).collect();
        let text = format!("this type is not kept here; the types are {}", known.join(", "));
        Refusal::one(404, ProblemCode::NotSupported, text)
    })
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "refused with status {} and {} problems", self.status, self.problems.len())
    }
}

impl std::error::Error for Refusal {}

impl ResponseError for Refusal {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        response.insert_header((header::CONTENT_TYPE, HeaderValue::from_static(FHIR_JSON)));
        response.insert_header((header::CACHE_CONTROL, HeaderValue::from_static("no-store")));
        for (name, value) in &self.headers {
            if let Ok(value) = HeaderValue::from_str(value) {
                response.append_header((HeaderName::from_static(name), value));
            }
        }
        let body = self.outcome();
        let mut response = response.body(body);
        leave_uncompressed(response.headers_mut());
        response
    }
}
