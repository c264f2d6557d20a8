//! Mutated inputs: whatever bytes come, no answer is a server error. `KIROKU_MUTATIONS` (default 500), `KIROKU_SEED`.

use anyhow::{Context, Result};
use loadtest::population::{Dice, Kind, Population};
use reqwest::Method;
use tests::Harness;
use tests::wire::{Ask, Line};

use crate::writing::item;

const PIECES: [&str; 24] = [
    "{",
    "}",
    "[",
    "]",
    "\"",
    "\\",
    ":",
    ",",
    "null",
    "true",
    "-",
    "1e400",
    "\\u0000",
    "\\ud800",
    "\u{202e}",
    "😀",
    "\"resourceType\":\"Bundle\"",
    "\"contained\":[{}]",
    "\"reference\":\"#\"",
    "\"reference\":\"Patient/\"",
    "\"extension\":[{\"url\":\"x\"}]",
    "99999999999999999999999999999999999",
    "2026-02-31",
    "<script>",
];

/// One to five changes of bytes: taken out, turned, doubled, replaced by a piece, swapped.
fn mutate(text: &str, dice: &mut Dice) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..=dice.below(5) {
        let length = bytes.len().max(1) as u64;
        let at = usize::try_from(dice.below(length)).unwrap_or_default();
        let end = (at + usize::try_from(dice.below(40)).unwrap_or_default()).min(bytes.len());
        match dice.below(6) {
            0 => drop(bytes.drain(at..end)),
            1 => bytes[at] ^= 1 << dice.below(8),
            2 => {
                let copy = bytes[at..end].to_vec();
                bytes.splice(at..at, copy);
            }
            3 => drop(bytes.splice(at..end, dice.pick(&PIECES).bytes())),
            4 => drop(bytes.splice(at..at, dice.pick(&PIECES).bytes())),
            _ => bytes.truncate(at.max(1)),
        }
        if bytes.is_empty() {
            bytes.push(b'{');
        }
    }
    bytes
}

/// A path with some bytes of it changed, percent-encoded so that it travels.
fn mutate_query(text: &str, dice: &mut Dice) -> String {
    let bytes = mutate(text, dice);
    bytes
        .iter()
        .map(|&byte| match byte {
            b'=' | b'&' | b'.' | b':' | b'_' | b'-' | b',' | b'|' | b'$' => char::from(byte).to_string(),
            byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

#[tokio::test]
async fn no_mutated_input_makes_a_server_error() -> Result<()> {
    let number = |name: &str, default| std::env::var(name).ok().and_then(|t| t.parse::<u64>().ok()).unwrap_or(default);
    let seed = number("KIROKU_SEED", chassis::clock::Clock::now(&chassis::clock::SystemClock).unsigned_abs());
    let count = number("KIROKU_MUTATIONS", 500);
    eprintln!("mutated inputs: KIROKU_SEED={seed} KIROKU_MUTATIONS={count}");
    let harness = Harness::start().await?;
    let citizen = harness.bear(1).await?;
    let line = Line::new(&harness.api.url);
    let system = harness.token(&harness.hospital, &harness.hospital.records()).await?;
    let doctor = harness.token(&harness.hospital, &harness.hospital.care()).await?;
    let mut bodies: Vec<(String, String)> = Kind::ALL
        .iter()
        .map(|(kind, _)| item(&harness, &citizen, *kind, 1))
        .map(|record| (format!("/fhir/{}", record["resourceType"].as_str().unwrap_or_default()), record.to_string()))
        .collect();
    let person = harness.population.person(1);
    bodies.push(("/fhir".to_owned(), harness.population.transaction(&person, 3).to_string()));
    bodies.push((
        "/visits".to_owned(),
        format!(r#"{{"person":"{}","kind":"outpatient","team":[],"proof":"card"}}"#, citizen.pid),
    ));
    bodies.push((
        "/checks/cancel".to_owned(),
        format!(r#"{{"person":"{}","professional":"{}"}}"#, citizen.pid, harness.hospital.professional),
    ));
    let queries = [
        "patient=P&code=http://loinc.org|1-1&date=ge2020-01-01&_sort=-date&_count=3",
        "patient=P&_include=Observation:subject&value-quantity=gt5.1|http://unitsofmeasure.org|mg",
    ];
    let population = Population::new(seed);
    for n in 0..count {
        let mut dice = population.dice(n, 78);
        let said = || format!("seed {seed}, input {n}");
        let status = if dice.chance(70) {
            let (path, body) = dice.pick(&bodies).clone();
            post(&line, &system, &path, mutate(&body, &mut dice)).await.with_context(said)?
        } else {
            let query = dice.pick(&queries).replace("patient=P", &format!("patient={}", citizen.patient));
            let query = mutate_query(&query, &mut dice);
            line.ask(&doctor, &Ask::get(format!("/fhir/Observation?{query}"))).await.with_context(said)?.status
        };
        assert!(status < 500, "{}: status {status}", said());
    }
    let last = item(&harness, &citizen, Kind::Laboratory, 99);
    harness.keep(&harness.hospital, &last, "after all that").await?;
    harness.node.stop().await
}

async fn post(line: &Line, token: &str, path: &str, body: Vec<u8>) -> Result<u16> {
    let request = reqwest::Client::new()
        .request(Method::POST, format!("{}{path}", line.url))
        .bearer_auth(token)
        .header("content-type", "application/fhir+json")
        .body(body);
    Ok(request.send().await?.status().as_u16())
}
