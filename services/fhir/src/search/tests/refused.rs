//! What a query may not say, and its limits.

use schemas::ResourceType;

use super::person::{compile, pairs, shelf};
use crate::search::*;

#[test]
fn what_is_unknown_or_unsupported_is_an_error_and_lenient_says_so() {
    for (resource_type, query) in [
        ("Observation", "colour=red"),
        ("Observation", "code:in=http://x"),
        ("Observation", "code:above=x"),
        ("Observation", "date:exact=2024"),
        ("Observation", "_text=x"),
        ("Observation", "subject.colour=x"),
        ("Location", "near=1"),
        ("Observation", "_has:Foo:subject:code=x"),
        ("Observation", "_sort=colour"),
        ("Observation", "_include=Observation:colour"),
        ("Observation", "_include:recurse=Observation:subject"),
        ("Observation", "_type=Patient"),
        ("Observation", "_contained=true"),
        ("Observation", "_id:not=x"),
    ] {
        let problems = compile(resource_type, query).expect_err(query);
        assert_eq!(problems.len(), 1, "{query}");
        let lenient = Query::parse(Some(resource_type.parse().unwrap()), &pairs(query), Handling::Lenient);
        assert_eq!(lenient.expect(query).ignored.len(), 1, "{query}");
    }
}

#[test]
fn a_bad_value_is_an_error_even_when_lenient_and_never_repeated() {
    for query in [
        "date=yesterday",
        "value-quantity=many",
        "status=",
        "_count=-1",
        "_sort=",
        "specimen:missing=maybe",
        "_summary=x",
        "code-value-quantity=2339-0",
        "_has:Encounter:subject:date=x",
        "subject:Encounter=x",
        "code=a,",
        "identifier:of-type=x",
        "code.text=x",
        "encounter.date=secret",
        "subject:Patient=Encounter/1",
        "_elements=a b",
    ] {
        let (name, value) = query.split_once('=').unwrap();
        let problems = Query::parse(Some(ResourceType::Observation), &pairs(query), Handling::Lenient)
            .map(|q| q.ignored)
            .unwrap_or_else(|p| p);
        assert_eq!(problems.len(), 1, "{query}");
        let shown = format!("{problems:?}");
        assert!(value.is_empty() || value == "x" || value == "-1" || !shown.contains(value), "{query}: {shown}");
        assert!(!name.is_empty());
    }
    let problems = compile("Patient", "山田=1").unwrap_err();
    assert_eq!(problems[0].path, "parameter[0]");
}

#[test]
fn a_query_has_limits() {
    let many = vec![("code".to_owned(), "x".to_owned()); PARAMS_MAX + 1];
    assert!(Query::parse(Some(ResourceType::Observation), &many, Handling::Lenient).is_err());
    assert!(compile("Observation", &format!("code={}", vec!["x"; VALUES_MAX + 1].join(","))).is_err());
    assert!(compile("Observation", &format!("code={}", vec!["x"; VALUES_MAX].join(","))).is_ok());
    assert!(compile("Observation", &format!("{}code=x", "has-member.".repeat(CHAIN_MAX + 1))).is_err());
    assert!(compile("Observation", "_count=1&_count=2").is_err());
}

#[test]
fn parameters_of_the_result_are_read() {
    let query = compile(
        "Observation",
        "_count=10&_summary=count&_elements=code,status&_total=accurate&_page=abc&_format=json&_contained=false",
    )
    .unwrap();
    assert_eq!((query.count, query.summary, query.total), (Some(10), Some(Summary::Count), Some(Total::Accurate)));
    assert_eq!(
        (query.elements.as_slice(), query.page.as_deref()),
        (&["code".to_owned(), "status".to_owned()][..], Some("abc"))
    );
    assert!(query.is_unconditional());
}

proptest::proptest! {
    #[test]
    fn no_query_makes_a_panic(name in "(code|date|subject|_has:Observation:subject|value-quantity|name|_id)([:.][a-z-]{0,8}){0,3}", value in "\\PC{0,20}") {
        let person = shelf();
        let headers: HeaderShelf<'_> = person.headers.iter().collect();
        for resource_type in [ResourceType::Observation, ResourceType::Patient] {
            if let Ok(query) = Query::parse(Some(resource_type), &[(name.clone(), value.clone())], Handling::Lenient) {
                person.headers.iter().for_each(|h| { query.matches(h, &headers); });
            }
        }
    }
}
