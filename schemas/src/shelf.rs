//! The person's state: what the rules and the decision read in every request.

use minicbor::{Decode, Encode};

use crate::consent::StoredConsent;
use crate::ids::{ItemKey, LocalId, OrganisationId, Pid, PractitionerId};
use crate::vocab::{Category, LinkState, closed_list};

closed_list!(
    /// How presence at the desk was proven.
    VisitProof { Card = 0 => "card", Certificate = 1 => "certificate", Paper = 2 => "paper", Booking = 3 => "booking" }
);
closed_list!(
    VisitKind { Outpatient = 0 => "outpatient", Inpatient = 1 => "inpatient", Pharmacy = 2 => "pharmacy", Telehealth = 3 => "telehealth", Home = 4 => "home" }
);

/// Presence at a desk.
#[derive(Clone, PartialEq, Debug, Encode, Decode)]
pub struct Visit {
    #[n(0)]
    pub id: LocalId,
    #[n(1)]
    pub facility: OrganisationId,
    #[n(2)]
    pub kind: VisitKind,
    #[n(3)]
    pub opened_at: i64,
    #[n(4)]
    pub closed_at: Option<i64>,
    /// The care team: the licensed professionals who may use its consents.
    #[n(5)]
    pub team: Vec<PractitionerId>,
    #[n(6)]
    pub proof: VisitProof,
}

/// An objection made before anything was collected (R59).
#[derive(Clone, PartialEq, Debug, Encode, Decode)]
pub struct Objection {
    #[n(0)]
    pub item: ItemKey,
    #[n(1)]
    pub visit: Option<LocalId>,
    /// `None`: any facility.
    #[n(2)]
    pub facility: Option<OrganisationId>,
    /// Empty: all categories.
    #[n(3)]
    pub categories: Vec<Category>,
    #[n(4)]
    pub from: i64,
    #[n(5)]
    pub until: Option<i64>,
}

/// State row of one person. Small: consents, visits and flags, never clinical data.
#[derive(Clone, PartialEq, Debug, Encode, Decode)]
pub struct PersonState {
    #[n(0)]
    pub pid: Pid,
    /// Offset in the person's partition of the last submission applied.
    #[n(1)]
    pub position: u64,
    /// Largest log time seen: the domain's clock never runs backwards.
    #[n(2)]
    pub clock: i64,
    #[n(3)]
    pub link: LinkState,
    /// `identity` or `attributes` while suspect.
    #[n(4)]
    pub link_kind: String,
    /// `yyyy-mm-dd`.
    #[n(5)]
    pub birth_date: String,
    #[n(6)]
    pub consents: Vec<StoredConsent>,
    #[n(7)]
    pub visits: Vec<Visit>,
    #[n(8)]
    pub objections: Vec<Objection>,
    /// Emergency switch: `normal`, `+restricted`, `off`.
    #[n(9)]
    pub emergency_switch: String,
    /// Checks that were cancelled after an alert, per day and practitioner (R25).
    #[n(10)]
    pub checks_cancelled: Vec<(i64, PractitionerId)>,
    /// Submissions refused or accepted so far, in log order; only their number.
    #[n(11)]
    pub submissions: u64,
}
