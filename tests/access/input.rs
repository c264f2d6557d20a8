//! Bad input over HTTP: refused with a path, without a value of the person, and the next request is untouched.

use anyhow::Result;
use reqwest::Method;
use serde_json::Value;
use tests::wire::{Ask, Line, Wire, count_records};
use tests::{Citizen, Harness};

/// Stands wherever a value may be; must come back in no answer.
const CANARY: &str = "canarybird";

/// An Observation as text; `more` are members to add, beginning with a comma.
fn observation(citizen: &Citizen, more: &str) -> String {
    format!(
        r#"{{"resourceType":"Observation","status":"final","code":{{"text":"x"}},"subject":{{"reference":"Patient/{}"}}{more}}}"#,
        citizen.patient
    )
}

/// (name, body, statuses that are right, what the path of the first issue must contain)
fn bodies(citizen: &Citizen) -> Vec<(&'static str, String, &'static str)> {
    let o = |more: &str| observation(citizen, more);
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let deep_inside = o(&format!(r#","extension":{}1{}"#, r#"[{"extension":"#.repeat(10_000), "}]".repeat(10_000)));
    vec![
        ("nothing", String::new(), ""),
        ("not json", format!("{CANARY} <xml/>"), ""),
        ("half json", o("")[..60].to_owned(), ""),
        ("two documents", format!("{0}{0}", o("")), ""),
        ("a list", "[]".to_owned(), ""),
        ("no type", format!(r#"{{"status":"{CANARY}"}}"#), "resourceType"),
        ("an unknown type", format!(r#"{{"resourceType":"{CANARY}"}}"#), "resourceType"),
        ("depth 10,000", deep, ""),
        ("depth 10,000 inside", deep_inside, ""),
        ("a duplicate key", o(&format!(r#","issued":"{CANARY}","issued":"{CANARY}""#)), "issued"),
        ("a lone surrogate", o(r#","valueString":"canarybird\ud800""#), ""),
        ("a lone low surrogate in a key", o(r#","canarybird\udc00":1"#), ""),
        ("NaN", o(r#","valueQuantity":{"value":NaN}"#), ""),
        ("infinity", o(r#","valueQuantity":{"value":1e999999999}"#), "value"),
        ("a wrong type", o(r#","issued":{"canarybird":1}"#), "issued"),
        ("an object for a list", o(&format!(r#","category":{{"text":"{CANARY}"}}"#)), "category"),
        ("a number for a text", o(r#","valueString":12"#), "value"),
        ("an unknown field", o(&format!(r#","colour":"{CANARY}""#)), "Observation.colour"),
        ("two choices", o(&format!(r#","valueString":"{CANARY}","valueBoolean":true"#)), "value"),
        ("a bad date", o(&format!(r#","effectiveDateTime":"2026-02-30{CANARY}""#)), "effective"),
        ("a day that is not", o(r#","effectiveDateTime":"2026-02-30""#), "effective"),
        ("an empty text", o(r#","valueString":"""#), "value"),
        ("an unknown status", o("").replace("final", CANARY), "status"),
        (
            "script in the narrative",
            o(
                r#","text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"><script>canarybird()</script></div>"}"#,
            ),
            "text.div",
        ),
        (
            "a handler in the narrative",
            o(
                r#","text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"><p onclick=\"canarybird()\">x</p></div>"}"#,
            ),
            "text.div",
        ),
        (
            "contained in a loop",
            o(
                r##","contained":[{"resourceType":"Observation","id":"a","status":"final","code":{"text":"x"},"hasMember":[{"reference":"#a"}]}]"##,
            ),
            "contained",
        ),
        ("a reference to nothing inside", o(&format!(r##","hasMember":[{{"reference":"#{CANARY}"}}]"##)), "hasMember"),
        (
            "a reference to a wrong type",
            o(&format!(r#","derivedFrom":[{{"reference":"Claim/{}"}}]"#, citizen.patient)),
            "derivedFrom",
        ),
        (
            "a reference to an id of nobody",
            o(&format!(r#","derivedFrom":[{{"reference":"Observation/{CANARY}"}}]"#)),
            "derivedFrom",
        ),
        ("an id of its own form", o("").replace("\"status\"", "\"id\":\"canarybird_!\",\"status\""), "id"),
    ]
}

fn assert_refused(what: &str, reply: &Wire, path: &str) {
    assert!((400..500).contains(&reply.status), "{what}: {} {}", reply.status, reply.text);
    let outcome = reply.json();
    assert_eq!(outcome["resourceType"], "OperationOutcome", "{what}: {}", reply.text);
    assert!(outcome["issue"][0]["code"].is_string(), "{what}: {}", reply.text);
    let places: Vec<&str> = outcome["issue"]
        .as_array()
        .into_iter()
        .flatten()
        .flat_map(|issue| issue["expression"].as_array().into_iter().flatten().filter_map(Value::as_str))
        .collect();
    assert!(path.is_empty() || places.iter().any(|p| p.contains(path)), "{what}: no path with {path}: {}", reply.text);
    assert!(!reply.text.contains(CANARY), "{what}: a value came back: {}", reply.text);
}

#[tokio::test]
async fn each_bad_body_is_refused_with_its_path_and_the_next_request_is_untouched() -> Result<()> {
    let harness = Harness::start().await?;
    let citizen = harness.bear(1).await?;
    let line = Line::new(&harness.api.url);
    let token = harness.token(&harness.hospital, &harness.hospital.records()).await?;
    let log = &*harness.node.engine.log;
    for (what, body, path) in bodies(&citizen) {
        let before = count_records(log, schemas::vocab::Topic::Person).await?;
        let reply = line.ask(&token, &Ask::with_body(Method::POST, "/fhir/Observation", body)).await?;
        assert_refused(what, &reply, path);
        assert_eq!(count_records(log, schemas::vocab::Topic::Person).await?, before, "{what}: nothing was appended");
        let good = observation(&citizen, "");
        let next = line.ask(&token, &Ask::with_body(Method::POST, "/fhir/Observation", good)).await?;
        assert_eq!(next.status, 201, "after {what}: {}", next.text);
    }
    harness.node.stop().await
}

#[tokio::test]
async fn fifty_megabytes_are_refused_and_the_next_request_is_untouched() -> Result<()> {
    let harness = Harness::start().await?;
    let citizen = harness.bear(1).await?;
    let line = Line::new(&harness.api.url);
    let token = harness.token(&harness.hospital, &harness.hospital.records()).await?;
    let huge = observation(&citizen, &format!(r#","valueString":"{}""#, "x".repeat(50 << 20)));
    match line.ask(&token, &Ask::with_body(Method::POST, "/fhir/Observation", huge)).await {
        Ok(reply) => assert_eq!(reply.status, 413, "{}", reply.text),
        // The server answers and closes while the client still sends: some clients see only the broken pipe.
        Err(error) => assert!(
            error.chain().any(|e| e.to_string().contains("os error") || e.to_string().contains("connection")),
            "{error:#}"
        ),
    }
    let next = line.ask(&token, &Ask::with_body(Method::POST, "/fhir/Observation", observation(&citizen, ""))).await?;
    assert_eq!(next.status, 201, "{}", next.text);
    harness.node.stop().await
}

#[tokio::test]
async fn a_decimal_of_29_digits_is_kept_exactly() -> Result<()> {
    let harness = Harness::start().await?;
    let citizen = harness.bear(1).await?;
    let line = Line::new(&harness.api.url);
    let token = harness.token(&harness.hospital, &harness.hospital.records()).await?;
    for number in ["12345678901234567890.123456789", "0.00000000000000000000000000001", "1.10", "-0.0", "1e-3"] {
        let body = observation(&citizen, &format!(r#","valueQuantity":{{"value":{number}}}"#));
        let made = line.ask(&token, &Ask::with_body(Method::POST, "/fhir/Observation", body)).await?;
        assert_eq!(made.status, 201, "{number}: {}", made.text);
        let doctor = harness.token(&harness.hospital, &harness.hospital.care()).await?;
        let read = line.get(&doctor, &made.header("location").replace(&line.url, "")).await?;
        assert!(read.text.contains(&format!("\"value\":{number}}}")), "{number}: {}", read.text);
    }
    harness.node.stop().await
}

#[tokio::test]
async fn an_unknown_code_system_is_accepted() -> Result<()> {
    let harness = Harness::start().await?;
    let citizen = harness.bear(1).await?;
    let line = Line::new(&harness.api.url);
    let token = harness.token(&harness.hospital, &harness.hospital.records()).await?;
    let code = r#""code":{"coding":[{"system":"http://example.org/codes-of-ours","code":"q-1"}]}"#;
    let body = observation(&citizen, "").replace(r#""code":{"text":"x"}"#, code);
    let ask = Ask::with_body(Method::POST, "/fhir/Observation", body).header("prefer", "return=OperationOutcome");
    let made = line.ask(&token, &ask).await?;
    assert_eq!(made.status, 201, "{}", made.text);
    let said = made.json();
    assert_eq!(said["issue"][0]["severity"], "warning", "{}", made.text);
    assert_eq!(said["issue"][0]["expression"][0], "Observation.code.coding[0].system", "{}", made.text);
    harness.node.stop().await
}

#[tokio::test]
async fn bad_parameters_and_headers_are_refused_never_ignored() -> Result<()> {
    let harness = Harness::start().await?;
    let citizen = harness.bear(1).await?;
    let line = Line::new(&harness.api.url);
    let doctor = harness.token(&harness.hospital, &harness.hospital.care()).await?;
    let p = &citizen.patient;
    for (path, status) in [
        (format!("/fhir/Observation?patient={p}&canarybird=1"), 400),
        (format!("/fhir/Observation?patient={p}&code:canarybird=1"), 400),
        (format!("/fhir/Observation?patient={p}&date=canarybird"), 400),
        (format!("/fhir/Observation?patient={p}&_sort=canarybird"), 400),
        (format!("/fhir/Observation?patient={p}&_count=-1"), 400),
        (format!("/fhir/Observation?patient={p}&_page=canarybird"), 400),
        (format!("/fhir/Observation?patient={p}&_lastUpdated=2026-13-01"), 400),
        (format!("/fhir/Observation?patient={p}&_include=canarybird"), 400),
        (format!("/fhir/Canarybird?patient={p}"), 404),
        ("/fhir/Observation/canarybird".to_owned(), 404),
        ("/fhir/Observation/%00%ff".to_owned(), 404),
        ("/canarybird".to_owned(), 404),
        (format!("/fhir/Patient/{p}/$everything?start=canarybird"), 400),
        (format!("/fhir/Patient/{p}/$everything?canarybird=1"), 400),
    ] {
        let reply = line.get(&doctor, &path).await?;
        assert_eq!(reply.status, status, "{path}: {}", reply.text);
        assert_eq!(reply.json()["resourceType"], "OperationOutcome", "{path}: {}", reply.text);
    }
    let xml = Ask::get(format!("/fhir/Observation?patient={p}")).header("accept", "application/fhir+xml");
    assert_eq!(line.ask(&doctor, &xml).await?.status, 406);
    let system = harness.token(&harness.hospital, &harness.hospital.records()).await?;
    let text = Ask::with_body(Method::POST, "/fhir/Observation", "x").header("content-type", "text/plain");
    assert_eq!(line.ask(&system, &text).await?.status, 415);
    harness.node.stop().await
}
