//! fhir-sdk behind plain functions. A crate of its own, because its generic code takes minutes to compile with optimisation:
//! so a change in crate `fhir`, the only one that calls it, does not compile it again.
//!
//! fhir-sdk reads a [`Node`] as it would read JSON text, and what it would write again is compared with the node while it is
//! written: no text is made and none is parsed a second time.

mod keep;
mod node;
mod read;
mod same;

use fhir_sdk::r4b::resources::{Observation, Resource};
use serde::de::DeserializeOwned;
use serde::{Deserialize as _, Serialize};

use self::keep::Keeper;
pub use self::node::Node;
use self::read::Reader;
use self::same::same_number_as;
pub use self::same::{same_number, same_text};

/// Whether each leaf of `resource` is in what fhir-sdk's R4B model makes of it; `None` where it cannot read it. Its errors may
/// hold data of a person, so none is told.
pub fn keeps_all(resource: &Node) -> Option<bool> {
    // The enum of all types reads everything into a tree first, to find the type; where most records are of one type, it is named.
    match resource.text("resourceType") {
        Some("Observation") => keeps::<Observation>(resource),
        _ => keeps::<Resource>(resource),
    }
}

fn keeps<T: DeserializeOwned + Serialize>(node: &Node) -> Option<bool> {
    let resource = T::deserialize(Reader(node)).ok()?;
    Some(resource.serialize(Keeper(node)).is_ok())
}

/// The resource as fhir-sdk writes it again; `None` where it cannot read it. To name what [`keeps_all`] misses.
pub fn round_trip(resource: &Node) -> Option<Vec<u8>> {
    serde_json::to_vec(&Resource::deserialize(Reader(resource)).ok()?).ok()
}

/// fhir-sdk cannot read or write it. Without words: they may hold data of a person.
#[derive(Debug)]
struct Unfit;

impl std::fmt::Display for Unfit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("outside of what the second parser can express")
    }
}

impl std::error::Error for Unfit {}

impl serde::de::Error for Unfit {
    fn custom<T: std::fmt::Display>(_: T) -> Self {
        Self
    }
}

impl serde::ser::Error for Unfit {
    fn custom<T: std::fmt::Display>(_: T) -> Self {
        Self
    }
}
