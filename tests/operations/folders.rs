//! A folder that was filled by `load` and is not served, and serving it again.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use chassis::config::Settings;
use kiroku::Node;
use kiroku::api::{Api, Reply};
use kiroku::commands::load::{self, Options};
use loadtest::population::{Population, fhir};
use schemas::ResourceId;
use serde_json::{Value, json};
use tempfile::TempDir;
use tests::{Citizen, Harness, Site};

/// A node's folder after the node stopped.
pub(crate) struct Filled {
    pub(crate) settings: Settings,
    pub(crate) hospital: Site,
    pub(crate) citizen: Citizen,
    /// Of the citizen, written by the hospital.
    pub(crate) record: String,
    pub(crate) folder: TempDir,
}

/// Generated persons as files: commons first by content, one transaction each, and one history in lines.
pub(crate) fn write_population(population: &Population, folder: &Path, persons: u64) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    for index in 0..persons {
        let transaction = population.transaction(&population.person(index), 8);
        std::fs::write(folder.join(format!("a-person-{index}.json")), transaction.to_string())?;
    }
    let organisation = fhir::organization(&population.hospital(0), population.today());
    let entry = json!({"resource": organisation, "request": {"method": "POST", "url": "Organization"}});
    let commons = json!({"resourceType": "Bundle", "type": "transaction", "entry": [entry]});
    std::fs::write(folder.join("z-commons.json"), commons.to_string())?;
    Ok(())
}

impl Filled {
    /// Loads three persons over HTTP, sends a record of a fourth, stops.
    pub(crate) async fn make() -> Result<Self> {
        let harness = Harness::start().await?;
        let files = harness.folder.path().join("files");
        write_population(&harness.population, &files, 3)?;
        let options = Options { register_persons: true, ..Options::default() };
        let report = load::load(&harness.node.url, &harness.insurer, &options, &[files]).await?;
        ensure!(report.all_accepted(), "{:?}", report.refusals);
        let citizen = harness.bear(40).await?;
        let reply = harness.send(&harness.hospital, &harness.record(&citizen, 3)).await?;
        ensure!(reply.status == 201, "{}", reply.body);
        let resource_type = harness.record(&citizen, 3)["resourceType"].as_str().unwrap_or_default().to_owned();
        let record = format!("/fhir/{resource_type}/{}", reply.location_id().context("a location")?);
        let Harness { node, hospital, folder, .. } = harness;
        let mut settings = node.settings.clone();
        "127.0.0.1:0".clone_into(&mut settings.http.listen);
        node.stop().await?;
        Ok(Self { settings, hospital, citizen, record, folder })
    }

    pub(crate) fn data(&self) -> &Path {
        &self.settings.data
    }

    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Serves a folder, reads `path` as a physician of the hospital, stops.
    pub(crate) async fn read_on(&self, settings: &Settings, path: &str) -> Result<Reply> {
        let node = Node::start(settings.clone()).await?;
        let api = Api::new(&node.url);
        let token = api.token(&self.hospital.key, &self.hospital.care()).await?;
        let reply = api.get(&token, path).await;
        node.stop().await?;
        reply
    }

    pub(crate) fn pid(&self) -> Result<schemas::Pid> {
        Ok(self.citizen.patient.parse::<ResourceId>()?.pid)
    }
}

#[tokio::test]
async fn a_node_that_has_stopped_has_let_go_of_its_folder() -> Result<()> {
    let harness = Harness::start().await?;
    let citizen = harness.bear(3).await?;
    let (site, settings) = (harness.hospital.clone(), harness.node.settings.clone());
    let mut node = harness.node;
    for turn in 0..5 {
        let api = Api::new(&node.url);
        let token = api.token(&site.key, &site.care()).await?;
        let reply = api.get(&token, &format!("/fhir/Observation?patient=Patient/{}", citizen.patient)).await?;
        ensure!(reply.status == 200, "turn {turn}: {}", reply.body);
        node.stop().await?;
        // No waiting and no second try: neither the folder nor its tables are held any more.
        node = Node::start(settings.clone()).await.with_context(|| format!("turn {turn}"))?;
    }
    node.stop().await
}

/// What was sent, as it is read.
pub(crate) fn without_meta(body: &Value) -> Value {
    let mut body = body.clone();
    if let Some(it) = body.as_object_mut() {
        it.remove("meta");
    }
    body
}
