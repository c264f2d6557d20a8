//! What the rules may see besides the command: the person's state and the writer's own items.

use schemas::shelf::PersonState;
use schemas::{ItemKey, OrganisationId, Problem};

/// The newest version of an item.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Current {
    pub version: u32,
    pub deleted: bool,
    pub author_organisation: OrganisationId,
    /// The person may not know of it yet (label UNTOLD).
    pub untold: bool,
}

/// Everything that a decision reads.
///
/// `current` answers for items that the writer's own organisation wrote and for nothing else: what others wrote does not exist
/// for a write condition (invariant 4).
pub struct Facts<'a> {
    /// `None` for a person without a shelf.
    pub state: Option<&'a PersonState>,
    pub current: &'a dyn Fn(&ItemKey) -> Option<Current>,
    /// For each change of a `Write`: the writer's own live items that its query matches. Empty for unconditional changes.
    pub matches: &'a [Vec<ItemKey>],
    /// What the policy refuses at log time (R03, R46 link, R47, R48, R50, R59); empty is a permit.
    pub refused: &'a [Problem],
}
