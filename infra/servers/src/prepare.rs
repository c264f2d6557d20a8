//! Settings and certificates of servers that have never run.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use crate::certificates::{ADMIN, Authority, KIROKU};
use crate::files::{self, text_of};
use crate::jars::Release;
use crate::plan::{Plan, ip};
use crate::ports::Ports;
use crate::server::Server;
use crate::{cassandra, kafka};

/// What all servers of a folder have in common.
struct Common {
    certificate: String,
    ca: String,
}

/// Makes the files of all servers of the plan. Their ports are free when this returns; nothing runs yet.
pub(crate) fn prepare(plan: &Plan, folder: &Path) -> Result<Vec<Server>> {
    ensure!(plan.kafka.is_some() || plan.cassandra.is_some(), "the plan names no server: ask for Kafka or Cassandra");
    let authority = Authority::open_or_create(folder)?;
    for client in [KIROKU, ADMIN] {
        authority.client(client)?;
    }
    let ca = text_of(&authority.ca())?.to_owned();
    let common = Common { certificate: text_of(&authority.server()?)?.to_owned(), ca };
    let mut ports = Ports::default();
    let mut servers = kafka_servers(plan, folder, &common, &mut ports)?;
    servers.extend(cassandra_servers(plan, folder, &common, &mut ports)?);
    Ok(servers)
}

fn kafka_servers(plan: &Plan, folder: &Path, common: &Common, ports: &mut Ports) -> Result<Vec<Server>> {
    let Some(wanted) = plan.kafka else { return Ok(Vec::new()) };
    let release = wanted.version.release();
    let (lib, cluster_id) = (plan.jars.link(release, &jars(folder, release))?, kafka::random_cluster_id()?);
    let mut port = || ports.reserve(&[ip(release, 1)]);
    let ids = 1..=wanted.nodes.count() as u8;
    let voters = ids.map(|id| Ok(kafka::Voter { id, port: port()? })).collect::<Result<Vec<_>>>()?;
    let servers = voters.iter().map(|voter| server(folder, release, voter.id, port()?)).collect::<Result<Vec<_>>>()?;
    let prepare_one = |server: &Server| {
        let node = kafka::Node {
            id: server.node,
            port: server.address.port(),
            voters: &voters,
            folder: text_of(&server.folder)?,
            certificate: &common.certificate,
            ca: &common.ca,
        };
        kafka::prepare(&node, release, &server.folder, text_of(&lib)?, &cluster_id)
    };
    // Each starts a Java that takes a second.
    let done: Vec<Result<()>> = std::thread::scope(|scope| {
        let threads: Vec<_> = servers.iter().map(|server| scope.spawn(|| prepare_one(server))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| bail!("a thread ended in a panic"))).collect()
    });
    done.into_iter().collect::<Result<()>>()?;
    Ok(servers)
}

fn cassandra_servers(plan: &Plan, folder: &Path, common: &Common, ports: &mut Ports) -> Result<Vec<Server>> {
    let Some(wanted) = plan.cassandra else { return Ok(Vec::new()) };
    let release = Release::Cassandra5;
    let lib = plan.jars.link(release, &jars(folder, release))?;
    let nodes = wanted.count() as u8;
    let seeds: Vec<Ipv4Addr> = (1..=nodes).map(|node| ip(release, node)).collect();
    let (native_port, storage_port) = (ports.reserve(&seeds)?, ports.reserve(&seeds)?);
    let prepare_one = |number: u8| {
        let server = server(folder, release, number, native_port)?;
        let node = cassandra::Node {
            number,
            nodes,
            ip: ip(release, number),
            seeds: &seeds,
            native_port,
            storage_port,
            folder: text_of(&server.folder)?,
            certificate: &common.certificate,
            ca: &common.ca,
        };
        cassandra::prepare(&node, &server.folder, text_of(&lib)?)?;
        Ok(server)
    };
    (1..=nodes).map(prepare_one).collect()
}

fn jars(folder: &Path, release: Release) -> PathBuf {
    folder.join("jars").join(release.to_string())
}

/// A server's folder, which must be new: data of a start that nobody has recorded would be of another cluster.
fn server(folder: &Path, release: Release, node: u8, port: u16) -> Result<Server> {
    let name = format!("{}-{node}", release.product());
    let folder = folder.join(&name);
    ensure!(!folder.exists(), "`{}` is left of a start that failed: remove it", folder.display());
    files::create_folder(&folder.join("tmp")).with_context(|| name.clone())?;
    let address = SocketAddr::from((ip(release, node), port));
    let log = folder.join("server.log");
    Ok(Server { name, release, node, address, folder, log, pid: None, ready_after: None })
}
