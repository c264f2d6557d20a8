//! A system whose parts are to fail, and senders who must not notice more than a pause.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use chassis::config::Role;
use kiroku::api::Api;
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
    let reply = api.post_until_decided(token, "/fhir/Observation", &record, key).await?;
    ensure!(reply.status == 201, "{key}: {} {}", reply.status, reply.body);
    Ok(reply.header("location").split("/fhir/").last().unwrap_or_default().to_owned())
}

/// Two projectors, persons in all partitions, and a sender for each person.
pub(crate) struct Scene {
    harness: Harness,
    pub(crate) projectors: Vec<Program>,
    citizens: Vec<Citizen>,
    stop: Arc<AtomicBool>,
    senders: Vec<tokio::task::JoinHandle<Result<Sent>>>,
}

impl Scene {
    pub(crate) async fn start() -> Result<Self> {
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

    /// Lets the senders send.
    pub(crate) async fn go_on(&self, seconds: u64) {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }

    /// Ends the senders and checks every record that was acknowledged: there, once, and a retry finds the same.
    pub(crate) async fn check(self, what: &str) -> Result<()> {
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
