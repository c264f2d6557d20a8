//! Entries of the access log.

use super::*;

pub(super) fn access() -> Access {
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

pub(super) fn record(list: AccessList) -> AccessRecord {
    AccessRecord { id: ENTRY, list, year: 2025, commitment: Commitment([0x88; 32]), sealed: vec![1, 2, 3] }
}

pub(super) fn row() -> AccessRow {
    let record = record(AccessList::Person(PID));
    AccessRow { person_seq: 128, position: 9, logged_at: TIME, chain: [0x99; 32], record }
}

pub(super) fn head() -> AccessHead {
    AccessHead { count: 128, chain: [0x99; 32], next_offset: 10, first_year: 2024, last_year: 2025 }
}

pub(super) fn receipt() -> ReceiptBytes {
    ReceiptBytes { entry: ENTRY, commitment: Commitment([0x88; 32]), items: [0xaa; 32], time: TIME, mac: [0xbb; 32] }
}
