//! Whose records a search is about: exactly one person, named by the token, the path or the query.

use chassis::envelope;
use chassis::http::Refusal;
use chassis::ports::store::Table;
use chassis::session::Session;
use chassis::shelves::ShelfError;
use schemas::{Pid, Problem, ProblemCode, ResourceId, ResourceType};

use crate::Query;

/// The person that a search names.
pub(crate) enum Named {
    /// This pid; nobody may have it.
    Pid(Pid),
    /// An id or identifier that nobody has.
    Nobody,
}

impl Query {
    /// Finds the one person. A search that names none or several is refused; both can be said, for nothing was looked up yet.
    pub(crate) async fn find_person(
        &self,
        session: &Session,
        resource_type: Option<ResourceType>,
        params: &[(String, String)],
    ) -> Result<Named, Refusal> {
        let mut named: Vec<Option<Pid>> = session.caller.person.map(Some).into_iter().collect();
        for (name, value) in params {
            if is_person_parameter(resource_type, name) {
                named.extend(value.split(',').map(person_of_reference));
            } else if name == "_id" {
                named.extend(value.split(',').map(|id| id.parse::<ResourceId>().ok().map(|id| id.pid)));
            } else if name == "identifier" && resource_type == Some(ResourceType::Patient) {
                for identifier in value.split(',') {
                    named.push(self.person_of_identifier(identifier).await.map_err(|e| self.failed(&e))?);
                }
            }
        }
        named.dedup();
        match named.as_slice() {
            [] => Err(refused(
                "search-person",
                "a search must name one person: in the token, the path or the query (`patient=`, `subject=`, `_id=`, for Patient `identifier=`)",
            )),
            [Some(pid)] => Ok(Named::Pid(*pid)),
            [None] => Ok(Named::Nobody),
            _ => Err(refused(
                "search-person",
                "a search is about one person; this one names several, or another than the token does",
            )),
        }
    }

    /// Exact look-up of `system|value` in the person index.
    async fn person_of_identifier(&self, token: &str) -> Result<Option<Pid>, ShelfError> {
        let Some((system, value)) = token.split_once('|').filter(|(system, _)| !system.is_empty()) else {
            return Ok(None);
        };
        let hash = envelope::identifier_hash(&self.index_key, fhir::systems::canonical(system), value);
        let row = self.shelves.store.get(Table::PersonIndex, &hash.0, b"").await?;
        Ok(row.and_then(|row| row.get(..16)?.try_into().ok()).map(Pid))
    }
}

fn refused(rule: &str, text: &str) -> Refusal {
    Refusal::bad_request(vec![Problem::new(ProblemCode::Required, "", text).with_rule(rule)])
}

/// `patient`, `subject`, `beneficiary`, ...: a reference parameter of the type that may point to a Patient. Modifiers and
/// chains name nobody: `patient:missing`, `subject.name`.
fn is_person_parameter(resource_type: Option<ResourceType>, name: &str) -> bool {
    let name = name.strip_suffix(":Patient").unwrap_or(name);
    match resource_type {
        Some(resource_type) => fhir::params::table(resource_type).by_code(name).is_some_and(|param| {
            matches!(name, "patient" | "subject" | "beneficiary") && param.targets.contains(&ResourceType::Patient)
        }),
        None => matches!(name, "patient" | "subject"),
    }
}

fn person_of_reference(value: &str) -> Option<Pid> {
    let id = value.rsplit_once('/').map_or(value, |(_, id)| id);
    id.parse::<ResourceId>().ok().map(|id| id.pid).filter(|pid| *pid != Pid::COMMONS)
}
