//! What a searchset says about itself: the constant notice, parameters that were left out, and that a document waits (R19).

use chassis::http::Refusal;
use chassis::shelves::ShelfError;
use schemas::problem::{Severity, operation_outcome};
use schemas::{Problem, ProblemCode, ResourceType};

use crate::Query;
use crate::page::BundleWriter;
use crate::view::View;

/// The types of which a document can be.
const DOCUMENTS: [ResourceType; 3] = [ResourceType::DocumentReference, ResourceType::Composition, ResourceType::Bundle];
/// In `OperationOutcome.issue.details.text`, for a program.
const WAITING_RULE: &str = "waiting-for-consent";

/// Whether a query over these types is told that a document waits.
pub(crate) fn asks_for_documents(covers: impl Fn(ResourceType) -> bool) -> bool {
    DOCUMENTS.into_iter().any(covers)
}

impl Query {
    /// Whether a document addressed to this reader waits for the person's consent (R19). One answer for the whole shelf,
    /// whatever was searched for: a condition that changed it would tell type, date or id of the document.
    pub(crate) async fn waits(&self, view: &View) -> Result<bool, ShelfError> {
        if view.decision.waiting.permit.is_empty() {
            return Ok(false);
        }
        for resource_type in DOCUMENTS {
            let newest = self.newest_of_type(view.pid, resource_type, view.state.position).await?;
            if newest.headers.iter().any(|h| !h.deleted && view.decision.waits_for_consent(h)) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Adds the entry of mode `outcome` to a searchset about a person.
pub(crate) fn add_notice(bundle: &mut BundleWriter, waits: bool, ignored: &[Problem]) {
    let notice = Problem::new(ProblemCode::Informational, "", chassis::release::NOTICE);
    let notice = Problem { severity: Severity::Information, ..notice };
    let problems: Vec<Problem> =
        std::iter::once(notice).chain(waits.then(waiting)).chain(ignored.iter().cloned()).collect();
    add_outcome(bundle, &problems);
}

/// Adds an OperationOutcome as entry of mode `outcome`.
pub(crate) fn add_outcome(bundle: &mut BundleWriter, problems: &[Problem]) {
    let outcome = operation_outcome(problems).to_string().into_bytes();
    bundle.entry("", Some(&outcome), ",\"search\":{\"mode\":\"outcome\"}");
}

/// 403 for somebody unknown, forbidden or not yours alike; of a document that waits its named receiver is told beside it.
pub(crate) fn not_available(waits: bool) -> Refusal {
    let mut refusal = Refusal::forbidden(Problem::new(ProblemCode::Forbidden, "", "not available"));
    refusal.problems.extend(waits.then(waiting));
    refusal
}

/// All that a named receiver learns before the consent: no number, kind, date, author or id.
fn waiting() -> Problem {
    let text = "a document addressed to this organisation waits for the person's consent";
    let problem = Problem::new(ProblemCode::Informational, "", text).with_rule(WAITING_RULE);
    Problem { severity: Severity::Information, ..problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_that_a_document_waits_only_where_one_does() {
        assert_eq!(not_available(false).problems, not_available(true).problems[..1]);
        assert_eq!(not_available(true).problems[1].rule, WAITING_RULE);
        assert_eq!((not_available(false).status, not_available(true).status), (403, 403));
    }
}
