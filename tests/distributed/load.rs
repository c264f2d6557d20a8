//! Hospitals that write and doctors that read, one person each, while parts of the system fail. Each asks again, with its key,
//! until it is answered.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use base64::Engine;
use chassis::clock::{Clock, SystemClock};
use reqwest::Method;
use schemas::access::ReceiptBytes;
use serde_json::json;
use tests::wire::{Ask, Line, Wire};
use tests::{Citizen, Harness};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// An answer that does not come within this is asked for again, with the same key.
const PATIENCE: Duration = Duration::from_secs(15);
const AGAIN: Duration = Duration::from_millis(50);
/// Somebody who is not answered for so long has lost the system.
const LIMIT: Duration = Duration::from_secs(120);

/// Asks until the system decides. 202: taken, no verdict yet; 5xx: a part is down.
pub(crate) async fn until_answered(line: &Line, token: &str, ask: &Ask) -> Result<Wire> {
    let end = Instant::now() + LIMIT;
    loop {
        let said = match tokio::time::timeout(PATIENCE, line.ask(token, ask)).await {
            Ok(Ok(wire)) if !matches!(wire.status, 202 | 500..=599) => return Ok(wire),
            Ok(Ok(wire)) => format!("{} {}", wire.status, wire.text),
            Ok(Err(error)) => format!("{error:#}"),
            Err(_) => format!("nothing within {} s", PATIENCE.as_secs()),
        };
        ensure!(Instant::now() < end, "no answer within {} s, at the end: {said}", LIMIT.as_secs());
        tokio::time::sleep(AGAIN).await;
    }
}

/// Writes and reads for one person, and remembers what it was told.
pub(crate) struct Writer {
    pub(crate) line: Line,
    pub(crate) citizen: Citizen,
    /// The hospital's system, and its doctor.
    pub(crate) system: String,
    pub(crate) doctor: String,
    /// Place and version of each record, in the order in which they were acknowledged. The even ones are versions of the first.
    pub(crate) written: Vec<Written>,
    /// Access entry of each release, and what was released.
    pub(crate) released: Vec<(String, String)>,
    pub(crate) pause_max: Duration,
    /// When it began, by the clock of the test: milliseconds since 1970.
    pub(crate) began: i64,
}

/// `Type/id`, and the version's tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) place: String,
    pub(crate) version: String,
}

impl Writer {
    pub(crate) async fn new(harness: &Harness, index: u64) -> Result<Self> {
        let citizen = harness.bear(index).await?;
        let system = harness.token(&harness.hospital, &harness.hospital.records()).await?;
        let doctor = harness.token(&harness.hospital, &harness.hospital.care()).await?;
        let (line, pause_max) = (Line::new(&harness.api.url), Duration::ZERO);
        let (written, released, began) = (Vec::new(), Vec::new(), SystemClock.now());
        Ok(Self { line, citizen, system, doctor, written, released, pause_max, began })
    }

    /// What record `n` says, and the key under which it is sent.
    pub(crate) fn key(&self, n: usize) -> String {
        format!("person {} record {n}", self.citizen.index)
    }

    /// Sends record `n`, until it is acknowledged.
    pub(crate) async fn write(&self, n: usize) -> Result<Written> {
        let key = self.key(n);
        let mut record = json!({
            "resourceType": "Observation", "status": "final", "code": {"text": key},
            "subject": {"reference": format!("Patient/{}", self.citizen.patient)},
        });
        let first = self.written.first().filter(|_| n > 0 && n.is_multiple_of(2)).map(|first| first.place.clone());
        let (method, path, status) = match &first {
            None => (Method::POST, "/fhir/Observation".to_owned(), 201),
            Some(place) => {
                record["id"] = json!(place.split('/').next_back());
                (Method::PUT, format!("/fhir/{place}"), 200)
            }
        };
        let ask = Ask::with_body(method, path, record.to_string()).header("idempotency-key", &key);
        let told = until_answered(&self.line, &self.system, &ask).await?;
        ensure!(told.status == status, "{key}: {} {}", told.status, told.text);
        let made = told.header("location").split("/fhir/").nth(1).and_then(|place| place.split("/_history").next());
        let place = first.or(made.map(str::to_owned)).context("a created record has a place")?;
        Ok(Written { place, version: told.header("etag").to_owned() })
    }

    /// Reads a record back, until it is released.
    async fn read(&mut self, place: &str, key: &str) -> Result<()> {
        let told = until_answered(&self.line, &self.doctor, &Ask::get(format!("/fhir/{place}"))).await?;
        ensure!(told.status == 200, "what was acknowledged is lost: {key}: {} {}", told.status, told.text);
        let found = &told.json()["code"]["text"];
        ensure!(found == key, "{place} holds {found} and not {key}");
        self.released.push((entry_of(&told)?, place.to_owned()));
        Ok(())
    }

    /// Writes the next record and reads it back.
    pub(crate) async fn turn(&mut self) -> Result<()> {
        let n = self.written.len();
        let started = Instant::now();
        let written = self.write(n).await?;
        self.pause_max = self.pause_max.max(started.elapsed());
        self.written.push(written.clone());
        let started = Instant::now();
        self.read(&written.place, &self.key(n)).await?;
        self.pause_max = self.pause_max.max(started.elapsed());
        Ok(())
    }
}

/// The access entry that an answer's receipt names.
pub(crate) fn entry_of(told: &Wire) -> Result<String> {
    let receipt = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(told.header("kiroku-receipt"))?;
    ensure!(!receipt.is_empty(), "released without a receipt");
    let receipt: ReceiptBytes = schemas::codec::decode("receipt", &receipt).context("a receipt")?;
    Ok(receipt.entry.to_string())
}

/// Writers at work.
pub(crate) struct Load {
    writers: Vec<JoinHandle<Result<Writer>>>,
    /// When the newest finished turn of each began.
    turned: Vec<watch::Receiver<Option<Instant>>>,
    stop: watch::Sender<bool>,
}

impl Load {
    pub(crate) fn start(writers: Vec<Writer>) -> Self {
        let (stop, stopped) = watch::channel(false);
        let (mut tasks, mut turned) = (Vec::new(), Vec::new());
        for mut writer in writers {
            let (tell, told) = watch::channel(None);
            let stopped = stopped.clone();
            turned.push(told);
            tasks.push(tokio::spawn(async move {
                while !*stopped.borrow() {
                    let began = Instant::now();
                    writer.turn().await?;
                    tell.send_replace(Some(began));
                }
                Ok(writer)
            }));
        }
        Self { writers: tasks, turned, stop }
    }

    /// Waits until every writer has written and read something that it began after `moment`.
    pub(crate) async fn turned_since(&mut self, moment: Instant) -> Result<()> {
        for turned in &mut self.turned {
            let since = |began: &Option<Instant>| began.is_some_and(|began| began > moment);
            // The other end is gone when its writer has failed: `stop` says why.
            if tokio::time::timeout(LIMIT * 2, turned.wait_for(since)).await.is_ok_and(|told| told.is_err()) {
                break;
            }
        }
        match self.writers.iter().position(JoinHandle::is_finished) {
            Some(failed) => match self.writers.swap_remove(failed).await? {
                Ok(_) => bail!("a writer has stopped by itself"),
                Err(error) => Err(error),
            },
            None => Ok(()),
        }
    }

    /// Lets the writers finish what they have begun.
    pub(crate) async fn stop(self) -> Result<Vec<Writer>> {
        self.stop.send_replace(true);
        let mut writers = Vec::new();
        for writer in self.writers {
            writers.push(writer.await??);
        }
        Ok(writers)
    }
}
