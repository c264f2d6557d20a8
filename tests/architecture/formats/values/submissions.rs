//! Records of the topics that change something.

use super::rows::{consent, meta, objection};
use super::*;

pub(super) fn sealed_envelope(kind: EnvelopeKind) -> Envelope {
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

pub(super) fn submission(command: Command) -> Submission {
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

pub(super) fn commands() -> Vec<(&'static str, Command)> {
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

pub(super) fn outcome(result: OutcomeResult) -> Outcome {
    let request_hash = [0xcc; 32];
    Outcome { position: 77, time: TIME, result, policy_revision: s("7"), request_hash, client: "system-1".into() }
}

pub(super) fn accepted() -> OutcomeResult {
    let effects = [Effect::Created, Effect::Updated, Effect::Deleted, Effect::Matched, Effect::None];
    OutcomeResult::Accepted(
        (1u32..)
            .zip(effects)
            .map(|(version, effect)| Written { item: ITEM, version, effect, untold: version == 2 })
            .collect(),
    )
}

pub(super) fn refused() -> OutcomeResult {
    OutcomeResult::Refused(vec![Problem::new(ProblemCode::BusinessRule, "Bundle.entry[0]", "text").with_rule("R59")])
}

pub(super) fn hashes() -> Vec<IdentifierHash> {
    vec![IdentifierHash([0xdd; 16])]
}

pub(super) fn identity(event: IdentityEvent) -> IdentityRecord {
    IdentityRecord { submission: SUBMISSION, client: "system-1".into(), event, reply_to: None }
}

pub(super) fn events() -> Vec<(&'static str, AuthorityEvent)> {
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
