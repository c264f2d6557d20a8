//! The conditions of a compiled query, joined by AND.

use schemas::ResourceType;

use super::meta::MetaField;
use super::value::Test;
use crate::params::Source;

/// Where the values of a condition stand.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Place {
    /// Among the search values of the header.
    Stored(Vec<Source>),
    /// Elsewhere in the header.
    Meta(MetaField),
}

#[derive(Clone, Debug)]
pub(super) enum Clause {
    /// Some value satisfies some test; `negate`: none does.
    Any {
        place: Place,
        tests: Vec<Test>,
        negate: bool,
    },
    Missing {
        place: Place,
        missing: bool,
    },
    Composite(Composite),
    CompositeMissing {
        composite: Composite,
        missing: bool,
    },
    /// A resource that a reference leads to satisfies all conditions of its type.
    Chain {
        sources: Vec<Source>,
        branches: Vec<(ResourceType, Vec<Clause>)>,
    },
    /// A resource of that type that refers here satisfies the condition; what it found is kept in its slot.
    Has {
        slot: usize,
        resource_type: ResourceType,
        sources: Vec<Source>,
        clause: Box<Clause>,
    },
}

impl Clause {
    /// Order in which conditions are tried: what most headers fail cheaply comes first.
    pub(super) fn cost(&self) -> u8 {
        match self {
            Self::Any { place: Place::Stored(_), tests, .. } => match tests.first() {
                Some(Test::Token(_) | Test::Date(_) | Test::Number(_) | Test::Quantity { .. }) => 0,
                // Long texts, and nearly every item of a shelf refers to the same person.
                _ => 1,
            },
            Self::Missing { .. } | Self::Composite(_) | Self::CompositeMissing { .. } => 1,
            Self::Any { place: Place::Meta(_), .. } => 2,
            Self::Chain { .. } | Self::Has { .. } => 3,
        }
    }
}

/// A composite over the resource itself (`split`), over repeated elements (`stored`), or both.
#[derive(Clone, Debug)]
pub(super) struct Composite {
    /// One place per component; each must hold a value that satisfies its part.
    pub split: Option<Vec<Place>>,
    pub stored: Vec<Source>,
    /// Alternatives; each has one test per component.
    pub tests: Vec<Vec<Test>>,
}
