//! Whole histories: the Bundles of Synthea through the door, hospitals and professionals first.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;
use tests::Harness;

use crate::real_input::Door;
use crate::tools::{note, shared};
use crate::world::loader;

/// Patient Bundles sent unless KIROKU_ALL says all.
const SOME: usize = 3;

/// Files of the archive by name; those of hospitals and practitioners begin with `0-`.
fn read(data: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let raw = std::fs::File::open(data.join("synthea-r4/synthea-r4-patients.tar.gz"))?;
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(raw));
    let mut found = BTreeMap::new();
    for entry in archive.entries()? {
        let mut entry = entry?;
        let name = entry.path()?.file_name().map(|name| name.to_string_lossy().into_owned());
        if let Some(name) = name.filter(|name| name.ends_with(".json")) {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes)?;
            found.insert(name, bytes);
        }
    }
    Ok(found)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_histories_of_synthea_go_through_the_door_whole() -> Result<()> {
    let Some(data) = shared() else { return Ok(()) };
    let harness = Harness::start().await?;
    let door = Door { harness: &harness, key: loader(&harness).await? };
    let (commons, persons): (Vec<_>, Vec<_>) = read(&data)?.into_iter().partition(|(name, _)| name.starts_with("0-"));
    assert_eq!(commons.len(), 2, "hospitals and practitioners");
    let some = if std::env::var_os("KIROKU_ALL").is_some() { persons.len() } else { SOME };
    note(&format!("{some} of {} histories; KIROKU_ALL=1 sends all", persons.len()));
    for (name, bytes) in commons.iter().chain(persons.iter().take(some)) {
        let bundle: Value = serde_json::from_slice(bytes).with_context(|| name.clone())?;
        let sent = bundle["entry"].as_array().map_or(0, Vec::len);
        let reply = door.post("", &bundle, "").await?;
        assert_eq!(reply.status, 200, "{name}: {}", reply.body);
        assert_eq!(
            reply.body["entry"].as_array().map_or(0, Vec::len),
            sent,
            "{name}: one response for each entry, in order"
        );
    }
    harness.node.stop().await
}
