//! The servers themselves. `cargo test -p servers -- --ignored --nocapture --test-threads 1`

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use openssl::ssl::{SslConnector, SslFiletype, SslMethod, SslStream};
use servers::{Cluster, Issued, Jars, KafkaPlan, KafkaVersion, Nodes, Plan, Server, State};

const API_VERSIONS: &[u8] = &[0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 7, 0, 0];
const CQL_OPTIONS: &[u8] = &[4, 0, 0, 0, 5, 0, 0, 0, 0];

fn plan(folder: &Path, version: KafkaVersion, nodes: Nodes) -> Plan {
    let kafka = Some(KafkaPlan { version, nodes });
    Plan { folder: folder.to_owned(), kafka, cassandra: Some(nodes), jars: Jars::default() }
}

/// Whether the server answers in its own protocol; an alert of TLS is none.
fn ask(mut stream: impl Read + Write, server: &Server) -> bool {
    let (request, place, expected) = match server.release.product() {
        "kafka" => (API_VERSIONS, 7, API_VERSIONS[11]),
        _ => (CQL_OPTIONS, 0, 0x84),
    };
    let mut answer = [0; 8];
    stream.write_all(request).is_ok() && stream.read_exact(&mut answer).is_ok() && answer[place] == expected
}

fn tcp(address: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    Ok(stream)
}

/// With the certificate of `client` or without any; trusts the authority of `trusted`.
fn tls(server: &Server, trusted: &Issued, client: Option<&Issued>) -> Result<SslStream<TcpStream>> {
    let mut connector = SslConnector::builder(SslMethod::tls_client())?;
    connector.set_ca_file(&trusted.ca)?;
    if let Some(client) = client {
        connector.set_certificate_chain_file(&client.certificate)?;
        connector.set_private_key_file(&client.key, SslFiletype::PEM)?;
    }
    Ok(connector.build().connect(&server.address.ip().to_string(), tcp(server.address)?)?)
}

/// Only who has a certificate of the folder's authority is answered. A refusal shows after the handshake of TLS 1.3.
fn refuses_strangers(cluster: &Cluster) -> Result<()> {
    let elsewhere = tempfile::tempdir()?;
    let stranger = servers::Authority::open_or_create(elsewhere.path())?.client("kiroku")?;
    let known = cluster.authority()?.client("kiroku")?;
    for server in cluster.servers() {
        let answers = |client| tls(server, &known, client).is_ok_and(|stream| ask(stream, server));
        ensure!(answers(Some(&known)), "{} refuses its own client", server.name);
        ensure!(!answers(None), "{} answers without a certificate", server.name);
        ensure!(!answers(Some(&stranger)), "{} answers a stranger", server.name);
        ensure!(!ask(tcp(server.address)?, server), "{} answers without TLS", server.name);
    }
    Ok(())
}

fn names(cluster: &Cluster) -> Vec<String> {
    cluster.servers().iter().map(|server| server.name.clone()).collect()
}

/// Each in turn: killed and started again, halted and let go on.
fn loses_and_regains_each(cluster: &mut Cluster) -> Result<()> {
    for name in names(cluster) {
        cluster.kill(&name)?;
        ensure!(cluster.server(&name)?.state() == State::Gone);
        eprintln!("{name} is back {:.1} s after a kill", cluster.restart(&name)?.as_secs_f32());
        cluster.pause(&name)?;
        ensure!(cluster.server(&name)?.state() == State::Paused);
        cluster.resume(&name)?;
        ensure!(cluster.restart(&name).is_err(), "{name} was started twice");
    }
    Ok(())
}

/// A node that finds no majority waits for one, so nodes that need each other are started together.
fn loses_and_regains_a_majority(cluster: &mut Cluster) -> Result<()> {
    for pair in [["kafka-1", "kafka-3"], ["cassandra-1", "cassandra-3"]] {
        for name in pair {
            cluster.kill(name)?;
        }
        eprintln!("{pair:?} are back {:.1} s after a kill", cluster.restart_together(&pair)?.as_secs_f32());
    }
    Ok(())
}

fn run(version: KafkaVersion, nodes: Nodes) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let plan = plan(folder.path(), version, nodes);
    let mut cluster = Cluster::start(&plan)?;
    for server in cluster.servers() {
        let seconds = server.ready_after.unwrap_or_default().as_secs_f32();
        eprintln!("{} ({}) is ready after {seconds:.1} s", server.name, server.release);
    }
    ensure!(folder.path().join("engines.toml").exists());
    refuses_strangers(&cluster)?;
    loses_and_regains_each(&mut cluster)?;
    if nodes == Nodes::Three {
        loses_and_regains_a_majority(&mut cluster)?;
    }
    ensure!(Cluster::start(&plan).is_err(), "the folder was started twice");

    let found = Cluster::open(folder.path())?;
    ensure!(found.servers().iter().all(|server| server.state() == State::Running));
    found.stop()?;
    ensure!(cluster.servers().iter().all(|server| server.state() == State::Gone));
    drop(cluster);
    let again = Cluster::start(&plan)?;
    let servers = again.servers().to_vec();
    drop(again);
    ensure!(servers.iter().all(|server| server.state() == State::Gone), "dropping has left a server");
    Ok(())
}

#[test]
#[ignore = "starts real servers: needs Java, the network for the first time, and a minute"]
fn one_node_of_each_comes_back_and_refuses_strangers() -> Result<()> {
    run(KafkaVersion::V4, Nodes::One)
}

#[test]
#[ignore = "starts six real servers: needs Java, the network for the first time, 4 GiB and some minutes"]
fn three_nodes_of_each_come_back_and_refuse_strangers() -> Result<()> {
    run(KafkaVersion::V4, Nodes::Three)
}

#[test]
#[ignore = "starts real servers: needs Java, the network for the first time, and a minute"]
fn kafka_3_comes_back_and_refuses_strangers() -> Result<()> {
    run(KafkaVersion::V3, Nodes::One)
}
