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
    Outcome, OutcomeResult, Submission, Written,
};
use schemas::vocab::{AccessKind, Action, Category, Label, LinkState, Purpose, ResourceType, Topic};
use schemas::{EntryId, ItemKey, LocalId, Pid, Problem, ProblemCode, SubmissionId};
use zeroize::Zeroizing;

use super::Format;

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
    all.extend(commands().into_iter().map(|(name, command)| Format::plain(name, submission(command))));
    all.extend(events().into_iter().map(|(name, event)| Format::plain(name, event)));
    all.extend(lists());
    all.extend(sealed());
    all
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
    let sent = envelope::seal_submission(&record_key(), BUCKET, &asked()).value.to_vec();
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

fn header() -> Header {
    Header {
        item: ITEM,
        version: 3,
        deleted: false,
        position: 77,
        last_updated: TIME,
        meta: meta(),
        author_organisation: "1310000001".into(),
        author_client: "system-1310000001".into(),
        author_practitioner: Some("physician-1".into()),
        submission: SUBMISSION,
        body: Some(BodyRef { bucket: BUCKET, chunks: 1, length: 74 }),
        search: search(),
    }
}

fn meta() -> ItemMeta {
    ItemMeta {
        category: Category::Ehr,
        class: s("class"),
        labels: vec![Label::RestrictedPsy, Label::KeepLong],
        period: Some((TIME - 1000, TIME)),
        receivers: vec!["1310000002".into()],
        sent_meta: s("{\"source\":\"x\"}"),
        part_of: Some(ItemKey { resource_type: ResourceType::Bundle, local: LOCAL }),
        tables_release: s("2026-11"),
    }
}

fn search() -> Vec<ParamValue> {
    let token = SearchValue::Token { system: s("sys"), code: s("code"), text: s("text"), types: Some(s("t|c")) };
    let values = [
        token.clone(),
        SearchValue::Text(s("text")),
        SearchValue::Date { from: TIME, to: i64::MAX },
        SearchValue::Number(s("1.50")),
        SearchValue::Quantity { value: s("5.0"), system: s("ucum"), code: s("mg"), unit: s("mg") },
        SearchValue::Reference { target: s("Patient/1"), identifier_system: s("is"), identifier_value: s("iv") },
        SearchValue::Uri(s("urn:x")),
        SearchValue::Composite(vec![token, SearchValue::Number(s("2"))]),
    ];
    (1u16..).zip(values).map(|(param, value)| ParamValue { param, value }).collect()
}

fn consent() -> ConsentArtefact {
    ConsentArtefact {
        kind: ConsentKind::Visit,
        giver: Giver::OneSelf,
        consent_type: ConsentType::Permit,
        facilities: vec!["1310000001".into()],
        practitioners: vec!["physician-1".into()],
        categories: vec![Category::Med, Category::Ehr],
        labels: vec![Label::RestrictedHiv],
        authors: vec!["1310000002".into()],
        data_period: Some((0, TIME)),
        items: vec![ConsentItem { reference: s("Observation/x"), meaning: s("instance") }],
        purposes: vec![Purpose::Treat],
        valid_from: TIME,
        valid_until: Some(TIME + 1),
        method: Method::ReaderPin,
        staff: vec![s("staff")],
        terms: s("kiroku-terms|1"),
        terms_sha256: s("00ff"),
        status: ConsentStatus::Active,
        visit: Some(s("visit")),
        safety: Some(s("masked")),
    }
}

fn objection() -> Objection {
    Objection {
        item: ITEM,
        visit: Some(LOCAL),
        facility: Some("1310000001".into()),
        categories: vec![Category::Claims],
        from: TIME,
        until: Some(TIME + 5),
    }
}

fn state() -> PersonState {
    PersonState {
        pid: PID,
        position: 78,
        clock: TIME,
        link: LinkState::Suspect,
        link_kind: s("identity"),
        birth_date: s("1980-02-29"),
        consents: vec![StoredConsent { item: ITEM, version: 2, artefact: consent(), given_at: TIME }],
        visits: vec![Visit {
            id: LOCAL,
            facility: "1310000001".into(),
            kind: VisitKind::Inpatient,
            opened_at: TIME,
            closed_at: Some(TIME + 9),
            team: vec!["physician-1".into()],
            proof: VisitProof::Card,
        }],
        objections: vec![objection()],
        emergency_switch: s("normal"),
        checks_cancelled: vec![(TIME, "physician-1".into())],
        submissions: 12,
    }
}

fn access() -> Access {
    let actor = |name: &str| {
        Some(ActorName { id: name.into(), name: s(name), profession: s("physician"), licence: s("licence") })
    };
    Access {
        id: ENTRY,
        person: Some(PID),
        released_at: TIME,
        kind: AccessKind::Search,
        actor: actor("physician-1"),
        on_behalf_of: actor("physician-2"),
        organisation: "1310000001".into(),
        organisation_name: s("hospital"),
        organisation_type: s("hospital"),
        organisation_group: s("group"),
        processor: "system-1".into(),
        processor_name: s("system"),
        purpose: Purpose::Treat,
        rules: vec![s("R10"), s("R16")],
        consent: Some((ITEM, 1, TIME)),
        terms: s("kiroku-terms|1"),
        categories: vec![Category::Ehr],
        items: vec![ItemVersion { item: ITEM, version: 3, bucket: Some(Bucket::Long) }],
        closed_items: [0x66; 32],
        count: 1,
        query: s("Observation?code=x"),
        outcome: AccessOutcome::Success,
        reason: s("reason"),
        obligations: vec![s("LOG"), s("NP")],
        policy_revision: s("7"),
        input_hash: [0x77; 32],
        assurance: s("facility"),
        token_id: s("jti"),
        certificate: s("00ff"),
        request_id: s("request"),
        trace_id: s("trace"),
        batch: Some(ENTRY),
        subject: s("1141007"),
    }
}

fn record(list: AccessList) -> AccessRecord {
    AccessRecord { id: ENTRY, list, year: 2025, commitment: Commitment([0x88; 32]), sealed: vec![1, 2, 3] }
}

fn row() -> AccessRow {
    let record = record(AccessList::Person(PID));
    AccessRow { person_seq: 128, position: 9, logged_at: TIME, chain: [0x99; 32], record }
}

fn head() -> AccessHead {
    AccessHead { count: 128, chain: [0x99; 32], next_offset: 10, first_year: 2024, last_year: 2025 }
}

fn receipt() -> ReceiptBytes {
    ReceiptBytes { entry: ENTRY, commitment: Commitment([0x88; 32]), items: [0xaa; 32], time: TIME, mac: [0xbb; 32] }
}

fn sealed_envelope(kind: EnvelopeKind) -> Envelope {
    let wrapped_key = if kind == EnvelopeKind::Submission { vec![0x07, 0xe9, 1, 2] } else { Vec::new() };
    Envelope {
        kind,
        pid: PID,
        shard: PID.shard(),
        submission: SUBMISSION,
        reply_to: 3,
        wrapped_key,
        sealed: vec![4, 5],
    }
}

fn submission(command: Command) -> Submission {
    Submission {
        id: SUBMISSION,
        pid: PID,
        author: Author {
            client: "system-1".into(),
            organisation: "1310000001".into(),
            practitioner: Some("physician-1".into()),
            purpose: Purpose::Recordmgt,
            is_person: false,
        },
        policy_revision: s("7"),
        request_hash: [0xcc; 32],
        command,
        trace: None,
    }
}

fn commands() -> Vec<(&'static str, Command)> {
    let change = |op: Op| Change {
        op,
        item: ITEM,
        body: BODY.to_vec(),
        meta: Some(meta()),
        consent: Some(consent()),
        objection: Some(objection()),
        visit: Some(LOCAL),
    };
    let ops = [
        Op::Create,
        Op::CreateIfNone(s("identifier=a|b")),
        Op::Update { if_match: Some(2) },
        Op::UpdateMatch(s("identifier=a|b")),
        Op::Delete { if_match: None },
    ];
    let team = vec!["physician-1".into()];
    let open = Command::OpenVisit {
        visit: LOCAL,
        facility: "1310000001".into(),
        kind: VisitKind::Outpatient,
        team,
        proof: VisitProof::Paper,
    };
    vec![
        ("submission: birth", Command::Born { birth_date: s("1980-02-29") }),
        ("submission: write", Command::Write(ops.map(change).to_vec())),
        ("submission: open visit", open),
        ("submission: close visit", Command::CloseVisit { visit: LOCAL }),
        ("submission: link", Command::SetLink { link: LinkState::Frozen, kind: s("identity") }),
        ("submission: quarantine", Command::Quarantine { identifiers: hashes(), request: vec![1, 2, 3] }),
        ("submission: cancelled check", Command::CancelCheck { practitioner: "physician-1".into() }),
    ]
}

fn outcome(result: OutcomeResult) -> Outcome {
    let request_hash = [0xcc; 32];
    Outcome { position: 77, time: TIME, result, policy_revision: s("7"), request_hash, client: "system-1".into() }
}

fn accepted() -> OutcomeResult {
    let effects = [Effect::Created, Effect::Updated, Effect::Deleted, Effect::Matched, Effect::None];
    OutcomeResult::Accepted(
        (1u32..)
            .zip(effects)
            .map(|(version, effect)| Written { item: ITEM, version, effect, untold: version == 2 })
            .collect(),
    )
}

fn refused() -> OutcomeResult {
    OutcomeResult::Refused(vec![Problem::new(ProblemCode::BusinessRule, "Bundle.entry[0]", "text").with_rule("R59")])
}

fn hashes() -> Vec<IdentifierHash> {
    vec![IdentifierHash([0xdd; 16])]
}

fn identity(event: IdentityEvent) -> IdentityRecord {
    IdentityRecord { submission: SUBMISSION, client: "system-1".into(), event }
}

fn events() -> Vec<(&'static str, AuthorityEvent)> {
    let organisation = Organisation {
        id: "1310000001".into(),
        name: s("hospital"),
        organisation_type: s("hospital"),
        group: s("group"),
        municipality: s("13101"),
        qualifications: vec![s("q")],
        emergency_designated: true,
        status: Status::Active,
        custodian_of: vec!["1310000009".into()],
        staff_count: 50,
    };
    let professional = Professional {
        id: "physician-1".into(),
        name: s("name"),
        profession: s("physician"),
        licence: s("licence"),
        roles: vec![("1310000001".into(), s("physician"))],
        qualifications: vec![s("q")],
        status: Status::Suspended,
        pid: Some(PID),
    };
    let client = Client {
        id: "system-1".into(),
        name: s("system"),
        organisation: "1310000001".into(),
        jwks: s("{}"),
        jwks_url: s("https://example.org/jwks"),
        rights: vec![s("records.write")],
        scopes: vec![s("system/*.cruds")],
        status: Status::Revoked,
        certificate_sha256: s("00ff"),
        responsible: "clerk-1".into(),
        agent_of: vec!["1310000002".into()],
    };
    let case = Case {
        id: s("case-1"),
        kind: s("audit"),
        officials: ["official-1".into(), "official-2".into()],
        persons: vec![PID],
        organisations: vec!["1310000001".into()],
        opened_at: TIME,
        until: TIME + 1,
        status: Status::Closed,
    };
    vec![
        ("authority: heartbeat", AuthorityEvent::Heartbeat),
        ("authority: organisation", AuthorityEvent::Organisation(organisation)),
        ("authority: professional", AuthorityEvent::Professional(professional)),
        ("authority: client", AuthorityEvent::Client(client)),
        ("authority: case", AuthorityEvent::Case(case)),
        ("authority: policy revision", AuthorityEvent::PolicyRevision { revision: 7, sha256: s("00ff") }),
        ("authority: card", AuthorityEvent::Card { pid: PID, public_key: s("PEM") }),
    ]
}
