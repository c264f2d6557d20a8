//! Every byte that crosses a process or reaches a disk, and the words for it.
//!
//! All stored forms are CBOR with numbered fields ([`minicbor`]): a new field gets a new number and is optional, a number is
//! never used again, so every version ever written still reads (invariant 10).

pub mod access;
pub mod asking;
pub mod authority;
pub mod codec;
pub mod consent;
pub mod header;
pub mod ids;
pub mod problem;
pub mod random;
pub mod search;
pub mod shelf;
pub mod submission;
mod text;
pub mod vocab;

pub use ids::{ClientId, EntryId, ItemKey, LocalId, OrganisationId, Pid, PractitionerId, ResourceId, SubmissionId};
pub use problem::{Problem, ProblemCode};
pub use text::Text;
pub use vocab::{Category, Label, Purpose, ResourceType};
