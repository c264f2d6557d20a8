//! fhir-sdk behind one plain function. A crate of its own, because its generic code takes minutes to compile with optimisation:
//! so a change in crate `fhir`, the only one that calls it, does not compile it again.

use fhir_sdk::r4b::resources::{Observation, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The resource in `raw` as fhir-sdk's R4B model writes it again; `None` where it cannot read it. Its errors may hold data of a
/// person, so none is told.
///
/// `resource_type` as it stands in `raw`. The enum of all types reads everything into a tree first, to find the type; where most
/// records are of one type, it is named.
pub fn round_trip(raw: &[u8], resource_type: &str) -> Option<Vec<u8>> {
    match resource_type {
        "Observation" => again::<Observation>(raw),
        _ => again::<Resource>(raw),
    }
}

fn again<T: DeserializeOwned + Serialize>(raw: &[u8]) -> Option<Vec<u8>> {
    let resource: T = serde_json::from_slice(raw).ok()?;
    serde_json::to_vec(&resource).ok()
}
