//! Broker and database for a demo on the distributed engine: those of the settings, or new ones from their jars.

use std::path::Path;

use anyhow::{Context, Result};
use chassis::config::{EngineKind, Settings};
use servers::{Cluster, Jars, KafkaPlan, KafkaVersion, Nodes, Plan};

use crate::engine;

/// Folder of the servers, in the demo's.
const FOLDER: &str = "servers";

type Flags = Vec<(String, String)>;

/// Starts one node of each in `folder`, and says by which settings they are reached.
pub(super) async fn start(folder: &Path) -> Result<(Cluster, Flags)> {
    let kafka = Some(KafkaPlan { version: KafkaVersion::V4, nodes: Nodes::One });
    let plan = Plan { folder: folder.join(FOLDER), kafka, cassandra: Some(Nodes::One), jars: Jars::default() };
    let cluster = tokio::task::spawn_blocking(move || Cluster::start(&plan)).await??;
    let text = std::fs::read_to_string(cluster.folder().join("engines.toml")).context("engines.toml")?;
    let mut flags = Flags::new();
    flatten("", &toml::Value::Table(toml::from_str(&text)?), &mut flags);
    Ok((cluster, flags))
}

/// Settings as flags: names joined by dots, lists by commas.
fn flatten(name: &str, value: &toml::Value, flags: &mut Flags) {
    let text = |value: &toml::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match value {
        toml::Value::Table(table) => {
            let below = |inner: &str| if name.is_empty() { inner.to_owned() } else { format!("{name}.{inner}") };
            table.iter().for_each(|(inner, value)| flatten(&below(inner), value, flags));
        }
        toml::Value::Array(items) => {
            flags.push((name.to_owned(), items.iter().map(text).collect::<Vec<_>>().join(",")));
        }
        other => flags.push((name.to_owned(), text(other))),
    }
}

/// Topics and keyspaces of this demo alone, whoever else uses the servers.
pub(super) fn names_of_its_own(name: &str) -> Flags {
    let flag = |key: &str, value: String| (key.to_owned(), value);
    vec![
        flag("engine.kind", "distributed".to_owned()),
        flag("engine.kafka.prefix", format!("demo_{name}.")),
        flag("engine.cql.keyspace", format!("demo_{name}")),
    ]
}

/// Makes topics and tables where the settings name servers.
pub(super) async fn prepare(settings: &Settings) -> Result<()> {
    if settings.engine.kind == EngineKind::Distributed {
        engine::make_topics(settings).await?;
        engine::make_schema(settings).await?;
    }
    Ok(())
}
