//! `cassandra.yaml` of one node.

use std::net::Ipv4Addr;

/// The name that all nodes of one cluster give.
const CLUSTER: &str = "kiroku";
const TOKEN_LEAST: i128 = -(1 << 63);
const TOKENS: i128 = 1 << 64;

pub(crate) struct Node<'a> {
    /// From 1
    pub(crate) number: u8,
    pub(crate) nodes: u8,
    pub(crate) ip: Ipv4Addr,
    /// All of them
    pub(crate) seeds: &'a [Ipv4Addr],
    /// The same at all nodes
    pub(crate) native_port: u16,
    pub(crate) storage_port: u16,
    pub(crate) folder: &'a str,
    /// PEM files: key and certificate in one, and whom to trust
    pub(crate) certificate: &'a str,
    pub(crate) ca: &'a str,
}

pub(crate) fn yaml(node: &Node<'_>) -> String {
    [
        topology(node),
        folders(node.folder),
        rights(node.nodes),
        DURABILITY.to_owned(),
        MEMORY.to_owned(),
        encryption(node),
    ]
    .concat()
}

/// One token a node, spread evenly, so that no range has to be negotiated. Bootstrap is off for a brand-new cluster.
fn topology(node: &Node<'_>) -> String {
    let token = TOKEN_LEAST + TOKENS / i128::from(node.nodes) * i128::from(node.number - 1);
    let seeds: Vec<_> = node.seeds.iter().map(|ip| format!("{ip}:{}", node.storage_port)).collect();
    let (ip, seeds) = (node.ip, seeds.join(","));
    format!(
        "\
cluster_name: {CLUSTER}
num_tokens: 1
initial_token: {token}
auto_bootstrap: false
partitioner: org.apache.cassandra.dht.Murmur3Partitioner
endpoint_snitch: SimpleSnitch
listen_address: {ip}
rpc_address: {ip}
storage_port: {}
native_transport_port: {}
seed_provider:
  - class_name: org.apache.cassandra.locator.SimpleSeedProvider
    parameters:
      - seeds: \"{seeds}\"
",
        node.storage_port, node.native_port,
    )
}

fn folders(folder: &str) -> String {
    format!(
        "\
data_file_directories:
  - {folder}/data/tables
commitlog_directory: {folder}/data/commitlog
saved_caches_directory: {folder}/data/saved_caches
hints_directory: {folder}/data/hints
cdc_raw_directory: {folder}/data/cdc_raw
"
    )
}

/// The last two bind no superuser. `default_keyspace_rf` is there for the keyspace of the roles: with one copy of them nobody
/// could log in while the node that holds it is down.
fn rights(nodes: u8) -> String {
    format!(
        "\
authenticator: PasswordAuthenticator
authorizer: CassandraAuthorizer
role_manager: CassandraRoleManager
default_keyspace_rf: {nodes}
allow_filtering_enabled: false
drop_truncate_table_enabled: false
"
    )
}

/// `batch` syncs before each acknowledgement (`periodic`, the default, acknowledges before it syncs); many writers share a sync.
const DURABILITY: &str = "\
commitlog_sync: batch
concurrent_writes: 128
auto_snapshot: false
paxos_variant: v2
";

const MEMORY: &str = "\
concurrent_compactors: 1
memtable_heap_space: 64MiB
memtable_offheap_space: 32MiB
key_cache_size: 8MiB
row_cache_size: 0MiB
counter_cache_size: 0MiB
file_cache_size: 32MiB
networking_cache_size: 32MiB
";

fn encryption(node: &Node<'_>) -> String {
    let Node { certificate, ca, .. } = node;
    let files = format!(
        "  require_client_auth: true
  ssl_context_factory:
    class_name: org.apache.cassandra.security.PEMBasedSslContextFactory
  keystore: {certificate}
  truststore: {ca}
"
    );
    format!(
        "\
client_encryption_options:
  enabled: true
  optional: false
{files}server_encryption_options:
  internode_encryption: all
  require_endpoint_verification: true
  outbound_keystore: {certificate}
{files}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(number: u8, nodes: u8) -> String {
        let seeds: Vec<_> = (1..=nodes).map(|node| Ipv4Addr::new(127, 0, 0, node)).collect();
        let ip = seeds[usize::from(number) - 1];
        let (folder, certificate, ca) = ("/k/cassandra-1", "/k/server.pem", "/k/ca.pem");
        let ports = (21_001, 21_002);
        let (native_port, storage_port) = ports;
        yaml(&Node { number, nodes, ip, seeds: &seeds, native_port, storage_port, folder, certificate, ca })
    }

    #[test]
    fn the_tokens_are_spread_evenly() {
        let token =
            |number| text(number, 3).lines().find_map(|line| line.strip_prefix("initial_token: ").map(str::to_owned));
        assert_eq!(token(1).as_deref(), Some("-9223372036854775808"));
        assert_eq!(token(2).as_deref(), Some("-3074457345618258603"));
        assert_eq!(token(3).as_deref(), Some("3074457345618258602"));
    }

    #[test]
    fn nodes_share_their_ports_and_differ_by_address() {
        let second = text(2, 3);
        assert!(second.contains(
            "\nlisten_address: 127.0.0.2\nrpc_address: 127.0.0.2\nstorage_port: 21002\nnative_transport_port: 21001\n"
        ));
        assert!(second.contains("- seeds: \"127.0.0.1:21002,127.0.0.2:21002,127.0.0.3:21002\"\n"));
    }

    #[test]
    fn an_acknowledged_write_is_synced_and_nobody_comes_in_without_a_certificate() {
        let text = text(1, 1);
        assert!(text.contains("\ncommitlog_sync: batch\n"));
        assert_eq!(text.matches("\n  require_client_auth: true\n").count(), 2);
        assert!(text.contains("\n  optional: false\n") && text.contains("\n  internode_encryption: all\n"));
    }
}
