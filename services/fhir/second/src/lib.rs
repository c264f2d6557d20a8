//! fhir-sdk behind one plain function. A crate of its own, because its generic code takes minutes to compile with optimisation:
//! so a change in crate `fhir`, the only one that calls it, does not compile it again.

use fhir_sdk::r4b::resources::Resource;

/// The resource in `raw` as fhir-sdk's R4B model writes it again; `None` where it cannot read it. Its errors may hold data of a
/// person, so none is told.
pub fn round_trip(raw: &[u8]) -> Option<Vec<u8>> {
    let resource: Resource = serde_json::from_slice(raw).ok()?;
    serde_json::to_vec(&resource).ok()
}
