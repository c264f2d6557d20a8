//! What a searchset says about itself: the constant notice, parameters that were left out, and that a document waits (R19).

use chassis::http::Refusal;
use chassis::shelves::ShelfError;
use schemas::access::WAITING;
use schemas::problem::{Severity, operation_outcome};
use schemas::vocab::Label;
use schemas::{Problem, ProblemCode, ResourceType};

use crate::Query;
use crate::page::BundleWriter;
use crate::view::View;

/// The types of which a document can be.
const DOCUMENTS: [ResourceType; 3] = [ResourceType::DocumentReference, ResourceType::Composition, ResourceType::Bundle];

/// Whether a document addressed to the reader waits for the person's consent (R19).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub(crate) enum Waits {
    #[default]
    No,
    /// Only such as the person may not know of yet: the reader is told, the entry says nothing of it.
    Untold,
    Told,
}

/// Whether a query over these types is told that a document waits.
pub(crate) fn asks_for_documents(covers: impl Fn(ResourceType) -> bool) -> bool {
    DOCUMENTS.into_iter().any(covers)
}

impl Query {
    /// [`Query::waits`] where documents are asked for.
    pub(crate) async fn waits_if(&self, documents: bool, view: &View) -> Result<Waits, Refusal> {
        match documents {
            true => self.waits(view).await.map_err(|e| self.failed(&e)),
            false => Ok(Waits::No),
        }
    }

    /// One answer for the whole shelf, whatever was searched for: a condition that changed it would tell type, date or id of the
    /// document.
    async fn waits(&self, view: &View) -> Result<Waits, ShelfError> {
        let mut waits = Waits::No;
        if view.decision.waiting.permit.is_empty() {
            return Ok(waits);
        }
        for resource_type in DOCUMENTS {
            let newest = self.newest_of_type(view.pid, resource_type, view.state.position).await?;
            for header in newest.headers.iter().filter(|h| !h.deleted && view.decision.waits_for_consent(h)) {
                waits = waits.max(if header.has_label(Label::Untold) { Waits::Untold } else { Waits::Told });
            }
        }
        Ok(waits)
    }
}

/// Adds the entry of mode `outcome` to a searchset about a person.
pub(crate) fn add_notice(bundle: &mut BundleWriter, waits: Waits, ignored: &[Problem]) {
    let notice = Problem::new(ProblemCode::Informational, "", chassis::release::NOTICE);
    let notice = Problem { severity: Severity::Information, ..notice };
    let problems: Vec<Problem> = std::iter::once(notice).chain(waiting(waits)).chain(ignored.iter().cloned()).collect();
    add_outcome(bundle, &problems);
}

/// Adds an OperationOutcome as entry of mode `outcome`.
pub(crate) fn add_outcome(bundle: &mut BundleWriter, problems: &[Problem]) {
    let outcome = operation_outcome(problems).to_string().into_bytes();
    bundle.entry("", Some(&outcome), ",\"search\":{\"mode\":\"outcome\"}");
}

/// 403 for somebody unknown, forbidden or not yours alike; of a document that waits its named receiver is told beside it.
pub(crate) fn not_available(waits: Waits) -> Refusal {
    let mut refusal = Refusal::forbidden(Problem::new(ProblemCode::Forbidden, "", "not available"));
    refusal.problems.extend(waiting(waits));
    refusal
}

/// All that a named receiver learns before the consent: no number, kind, date, author or id.
fn waiting(waits: Waits) -> Option<Problem> {
    let text = "a document addressed to this organisation waits for the person's consent";
    let problem = Problem::new(ProblemCode::Informational, "", text).with_rule(WAITING);
    (waits != Waits::No).then_some(Problem { severity: Severity::Information, ..problem })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_that_a_document_waits_only_where_one_does() {
        let none = not_available(Waits::No);
        for waits in [Waits::Untold, Waits::Told] {
            let some = not_available(waits);
            assert_eq!((&some.problems[..1], &some.problems[1].rule[..]), (&none.problems[..], WAITING));
            assert_eq!((none.status, some.status), (403, 403));
        }
    }
}
