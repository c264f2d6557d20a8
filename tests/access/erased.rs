//! A person whose keys were destroyed is like somebody nobody knows, and stops nobody else's records.

use anyhow::{Result, ensure};
use loadtest::population::Kind;
use reqwest::Method;
use tests::Harness;
use tests::wire::{Ask, Line};

use crate::writing::item;

#[tokio::test]
async fn an_erased_person_is_like_nobody_and_a_search_of_them_finds_nothing() -> Result<()> {
    let harness = Harness::start().await?;
    let (citizen, stranger) = (harness.bear(1).await?, schemas::Pid::random());
    let id = harness.keep(&harness.hospital, &item(&harness, &citizen, Kind::Laboratory, 1), "one").await?;
    let doctor = harness.token(&harness.hospital, &harness.hospital.care()).await?;
    let line = Line::new(&harness.api.url);
    let path = format!("/fhir/Observation/{id}");
    ensure!(line.get(&doctor, &path).await?.status == 200, "it is there before");

    harness.node.engine.keys.destroy_person(citizen.pid).await?;
    assert_eq!(line.get(&doctor, &path).await?.status, 404);
    let search = async |pid: schemas::Pid| line.get(&doctor, &format!("/fhir/Observation?patient={pid}")).await;
    let (erased, unknown) = (search(citizen.pid).await?, search(stranger).await?);
    let plain = |text: &str, pid: schemas::Pid| text.replace(&pid.to_string(), "PID");
    assert_eq!(
        (erased.status, plain(&erased.text, citizen.pid)),
        (unknown.status, plain(&unknown.text, stranger)),
        "nobody learns that there was somebody"
    );
    let system = harness.token(&harness.hospital, &harness.hospital.records()).await?;
    let record = item(&harness, &citizen, Kind::Laboratory, 2).to_string();
    let refused = line.ask(&system, &Ask::with_body(Method::POST, "/fhir/Observation", record)).await?;
    assert_eq!(refused.status, 410, "{}", refused.text);
    harness.node.stop().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn erasing_a_person_while_records_of_them_come_in_holds_up_nobody() -> Result<()> {
    let harness = Harness::start_with(|settings| settings.verdict_timeout_ms = 1_000).await?;
    let citizen = harness.bear(1).await?;
    let system = harness.token(&harness.hospital, &harness.hospital.records()).await?;
    let write = |n: u64| {
        let ask = Ask::with_body(
            Method::POST,
            "/fhir/Observation",
            item(&harness, &citizen, Kind::Laboratory, n).to_string(),
        );
        let (line, system) = (Line::new(&harness.api.url), system.clone());
        tokio::spawn(async move { line.ask(&system, &ask).await })
    };
    let coming: Vec<_> = (0..40).map(write).collect();
    harness.node.engine.keys.destroy_person(citizen.pid).await?;
    for one in coming {
        let answer = one.await??;
        // Written before, taken and never decided, or refused: each is an answer, and none is an error of the server.
        assert!(matches!(answer.status, 201 | 202 | 404 | 410), "{}: {}", answer.status, answer.text);
    }
    // Enough of them for every partition.
    for index in 2..10 {
        let neighbour = harness.bear(index).await?;
        let key = format!("neighbour {index}");
        harness.keep(&harness.hospital, &item(&harness, &neighbour, Kind::Laboratory, 1), &key).await?;
    }
    harness.node.stop().await
}
