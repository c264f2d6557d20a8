//! Search within one person: a query is compiled once and matched on the headers of a shelf.
//!
//! Nothing is ignored in silence: an unknown parameter, modifier or value is a [`Problem`], or with
//! [`Handling::Lenient`] (`Prefer: handling=lenient`) stands in [`Query::ignored`].

mod clause;
mod control;
mod escape;
mod include;
mod matching;
mod meta;
mod number;
mod parse;
mod prefix;
mod shelf;
mod sort;
mod value;

use schemas::{Problem, ProblemCode, ResourceType};

pub use self::control::{Summary, Total};
pub use self::include::Include;
pub use self::matching::Matcher;
pub use self::shelf::{HeaderShelf, Shelf};
pub use self::sort::SortKey;

/// Most parameters of one query.
pub const PARAMS_MAX: usize = 100;
/// Most alternatives (joined by commas) of one query, together.
pub const VALUES_MAX: usize = 1000;
/// Most links of a chain, `_has` counted too.
pub const CHAIN_MAX: usize = 4;

/// What happens to parameters that are unknown or not supported (`Prefer: handling`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Handling {
    #[default]
    Strict,
    Lenient,
}

/// A compiled query.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// `None`: over all types (then `types` may narrow it).
    pub resource_type: Option<ResourceType>,
    /// `_type`, where no type is given by the path.
    pub types: Vec<ResourceType>,
    clauses: Vec<clause::Clause>,
    sort: Vec<sort::SortBy>,
    slots: usize,
    pub count: Option<u32>,
    pub includes: Vec<Include>,
    pub revincludes: Vec<Include>,
    pub summary: Option<Summary>,
    pub elements: Vec<String>,
    pub total: Option<Total>,
    /// The page token, as it came.
    pub page: Option<String>,
    /// With lenient handling: what was left out of the query, as warnings.
    pub ignored: Vec<Problem>,
}

/// Why one parameter is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Fault {
    /// Lenient handling may leave it out.
    lenient: bool,
    code: ProblemCode,
    message: String,
}

impl Fault {
    fn unsupported(message: impl Into<String>) -> Self {
        Self { lenient: true, code: ProblemCode::NotSupported, message: message.into() }
    }

    fn value(message: impl Into<String>) -> Self {
        Self { lenient: false, code: ProblemCode::Value, message: message.into() }
    }

    fn too_long(message: impl Into<String>) -> Self {
        Self { lenient: false, code: ProblemCode::TooLong, message: message.into() }
    }
}

impl Query {
    /// Compiles decoded parameters in the order of the request. `_format` and `_pretty` are left to the caller.
    ///
    /// # Errors
    /// All that is wrong with the query, one problem per parameter; values never appear in a problem.
    pub fn parse(
        resource_type: Option<ResourceType>,
        params: &[(String, String)],
        handling: Handling,
    ) -> Result<Self, Vec<Problem>> {
        Self::parse_at("", resource_type, params, handling)
    }

    /// As [`Query::parse`]; references written as URLs below `base_url` are taken as ours.
    pub fn parse_at(
        base_url: &str,
        resource_type: Option<ResourceType>,
        params: &[(String, String)],
        handling: Handling,
    ) -> Result<Self, Vec<Problem>> {
        parse::parse(base_url, resource_type, params, handling)
    }

    /// Whether the query sets any condition at all.
    pub fn is_unconditional(&self) -> bool {
        self.clauses.is_empty()
    }

    /// Whether this query is about headers of `resource_type`.
    pub fn covers(&self, resource_type: ResourceType) -> bool {
        match self.resource_type {
            Some(wanted) => wanted == resource_type,
            None => self.types.is_empty() || self.types.contains(&resource_type),
        }
    }
}

/// Number of a search parameter in stored headers.
pub fn param_index(resource_type: ResourceType, code: &str) -> Option<u16> {
    crate::params::table(resource_type).by_code(code).map(|param| param.n)
}

/// The items of `headers` that the query of a conditional create or update (`name=value&...`, percent-encoded) matches. A
/// query that does not compile matches nothing here: the door has refused it already.
pub fn matching(
    resource_type: ResourceType,
    query: &str,
    headers: &[schemas::header::Header],
) -> Vec<schemas::ItemKey> {
    let Ok(compiled) = conditional(resource_type, query) else { return Vec::new() };
    let shelf: HeaderShelf<'_> = headers.iter().collect();
    let matcher = compiled.on(&shelf);
    headers.iter().filter(|h| matcher.matches(h)).map(|h| h.item).collect()
}

/// Compiles the query of a conditional create or update.
///
/// # Errors
/// All that is wrong with it; a query without any condition is refused too.
pub fn conditional(resource_type: ResourceType, query: &str) -> Result<Query, Vec<Problem>> {
    let pairs = query.trim_start_matches('?').split('&').filter(|pair| !pair.is_empty());
    let decode = |text: &str| urlencoding::decode(&text.replace('+', " ")).map(std::borrow::Cow::into_owned);
    let mut params = Vec::new();
    for pair in pairs {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (Ok(name), Ok(value)) = (decode(name), decode(value)) else {
            return Err(vec![Problem::new(ProblemCode::Value, "", "the condition is not percent-encoded UTF-8")]);
        };
        params.push((name, value));
    }
    let compiled = Query::parse(Some(resource_type), &params, Handling::Strict)?;
    if compiled.is_unconditional() {
        return Err(vec![Problem::new(ProblemCode::Required, "", "a condition needs at least one parameter")]);
    }
    Ok(compiled)
}

#[cfg(test)]
mod tests;
