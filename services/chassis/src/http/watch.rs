//! The one middleware around every handler: ids, span, metrics, panics, errors of the framework as OperationOutcomes.

use std::future::{Future, Ready, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use actix_web::body::{BoxBody, EitherBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready};
use actix_web::error::{InternalError, JsonPayloadError, PayloadError, UrlencodedError};
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::{Error, HttpMessage};
use pin_project_lite::pin_project;
use tracing::Span;

use super::answer;
use super::payload;
use super::refusal::Refusal;
use super::request::RequestInfo;
use crate::telemetry::{self, metrics};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACE_ID: HeaderName = HeaderName::from_static("kiroku-trace");

/// The middleware and what it needs to know.
#[derive(Debug, Clone)]
pub(super) struct Watch {
    pub(super) body_timeout: Duration,
    pub(super) bytes_max: usize,
}

impl<S, B> Transform<S, ServiceRequest> for Watch
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    type Response = ServiceResponse<EitherBody<B, BoxBody>>;
    type Error = Error;
    type Transform = Watched<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        ready(Ok(Watched { service, watch: Rc::new(self.clone()) }))
    }
}

pub(super) struct Watched<S> {
    service: S,
    watch: Rc<Watch>,
}

impl<S, B> Service<ServiceRequest> for Watched<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    type Response = ServiceResponse<EitherBody<B, BoxBody>>;
    type Error = Error;
    type Future = WatchedFuture<S::Future>;

    forward_ready!(service);

    fn call(&self, mut req: ServiceRequest) -> Self::Future {
        let mut info = RequestInfo::of(req.headers());
        let method = method_word(req.method());
        let span = tracing::info_span!(
            "request",
            otel.kind = "server",
            method,
            route = tracing::field::Empty,
            status = tracing::field::Empty,
            trace_id = tracing::field::Empty,
            request_id = tracing::field::Empty,
        );
        if telemetry::traces_are_sent() {
            info.join(&span);
        }
        span.record("trace_id", tracing::field::display(info.trace_id));
        span.record("request_id", info.loggable_id());
        let body = req.take_payload();
        req.set_payload(payload::with_deadline(body, self.watch.body_timeout));
        let ids = Ids::of(&info);
        req.extensions_mut().insert(info);
        let started = Instant::now();
        let entered = span.enter();
        let inner = catch_unwind(AssertUnwindSafe(|| self.service.call(req))).ok();
        drop(entered);
        WatchedFuture { inner, finish: Some(Finish { ids, method, started, watch: Rc::clone(&self.watch) }), span }
    }
}

pin_project! {
    pub(super) struct WatchedFuture<F> {
        // `None`: the handler panicked before it gave a future.
        #[pin]
        inner: Option<F>,
        finish: Option<Finish>,
        span: Span,
    }
}

impl<F, B> Future for WatchedFuture<F>
where
    F: Future<Output = Result<ServiceResponse<B>, Error>>,
    B: MessageBody,
{
    type Output = Result<ServiceResponse<EitherBody<B, BoxBody>>, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let _entered = this.span.enter();
        let polled = match this.inner.as_pin_mut() {
            None => None,
            Some(inner) => match catch_unwind(AssertUnwindSafe(|| inner.poll(cx))) {
                Ok(Poll::Pending) => return Poll::Pending,
                Ok(Poll::Ready(result)) => Some(result),
                Err(_) => None,
            },
        };
        let finish = this.finish.take().expect("a future is not polled after it is done");
        Poll::Ready(match polled {
            Some(Ok(response)) => Ok(finish.response(response, this.span)),
            Some(Err(error)) => Err(finish.error(&error, this.span)),
            None => Err(finish.panicked(this.span)),
        })
    }
}

/// Headers that tell the client the ids of its request.
struct Ids {
    request: HeaderValue,
    /// Where the client's own id may not be logged, it learns the trace id, so that support can find the request.
    trace: Option<HeaderValue>,
}

impl Ids {
    fn of(info: &RequestInfo) -> Self {
        let value = |text: &str| HeaderValue::from_str(text).expect("checked to be visible ascii");
        let trace = info.loggable_id().is_none().then(|| value(&info.trace_id.to_string()));
        Self { request: value(&info.request_id), trace }
    }
}

struct Finish {
    ids: Ids,
    method: &'static str,
    started: Instant,
    watch: Rc<Watch>,
}

impl Finish {
    fn response<B: MessageBody>(
        self,
        response: ServiceResponse<B>,
        span: &Span,
    ) -> ServiceResponse<EitherBody<B, BoxBody>> {
        let route = response.request().match_pattern().map(|pattern| without_expressions(&pattern));
        let mut response = match self.outcome_instead(response.response()) {
            None => response.map_into_left_body(),
            Some(refusal) => {
                let mut said = actix_web::ResponseError::error_response(&refusal);
                if let Some(allow) = response.headers().get(header::ALLOW) {
                    said.headers_mut().insert(header::ALLOW, allow.clone());
                }
                refusal.log();
                response.into_response(said).map_into_right_body()
            }
        };
        let headers = response.headers_mut();
        answer::unmark(headers);
        headers.insert(REQUEST_ID, self.ids.request.clone());
        if let Some(trace) = &self.ids.trace {
            headers.insert(TRACE_ID, trace.clone());
        }
        self.record(route.as_deref().unwrap_or("none"), response.status(), span);
        response
    }

    /// The OperationOutcome for an error that is not yet one. Logs those that are.
    fn outcome_instead<B>(&self, response: &actix_web::HttpResponse<B>) -> Option<Refusal> {
        let status = response.status();
        if status.as_u16() < 400 {
            return None;
        }
        match response.error() {
            Some(error) => match error.as_error::<Refusal>() {
                Some(refusal) => {
                    refusal.log();
                    None
                }
                None => Some(Refusal::of_status(status_of(error, status), self.watch.bytes_max)),
            },
            // A handler's own answer has a content type; what the framework makes by itself has none.
            None if response.headers().contains_key(header::CONTENT_TYPE) => None,
            None => Some(Refusal::of_status(status, self.watch.bytes_max)),
        }
    }

    fn error(self, error: &Error, span: &Span) -> Error {
        let refusal = match error.as_error::<Refusal>() {
            Some(refusal) => refusal.clone(),
            None => Refusal::of_status(status_of(error, error.as_response_error().status_code()), self.watch.bytes_max),
        };
        self.fail(refusal, span)
    }

    fn panicked(self, span: &Span) -> Error {
        metrics::PANICS.inc();
        self.fail(Refusal::broken(), span)
    }

    /// An error at this place leaves without passing [`Finish::response`]: it takes its headers along.
    fn fail(self, refusal: Refusal, span: &Span) -> Error {
        refusal.log();
        let mut said = actix_web::ResponseError::error_response(&refusal);
        self.record("none", said.status(), span);
        answer::unmark(said.headers_mut());
        said.headers_mut().insert(REQUEST_ID, self.ids.request.clone());
        InternalError::from_response(refusal, said).into()
    }

    fn record(&self, route: &str, status: StatusCode, span: &Span) {
        let seconds = self.started.elapsed().as_secs_f64();
        metrics::http_request(route, self.method, status.as_u16(), seconds);
        span.record("route", route);
        span.record("status", status.as_u16());
        tracing::debug!(route, status = status.as_u16(), latency_ms = seconds * 1000.0, "request answered");
    }
}

/// A route as it is told: `/fhir/{type}/{id:[^_$/][^/]*}` is `/fhir/{type}/{id}`. Our expressions hold no braces.
fn without_expressions(pattern: &str) -> String {
    let mut parts = pattern.split('{');
    let mut route = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (variable, rest) = part.split_once('}').unwrap_or((part, ""));
        let name = variable.split(':').next().unwrap_or_default();
        route.extend(["{", name, "}", rest]);
    }
    route
}

/// The framework answers 400 to a body that was late or too large inside its own wrappers.
fn status_of(error: &Error, said: StatusCode) -> StatusCode {
    let payload = error
        .as_error::<PayloadError>()
        .or_else(|| match error.as_error::<JsonPayloadError>() {
            Some(JsonPayloadError::Payload(payload)) => Some(payload),
            _ => None,
        })
        .or_else(|| match error.as_error::<UrlencodedError>() {
            Some(UrlencodedError::Payload(payload)) => Some(payload),
            _ => None,
        });
    match payload {
        Some(PayloadError::Overflow) => StatusCode::PAYLOAD_TOO_LARGE,
        Some(late) if payload::is_deadline(late) => StatusCode::REQUEST_TIMEOUT,
        _ => said,
    }
}

/// The method as a word of a closed set: a client's own method is no label.
fn method_word(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "OTHER",
    }
}
