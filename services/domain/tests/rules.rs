//! The domain's rules, as a client would see them.

use std::collections::BTreeMap;

use domain::{Current, Facts, apply, decide};
use proptest::prelude::*;
use schemas::submission::{Author, Change, Command, Effect, Op, Outcome, OutcomeResult, Submission};
use schemas::{ItemKey, LocalId, Pid, ProblemCode, Purpose, ResourceType, SubmissionId};

fn submission(command: Command) -> Submission {
    Submission {
        id: SubmissionId([1; 16]),
        pid: Pid([2; 16]),
        author: Author {
            client: "hospital".into(),
            organisation: "1310000001".into(),
            practitioner: None,
            purpose: Purpose::Recordmgt,
            is_person: false,
        },
        policy_revision: "1".into(),
        request_hash: [0; 32],
        command,
        trace: None,
    }
}

fn item(n: u8) -> ItemKey {
    ItemKey { resource_type: ResourceType::Observation, local: LocalId([n; 10]) }
}

fn change(op: Op, n: u8) -> Change {
    Change { op, item: item(n), body: b"{}".to_vec(), meta: None, consent: None, objection: None, visit: None }
}

fn state() -> schemas::shelf::PersonState {
    domain::apply::new_state(&submission(Command::Write(vec![])), "1980-01-01")
}

fn run(existing: &BTreeMap<ItemKey, (u32, bool)>, matches: &[Vec<ItemKey>], changes: Vec<Change>) -> OutcomeResult {
    let state = state();
    let current = |key: &ItemKey| {
        existing.get(key).map(|&(version, deleted)| Current {
            version,
            deleted,
            author_organisation: "1310000001".into(),
            untold: false,
        })
    };
    let facts = Facts { state: Some(&state), current: &current, matches, refused: &[] };
    decide(&facts, &submission(Command::Write(changes)))
}

fn code(result: &OutcomeResult) -> Option<ProblemCode> {
    match result {
        OutcomeResult::Refused(problems) => problems.first().map(|p| p.code),
        OutcomeResult::Accepted(_) => None,
    }
}

#[test]
fn an_update_with_a_stale_version_is_refused_and_a_fresh_one_gives_the_next() {
    let existing = BTreeMap::from([(item(1), (3, false))]);
    let stale = run(&existing, &[], vec![change(Op::Update { if_match: Some(2) }, 1)]);
    assert_eq!(code(&stale), Some(ProblemCode::Conflict));
    let OutcomeResult::Accepted(written) = run(&existing, &[], vec![change(Op::Update { if_match: Some(3) }, 1)])
    else {
        panic!("a fresh update is accepted")
    };
    assert_eq!((written[0].version, written[0].effect), (4, Effect::Updated));
}

#[test]
fn an_update_of_an_unknown_id_is_refused() {
    assert_eq!(
        code(&run(&BTreeMap::new(), &[], vec![change(Op::Update { if_match: None }, 1)])),
        Some(ProblemCode::NotFound)
    );
}

#[test]
fn a_conditional_create_that_finds_one_writes_nothing_and_names_it() {
    let existing = BTreeMap::from([(item(7), (2, false))]);
    let result = run(&existing, &[vec![item(7)]], vec![change(Op::CreateIfNone("identifier=x".into()), 1)]);
    let OutcomeResult::Accepted(written) = result else { panic!("accepted") };
    assert_eq!((written[0].item, written[0].version, written[0].effect), (item(7), 2, Effect::Matched));
}

#[test]
fn one_bad_entry_refuses_the_whole_bundle_and_says_which() {
    let result = run(&BTreeMap::new(), &[], vec![change(Op::Create, 1), change(Op::Delete { if_match: None }, 2)]);
    let OutcomeResult::Refused(problems) = result else { panic!("refused whole") };
    assert_eq!(problems[0].path, "Bundle.entry[1]");
}

#[test]
fn two_entries_for_one_resource_are_refused() {
    let existing = BTreeMap::from([(item(1), (1, false))]);
    let twice = vec![change(Op::Update { if_match: None }, 1), change(Op::Delete { if_match: None }, 1)];
    assert_eq!(code(&run(&existing, &[], twice)), Some(ProblemCode::Invariant));
}

fn any_op() -> impl Strategy<Value = Op> {
    prop_oneof![
        Just(Op::Create),
        (0u32..4).prop_map(|v| Op::Update { if_match: Some(v) }),
        Just(Op::Update { if_match: None }),
        Just(Op::Delete { if_match: None }),
        Just(Op::CreateIfNone("q".into())),
        Just(Op::UpdateMatch("q".into())),
    ]
}

proptest! {
    /// Replay: the same facts and submission give the same outcome, and the state follows from it alone.
    #[test]
    fn deciding_twice_gives_the_same_outcome_and_the_same_state(
        ops in prop::collection::vec((any_op(), 0u8..5), 1..6),
        have in prop::collection::btree_map(0u8..5, (1u32..4, any::<bool>()), 0..5),
        found in prop::collection::vec(prop::collection::vec(0u8..5, 0..3), 6),
    ) {
        let existing: BTreeMap<_, _> = have.into_iter().map(|(n, v)| (item(n), v)).collect();
        let matches: Vec<Vec<_>> = found.iter().map(|f| f.iter().map(|&n| item(n)).collect()).collect();
        let changes: Vec<_> = ops.into_iter().map(|(op, n)| change(op, n)).collect();
        let first = run(&existing, &matches, changes.clone());
        prop_assert_eq!(&first, &run(&existing, &matches, changes.clone()));
        if let OutcomeResult::Accepted(written) = &first {
            prop_assert_eq!(written.len(), changes.len());
        }
        let outcome = Outcome { position: 9, time: 5, result: first, policy_revision: "1".into(), request_hash: [0; 32], client: "hospital".into() };
        let write = submission(Command::Write(changes));
        prop_assert_eq!(apply(Some(&state()), &write, &outcome), apply(Some(&state()), &write, &outcome));
    }
}
