//! HTTP for every role: refusals, answers, the server, what is known of a request.
//!
//! Routes are made with `web::resource(path).route(...).route(...)`, so that a wrong method is told as 405; a bare
//! `.route(path, ...)` makes each method a resource of its own and answers 404.

mod answer;
mod negotiate;
mod payload;
mod refusal;
mod request;
mod server;
mod tls;
mod watch;

pub use answer::{FHIR_JSON, Plain, http_date};
pub use negotiate::{Negotiation, Prefer, PreferReturn, pretty_json, require_json};
pub use refusal::{Refusal, parse_type};
pub use request::{RequestInfo, TraceId, join_trace, traceparent_of_current_span};
pub use server::{Running, ServeError, serve};
pub use tls::{PeerCertificate, TlsError};
