//! The one entry point of the door's check: bytes in, a checked tree out, or all that is wrong with them.
//!
//! Order: size and syntax ([`json`]), accepted type, shape ([`shape`]), biometrics ([`biometrics`]), Japanese rules ([`jp`]),
//! and where these found no error the second opinion ([`second`]).

use schemas::problem::Severity;
use schemas::{Problem, ProblemCode, ResourceType};

use crate::jp::JpRules;
use crate::json::{self, Limits, Node};
use crate::{biometrics, jp, second, shape};

/// What to check beyond FHIR itself.
#[derive(Clone, Copy, Default, Debug)]
pub struct CheckRules {
    pub limits: Limits,
    pub jp: JpRules,
}

/// A resource that passed.
#[derive(Clone, Debug)]
pub struct Checked {
    pub resource_type: ResourceType,
    pub node: Node,
    /// To be said to the sender; they refuse nothing.
    pub warnings: Vec<Problem>,
}

/// Checks a resource as it was received; of a Bundle also all its entries.
///
/// # Errors
/// Every problem found (at least one is an error); no text of them holds a value of the input.
pub fn check_resource(raw: &[u8], rules: &CheckRules) -> Result<Checked, Vec<Problem>> {
    let node = json::parse(raw, &rules.limits).map_err(|problem| vec![problem])?;
    let resource_type = type_of(&node, "").map_err(|problem| vec![problem])?;
    let warnings = judge(resource_type, &node, resource_type.as_str(), rules)?;
    Ok(Checked { resource_type, node, warnings })
}

/// Checks a resource that was read before, as part of something else; `path` is where it stands there
/// (`Bundle.entry[3].resource`).
///
/// # Errors
/// As [`check_resource`].
pub fn check_node(node: Node, path: &str, rules: &CheckRules) -> Result<Checked, Vec<Problem>> {
    let resource_type = type_of(&node, path).map_err(|problem| vec![problem])?;
    let warnings = judge(resource_type, &node, path, rules)?;
    Ok(Checked { resource_type, node, warnings })
}

/// The warnings, or all problems if one is an error.
fn judge(
    resource_type: ResourceType,
    node: &Node,
    path: &str,
    rules: &CheckRules,
) -> Result<Vec<Problem>, Vec<Problem>> {
    let mut problems = shape::check_at(resource_type, node, path);
    problems.extend(biometrics::check_at(node, path));
    problems.extend(jp::check(node, path, &rules.jp));
    if !has_error(&problems) {
        problems.extend(second::check(node, path));
    }
    if has_error(&problems) { Err(problems) } else { Ok(problems) }
}

fn has_error(problems: &[Problem]) -> bool {
    problems.iter().any(|problem| problem.severity == Severity::Error)
}

/// The accepted type that a resource names.
///
/// # Errors
/// The refusal, with the list of what is accepted.
pub fn type_of(node: &Node, path: &str) -> Result<ResourceType, Problem> {
    let place = if path.is_empty() { "resourceType".to_owned() } else { format!("{path}.resourceType") };
    if !matches!(node, Node::Object(_)) {
        return Err(Problem::new(ProblemCode::Structure, path, "must be a JSON object with a resource"));
    }
    let Some(named) = node.text("resourceType") else {
        return Err(Problem::new(ProblemCode::Required, place, "is missing: a resource names its type"));
    };
    named.parse().map_err(|_| Problem::new(ProblemCode::NotSupported, place, shape::not_accepted()))
}
