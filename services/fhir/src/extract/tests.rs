use schemas::ResourceType;
use schemas::search::SearchValue;

use super::*;

fn node(value: &serde_json::Value) -> Node {
    match value {
        serde_json::Value::Null => Node::Null,
        serde_json::Value::Bool(b) => Node::Bool(*b),
        serde_json::Value::Number(n) => Node::Number(n.to_string().into()),
        serde_json::Value::String(s) => Node::String(s.into()),
        serde_json::Value::Array(items) => Node::Array(items.iter().map(node).collect()),
        serde_json::Value::Object(members) => {
            Node::Object(members.iter().map(|(name, value)| (name.into(), node(value))).collect())
        }
    }
}

fn values(resource_type: ResourceType, resource: &serde_json::Value, code: &str) -> Vec<SearchValue> {
    let sources = table(resource_type).by_code(code).expect("a known parameter").sources();
    let found = extract(resource_type, &node(resource)).into_iter();
    found.filter(|v| sources.iter().any(|s| s.n == v.param)).map(|v| v.value).collect()
}

fn blood_pressure() -> serde_json::Value {
    let part = |code: &str, value: f64| {
        serde_json::json!({"code": {"coding": [{"system": "http://loinc.org", "code": code}]},
            "valueQuantity": {"value": value, "unit": "mmHg", "system": "http://unitsofmeasure.org", "code": "mm[Hg]"}})
    };
    serde_json::json!({
        "resourceType": "Observation", "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "85354-9", "display": "BP"}], "text": "blood pressure"},
        "subject": {"reference": "Patient/p1/_history/3"}, "specimen": {"reference": "#s"},
        "effectiveDateTime": "2024-05-01", "component": [part("8480-6", 107.5), part("8462-4", 60.25)]
    })
}

#[test]
fn a_coded_text_that_no_display_shows_is_a_token_of_its_own() {
    let codes = values(ResourceType::Observation, &blood_pressure(), "code");
    assert_eq!(codes, [types::token("http://loinc.org", "85354-9", "BP"), types::token("", "", "blood pressure")]);
}

#[test]
fn a_reference_loses_its_version_and_a_contained_one_is_left_out() {
    let subject = values(ResourceType::Observation, &blood_pressure(), "subject");
    assert!(matches!(&subject[..], [SearchValue::Reference { target, .. }] if target == "Patient/p1"));
    assert!(values(ResourceType::Observation, &blood_pressure(), "specimen").is_empty());
}

#[test]
fn a_composite_joins_values_of_the_same_component_only() {
    let pairs = values(ResourceType::Observation, &blood_pressure(), "component-code-value-quantity");
    let shown: Vec<_> = pairs
        .iter()
        .map(|pair| match pair {
            SearchValue::Composite(parts) => match &parts[..] {
                [SearchValue::Token { code, .. }, SearchValue::Quantity { value, .. }] => format!("{code}={value}"),
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(shown, ["8480-6=107.5", "8462-4=60.25"]);
}

#[test]
fn an_identifier_keeps_its_types_and_one_spelling_of_its_system() {
    let coverage = serde_json::json!({"resourceType": "Coverage", "identifier": [{
        "type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MB"}]},
        "system": "http://jpfhir.jp/fhir/clins/Idsysmem/JP_Insurance_memberID", "value": "00012345:1:2:00"}]});
    let found = values(ResourceType::Coverage, &coverage, "identifier");
    let [SearchValue::Token { system, types: Some(kinds), .. }] = &found[..] else { panic!("{found:?}") };
    assert_eq!(system, "http://jpfhir.jp/fhir/clins/Idsystem/JP_Insurance_memberID");
    assert_eq!(kinds, "http://terminology.hl7.org/CodeSystem/v2-0203|MB");
}

#[test]
fn somebody_who_is_not_said_to_be_dead_is_found_as_alive() {
    for (resource, expected) in [
        (serde_json::json!({}), "false"),
        (serde_json::json!({"deceasedBoolean": false}), "false"),
        (serde_json::json!({"deceasedDateTime": "2020"}), "true"),
    ] {
        assert_eq!(values(ResourceType::Patient, &resource, "deceased"), [types::token("", expected, "")]);
    }
}

#[test]
fn an_open_period_is_open_and_a_timing_gives_its_outer_limits() {
    let encounter = serde_json::json!({"period": {"start": "2024-01-01"}});
    let found = values(ResourceType::Encounter, &encounter, "date");
    assert!(matches!(found[..], [SearchValue::Date { to: i64::MAX, .. }]));
    let order = serde_json::json!({"occurrenceTiming": {"event": ["2024-03-01", "2024-01-01"]}});
    let (from, to) = (dates::interval("2024-01-01").unwrap().0, dates::interval("2024-03-01").unwrap().1);
    assert_eq!(values(ResourceType::ServiceRequest, &order, "occurrence"), [SearchValue::Date { from, to }]);
    assert_eq!(clinical_period(ResourceType::ServiceRequest, &node(&order)), Some((from, to)));
}

#[test]
fn long_texts_are_cut_at_a_characters_border() {
    let claim = serde_json::json!({"disposition": "あ".repeat(1000)});
    let found = values(ResourceType::ClaimResponse, &claim, "disposition");
    assert!(matches!(&found[..], [SearchValue::Text(text)] if text.len() <= MAX_TEXT && text.len() > MAX_TEXT - 3));
}

#[test]
fn only_a_composition_that_comes_first_is_a_bundles_composition() {
    let composition = serde_json::json!({"resource": {"resourceType": "Composition", "id": "c"}});
    let patient = serde_json::json!({"resource": {"resourceType": "Patient", "id": "p"}});
    let first = serde_json::json!({"entry": [composition, patient]});
    let second = serde_json::json!({"entry": [patient, composition]});
    assert_eq!(values(ResourceType::Bundle, &first, "composition").len(), 1);
    assert!(values(ResourceType::Bundle, &second, "composition").is_empty());
}

#[test]
fn swapped_expressions_of_the_definitions_are_put_right() {
    let document =
        serde_json::json!({"relatesTo": [{"code": "replaces", "target": {"reference": "DocumentReference/d"}}]});
    let found = values(ResourceType::DocumentReference, &document, "relationship");
    assert!(matches!(&found[..], [SearchValue::Composite(parts)] if parts.len() == 2), "{found:?}");
}
