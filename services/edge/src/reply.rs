//! From an outcome to the HTTP answer.

use chassis::http::{Negotiation, PreferReturn, Refusal};
use chassis::ledger::Receipt;
use chassis::release::Answer;
use schemas::submission::{Change, Effect, Outcome, OutcomeResult, Written};
use schemas::{Pid, Problem, ProblemCode, ResourceId};

use crate::draft::Form;

/// What is needed to form an answer.
pub(crate) struct Reply<'a> {
    pub(crate) base_url: &'a str,
    pub(crate) pid: Pid,
    pub(crate) outcome: &'a Outcome,
    pub(crate) changes: &'a [Change],
    pub(crate) form: Negotiation,
    pub(crate) warnings: &'a [Problem],
}

/// Status, headers (names in lower case), body.
pub(crate) type Parts = (u16, Vec<(&'static str, String)>, Vec<u8>);

/// The refusal that a refused outcome becomes.
pub(crate) fn refusal(problems: &[Problem]) -> Refusal {
    let status = match problems.first() {
        Some(p) => match p.code {
            ProblemCode::Conflict | ProblemCode::MultipleMatches => 412,
            ProblemCode::NotFound => 404,
            ProblemCode::Duplicate => 409,
            ProblemCode::Forbidden => 403,
            ProblemCode::Exception => 500,
            _ => 422,
        },
        None => 422,
    };
    Refusal::new(status, problems.to_vec())
}

impl Reply<'_> {
    /// Status, headers and body of an accepted request; `Err` for a refused one.
    pub(crate) fn parts(&self, shape: Form) -> Result<Parts, Refusal> {
        let written = match &self.outcome.result {
            OutcomeResult::Accepted(written) => written,
            OutcomeResult::Refused(problems) => return Err(refusal(problems)),
        };
        Ok(match (shape, written.first(), self.changes.first()) {
            (Form::Transaction, _, _) => (200, Vec::new(), self.transaction(written)),
            (_, Some(written), Some(change)) => self.single(written, change),
            _ => (204, Vec::new(), Vec::new()),
        })
    }

    /// The answer with its receipt.
    pub(crate) fn answer(&self, shape: Form, receipt: Receipt) -> Result<Answer, Refusal> {
        match self.parts(shape) {
            Ok((status, headers, body)) => {
                let answer = Answer::about_person(receipt, status, self.form.form(body));
                Ok(headers.into_iter().fold(answer, |answer, (name, value)| answer.with_header(name, value)))
            }
            Err(refusal) => Err(refusal.with_receipt(&receipt)),
        }
    }

    fn single(&self, written: &Written, change: &Change) -> Parts {
        let mut headers = vec![
            ("etag", format!("W/\"{}\"", written.version)),
            ("last-modified", chassis::http::http_date(self.outcome.time)),
        ];
        let status = match written.effect {
            Effect::Created => 201,
            Effect::Updated | Effect::Matched => 200,
            Effect::Deleted | Effect::None => return (204, headers, Vec::new()),
        };
        headers.push(("location", format!("{}/{}", self.base_url, self.location(written))));
        let body = match self.form.prefer.returns.unwrap_or_default() {
            PreferReturn::Minimal => Vec::new(),
            PreferReturn::OperationOutcome => self.said(),
            // A conditional create that found something returns nothing of what it found: that would be a read.
            PreferReturn::Representation if written.effect == Effect::Matched => Vec::new(),
            PreferReturn::Representation => self.resource(written, change),
        };
        (status, headers, body)
    }

    fn location(&self, written: &Written) -> String {
        format!("{}/_history/{}", self.reference(written), written.version)
    }

    fn reference(&self, written: &Written) -> String {
        format!("{}/{}", written.item.resource_type, ResourceId { pid: self.pid, local: written.item.local })
    }

    /// What was sent, as it will be read.
    fn resource(&self, written: &Written, change: &Change) -> Vec<u8> {
        let meta = change.meta.as_ref();
        let rendered = fhir::render::Rendered {
            resource_type: written.item.resource_type,
            id: ResourceId { pid: self.pid, local: written.item.local },
            version: written.version,
            last_updated: self.outcome.time,
            sent_meta: meta.map_or("", |m| &m.sent_meta),
            labels: meta.map_or(&[], |m| &m.labels),
        };
        fhir::render::resource(&rendered, &change.body)
    }

    /// The warnings of the check, or that all is well.
    fn said(&self) -> Vec<u8> {
        let mut well = Problem::new(ProblemCode::Informational, "", "accepted");
        well.severity = schemas::problem::Severity::Information;
        let problems = if self.warnings.is_empty() { vec![well] } else { self.warnings.to_vec() };
        schemas::problem::operation_outcome(&problems).to_string().into_bytes()
    }

    fn transaction(&self, written: &[Written]) -> Vec<u8> {
        let entries: Vec<_> = written.iter().map(|w| self.response(w)).collect();
        serde_json::json!({"resourceType": "Bundle", "type": "transaction-response", "entry": entries})
            .to_string()
            .into_bytes()
    }

    /// One entry of a transaction-response or batch-response.
    pub(crate) fn response(&self, written: &Written) -> serde_json::Value {
        let status = match written.effect {
            Effect::Created => "201 Created",
            Effect::Updated | Effect::Matched => "200 OK",
            Effect::Deleted | Effect::None => "204 No Content",
        };
        serde_json::json!({"response": {
            "status": status,
            "location": self.location(written),
            "etag": format!("W/\"{}\"", written.version),
            "lastModified": fhir::dates::instant(self.outcome.time),
        }})
    }
}
