//! Projectors that die and projectors that are held up, while records come in.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use chassis::config::Role;
use kiroku::api::Api;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use tests::program::Program;
use tests::{Citizen, Harness, cluster};

const PARTITIONS: u16 = 4;
const PERSONS: u64 = 8;

/// What a sender was told: key and place of each record, and the longest time without an answer.
struct Sent {
    places: BTreeMap<String, String>,
    pause_max: Duration,
}

/// Sends records of one person, one after the other, each until it is accepted, with the key that makes a retry harmless.
async fn send(api: Api, token: String, citizen: Citizen, stop: Arc<AtomicBool>) -> Result<Sent> {
    let mut sent = Sent { places: BTreeMap::new(), pause_max: Duration::ZERO };
    for n in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let key = format!("person {} record {n}", citizen.index);
        let started = Instant::now();
        let place = accepted(&api, &token, &citizen, &key).await?;
        sent.pause_max = sent.pause_max.max(started.elapsed());
        sent.places.insert(key, place);
    }
    Ok(sent)
}

async fn accepted(api: &Api, token: &str, citizen: &Citizen, key: &str) -> Result<String> {
    let record = json!({
        "resourceType": "Observation", "status": "final", "code": {"text": key},
        "subject": {"reference": format!("Patient/{}", citizen.patient)},
    });
    let mut turn = tokio::time::interval(Duration::from_millis(20));
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        turn.tick().await;
        let reply = api.post(token, "/fhir/Observation", &record, &[("idempotency-key", key)]).await?;
        match reply.status {
            201 => return Ok(reply.header("location").split("/fhir/").last().unwrap_or_default().to_owned()),
            // Not decided yet: asked again with the same key.
            202 | 503 => ensure!(Instant::now() < end, "{key} is not decided within a minute"),
            other => anyhow::bail!("{key}: {other} {}", reply.body),
        }
    }
}

/// Two projectors, persons in all partitions, and a sender for each person.
struct Scene {
    harness: Harness,
    projectors: Vec<Program>,
    citizens: Vec<Citizen>,
    stop: Arc<AtomicBool>,
    senders: Vec<tokio::task::JoinHandle<Result<Sent>>>,
}

impl Scene {
    async fn start() -> Result<Self> {
        let harness = cluster::start(&[Role::Edge, Role::Query, Role::Ledger], PARTITIONS).await?;
        let mut projectors = Vec::new();
        for name in ["projector-1", "projector-2"] {
            let folder = harness.folder.path().join(name);
            let binary = env!("CARGO_BIN_EXE_kiroku-under-test");
            projectors.push(cluster::process(binary, &harness, "projector", &folder).await?);
        }
        let mut citizens = Vec::new();
        for index in 1..=PERSONS {
            citizens.push(harness.bear(index).await?);
        }
        let token = harness.token(&harness.hospital, &harness.hospital.records()).await?;
        let stop = Arc::new(AtomicBool::new(false));
        let start =
            |citizen: &Citizen| tokio::spawn(send(harness.api.clone(), token.clone(), citizen.clone(), stop.clone()));
        let senders = citizens.iter().map(start).collect();
        Ok(Self { harness, projectors, citizens, stop, senders })
    }

    /// Waits until every sender has been told of `count` more records.
    async fn progress(&self, seconds: u64) {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }

    /// Ends the senders and checks every record that was acknowledged: there, once, and a retry finds the same.
    async fn check(self, what: &str) -> Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        let harness = &self.harness;
        let token = harness.token(&harness.hospital, &harness.hospital.records()).await?;
        let doctor = harness.token(&harness.hospital, &harness.hospital.care()).await?;
        let (mut records, mut pause_max) = (0, Duration::ZERO);
        for (sender, citizen) in self.senders.into_iter().zip(&self.citizens) {
            let sent = sender.await??;
            ensure!(sent.places.len() > 5, "person {}: {} records", citizen.index, sent.places.len());
            for (key, place) in &sent.places {
                let read = harness.api.get(&doctor, &format!("/fhir/{place}")).await?;
                assert_eq!((read.status, &read.body["code"]["text"]), (200, &json!(key)), "{place}");
            }
            let (key, place) = sent.places.iter().next_back().context("some")?;
            assert_eq!(&accepted(&harness.api, &token, citizen, key).await?, place, "a retry makes another");
            let path = format!("/fhir/Observation?patient={}&_summary=count", citizen.patient);
            let found = harness.api.get(&doctor, &path).await?;
            assert_eq!(found.body["total"].as_u64(), Some(sent.places.len() as u64), "half or twice");
            records += sent.places.len();
            pause_max = pause_max.max(sent.pause_max);
        }
        eprintln!("{what}: {records} records, longest time without an answer {:.1} s", pause_max.as_secs_f64());
        self.harness.node.stop().await
    }
}

fn signal(program: &Program, signal: Signal) -> Result<()> {
    let id = i32::try_from(program.id())?;
    Ok(kill_process(Pid::from_raw(id).context("a process has an id above 0")?, signal)?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_projector_that_is_killed_loses_nothing_and_another_goes_on() -> Result<()> {
    let mut scene = Scene::start().await?;
    scene.progress(3).await;
    scene.projectors.swap_remove(0).end(Signal::KILL).await?;
    scene.progress(12).await;
    scene.check("killed projector").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_projector_that_was_held_up_until_another_took_over_does_no_harm() -> Result<()> {
    let scene = Scene::start().await?;
    scene.progress(3).await;
    signal(&scene.projectors[0], Signal::STOP)?;
    scene.progress(12).await;
    signal(&scene.projectors[0], Signal::CONT)?;
    scene.progress(8).await;
    scene.check("held-up projector").await
}
