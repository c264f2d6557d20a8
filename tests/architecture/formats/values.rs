//! One fixed value of each stored format, with every field filled and every variant there.

use chassis::envelope;
use chassis::ports::keys::{Job, RecordKey, Secret, Ticket};
use chassis::shelf;
use schemas::access::{
    Access, AccessHead, AccessList, AccessOutcome, AccessRecord, AccessRow, ActorName, Commitment, ReceiptBytes,
};
use schemas::authority::{AuthorityEvent, Case, Client, Organisation, Professional, Status};
use schemas::consent::{
    ConsentArtefact, ConsentItem, ConsentKind, ConsentStatus, ConsentType, Giver, Method, StoredConsent,
};
use schemas::header::{BodyRef, Bucket, Header, ItemMeta, ItemVersion};
use schemas::search::{ParamValue, SearchValue};
use schemas::shelf::{Objection, PersonState, Visit, VisitKind, VisitProof};
use schemas::submission::{
    Author, Change, Command, Effect, Envelope, EnvelopeKind, IdentifierHash, IdentityEvent, IdentityRecord, Op,
    Outcome, OutcomeResult, Submission, Verdict, VerdictRecord, Written,
};
use schemas::vocab::{AccessKind, Action, Category, Label, LinkState, Purpose, ResourceType, Topic};
use schemas::{EntryId, ItemKey, LocalId, Pid, Problem, ProblemCode, SubmissionId};
use zeroize::Zeroizing;

use super::Format;

mod entries;
mod rows;
mod submissions;

use entries::{access, head, receipt, record, row};
use rows::{header, state};
use submissions::{accepted, commands, events, hashes, identity, outcome, refused, sealed_envelope, submission};

const PID: Pid = Pid([0x11; 16]);
const LOCAL: LocalId = LocalId([0x22; 10]);
const SUBMISSION: SubmissionId = SubmissionId([0x33; 16]);
const ENTRY: EntryId = EntryId([0x44; 16]);
const ITEM: ItemKey = ItemKey { resource_type: ResourceType::Observation, local: LOCAL };
const TIME: i64 = 1_763_700_000_000;
const BUCKET: Bucket = Bucket::Year(2025);
const BODY: &[u8] = br#"{"status":"final","code":{"text":"golden"},"valueQuantity":{"value":1.50}}"#;

fn key() -> Secret {
    Zeroizing::new([0x55; 32])
}

fn s(text: &str) -> String {
    text.to_owned()
}

/// All formats, in the order of the file.
pub(super) fn formats() -> Vec<Format> {
    let mut all = vec![
        Format::plain("header", header()),
        Format::plain("person state", state()),
        Format::plain("access", access()),
        Format::plain("access record of a person", record(AccessList::Person(PID))),
        Format::plain("access record of a facility", record(AccessList::Facility("1310000001".into()))),
        Format::plain("access row", row()),
        Format::plain("access head", head()),
        Format::plain("receipt", receipt()),
        Format::plain("envelope of a submission", sealed_envelope(EnvelopeKind::Submission)),
        Format::plain("envelope of an outcome", sealed_envelope(EnvelopeKind::Outcome)),
        Format::plain("outcome accepted", outcome(accepted())),
        Format::plain("outcome refused", outcome(refused())),
        Format::plain(
            "identity birth",
            identity(IdentityEvent::Birth { pid: PID, identifiers: hashes(), patient: LOCAL }),
        ),
        Format::plain(
            "identity identifiers",
            identity(IdentityEvent::AddIdentifiers { pid: PID, identifiers: hashes(), patient: LOCAL }),
        ),
    ];
    all.extend(verdicts().into_iter().map(|(name, verdict)| Format::plain(name, verdict)));
    all.push(Format::plain("verdict record", VerdictRecord { submission: SUBMISSION, sealed: vec![1, 2, 3] }));
    all.extend(commands().into_iter().map(|(name, command)| Format::plain(name, submission(command))));
    all.extend(events().into_iter().map(|(name, event)| Format::plain(name, event)));
    all.extend(lists());
    all.extend(sealed());
    all
}

/// What travels to the edge that waits.
fn verdicts() -> Vec<(&'static str, Verdict)> {
    let taken = Problem::new(ProblemCode::Duplicate, "Patient.identifier", "taken");
    vec![
        ("verdict outcome", Verdict::Outcome(outcome(accepted()))),
        ("verdict key reused", Verdict::KeyReused),
        ("verdict identity", Verdict::Identity(PID)),
        ("verdict identity refused", Verdict::IdentityRefused(taken)),
    ]
}

/// The closed lists: a number is never used again, and none changes.
fn lists() -> Vec<Format> {
    vec![
        Format::plain("numbers of resource types", ResourceType::ALL.to_vec()),
        Format::plain("numbers of categories", Category::ALL.to_vec()),
        Format::plain("numbers of labels", Label::ALL.to_vec()),
        Format::plain("numbers of purposes", Purpose::ALL.to_vec()),
        Format::plain("numbers of link states", LinkState::ALL.to_vec()),
        Format::plain("numbers of topics", Topic::ALL.to_vec()),
        Format::plain("numbers of actions", Action::ALL.to_vec()),
        Format::plain("numbers of kinds of access", AccessKind::ALL.to_vec()),
        Format::plain("numbers of kinds of problems", ProblemCode::ALL.to_vec()),
        Format::plain("numbers of kinds of consents", ConsentKind::ALL.to_vec()),
    ]
}

/// Rows and records as they lie on the disk, under a fixed key.
fn sealed() -> Vec<Format> {
    let opens_header = |bytes: &[u8]| {
        shelf::open_header(&key(), &ITEM, bytes).is_ok_and(|h| h == header())
            && shelf::header_bucket(bytes).is_ok_and(|bucket| bucket == BUCKET)
    };
    let opens_state = |bytes: &[u8]| {
        shelf::open_state(&key(), PID, bytes).is_ok_and(|s| s == state())
            && shelf::state_position(bytes).is_ok_and(|position| position == state().position)
    };
    let version = ItemVersion { item: ITEM, version: 3, bucket: Some(BUCKET) };
    let (reference, mut chunks) = shelf::seal_body(&key(), &version, BUCKET, BODY);
    let with_body = move || Header { body: Some(reference), ..header() };
    let opens_body = move |bytes: &[u8]| {
        let chunk = bytes::Bytes::copy_from_slice(bytes);
        shelf::open_body_with(&key(), &version, &with_body(), &[chunk]).is_ok_and(|body| body == BODY)
    };
    let record_key = || RecordKey::from_secret(key());
    let asked = || submission(commands().swap_remove(1).1);
    let sent = envelope::seal_submission(&record_key(), BUCKET, &asked(), 0).value.to_vec();
    let opens_submission = move |bytes: &[u8]| {
        let ticket = Ticket::for_job(Job::Operate);
        let open = |envelope: &Envelope| envelope::open_submission(&ticket, &record_key(), envelope).ok();
        let envelope = schemas::codec::decode::<Envelope>("envelope", bytes).ok();
        envelope
            .filter(|e| e.shard == PID.shard() && e.kind == EnvelopeKind::Submission && e.pid == PID && e.reply_to == 0)
            .and_then(|e| open(&e))
            == Some(asked())
    };
    let verdict = envelope::seal_verdict(&key(), SUBMISSION, &outcome(accepted())).to_vec();
    let opens_verdict =
        |bytes: &[u8]| envelope::open_verdict(&key(), SUBMISSION, bytes).is_ok_and(|read| read == outcome(accepted()));
    vec![
        Format::sealed("sealed header row", shelf::seal_header(&key(), BUCKET, &header()).to_vec(), opens_header),
        Format::sealed("sealed state row", shelf::seal_state(&key(), &state()).to_vec(), opens_state),
        Format::sealed("sealed body row", chunks.swap_remove(0).to_vec(), opens_body),
        Format::sealed("sealed submission", sent, opens_submission),
        Format::sealed("sealed verdict row", verdict, opens_verdict),
    ]
}
