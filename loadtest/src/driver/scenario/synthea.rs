//! The load of Synthea's Bundles over HTTP: commons first, then persons, registered and loaded side by side.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use schemas::ResourceId;
use serde_json::Value;

use super::super::fill::{FHIR, register, say};
use super::super::http::{Connection, write_request};
use super::super::process::Server;
use super::super::world::World;
use super::ask;

/// Bundles on their way at once.
const CONNECTIONS: usize = 6;

/// A Bundle file, as it was made.
struct File {
    bytes: Vec<u8>,
    /// The person's Patient; absent in the files of commons.
    patient: Option<Value>,
    resources: usize,
    by_type: BTreeMap<String, usize>,
}

/// What a load did.
#[derive(Debug)]
pub struct Loaded {
    /// Entries of all Bundles: what the rate counts.
    pub resources: usize,
    pub persons: usize,
    pub raw_bytes: usize,
    pub seconds: f64,
    /// Counts of (person, type) that a search confirmed afterwards.
    pub counted: usize,
}

/// Loads the archive into a server whose registry holds the clients of `world`, then confirms every count by a search.
pub async fn load(world: &World, server: &Server, archive: &Path) -> Result<Loaded> {
    let files = read_archive(archive)?;
    let (commons, persons): (Vec<File>, Vec<File>) = files.into_iter().partition(|file| file.patient.is_none());
    let (registrar, writer) = (world.registrar(server).await?, world.writer(server).await?);
    let begun = Instant::now();
    let mut connection = Connection::open(server.address).await?;
    for file in &commons {
        post(&mut connection, &writer.current(), file).await?;
    }
    let (next, ids) = (AtomicUsize::new(0), Mutex::new(vec![None; persons.len()]));
    let done: Vec<Result<()>> = std::thread::scope(|scope| {
        let one = || -> Result<()> {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let mut connection = Connection::open(server.address).await?;
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(file) = persons.get(at) else { return Ok(()) };
                    let patient = file.patient.as_ref().context("a person's file holds a Patient")?;
                    let shelf = register(&mut connection, &registrar.current(), patient).await?;
                    post(&mut connection, &writer.current(), file).await?;
                    ids.lock().expect("nobody panics with the lock held")[at] = Some(shelf.patient_id());
                }
            })
        };
        let threads: Vec<_> = (0..CONNECTIONS).map(|_| scope.spawn(one)).collect();
        threads.into_iter().map(|t| t.join().unwrap_or_else(|_| bail!("a loading thread panicked"))).collect()
    });
    done.into_iter().collect::<Result<()>>()?;
    let seconds = begun.elapsed().as_secs_f64();
    let ids = std::mem::take(&mut *ids.lock().expect("nobody panics with the lock held"));
    let counted = confirm(world, server, &persons, &ids).await?;
    let all = || commons.iter().chain(&persons);
    Ok(Loaded {
        resources: all().map(|file| file.resources).sum(),
        persons: persons.len(),
        raw_bytes: all().map(|file| file.bytes.len()).sum(),
        seconds,
        counted,
    })
}

/// Searches every person for every type that was sent about her.
async fn confirm(world: &World, server: &Server, persons: &[File], ids: &[Option<ResourceId>]) -> Result<usize> {
    let tokens = world.reader(server).await?;
    let mut connection = Connection::open(server.address).await?;
    let mut counted = 0;
    for (file, id) in persons.iter().zip(ids) {
        let id = id.context("every person was loaded")?;
        // The registration made a Patient of the insurer's; the hospital sees its own.
        for (resource_type, &sent) in &file.by_type {
            let path = format!("/fhir/Patient/{id}/{resource_type}?_summary=count");
            let (_, bundle) = ask(&mut connection, &tokens, &path).await?;
            let found = bundle["total"].as_u64().context("a count has a total")?;
            ensure!(found == sent as u64, "{found} {resource_type} are found of {sent} that were sent");
            counted += 1;
        }
    }
    Ok(counted)
}

async fn post(connection: &mut Connection, token: &str, file: &File) -> Result<()> {
    let mut request = Vec::with_capacity(file.bytes.len() + 1024);
    write_request(&mut request, ("POST", "/fhir"), token, FHIR, &file.bytes);
    let answer = connection.send(&request).await?;
    ensure!(answer.status == 200, "a Bundle is answered with {}: {}", answer.status, say(answer.body));
    let body: Value = serde_json::from_slice(answer.body)?;
    let entries = body["entry"].as_array().map_or(&[][..], Vec::as_slice);
    let written = |entry: &&Value| entry["response"]["status"].as_str().is_some_and(|s| s.starts_with('2'));
    let refused = entries.iter().find(|entry| !written(entry));
    ensure!(refused.is_none(), "an entry was refused: {}", refused.unwrap_or(&Value::Null));
    Ok(())
}

fn read_archive(archive: &Path) -> Result<Vec<File>> {
    let file = std::fs::File::open(archive).with_context(|| format!("cannot open `{}`", archive.display()))?;
    let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(file));
    let mut files = Vec::new();
    for entry in tar.entries()? {
        let mut entry = entry?;
        if entry.path()?.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes)?;
        let bundle: Value = serde_json::from_slice(&bytes)?;
        let resources = bundle["entry"].as_array().map_or(&[][..], Vec::as_slice);
        let mut by_type = BTreeMap::new();
        for resource in resources {
            let resource_type = resource["resource"]["resourceType"].as_str().unwrap_or_default();
            *by_type.entry(resource_type.to_owned()).or_default() += 1;
        }
        let patient = resources.iter().map(|r| &r["resource"]).find(|r| r["resourceType"] == "Patient").cloned();
        files.push(File { bytes, patient, resources: resources.len(), by_type });
    }
    Ok(files)
}
