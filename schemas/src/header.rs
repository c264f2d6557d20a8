//! The header of one version of one resource: all that search, the filter and the answer's `meta` need, so that a body is
//! opened only when it leaves.

use minicbor::{Decode, Encode};

use crate::ids::{ClientId, ItemKey, OrganisationId, PractitionerId, ResourceId, SubmissionId};
use crate::search::ParamValue;
use crate::vocab::{Category, Label};

/// What the door found out about an item before the log: depends on tables and registries outside the person.
#[derive(Clone, PartialEq, Debug, Encode, Decode)]
pub struct ItemMeta {
    #[n(0)]
    pub category: Category,
    /// Class within CERT, COST or a checkup programme; empty elsewhere.
    #[n(1)]
    pub class: String,
    /// Sorted, without duplicates; empty means N (normal).
    #[n(2)]
    pub labels: Vec<Label>,
    /// Clinically relevant period, milliseconds since 1970, from inclusive to exclusive; `None` where the resource has no date.
    #[n(3)]
    pub period: Option<(i64, i64)>,
    /// Named receivers of a document (R19, R20).
    #[n(4)]
    pub receivers: Vec<OrganisationId>,
    /// `meta` as sent, compact JSON without id, versionId and lastUpdated; empty if none was sent.
    #[n(5)]
    pub sent_meta: String,
    /// The document or collection Bundle that this item came in.
    #[n(6)]
    pub part_of: Option<ItemKey>,
    /// Release of the category and label tables that were used.
    #[n(7)]
    pub tables_release: String,
}

/// Header of one version.
#[derive(Clone, PartialEq, Debug, Encode, Decode)]
pub struct Header {
    #[n(0)]
    pub item: ItemKey,
    /// FHIR versionId, 1 for the first.
    #[n(1)]
    pub version: u32,
    #[n(2)]
    pub deleted: bool,
    /// Offset in the person's partition of the submission that wrote it: the order of all that happened to the shelf.
    #[n(3)]
    pub position: u64,
    /// Log time, milliseconds since 1970; `meta.lastUpdated`.
    #[n(4)]
    pub last_updated: i64,
    #[n(5)]
    pub meta: ItemMeta,
    #[n(6)]
    pub author_organisation: OrganisationId,
    #[n(7)]
    pub author_client: ClientId,
    #[n(8)]
    pub author_practitioner: Option<PractitionerId>,
    #[n(9)]
    pub submission: SubmissionId,
    #[n(10)]
    pub body: Option<BodyRef>,
    #[n(11)]
    pub search: Vec<ParamValue>,
}

impl Header {
    pub fn has_label(&self, label: Label) -> bool {
        self.meta.labels.contains(&label)
    }
}

/// Where the body of a version lies and how to read it. Bodies are stored once, in chunks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub struct BodyRef {
    /// Which record key opens it, and which partition holds it.
    #[n(0)]
    pub bucket: Bucket,
    #[n(1)]
    pub chunks: u16,
    /// Length in bytes before compression.
    #[n(2)]
    pub length: u32,
}

/// Bodies and keys of a person are kept per year of writing, or together where they are kept long.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Encode, Decode)]
pub enum Bucket {
    #[n(0)]
    Year(#[n(0)] u16),
    #[n(1)]
    Long,
}

impl Bucket {
    /// Two bytes for keys of rows and derivations; 0 is `Long`.
    pub fn to_bytes(self) -> [u8; 2] {
        match self {
            Self::Year(year) => year.to_be_bytes(),
            Self::Long => [0, 0],
        }
    }
}

/// One version of one item, as an access names it and a key opens it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Encode, Decode)]
pub struct ItemVersion {
    #[n(0)]
    pub item: ItemKey,
    #[n(1)]
    pub version: u32,
    /// `None` for a version without body (a deletion).
    #[n(2)]
    pub bucket: Option<Bucket>,
}

impl Header {
    pub fn item_version(&self) -> ItemVersion {
        ItemVersion { item: self.item, version: self.version, bucket: self.body.map(|b| b.bucket) }
    }

    /// `Type/id` as FHIR writes it.
    pub fn reference(&self, pid: crate::Pid) -> String {
        format!("{}/{}", self.item.resource_type, ResourceId { pid, local: self.item.local })
    }
}
