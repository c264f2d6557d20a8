//! Who may see what: the typed input and decision, the filter, and the host of the compiled Rego policies.
//!
//! One entry point decides for every way to read and for every condition of a write (`access-rules.md`). The decision is a
//! pure function of its [`Input`]; whatever goes wrong on the way is a denial under R51.

mod answer;
mod build;
mod bundle;
mod decision;
mod facts;
mod filter;
mod host;
mod input;
mod module;
mod remember;
mod sets;

pub use bundle::{BUNDLE_FILES, Bundle, BundleError, Manifest, source_hash};
pub use decision::{ConsentBasis, Decision, Obligation, Outcome, Refusal, reasons};
pub use facts::{Authority, Consent, ObjectionFact, Scope, VisitFact};
pub use filter::{Clause, Filter, Flag, ItemRef, LogScope};
pub use host::{ENTRY_POINT, Policies, Watch};
pub use input::{
    Actor, ActorType, Assurance, Client, Counters, INPUT_BYTES_MAX, Identification, Input, Link, Mode, Order,
    Organisation, Person, Proof, ProofIssuer, Protection, Stage, Tie, Wanted, Write,
};
pub use remember::{Made, Remembered};
pub use sets::{CategorySet, LabelSet};

/// Terms that a new consent must name (`id|version`); equal to `terms` in the policy data.
pub const CURRENT_TERMS: &str = "kiroku-terms|1";
