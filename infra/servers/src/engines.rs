//! `engines.toml`: how the application reaches what runs here.

use std::path::Path;

use anyhow::Result;
use serde::Serialize;

use crate::cassandra;
use crate::certificates::{Authority, Issued, KIROKU};
use crate::files;
use crate::server::Server;

#[derive(Serialize)]
struct Settings<'a> {
    engine: Engine<'a>,
}

#[derive(Serialize)]
struct Engine<'a> {
    kind: &'static str,
    kafka: Option<Kafka<'a>>,
    cql: Option<Cql<'a>>,
}

#[derive(Serialize)]
struct Kafka<'a> {
    replication: usize,
    brokers: Vec<String>,
    ca: &'a Path,
    certificate: &'a Path,
    key: &'a Path,
}

#[derive(Serialize)]
struct Cql<'a> {
    nodes: Vec<String>,
    ca: &'a Path,
    certificate: &'a Path,
    key: &'a Path,
    user: &'static str,
    password_file: &'a Path,
    replication: usize,
}

/// Written when all is up: that it is there is the sign.
pub(crate) fn write(path: &Path, servers: &[Server], authority: &Authority) -> Result<()> {
    let client = authority.client(KIROKU)?;
    let password = client.key.with_file_name("cassandra.password");
    if !password.exists() {
        files::write_secret(&password, cassandra::PASSWORD.as_bytes())?;
    }
    files::write(path, &text(servers, &client, &password)?)
}

fn text(servers: &[Server], client: &Issued, password_file: &Path) -> Result<String> {
    let addresses = |product: &str| -> Vec<String> {
        let wanted = servers.iter().filter(|server| server.release.product() == product);
        wanted.map(|server| server.address.to_string()).collect()
    };
    let Issued { ca, certificate, key } = client;
    let (brokers, nodes) = (addresses("kafka"), addresses("cassandra"));
    let kafka = Kafka { replication: brokers.len(), brokers, ca, certificate, key };
    let cql = Cql { replication: nodes.len(), nodes, ca, certificate, key, user: cassandra::USER, password_file };
    let (kafka, cql) = ((kafka.replication > 0).then_some(kafka), (cql.replication > 0).then_some(cql));
    Ok(toml::to_string(&Settings { engine: Engine { kind: "distributed", kafka, cql } })?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jars::Release;

    fn server(release: Release, address: &str) -> Server {
        let (name, folder, log) = (String::new(), "/k/n".into(), "/k/n/log".into());
        let address = address.parse().unwrap();
        Server { name, release, node: 1, address, folder, log, pid: None, ready_after: None }
    }

    #[test]
    fn engines_toml_says_how_to_reach_what_runs() {
        let client =
            Issued { ca: "/k/ca.pem".into(), certificate: "/k/kiroku.pem".into(), key: "/k/kiroku.key".into() };
        let kafka = server(Release::Kafka4, "127.0.0.1:21000");
        let cassandra = server(Release::Cassandra5, "127.0.0.1:21001");
        let expected = r#"[engine]
kind = "distributed"

[engine.kafka]
replication = 1
brokers = ["127.0.0.1:21000"]
ca = "/k/ca.pem"
certificate = "/k/kiroku.pem"
key = "/k/kiroku.key"

[engine.cql]
nodes = ["127.0.0.1:21001"]
ca = "/k/ca.pem"
certificate = "/k/kiroku.pem"
key = "/k/kiroku.key"
user = "cassandra"
password_file = "/k/password"
replication = 1
"#;
        assert_eq!(text(&[kafka.clone(), cassandra], &client, Path::new("/k/password")).unwrap(), expected);
        assert!(!text(&[kafka], &client, Path::new("/k/password")).unwrap().contains("[engine.cql]"));
    }
}
