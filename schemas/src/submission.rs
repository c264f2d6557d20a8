//! What a client asks to write, and what the rules made of it: the two kinds of records of topic `person`.

use minicbor::{Decode, Encode};

use crate::consent::ConsentArtefact;
use crate::header::ItemMeta;
use crate::ids::{ClientId, ItemKey, LocalId, OrganisationId, Pid, PractitionerId, SubmissionId};
use crate::problem::Problem;
use crate::shelf::{VisitKind, VisitProof};
use crate::vocab::{LinkState, Purpose};

/// One record of topic `person`. The clear part names the person's shard and the submission; the rest is sealed.
#[derive(Clone, PartialEq, Debug, Encode, Decode)]
pub struct Envelope {
    #[n(0)]
    pub kind: EnvelopeKind,
    #[n(1)]
    pub pid: Pid,
    #[n(2)]
    pub shard: u16,
    #[n(3)]
    pub submission: SubmissionId,
    /// Partition of topic `verdict` where the edge waits; 0 on one machine.
    #[n(4)]
    pub reply_to: u16,
    /// The data key, wrapped under the person's record key (with its bucket). Empty for an outcome (sealed under the submission's).
    #[n(5)]
    #[cbor(with = "minicbor::bytes")]
    pub wrapped_key: Vec<u8>,
    /// Nonce, ciphertext, tag of the compressed CBOR of [`Submission`] or [`Outcome`].
    #[n(6)]
    #[cbor(with = "minicbor::bytes")]
    pub sealed: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(index_only)]
pub enum EnvelopeKind {
    #[n(0)]
    Submission,
    #[n(1)]
    Outcome,
}

/// Who wrote: as the door established it from token and registry.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Author {
    #[n(0)]
    pub client: ClientId,
    #[n(1)]
    pub organisation: OrganisationId,
    #[n(2)]
    pub practitioner: Option<PractitionerId>,
    #[n(3)]
    pub purpose: Purpose,
    /// The person signed in by her own certificate.
    #[n(4)]
    pub is_person: bool,
}

/// What a client asks to write.
#[derive(Clone, PartialEq, Debug, Encode, Decode)]
pub struct Submission {
    #[n(0)]
    pub id: SubmissionId,
    #[n(1)]
    pub pid: Pid,
    #[n(2)]
    pub author: Author,
    #[n(3)]
    pub policy_revision: String,
    /// SHA-256 of the request: a retry with another body is refused.
    #[n(4)]
    #[cbor(with = "minicbor::bytes")]
    pub request_hash: [u8; 32],
    #[n(5)]
    pub command: Command,
    /// W3C `traceparent` of the span that submitted it, so that the projector's work joins the request's trace; absent while
    /// no traces are sent.
    #[n(6)]
    pub trace: Option<String>,
}

impl Submission {
    /// The changes of a write; of another command none.
    pub fn changes(&self) -> &[Change] {
        match &self.command {
            Command::Write(changes) => changes,
            _ => &[],
        }
    }
}

/// The commands of the domain.
#[derive(Clone, PartialEq, Debug, Encode, Decode)]
pub enum Command {
    /// Opens the shelf of a new person; the identity topic has made the pid unique.
    #[n(0)]
    Born {
        #[n(0)]
        birth_date: String,
    },
    /// Changes to resources, all or none.
    #[n(1)]
    Write(#[n(0)] Vec<Change>),
    #[n(2)]
    OpenVisit {
        #[n(0)]
        visit: LocalId,
        #[n(1)]
        facility: OrganisationId,
        #[n(2)]
        kind: VisitKind,
        #[n(3)]
        team: Vec<PractitionerId>,
        #[n(4)]
        proof: VisitProof,
    },
    #[n(3)]
    CloseVisit {
        #[n(0)]
        visit: LocalId,
    },
    #[n(4)]
    SetLink {
        #[n(0)]
        link: LinkState,
        #[n(1)]
        kind: String,
    },
    /// Keeps a request about an unknown or doubtful person, whole, on the shelf [`Pid::QUARANTINE`].
    #[n(6)]
    Quarantine {
        /// Identifiers of the Patient that it names: when one of them becomes known, the request is tried again.
        #[n(0)]
        identifiers: Vec<IdentifierHash>,
        /// The request, sealed under a key of the platform.
        #[n(1)]
        #[cbor(with = "minicbor::bytes")]
        request: Vec<u8>,
    },
    /// A safety check ended without the order being written (R25's probing guard).
    #[n(5)]
    CancelCheck {
        #[n(0)]
        practitioner: PractitionerId,
    },
}

/// One change to one resource.
#[derive(Clone, PartialEq, Debug, Encode, Decode)]
pub struct Change {
    #[n(0)]
    pub op: Op,
    /// The item: for a create, the id that it will have.
    #[n(1)]
    pub item: ItemKey,
    /// Compact JSON of the resource without `resourceType`, `id` and `meta`, references resolved; empty for a delete.
    #[n(2)]
    #[cbor(with = "minicbor::bytes")]
    pub body: Vec<u8>,
    /// `None` for a delete.
    #[n(3)]
    pub meta: Option<ItemMeta>,
    /// For a Consent: its meaning.
    #[n(4)]
    pub consent: Option<ConsentArtefact>,
    /// For an objection (R59): what it stops.
    #[n(5)]
    pub objection: Option<crate::shelf::Objection>,
    /// The visit that the record was made in, if it says so (R59).
    #[n(6)]
    pub visit: Option<LocalId>,
}

#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum Op {
    #[n(0)]
    Create,
    /// Create unless the writer's own items match the query (`If-None-Exist`).
    #[n(1)]
    CreateIfNone(#[n(0)] String),
    /// New version of `item`; `if_match` is the version that the client saw.
    #[n(2)]
    Update {
        #[n(0)]
        if_match: Option<u32>,
    },
    /// Update of the one own item that matches the query; create if none does.
    #[n(3)]
    UpdateMatch(#[n(0)] String),
    #[n(4)]
    Delete {
        #[n(0)]
        if_match: Option<u32>,
    },
}

/// What the rules made of a submission. Tables are built from outcomes and the submissions they name, never by deciding again.
#[derive(Clone, PartialEq, Debug, Encode, Decode)]
pub struct Outcome {
    /// Offset of the submission in the same partition.
    #[n(0)]
    pub position: u64,
    /// Time that the rules used: max(previous, log time of the submission).
    #[n(1)]
    pub time: i64,
    #[n(2)]
    pub result: OutcomeResult,
    #[n(3)]
    pub policy_revision: String,
    /// SHA-256 of the request, so that a retry with another body is told apart.
    #[n(4)]
    #[cbor(with = "minicbor::bytes")]
    pub request_hash: [u8; 32],
    /// Whose submission it was: only this client is told its verdict by URL.
    #[n(5)]
    pub client: ClientId,
}

#[derive(Clone, PartialEq, Debug, Encode, Decode)]
pub enum OutcomeResult {
    /// One result per change, in order.
    #[n(0)]
    Accepted(#[n(0)] Vec<Written>),
    #[n(1)]
    Refused(#[n(0)] Vec<Problem>),
}

/// What became of one change.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Written {
    /// The item that holds the content now: the existing one where a conditional create found it.
    #[n(0)]
    pub item: ItemKey,
    #[n(1)]
    pub version: u32,
    #[n(2)]
    pub effect: Effect,
    /// The person may not know of the item yet (label UNTOLD of the content written, or of the content deleted).
    #[n(3)]
    #[cbor(default)]
    pub untold: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(index_only)]
pub enum Effect {
    #[n(0)]
    Created,
    #[n(1)]
    Updated,
    #[n(2)]
    Deleted,
    /// A conditional create matched an existing own item: nothing was written.
    #[n(3)]
    Matched,
    /// A delete of what was already gone.
    #[n(4)]
    None,
}

/// The answer to a submission, from the projector that decided it to the edge where somebody waits.
#[derive(Clone, PartialEq, Debug, Encode, Decode)]
pub enum Verdict {
    /// Of a shelf: the outcome as it stands in the log.
    #[n(0)]
    Outcome(#[n(0)] Outcome),
    /// The same key was used before for another request: 422.
    #[n(1)]
    KeyReused,
    /// Of topic `identity`: the person that the identifiers belong to (born now, or known from an earlier try).
    #[n(2)]
    Identity(#[n(0)] Pid),
    /// Of topic `identity`: an identifier belongs to another person.
    #[n(3)]
    IdentityRefused(#[n(0)] Problem),
}

/// One record of topic `verdict`.
#[derive(Clone, PartialEq, Debug, Encode, Decode)]
pub struct VerdictRecord {
    #[n(0)]
    pub submission: SubmissionId,
    /// Nonce, ciphertext, tag of the CBOR of [`Verdict`], under the platform's verdict key.
    #[n(1)]
    #[cbor(with = "minicbor::bytes")]
    pub sealed: Vec<u8>,
}

/// One record of topic `identity`: identifiers are unique because one partition decides them one after the other. It holds
/// no identifier in clear and is not sealed.
#[derive(Clone, PartialEq, Debug, Encode, Decode)]
pub struct IdentityRecord {
    #[n(0)]
    pub submission: SubmissionId,
    #[n(1)]
    pub client: ClientId,
    #[n(2)]
    pub event: IdentityEvent,
    /// As [`Envelope::reply_to`]; absent means 0.
    #[n(3)]
    pub reply_to: Option<u16>,
}

#[derive(Clone, PartialEq, Debug, Encode, Decode)]
pub enum IdentityEvent {
    /// A new person, unless one of the identifiers is known.
    #[n(0)]
    Birth {
        #[n(0)]
        pid: Pid,
        #[n(1)]
        identifiers: Vec<IdentifierHash>,
        /// The Patient that carries them: what references by identifier become.
        #[n(2)]
        patient: LocalId,
    },
    /// Further identifiers of a known person, unless one of them is another person's.
    #[n(1)]
    AddIdentifiers {
        #[n(0)]
        pid: Pid,
        #[n(1)]
        identifiers: Vec<IdentifierHash>,
        /// The Patient that carries them: what references by identifier become.
        #[n(2)]
        patient: LocalId,
    },
}

/// HMAC-SHA-256(index key, system 0x00 value), truncated to 16 bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Encode, Decode)]
#[cbor(transparent)]
pub struct IdentifierHash(
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    pub [u8; 16],
);
