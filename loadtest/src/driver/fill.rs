//! Fills a data folder over HTTP: registers the persons, then sends their histories as transactions.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use anyhow::{Context as _, Result, bail, ensure};
use schemas::{ResourceId, ResourceType};
use serde_json::{Value, json};

use super::http::{Connection, write_request};
use super::process::Server;
use super::token::Tokens;
use super::world::{Shelf, World};
use crate::population::fhir;

/// Resources in one transaction.
const BUNDLE: usize = 100;
/// Connections at once.
const CONNECTIONS: usize = 8;
pub(crate) const FHIR: &str = "Content-Type: application/fhir+json\r\n";

/// Fills persons `0..persons` with `each` resources. Returns the seconds that it took.
pub async fn fill(world: &mut World, server: &Server, (persons, each): (usize, usize)) -> Result<f64> {
    ensure!(world.shelves.is_empty(), "the folder is filled already");
    let begun = std::time::Instant::now();
    let (registrar, writer) = (world.registrar(server).await?, world.writer(server).await?);
    let next = Arc::new(AtomicUsize::new(0));
    let shelves = Arc::new(Mutex::new(vec![None; persons]));
    let done: Vec<Result<()>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..CONNECTIONS.min(persons))
            .map(|_| {
                let (next, shelves, world) = (next.clone(), shelves.clone(), &*world);
                let tokens = (registrar.clone(), writer.clone());
                scope.spawn(move || {
                    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                    runtime.block_on(async {
                        let mut connection = Connection::open(server.address).await?;
                        loop {
                            let person = next.fetch_add(1, Ordering::Relaxed);
                            if person >= persons {
                                return Ok(());
                            }
                            tokens.0.refresh().await?;
                            tokens.1.refresh().await?;
                            let shelf = fill_one(world, &mut connection, &tokens, (person, each)).await?;
                            shelves.lock().expect("nobody panics with the lock held")[person] = Some(shelf);
                        }
                    })
                })
            })
            .collect();
        threads.into_iter().map(|t| t.join().unwrap_or_else(|_| bail!("a filling thread panicked"))).collect()
    });
    done.into_iter().collect::<Result<()>>()?;
    let shelves = std::mem::take(&mut *shelves.lock().expect("nobody panics with the lock held"));
    world.shelves = shelves.into_iter().collect::<Option<Vec<_>>>().context("every person was filled")?;
    Ok(begun.elapsed().as_secs_f64())
}

async fn fill_one(
    world: &World,
    connection: &mut Connection,
    (registrar, writer): &(Arc<Tokens>, Arc<Tokens>),
    (index, each): (usize, usize),
) -> Result<Shelf> {
    let population = world.population();
    let person = world.person(index);
    let patient = fhir::patient(&person, &population.hospital(0), population.today());
    let mut shelf = register(connection, &registrar.current(), &patient).await?;
    let mut k = 0;
    while k < each {
        let upto = (k + BUNDLE).min(each);
        let items: Vec<Value> = (k..upto).map(|k| world.sent(&person, &shelf, k)).collect();
        let ids = send_transaction(connection, &writer.current(), &items).await?;
        ensure!(ids.len() == items.len(), "a transaction answers every entry");
        shelf.items.extend(ids);
        k = upto;
    }
    Ok(shelf)
}

/// Registers a person with this Patient.
pub(crate) async fn register(connection: &mut Connection, token: &str, patient: &Value) -> Result<Shelf> {
    let mut request = Vec::new();
    let extra = format!("{FHIR}Prefer: return=minimal\r\n");
    write_request(&mut request, ("POST", "/fhir/Patient"), token, &extra, patient.to_string().as_bytes());
    let answer = connection.send(&request).await?;
    ensure!(answer.status == 201, "a registration is answered with {}: {}", answer.status, say(answer.body));
    let (_, patient) = location(answer.header("location").unwrap_or("")).context("a created Patient has a Location")?;
    Ok(Shelf { pid: patient.pid, patient: patient.local, items: Vec::new() })
}

async fn send_transaction(
    connection: &mut Connection,
    token: &str,
    items: &[Value],
) -> Result<Vec<(ResourceType, schemas::LocalId)>> {
    let entries: Vec<Value> = items
        .iter()
        .map(|item| json!({"resource": item, "request": {"method": "POST", "url": item["resourceType"]}}))
        .collect();
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": entries});
    let mut request = Vec::new();
    write_request(&mut request, ("POST", "/fhir"), token, FHIR, bundle.to_string().as_bytes());
    let answer = connection.send(&request).await?;
    ensure!(answer.status == 200, "a transaction is answered with {}: {}", answer.status, say(answer.body));
    let body: Value = serde_json::from_slice(answer.body)?;
    let entries = body["entry"].as_array().context("a transaction answer has entries")?;
    entries
        .iter()
        .map(|entry| {
            let (resource_type, id) =
                location(entry["response"]["location"].as_str().unwrap_or("")).context("an entry has a location")?;
            Ok((resource_type, id.local))
        })
        .collect()
}

/// Type and id in `[base/]Type/id[/_history/n]`.
pub(crate) fn location(text: &str) -> Option<(ResourceType, ResourceId)> {
    let path = text.split("/fhir/").last()?;
    let mut parts = path.split('/');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// The start of an answer, for an error message: everybody in it is made up.
pub(crate) fn say(body: &[u8]) -> String {
    String::from_utf8_lossy(body).chars().take(600).collect()
}
