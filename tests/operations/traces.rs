//! Traces: a request is one trace, and nothing of a person leaves with it.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use kiroku::api::{Acting, Api};
use loadtest::population::fhir;
use reqwest::Method;
use rustix::process::Signal;
use schemas::vocab::Category;
use serde_json::{Value, json};
use tests::canary::{CANARY, found_in, holds};
use tests::desk::Ticked;
use tests::faulty::Paused;
use tests::program::Program;
use tests::wire::{Ask, Line, Wire};
use tests::{Citizen, Harness};

use crate::collector::{self, Received, attribute, hex, roots};

const BINARY: &str = env!("CARGO_BIN_EXE_kiroku-under-test");
/// A caller's own trace and span.
const CALLER: (&str, &str) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");

/// The requests of a day, with their routes: (route, answer).
struct Day {
    line: Line,
    answers: Vec<(&'static str, Wire)>,
    /// What must not be found again, besides the canary.
    secrets: Vec<String>,
}

impl Day {
    async fn ask(&mut self, route: &'static str, token: &str, ask: Ask) -> Result<Wire> {
        let answer = self.line.ask(token, &ask).await?;
        self.answers.push((route, answer.clone()));
        Ok(answer)
    }
}

/// A record of the citizen full of canaries.
fn record(citizen: &Citizen) -> Value {
    json!({
        "resourceType": "Observation", "status": "final",
        "meta": {"tag": [{"system": "http://example.org/t", "code": CANARY, "display": CANARY}]},
        "identifier": [{"system": "http://example.org/i", "value": CANARY}],
        "code": {"text": CANARY, "coding": [{"system": "http://example.org/c", "code": CANARY}]},
        "subject": {"reference": format!("Patient/{}", citizen.patient)}, "note": [{"text": CANARY}],
    })
}

/// Writes, reads, searches, refusals, faults of form, the list of who looked.
async fn live_a_day(program: &Program, paused: &Paused, citizen: &Citizen) -> Result<Day> {
    let api = Api::new(&program.line.url);
    let hospital = &paused.hospital;
    let system = api.token(&hospital.key, &hospital.records()).await?;
    let doctor = api.token(&hospital.key, &hospital.care()).await?;
    let own = api.sign_in(&citizen.card).await?;
    let secrets = vec![system.clone(), doctor.clone(), own.clone(), citizen.pid.to_string(), citizen.patient.clone()];
    let mut day = Day { line: program.line.clone(), answers: Vec::new(), secrets };
    let body = record(citizen).to_string();
    let create = Ask::with_body(Method::POST, "/fhir/Observation", body.clone()).header("idempotency-key", CANARY);
    let made = day.ask("/fhir/{type}", &system, create).await?;
    ensure!(made.status == 201, "{}", made.text);
    let place = made.header("location").replace(&program.line.url, "");
    let place = place.split("/_history").next().unwrap_or_default().to_owned();
    let read = day.ask("/fhir/{type}/{id}", &doctor, Ask::get(place.clone())).await?;
    ensure!(read.status == 200 && read.text.contains(CANARY), "{}", read.text);
    let p = &citizen.patient;
    for (route, token, path) in [
        ("/fhir/{type}", &doctor, format!("/fhir/Observation?patient={p}&_tag={CANARY}")),
        ("/fhir/{type}", &doctor, format!("/fhir/Observation?patient={p}&{CANARY}=1")),
        ("/fhir/{type}", &doctor, format!("/fhir/Patient?identifier=http://example.org/i|{CANARY}")),
        ("/fhir/{type}/{id}", &doctor, format!("/fhir/Observation/{CANARY}")),
        ("/fhir/{type}/{id}", &doctor, format!("/fhir/{CANARY}/x")),
        ("/me/accesses", &own, "/me/accesses".to_owned()),
        ("none", &doctor, format!("/{CANARY}")),
    ] {
        day.ask(route, token, Ask::get(path)).await?;
    }
    day.ask("/fhir/{type}/{id}", CANARY, Ask::get(place.clone())).await?;
    let wrong = Ask::with_body(Method::POST, "/fhir/Observation", body.replace("final", CANARY));
    let refused = day.ask("/fhir/{type}", &system, wrong.header("x-request-id", CANARY)).await?;
    ensure!(refused.status == 422, "{}", refused.text);
    let traced = Ask::get(place).header("traceparent", format!("00-{}-{}-01", CALLER.0, CALLER.1));
    day.ask("/fhir/{type}/{id}", &doctor, traced).await?;
    Ok(day)
}

/// A person whose name, address and identifier are canaries, born through the program.
async fn bear_a_canary(program: &Program, harness_insurer: &kiroku::api::ClientKey, mut patient: Value) -> Result<()> {
    patient["name"] = json!([{"text": CANARY, "family": CANARY, "given": [CANARY]}]);
    patient["address"] = json!([{"text": CANARY}]);
    let canary = json!({"system": "http://example.org/i", "value": CANARY});
    patient["identifier"].as_array_mut().context("a Patient has identifiers")?.push(canary);
    let api = Api::new(&program.line.url);
    let token = api.token(harness_insurer, &Acting::system("RECORDMGT")).await?;
    let made = api.post(&token, "/fhir/Patient", &patient, &[]).await?;
    ensure!(made.status == 201, "{}", made.body);
    Ok(())
}

/// The trace that an answer names: its request id, or beside a client's own request id the header for that.
fn trace_of(answer: &Wire) -> &str {
    match answer.header("kiroku-trace") {
        "" => answer.header("x-request-id"),
        trace => trace,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_is_one_trace_and_no_span_tells_of_a_person() -> Result<()> {
    let harness = Harness::start().await?;
    let citizen = harness.bear(1).await?;
    harness.admit(&harness.clinic, &citizen, &Ticked::categories(&[Category::Ehr])).await?;
    let other =
        fhir::patient(&harness.population.person(5), &harness.population.hospital(0), harness.population.today());
    let insurer = harness.insurer.clone();
    let paused = harness.pause().await?;
    let (endpoint, received) = collector::start()?;
    let more =
        [("telemetry.otlp_endpoint", endpoint.as_str()), ("telemetry.sample_ratio", "1"), ("log.level", "debug")];
    let program = Program::serve(BINARY, &paused.settings, &more, paused.folder.path()).await?;
    bear_a_canary(&program, &insurer, other).await?;
    let day = live_a_day(&program, &paused, &citizen).await?;
    // An orderly end sends what is left.
    let status = program.end(Signal::TERM).await?;
    assert!(status.success(), "{status}");
    check_traces(&day, &received)?;
    let (bytes, log) = (received.bytes(), std::fs::read(paused.folder.path().join("stderr.log"))?);
    assert!(!found_in(&bytes), "an export holds the canary");
    assert!(!found_in(&log), "the log holds the canary");
    for secret in &day.secrets {
        assert!(!holds(&bytes, secret), "an export holds a token, a person's id or a resource's");
        assert!(!holds(&log, secret), "the log holds a token, a person's id or a resource's");
    }
    Ok(())
}

/// What roles do for a request, by what was answered: a write is decided at the door and again at log time, where its entry is
/// made too; a reading is released with its entry.
fn parts_of(answer: &Wire) -> &'static [&'static str] {
    match (answer.status, answer.text.contains("\"entries\"")) {
        (201, _) => &["decide", "submit", "project", "ledger.seal"],
        (200, true) => &["list", "ledger.append"],
        (200, false) => &["release", "ledger.append"],
        _ => &[],
    }
}

fn check_traces(day: &Day, received: &Received) -> Result<()> {
    let traces = received.traces()?;
    let mut seen = BTreeSet::new();
    for (route, answer) in &day.answers {
        let trace = trace_of(answer);
        assert!(seen.insert(trace), "two requests share the trace {trace}");
        let spans = traces.get(trace).with_context(|| format!("{route}: the collector knows no trace {trace}"))?;
        let names: BTreeSet<&str> = spans.iter().map(|span| span.name.as_str()).collect();
        for part in parts_of(answer) {
            assert!(names.contains(part), "{route}: no span `{part}` among {names:?}");
        }
        let requests: Vec<_> = spans.iter().filter(|span| span.name == "request").collect();
        let [request] = requests[..] else { anyhow::bail!("{route}: {} spans of the request", requests.len()) };
        assert_eq!(attribute(request, "route"), *route, "{request:?}");
        assert_eq!(roots(spans), [request], "{route}: every span of a trace hangs on that of the request");
        let parent = if trace == CALLER.0 { CALLER.1 } else { "" };
        assert_eq!(hex(&request.parent_span_id), parent, "{route}: only a caller's span is above ours");
    }
    assert!(seen.contains(CALLER.0), "a caller's trace goes on with us");
    // Work for a request that began a trace of its own would be here.
    for (trace, spans) in &traces {
        assert!(spans.iter().any(|span| span.name == "request"), "trace {trace} has no request: {spans:?}");
    }
    Ok(())
}
