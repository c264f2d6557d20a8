//! The consent artefact: what a FHIR Consent (IHE Privacy Consent on FHIR) means to the rules. `access-rules.md`.

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::ids::{ItemKey, OrganisationId, PractitionerId};
use crate::vocab::{Category, Label, Purpose, closed_list};

closed_list!(
    /// Who gave the consent.
    Giver { OneSelf = 0 => "self", Guardian = 1 => "guardian", Curator = 2 => "curator", Carer = 3 => "carer", Proxy = 4 => "proxy" }
);
closed_list!(
    ConsentType { Permit = 0 => "permit", Deny = 1 => "deny" }
);
closed_list!(
    /// What the consent is for; decides which rule reads it.
    ConsentKind {
        /// Visit consent at a desk (R10).
        Visit = 0 => "visit",
        /// For a stay (R10a).
        Stay = 1 => "stay",
        /// For a document and its named receiver (R19, R20).
        Document = 2 => "document",
        /// A standing denial (R13, R14, R59).
        Denial = 3 => "denial",
        /// A visit without card (R10p).
        NoCard = 4 => "no-card",
    }
);
closed_list!(
    /// How the person said so.
    Method {
        ReaderFace = 0 => "reader-face", ReaderPin = 1 => "reader-pin", App = 2 => "app", Oral = 3 => "oral", Paper = 4 => "paper",
    }
);
closed_list!(
    ConsentStatus { Active = 0 => "active", Inactive = 1 => "inactive", EnteredInError = 2 => "entered-in-error" }
);

/// One version of one consent. Only the newest version of each lineage counts.
#[derive(Clone, PartialEq, Debug, Encode, Decode, Serialize, Deserialize)]
pub struct ConsentArtefact {
    #[n(0)]
    pub kind: ConsentKind,
    #[n(1)]
    pub giver: Giver,
    #[n(2)]
    #[serde(rename = "type")]
    pub consent_type: ConsentType,
    /// Facilities and practitioners that it names; empty together means any.
    #[n(3)]
    pub facilities: Vec<OrganisationId>,
    #[n(4)]
    pub practitioners: Vec<PractitionerId>,
    #[n(5)]
    pub categories: Vec<Category>,
    #[n(6)]
    pub labels: Vec<Label>,
    /// Authors (organisations) whose items it covers; empty means all.
    #[n(7)]
    pub authors: Vec<OrganisationId>,
    /// Period of the data it covers, milliseconds since 1970.
    #[n(8)]
    pub data_period: Option<(i64, i64)>,
    /// Single items it covers (data instance), with their types.
    #[n(9)]
    pub items: Vec<ConsentItem>,
    #[n(10)]
    pub purposes: Vec<Purpose>,
    #[n(11)]
    pub valid_from: i64,
    /// `None`: until withdrawn.
    #[n(12)]
    pub valid_until: Option<i64>,
    #[n(13)]
    pub method: Method,
    /// Names of the staff, for oral and paper.
    #[n(14)]
    pub staff: Vec<String>,
    /// `id|version` of the terms and their SHA-256 in hex.
    #[n(15)]
    pub terms: String,
    #[n(16)]
    pub terms_sha256: String,
    #[n(17)]
    pub status: ConsentStatus,
    /// The visit it was given at.
    #[n(18)]
    pub visit: Option<String>,
    /// For SAFETY items under a denial: `show`, `masked`, `neither` (R14).
    #[n(19)]
    pub safety: Option<String>,
}

/// One item that a consent names.
#[derive(Clone, PartialEq, Debug, Encode, Decode, Serialize, Deserialize)]
pub struct ConsentItem {
    /// `Type/id`.
    #[n(0)]
    pub reference: String,
    /// `instance`, `related`, `authoredby`.
    #[n(1)]
    pub meaning: String,
}

/// A consent as it stands in the person's state.
#[derive(Clone, PartialEq, Debug, Encode, Decode)]
pub struct StoredConsent {
    #[n(0)]
    pub item: ItemKey,
    #[n(1)]
    pub version: u32,
    #[n(2)]
    pub artefact: ConsentArtefact,
    #[n(3)]
    pub given_at: i64,
}
