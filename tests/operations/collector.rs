//! A collector of traces (OTLP over HTTP) that keeps what it is sent.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use actix_web::{App, HttpResponse, HttpServer, web};
use anyhow::{Context, Result};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

/// Exports as they came over the wire.
#[derive(Clone, Default)]
pub(crate) struct Received(Arc<Mutex<Vec<Vec<u8>>>>);

/// Listens on a free port; its URL, and what it receives. It ends with the process.
pub(crate) fn start() -> Result<(String, Received)> {
    let received = Received::default();
    let data = web::Data::new(received.clone());
    let keep = async |received: web::Data<Received>, body: web::Bytes| {
        received.0.lock().expect("no handler panics").push(body.to_vec());
        HttpResponse::Ok().content_type("application/x-protobuf").finish()
    };
    let server = HttpServer::new(move || {
        App::new()
            .app_data(data.clone())
            .app_data(web::PayloadConfig::new(64 << 20))
            .route("/v1/traces", web::post().to(keep))
    })
    .workers(1)
    .disable_signals()
    .bind("127.0.0.1:0")?;
    let address = *server.addrs().first().context("an address")?;
    tokio::spawn(server.run());
    Ok((format!("http://{address}"), received))
}

impl Received {
    /// All bytes, one export after the other.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.0.lock().expect("no handler panics").concat()
    }

    /// The spans of each trace, by its id in hex.
    pub(crate) fn traces(&self) -> Result<BTreeMap<String, Vec<Span>>> {
        let mut traces: BTreeMap<String, Vec<Span>> = BTreeMap::new();
        for export in self.0.lock().expect("no handler panics").iter() {
            let export = ExportTraceServiceRequest::decode(export.as_slice())?;
            let scopes = export.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
            for span in scopes.flat_map(|scope| scope.spans) {
                traces.entry(hex(&span.trace_id)).or_default().push(span);
            }
        }
        Ok(traces)
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// A text attribute; empty if the span has none of that name.
pub(crate) fn attribute<'a>(span: &'a Span, name: &str) -> &'a str {
    let found = span.attributes.iter().find(|a| a.key == name).and_then(|a| a.value.as_ref()?.value.as_ref());
    match found {
        Some(Value::StringValue(text)) => text,
        _ => "",
    }
}

/// Spans without a parent in their trace; and whether all others hang on one.
pub(crate) fn roots(spans: &[Span]) -> Vec<&Span> {
    let ids: BTreeSet<&[u8]> = spans.iter().map(|s| s.span_id.as_slice()).collect();
    spans.iter().filter(|s| !ids.contains(s.parent_span_id.as_slice())).collect()
}
