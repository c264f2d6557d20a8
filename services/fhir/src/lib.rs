//! FHIR R4 for the rest of the house: strict shape check, search values and matching, categories, references.
//! The only crate that calls fhir-sdk. Pure: no I/O, no clock.

pub mod biometrics;
pub mod bundle;
pub mod capability;
pub mod check;
pub mod classify;
pub mod codes;
pub mod consent;
pub mod dates;
pub mod extract;
pub mod fold;
pub mod jp;
pub mod json;
pub mod medicines;
pub mod params;
mod path;
mod primitive;
pub mod reference;
pub mod render;
pub mod search;
pub mod second;
pub mod shape;
pub mod subset;
pub mod systems;
mod table;
mod xhtml;
