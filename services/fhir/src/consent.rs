//! FHIR R4 Consent, in the form of IHE Privacy Consent on FHIR (PCF), and the artefact that the rules read.
//!
//! Read here (`from_fhir`) and written here (`to_fhir`):
//!
//! | Consent | artefact |
//! |---|---|
//! | `status` active, inactive, entered-in-error | status; another is refused |
//! | `scope` patient-privacy, `patient`, `dateTime` | wanted; `dateTime` is the start where `provision.period` has none |
//! | `policy[0].uri`, extension `terms-sha256` on it | terms `id\|version` and their hash |
//! | `provision.type`, `.period` | type, valid from and until (the end is inclusive in FHIR, exclusive here) |
//! | `provision.actor`, role IRCP | facilities and practitioners, by identifier (or by reference, resolved by the caller) |
//! | `provision.purpose`, `.securityLabel`, `.dataPeriod` | purposes, labels, data period |
//! | `provision.code` of [`CATEGORY_SYSTEM`] | categories |
//! | `provision.data` instance, related, authoredby | items; an authoring Organization is an author |
//!
//! Extensions of the Consent, all below `https://kiroku.example/StructureDefinition/`:
//! `consent-kind` (code: visit, stay, document, denial, no-card, objection), `consent-giver` (code: self, guardian, curator, carer,
//! proxy; left out where the performer is the Patient), `consent-method` (code), `consent-staff` (string, repeats),
//! `consent-visit` (string: id of the visit), `consent-safety` (code: show, masked, neither).
//!
//! One nested level is understood: a plain `deny` with one `permit` inside is that permit; a `permit` with `deny` inside that name
//! nothing but categories or labels permits the rest. Deeper nesting, `class`, `action`, other codes, roles, meanings and
//! modifier extensions cannot be enforced, and are refused with their path.

mod provision;
mod read;
mod write;

use schemas::ItemKey;
use schemas::consent::ConsentArtefact;
use schemas::ids::{LocalId, OrganisationId, PractitionerId};
use schemas::shelf::Objection;
use schemas::vocab::Category;

pub use self::read::from_fhir;
pub use self::write::{objection_to_fhir, to_fhir};

/// Code system of the data categories in `provision.code`.
pub const CATEGORY_SYSTEM: &str = "https://kiroku.example/CodeSystem/category";
/// Where our extensions are defined.
pub const EXTENSIONS: &str = "https://kiroku.example/StructureDefinition/";
/// Identifier system of professionals of the registry.
pub const PRACTITIONER_SYSTEM: &str = "https://kiroku.example/IdSystem/practitioner";
/// Identifier system of facilities: the 10-digit institution code.
pub const INSTITUTION_SYSTEM: &str = "http://jpfhir.jp/fhir/core/IdSystem/insurance-medical-institution-no";

const PURPOSE_SYSTEM: &str = "http://terminology.hl7.org/CodeSystem/v3-ActReason";
const ROLE_SYSTEM: &str = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";
const ROLE_RECIPIENT: &str = "IRCP";

/// Whom a reference in a provision names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Actor {
    Facility(OrganisationId),
    Practitioner(PractitionerId),
}

/// What one Consent means. An active objection has no artefact: it stops what is sent, not who reads.
#[derive(Clone, PartialEq, Debug)]
pub struct Meaning {
    pub consent: Option<ConsentArtefact>,
    pub objection: Option<ObjectionTerms>,
}

/// "Do not share this visit, facility, category" (R59).
#[derive(Clone, PartialEq, Debug)]
pub struct ObjectionTerms {
    pub visit: Option<LocalId>,
    pub facility: Option<OrganisationId>,
    pub categories: Vec<Category>,
    pub from: i64,
    pub until: Option<i64>,
}

impl ObjectionTerms {
    /// The objection as the person's state keeps it, made by the Consent `item`.
    pub fn of(&self, item: ItemKey) -> Objection {
        Objection {
            item,
            visit: self.visit,
            facility: self.facility.clone(),
            categories: self.categories.clone(),
            from: self.from,
            until: self.until,
        }
    }
}

#[cfg(test)]
mod tests;
