//! The decision: outcome, rules, filter, obligations. An unknown field, obligation or flag makes it unreadable, which is a
//! denial: the enforcing code refuses what it does not know.

use schemas::header::Header;
use serde::{Deserialize, Serialize};

use crate::filter::Filter;

/// Reason codes. A reader without rights is told one reason only, "not available"; these stand in the entry.
pub mod reasons {
    /// Permitted.
    pub const OK: &str = "ok";
    /// No live consent (R11).
    pub const NO_CONSENT: &str = "no-consent";
    /// The person denied this facility or practitioner (R13).
    pub const BLOCKED: &str = "blocked";
    /// The state of the link does not allow it (R50).
    pub const LINK_STATE: &str = "link-state";
    /// Eligibility of a person whose identity is in doubt: answer "being checked" with a signed slip, never "invalid" (R50).
    pub const BEING_CHECKED: &str = "being-checked";
    /// Face image, template or other biometrics (R49).
    pub const BIOMETRICS: &str = "biometrics";
    /// The record goes to quarantine (R48).
    pub const QUARANTINE: &str = "quarantine";
    /// The person objects to this visit, facility or category (R59).
    pub const PERSON_OBJECTS: &str = "person-objects";
    /// Terms are stale: show the difference (R04).
    pub const TERMS_STALE: &str = "terms-stale";
    /// A fresh proof is needed (R03).
    pub const STEP_UP: &str = "step-up";
    /// Checks were cancelled after an alert too often (R25).
    pub const PROBING: &str = "probing";
    /// The node's registry is old ("When parts fail").
    pub const STALE: &str = "stale";
    /// Nothing permits it (R51).
    pub const NOT_PERMITTED: &str = "not-permitted";
    /// Error, empty result, time-out, oversized input, unknown obligation (R51).
    pub const POLICY_ERROR: &str = "policy-error";
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Permit,
    Deny,
    /// Permitted after a stronger or newer proof, or after the person has seen new terms.
    StepUp,
}

/// What must be done with the decision (`access-rules.md`, "Words").
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Obligation {
    /// Append an access entry.
    Log,
    /// Tell the person.
    Np,
    /// Tell the deputies.
    Nx,
    /// Tell the facility's privacy officer.
    No,
    /// Tell the regulator.
    Nr,
    /// Reason code and text are needed.
    Rsn,
    /// Show severity and "ask the person" only.
    Mask,
    /// Show a banner.
    Ban,
    /// Review afterwards.
    Rev,
    /// It ends at `expires`.
    Exp,
}

/// The consent that the permit rests on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConsentBasis {
    pub id: String,
    pub version: u32,
    pub given_at: i64,
}

/// Why everything that the filter does not admit is refused.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    pub rule: String,
    /// One of [`reasons`].
    pub reason: String,
}

/// One decision for (actor, person, purpose, action).
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Decision {
    pub outcome: Outcome,
    /// Rule ids, in the order of precedence.
    pub rules: Vec<String>,
    /// The only check of an item.
    pub filter: Filter,
    /// Documents of which this reader may know only "waiting for consent" (R19).
    pub waiting: Filter,
    pub obligations: Vec<Obligation>,
    /// Milliseconds since 1970; the decision must not be remembered longer.
    pub expires: i64,
    /// One of [`reasons`].
    pub reason: String,
    /// The consent that ends first of those it rests on.
    pub consent: Option<ConsentBasis>,
    /// Beside a permit by statute alone (R16, R27): why the rest is refused (R11, R13, R50). An answer in which nothing was
    /// admitted is logged as this denial, whether or not something was withheld.
    pub rest: Option<Refusal>,
    /// Revision of the bundle.
    pub policy_revision: u64,
    /// SHA-256 of the input's JSON.
    pub input_hash: [u8; 32],
}

impl Decision {
    /// Denial under R51: nothing passes.
    pub(crate) fn policy_error(policy_revision: u64, input_hash: [u8; 32]) -> Self {
        Self {
            outcome: Outcome::Deny,
            rules: vec!["R51".to_owned()],
            filter: Filter::default(),
            waiting: Filter::default(),
            obligations: vec![Obligation::Log],
            expires: 0,
            reason: reasons::POLICY_ERROR.to_owned(),
            consent: None,
            rest: None,
            policy_revision,
            input_hash,
        }
    }

    pub fn is_permit(&self) -> bool {
        self.outcome == Outcome::Permit
    }

    pub fn has(&self, obligation: Obligation) -> bool {
        self.obligations.contains(&obligation)
    }

    /// Whether the reader is told of this document only that it waits for the person's consent (R19).
    pub fn waits_for_consent(&self, header: &Header) -> bool {
        self.waiting.admits(header) && !self.filter.admits(header)
    }
}
