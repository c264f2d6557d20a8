//! Laws of the filter.

use policies::{CategorySet, Clause, Filter, Flag, LabelSet, LogScope};
use schemas::header::Header;
use schemas::{Category, Label};

use crate::support::{FACILITY_A, FACILITY_B, HOUR, NOW, shelf};

fn clause(precedence: u8) -> Clause {
    Clause {
        rule: "R00".to_owned(),
        precedence,
        categories: Category::ALL.iter().copied().collect(),
        labels: LabelSet::EMPTY,
        classes: Vec::new(),
        authors: Vec::new(),
        author_organisations: Vec::new(),
        period: None,
        receivers: Vec::new(),
        flags: Vec::new(),
        items: Vec::new(),
    }
}

fn admitted(filter: &Filter) -> Vec<&'static str> {
    shelf().iter().filter(|(_, h)| filter.admits(h)).map(|(n, _)| *n).collect()
}

fn item(name: &str) -> Header {
    shelf().into_iter().find(|(n, _)| *n == name).expect("the item is on the shelf").1
}

#[test]
fn the_empty_filter_admits_nothing() {
    assert!(admitted(&Filter::default()).is_empty());
    let nothing = Clause { categories: CategorySet::EMPTY, ..clause(7) };
    assert!(admitted(&Filter { permit: vec![nothing], deny: vec![] }).is_empty());
}

#[test]
fn a_permit_opens_only_the_labels_it_names_and_keep_long_is_none() {
    let plain = Filter { permit: vec![clause(7)], deny: vec![] };
    for (name, header) in shelf() {
        let labels: Vec<_> = header.meta.labels.iter().filter(|l| **l != Label::KeepLong).collect();
        assert_eq!(plain.admits(&header), labels.is_empty(), "{name}");
    }
    let mut both = item("med-b-psy");
    both.meta.labels = vec![Label::RestrictedPsy, Label::RestrictedHiv];
    let one = Clause { labels: LabelSet::EMPTY.with(Label::RestrictedPsy), ..clause(7) };
    let two = Clause { labels: one.labels.with(Label::RestrictedHiv), ..clause(7) };
    assert!(!Filter { permit: vec![one.clone()], deny: vec![] }.admits(&both));
    assert!(Filter { permit: vec![one, two], deny: vec![] }.admits(&both));
}

#[test]
fn one_more_permit_never_hides_and_one_more_denial_never_opens() {
    let parts = [
        clause(7),
        Clause { labels: Label::ALL.iter().copied().collect(), ..clause(4) },
        Clause { author_organisations: vec![FACILITY_A.into()], ..clause(4) },
        Clause { categories: CategorySet::EMPTY.with(Category::Doc), receivers: vec![FACILITY_A.into()], ..clause(7) },
        Clause { period: Some((NOW - 365 * 24 * HOUR, NOW)), ..clause(7) },
        Clause { flags: vec![Flag::InDocument], ..clause(7) },
        Clause { items: vec!["MedicationRequest/abcdefghijklmnor".parse().expect("an item")], ..clause(4) },
    ];
    let pick =
        |mask: usize| parts.iter().enumerate().filter(|(i, _)| mask & (1 << i) != 0).map(|(_, c)| c.clone()).collect();
    for permit in 0..1 << parts.len() {
        for deny in [0, 1, 2, 4, 9, 17, 36, 64, 127] {
            let before = admitted(&Filter { permit: pick(permit), deny: pick(deny) });
            let more = admitted(&Filter { permit: pick(permit | 5), deny: pick(deny) });
            assert!(before.iter().all(|n| more.contains(n)));
            let less = admitted(&Filter { permit: pick(permit), deny: pick(deny | 10) });
            assert!(less.iter().all(|n| before.contains(n)));
        }
    }
}

#[test]
fn a_denial_defeats_its_own_place_and_later_ones_only() {
    for (deny, permit, admits) in [(1, 4, false), (4, 4, false), (5, 4, true), (5, 7, false), (1, 7, false)] {
        let filter = Filter { permit: vec![clause(permit)], deny: vec![clause(deny)] };
        assert_eq!(filter.admits(&item("med-b")), admits, "denial at {deny}, permit at {permit}");
    }
}

#[test]
fn an_item_without_a_date_is_outside_of_a_permitted_and_inside_of_a_denied_period() {
    let year = Clause { period: Some((NOW - 365 * 24 * HOUR, NOW)), ..clause(7) };
    let permit = Filter { permit: vec![year.clone()], deny: vec![] };
    assert!(!permit.admits(&item("safety-b")) && !permit.admits(&item("med-b-old")) && permit.admits(&item("med-b")));
    let deny = Filter { permit: vec![clause(7)], deny: vec![year] };
    assert!(!deny.admits(&item("safety-b")) && deny.admits(&item("med-b-old")) && !deny.admits(&item("med-b")));
}

#[test]
fn what_is_unknown_in_a_filter_makes_it_unreadable() {
    let known = r#"{"rule":"R10","precedence":7,"categories":["MED"],"labels":[]}"#;
    assert!(serde_json::from_str::<Clause>(known).is_ok());
    for unknown in [
        r#"{"rule":"R10","precedence":7,"categories":["MED"],"labels":[],"codes":[]}"#,
        r#"{"rule":"R10","precedence":7,"categories":["MEDS"],"labels":[]}"#,
        r#"{"rule":"R10","precedence":7,"categories":["MED"],"labels":["secret"]}"#,
        r#"{"rule":"R10","precedence":7,"labels":[]}"#,
        r#"{"rule":"R10","precedence":7,"categories":["MED"],"labels":[],"flags":["later"]}"#,
        r#"{"rule":"R10","precedence":7,"categories":["MED"],"labels":[],"items":["Observation?code=1"]}"#,
    ] {
        assert!(serde_json::from_str::<Clause>(unknown).is_err(), "{unknown}");
    }
}

#[test]
fn the_clause_that_admits_names_the_rule_that_was_used() {
    let own = Clause { rule: "R16".to_owned(), author_organisations: vec![FACILITY_A.into()], ..clause(4) };
    let ticked = Clause { rule: "R10".to_owned(), author_organisations: vec![FACILITY_B.into()], ..clause(7) };
    let filter = Filter { permit: vec![own, ticked], deny: vec![] };
    assert_eq!(filter.admitting(&item("med-a")).map(|c| c.rule.as_str()), Some("R16"));
    assert_eq!(filter.admitting(&item("med-b")).map(|c| c.rule.as_str()), Some("R10"));
    assert_eq!(filter.admitting(&item("med-b-sealed")), None);
}

#[test]
fn the_log_is_open_as_far_as_its_clause_says() {
    let log = |flags: Vec<Flag>| Clause { categories: CategorySet::EMPTY.with(Category::Log), flags, ..clause(7) };
    let scope = |permit| Filter { permit, deny: vec![] }.log_scope();
    assert_eq!(scope(vec![Clause { categories: CategorySet::EMPTY.with(Category::Med), ..clause(7) }]), LogScope::None);
    assert_eq!(scope(vec![log(vec![])]), LogScope::All);
    assert_eq!(scope(vec![log(vec![Flag::OwnCardVisits])]), LogScope::OwnCardVisits);
    let about = Clause { author_organisations: vec![FACILITY_B.into()], ..log(vec![Flag::NoClinicalContent]) };
    assert_eq!(scope(vec![about]), LogScope::NoClinicalContent { organisations: vec![FACILITY_B.into()] });
    assert_eq!(scope(vec![log(vec![Flag::NoClinicalContent, Flag::TopLevel])]), LogScope::None);
}

/// "Fast" as a law that holds in any build: half a million checks in a second even without optimisation.
#[test]
fn a_check_of_an_item_costs_no_allocation_and_little_time() {
    let filter = Filter {
        permit: vec![clause(4), clause(7)],
        deny: vec![Clause { labels: LabelSet::EMPTY.with(Label::Sealed), ..clause(1) }],
    };
    let header = item("med-b");
    let start = std::time::Instant::now();
    let admitted = (0..100_000).filter(|_| std::hint::black_box(&filter).admits(std::hint::black_box(&header))).count();
    assert_eq!(admitted, 100_000);
    assert!(start.elapsed().as_secs() < 5);
}
