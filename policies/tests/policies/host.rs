//! The host: typed inputs, limits, and that an error is a denial.

use std::sync::Arc;

use policies::{
    Actor, ActorType, Bundle, CURRENT_TERMS, Client, Consent, INPUT_BYTES_MAX, Input, Link, Mode, Obligation,
    Organisation, Outcome, Person, Policies, Remembered, Stage, VisitFact, Wanted, reasons,
};
use schemas::authority::Status;
use schemas::consent::{ConsentArtefact, ConsentKind, ConsentStatus, ConsentType, Giver, Method};
use schemas::shelf::{VisitKind, VisitProof};
use schemas::vocab::{Action, Category, LinkState, Purpose};
use serde_json::value::to_raw_value;

use crate::support::{FACILITY_A, FACILITY_B, HOUR, NOW, POLICIES, local};

fn artefact(facility: &str) -> ConsentArtefact {
    ConsentArtefact {
        kind: ConsentKind::Visit,
        giver: Giver::OneSelf,
        consent_type: ConsentType::Permit,
        facilities: vec![facility.into()],
        practitioners: vec![],
        categories: vec![Category::Med],
        labels: vec![],
        authors: vec![],
        data_period: None,
        items: vec![],
        purposes: vec![Purpose::Treat],
        valid_from: NOW - HOUR,
        valid_until: None,
        method: Method::ReaderFace,
        staff: vec![],
        terms: CURRENT_TERMS.to_owned(),
        terms_sha256: String::new(),
        status: ConsentStatus::Active,
        visit: None,
        safety: None,
    }
}

fn consent(n: u32, artefact: ConsentArtefact) -> Consent {
    Consent { id: format!("Consent/{n}"), version: 1, given_at: NOW - HOUR, artefact }
}

fn doctor(consents: Vec<Consent>) -> Input {
    Input {
        now: NOW,
        request_id: "test".to_owned(),
        stage: Stage::Whole,
        purpose: Purpose::Treat,
        action: Action::Read,
        bulk: false,
        mode: Mode::default(),
        actor: Actor {
            id: "doctor-1".to_owned(),
            actor_type: ActorType::Professional,
            profession: Some("physician".to_owned()),
            role: None,
            qualifications: vec![],
            status: Some(Status::Active),
            is_subject: false,
            kin_or_colleague: false,
            delegate_of: None,
            proof: None,
        },
        organisation: Some(Organisation {
            id: FACILITY_A.into(),
            organisation_type: "clinic".to_owned(),
            qualifications: vec![],
            emergency_designated: false,
            municipality: "13101".to_owned(),
            status: Status::Active,
            custodian_of: vec![],
        }),
        client: Some(Client {
            id: "client-a".into(),
            organisation: FACILITY_A.into(),
            binding_proven: true,
            status: Status::Active,
            rights: vec![],
            agent_of: vec![],
        }),
        person: Some(Person {
            pid: schemas::Pid([7; 16]),
            birth_date: Some("1980-01-01".to_owned()),
            link: Some(Link { state: LinkState::Ok, kind: String::new() }),
            protection: None,
            switch: Some("normal".to_owned()),
        }),
        visit: Some(VisitFact {
            id: local('v').to_string(),
            facility: FACILITY_A.into(),
            kind: VisitKind::Outpatient,
            opened_at: NOW - HOUR,
            closed_at: None,
            team: vec!["doctor-1".into()],
            proof: VisitProof::Card,
        }),
        order: None,
        reason: None,
        identification: None,
        tie: None,
        authority: None,
        device: None,
        consents,
        consents_unreadable: false,
        objections: vec![],
        counters: None,
        wanted: Wanted::default(),
        write: None,
    }
}

#[test]
fn a_typed_input_is_decided_and_the_basis_is_named() {
    let decision = POLICIES.decide(&doctor(vec![consent(1, artefact(FACILITY_A))]));
    assert_eq!(decision.outcome, Outcome::Permit);
    assert_eq!(decision.rules, ["R16", "R10"]);
    assert_eq!(decision.expires, NOW - HOUR + 24 * HOUR);
    assert!(decision.has(Obligation::Log) && decision.has(Obligation::Exp));
    let basis = decision.consent.expect("a consent is the basis");
    assert_eq!((basis.id.as_str(), basis.version, basis.given_at), ("Consent/1", 1, NOW - HOUR));
    assert_ne!(decision.input_hash, [0; 32]);
}

#[test]
fn leaving_out_consents_that_cannot_matter_changes_nothing_but_the_hash() {
    let mut ended = artefact(FACILITY_A);
    ended.valid_until = Some(NOW);
    let mut withdrawn = artefact(FACILITY_A);
    withdrawn.status = ConsentStatus::Inactive;
    let mut denial = artefact(FACILITY_B);
    denial.consent_type = ConsentType::Deny;
    let all = [artefact(FACILITY_A), ended, withdrawn, artefact(FACILITY_B), denial];
    let facility = FACILITY_A.into();
    let matters: Vec<_> = all.iter().filter(|a| Consent::can_matter(a, Some(&facility), NOW)).cloned().collect();
    assert_eq!(matters.len(), 2);
    let number = |list: &[ConsentArtefact]| {
        list.iter().map(|a| consent(all.iter().position(|b| a == b).expect("one of all") as u32, a.clone())).collect()
    };
    let whole = POLICIES.decide(&doctor(number(&all)));
    let mut fewer = POLICIES.decide(&doctor(number(&matters)));
    assert_ne!(fewer.input_hash, whole.input_hash);
    fewer.input_hash = whole.input_hash;
    assert_eq!(fewer, whole);
}

#[test]
fn an_oversized_input_is_denied_and_the_next_one_is_untouched() {
    let policies =
        Policies::new(Bundle::embedded().expect("the committed bundle is whole")).expect("the module starts");
    let large = doctor((0..1000).map(|n| consent(n, artefact(FACILITY_A))).collect());
    let decision = policies.decide(&large);
    assert_eq!((decision.outcome, decision.reason.as_str()), (Outcome::Deny, reasons::POLICY_ERROR));
    assert_eq!(decision.rules, ["R51"]);
    assert_eq!(policies.error_count(), 1);
    assert!(policies.decide(&doctor(vec![])).is_permit());
    assert_eq!(policies.error_count(), 1);
}

#[test]
fn the_largest_input_is_decided_as_the_first_of_a_new_thread() {
    let mut consents = Vec::new();
    while to_raw_value(&doctor(consents.clone())).expect("an input is JSON").get().len() < INPUT_BYTES_MAX - 1000 {
        consents.push(consent(consents.len() as u32, artefact(FACILITY_A)));
    }
    let count = consents.len();
    let decision = std::thread::spawn(move || POLICIES.decide(&doctor(consents))).join().expect("no panic");
    assert_eq!(decision.reason, reasons::OK, "{count} consents");
    assert_eq!(decision.filter.permit.len(), count + 1);
}

/// Two versions of one id make the slow path, which compares each consent with each other.
#[test]
fn an_input_that_takes_too_long_is_stopped_and_denied_and_the_next_one_is_untouched() {
    let policies =
        Policies::new(Bundle::embedded().expect("the committed bundle is whole")).expect("the module starts");
    let mut input = serde_json::to_value(doctor(vec![])).expect("an input is JSON");
    input["consents"] = serde_json::json!(vec![serde_json::json!({ "id": 1 }); 6900]);
    let json = to_raw_value(&input).expect("a value is JSON");
    assert!(json.get().len() <= INPUT_BYTES_MAX);
    let started = std::time::Instant::now();
    let decision = policies.decide_json(&json, NOW);
    assert_eq!((decision.outcome, decision.reason.as_str()), (Outcome::Deny, reasons::POLICY_ERROR));
    assert!(decision.filter.permit.is_empty());
    assert!(started.elapsed() < std::time::Duration::from_secs(20), "{:?}", started.elapsed());
    assert_eq!(policies.error_count(), 1);
    assert!(policies.decide(&doctor(vec![])).is_permit());
    assert_eq!(policies.error_count(), 1);
}

#[test]
fn deep_duplicate_and_empty_inputs_are_denied() {
    let deep = format!("{}1{}", r#"{"a":"#.repeat(100), "}".repeat(100));
    for text in
        ["null", "[]", "{}", "\"TREAT\"", deep.as_str(), r#"{"now":1,"now":2,"purpose":"TREAT","purpose":null}"#]
    {
        let json =
            to_raw_value(&serde_json::from_str::<Box<serde_json::value::RawValue>>(text).expect("JSON")).expect("JSON");
        let decision = POLICIES.decide_json(&json, NOW);
        assert_eq!(decision.outcome, Outcome::Deny, "{text}");
        assert!(decision.filter.permit.is_empty());
    }
    assert!(POLICIES.decide(&doctor(vec![])).is_permit());
}

#[test]
fn the_host_decides_inside_a_busy_task_too() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        for _ in 0..500 {
            assert!(POLICIES.decide(&doctor(vec![])).is_permit());
        }
    });
}

#[test]
fn the_terms_that_the_crate_names_are_those_of_the_data() {
    let bundle = Bundle::embedded().expect("the committed bundle is whole");
    let (id, version) = CURRENT_TERMS.split_once('|').expect("id and version");
    assert_eq!(bundle.data()["tables"]["terms"][id], version.parse::<u64>().expect("a number"));
}

#[test]
fn a_remembered_decision_is_given_until_it_expires_and_to_its_own_key_only() {
    let remembered = Remembered::new(10);
    let asked = std::cell::Cell::new(0);
    let ask = |key: &'static str, now: i64| {
        remembered.get_or(&POLICIES, key, (Purpose::Treat, now), || {
            asked.set(asked.get() + 1);
            Input { now, ..doctor(vec![consent(1, artefact(FACILITY_A))]) }
        })
    };
    let first = ask("a", NOW);
    assert!(first.is_permit() && first.expires > NOW);
    assert!(Arc::ptr_eq(&first, &ask("a", first.expires - 1)) && asked.get() == 1);
    assert!(!Arc::ptr_eq(&first, &ask("b", NOW)) && asked.get() == 2);
    assert!(!Arc::ptr_eq(&first, &ask("a", first.expires)) && asked.get() == 3);
}
