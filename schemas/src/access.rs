//! The access entry: who looked, at what, and why it was allowed (`access-log.md`).

use minicbor::{Decode, Encode};

use crate::header::ItemVersion;
use crate::ids::{ClientId, EntryId, ItemKey, OrganisationId, Pid, PractitionerId};
use crate::vocab::{AccessKind, Category, Purpose, closed_list};

closed_list!(
    AccessOutcome { Success = 0 => "0", Denied = 4 => "4", Failed = 8 => "8" }
);

/// A human, or `automatic` with the responsible person.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub struct ActorName {
    #[n(0)]
    pub id: PractitionerId,
    #[n(1)]
    pub name: String,
    #[n(2)]
    pub profession: String,
    #[n(3)]
    pub licence: String,
}

/// The body of one entry: one person, one release (or refusal). No clinical value stands inside.
/// The fields and their order are final: they are committed to ([`Commitment`]) and must read for ever.
#[derive(Clone, PartialEq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct Access {
    #[n(0)]
    pub id: EntryId,
    /// `None`: no known person; the entry stands in the facility's list.
    #[n(1)]
    pub person: Option<Pid>,
    /// When the reader released, milliseconds since 1970 (logged at: log time of the record).
    #[n(2)]
    pub released_at: i64,
    #[n(3)]
    pub kind: AccessKind,
    /// The human; `None` for a system acting alone, then `responsible` of the client is named in `on_behalf_of`.
    #[n(4)]
    pub actor: Option<ActorName>,
    #[n(5)]
    pub on_behalf_of: Option<ActorName>,
    #[n(6)]
    pub organisation: OrganisationId,
    #[n(7)]
    pub organisation_name: String,
    #[n(8)]
    pub organisation_type: String,
    /// Ministry or company group; empty if none.
    #[n(9)]
    pub organisation_group: String,
    #[n(10)]
    pub processor: ClientId,
    #[n(11)]
    pub processor_name: String,
    #[n(12)]
    pub purpose: Purpose,
    /// Rule ids, in the order of precedence.
    #[n(13)]
    pub rules: Vec<String>,
    /// The consent that allowed it, its version and when it was given.
    #[n(14)]
    pub consent: Option<(ItemKey, u32, i64)>,
    #[n(15)]
    pub terms: String,
    #[n(16)]
    pub categories: Vec<Category>,
    /// The open items. Items that the person may not know of yet stand only in `closed_items`.
    #[n(17)]
    pub items: Vec<ItemVersion>,
    /// Commitment to the closed items; always there, random where there are none.
    #[n(18)]
    #[cbor(with = "minicbor::bytes")]
    pub closed_items: [u8; 32],
    #[n(19)]
    pub count: u32,
    /// The raw query (path and parameters, without a person's identifiers).
    #[n(20)]
    pub query: String,
    #[n(21)]
    pub outcome: AccessOutcome,
    /// Reason code of a denial; for a person the true rule.
    #[n(22)]
    pub reason: String,
    #[n(23)]
    pub obligations: Vec<String>,
    #[n(24)]
    pub policy_revision: String,
    #[n(25)]
    #[cbor(with = "minicbor::bytes")]
    pub input_hash: [u8; 32],
    /// Assurance, token id, thumbprint of the client certificate.
    #[n(26)]
    pub assurance: String,
    #[n(27)]
    pub token_id: String,
    #[n(28)]
    pub certificate: String,
    #[n(29)]
    pub request_id: String,
    #[n(30)]
    pub trace_id: String,
    /// The bulk answer that this entry is part of.
    #[n(31)]
    pub batch: Option<EntryId>,
    /// For an automatic check: the drug asked about. For a refusal: what was tried. [`WAITING`] where the reader was told that.
    #[n(32)]
    pub subject: String,
}

/// Subject of an entry whose reader learned that a document waits for the person's consent (R19).
pub const WAITING: &str = "waiting-for-consent";

/// HMAC-SHA-256(r, body) with r = HKDF(log key of the person and year, entry id).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(transparent)]
pub struct Commitment(
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    pub [u8; 32],
);

/// One record of topic `access`.
#[derive(Clone, PartialEq, Debug, Encode, Decode)]
pub struct AccessRecord {
    #[n(0)]
    pub id: EntryId,
    /// The list it belongs to: of a person, or of a facility.
    #[n(1)]
    pub list: AccessList,
    /// Year of the log key.
    #[n(2)]
    pub year: u16,
    #[n(3)]
    pub commitment: Commitment,
    /// CBOR of [`Access`], sealed under a key from the list's log key.
    #[n(4)]
    #[cbor(with = "minicbor::bytes")]
    pub sealed: Vec<u8>,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Encode, Decode)]
pub enum AccessList {
    #[n(0)]
    Person(#[n(0)] Pid),
    #[n(1)]
    Facility(#[n(0)] OrganisationId),
}

/// Row of the access table, written by the owner of the access partition, in log order.
#[derive(Clone, PartialEq, Debug, Encode, Decode)]
pub struct AccessRow {
    /// Dense number in the list, from 1.
    #[n(0)]
    pub person_seq: u64,
    /// Offset in topic `access`.
    #[n(1)]
    pub position: u64,
    /// Log time: "logged at".
    #[n(2)]
    pub logged_at: i64,
    /// Hash of the previous row of this list: SHA-256(previous chain, person_seq, commitment).
    #[n(3)]
    #[cbor(with = "minicbor::bytes")]
    pub chain: [u8; 32],
    #[n(4)]
    pub record: AccessRecord,
}

/// Head of one access list: what the next row follows on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub struct AccessHead {
    /// Entries so far; the number of the newest.
    #[n(0)]
    pub count: u64,
    /// Chain hash of the newest row.
    #[n(1)]
    #[cbor(with = "minicbor::bytes")]
    pub chain: [u8; 32],
    /// First offset in topic `access` that may not be in the list yet.
    #[n(2)]
    pub next_offset: u64,
    /// Years of which rows exist: the oldest and the newest.
    #[n(3)]
    pub first_year: u16,
    #[n(4)]
    pub last_year: u16,
}

/// Proof that an access is durable, as it travels: header `Kiroku-Receipt`, base64url of its CBOR.
#[derive(Clone, PartialEq, Debug, Encode, Decode)]
pub struct ReceiptBytes {
    #[n(0)]
    pub entry: EntryId,
    #[n(1)]
    pub commitment: Commitment,
    /// SHA-256 over the items that it names.
    #[n(2)]
    #[cbor(with = "minicbor::bytes")]
    pub items: [u8; 32],
    /// Log time of the entry, milliseconds since 1970; good for 60 s.
    #[n(3)]
    pub time: i64,
    #[n(4)]
    #[cbor(with = "minicbor::bytes")]
    pub mac: [u8; 32],
}
