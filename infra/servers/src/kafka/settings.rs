//! `server.properties` of one node, broker and controller in one.

use crate::certificates::{ADMIN, SERVER};
use crate::jars::Release;

/// 17 MiB: a submission of 16 MiB and what is around it.
const MESSAGE_MAX_BYTES: u32 = 17_825_792;

/// A member of the quorum of controllers.
#[derive(Clone, Copy)]
pub(crate) struct Voter {
    pub(crate) id: u8,
    pub(crate) port: u16,
}

pub(crate) struct Node<'a> {
    pub(crate) id: u8,
    /// For clients and for the other brokers
    pub(crate) port: u16,
    /// All of them, this one among them
    pub(crate) voters: &'a [Voter],
    pub(crate) folder: &'a str,
    /// PEM files: key and certificate in one, and whom to trust
    pub(crate) certificate: &'a str,
    pub(crate) ca: &'a str,
}

pub(crate) fn properties(node: &Node<'_>, release: Release) -> String {
    let Node { id, port, folder, .. } = node;
    let voters: Vec<_> = node.voters.iter().map(|voter| format!("{}@127.0.0.1:{}", voter.id, voter.port)).collect();
    let own = node.voters.iter().find(|voter| voter.id == *id).map_or(0, |voter| voter.port);
    let quorum = voters.join(",");
    format!(
        "\
process.roles=broker,controller
node.id={id}
controller.quorum.voters={quorum}
controller.listener.names=CONTROLLER
listeners=CLIENT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{own}
advertised.listeners=CLIENT://127.0.0.1:{port}
listener.security.protocol.map=CLIENT:SSL,CONTROLLER:SSL
inter.broker.listener.name=CLIENT
log.dirs={folder}/data
auto.create.topics.enable=false
message.max.bytes={MESSAGE_MAX_BYTES}
replica.fetch.max.bytes={MESSAGE_MAX_BYTES}
group.initial.rebalance.delay.ms=0
{}{}{}",
        security(node),
        replication(node.voters.len(), release),
        sessions(node.voters.len()),
    )
}

fn security(node: &Node<'_>) -> String {
    let Node { certificate, ca, .. } = node;
    format!(
        "\
ssl.keystore.type=PEM
ssl.keystore.location={certificate}
ssl.truststore.type=PEM
ssl.truststore.location={ca}
ssl.client.auth=required
ssl.principal.mapping.rules=RULE:^CN=([^,]+).*$/$1/,DEFAULT
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:{SERVER};User:{ADMIN}
# Accepted for now, while no rights are granted to anybody: a topic without a grant is open to every client with a
# certificate. In operation this is false.
allow.everyone.if.no.acl.found=true
"
    )
}

fn replication(nodes: usize, release: Release) -> String {
    let in_sync = if nodes > 1 { 2 } else { 1 };
    let mut text = format!(
        "\
default.replication.factor={nodes}
min.insync.replicas={in_sync}
offsets.topic.replication.factor={nodes}
offsets.topic.num.partitions=4
transaction.state.log.replication.factor={nodes}
transaction.state.log.min.isr={in_sync}
transaction.state.log.num.partitions=4
"
    );
    if release == Release::Kafka4 {
        text += &format!(
            "\
share.coordinator.state.topic.replication.factor={nodes}
share.coordinator.state.topic.min.isr={in_sync}
share.coordinator.state.topic.num.partitions=4
"
        );
    }
    text
}

/// A node that was killed may come back when its session is over: 3-5 s instead of 12-16.
fn sessions(nodes: usize) -> &'static str {
    if nodes > 1 {
        "broker.session.timeout.ms=3000\nbroker.heartbeat.interval.ms=500\n"
    } else {
        "broker.session.timeout.ms=1500\nbroker.heartbeat.interval.ms=300\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(nodes: u8, release: Release) -> String {
        let voters: Vec<_> = (1..=nodes).map(|id| Voter { id, port: 21_000 + u16::from(id) }).collect();
        let (folder, certificate, ca) = ("/k/kafka-1", "/k/server.pem", "/k/ca.pem");
        properties(&Node { id: 1, port: 22_001, voters: &voters, folder, certificate, ca }, release)
    }

    #[test]
    fn every_listener_asks_for_a_certificate() {
        let text = text(1, Release::Kafka4);
        assert!(text.contains("\nlistener.security.protocol.map=CLIENT:SSL,CONTROLLER:SSL\n"));
        assert!(text.contains("\nssl.client.auth=required\n"));
        assert!(!text.contains("PLAINTEXT"));
    }

    #[test]
    fn three_nodes_vote_and_replicate() {
        let three = text(3, Release::Kafka4);
        let voters = "controller.quorum.voters=1@127.0.0.1:21001,2@127.0.0.1:21002,3@127.0.0.1:21003\n";
        assert!(three.contains(voters));
        assert!(three.contains("\nmin.insync.replicas=2\n"));
        assert!(three.contains("\noffsets.topic.replication.factor=3\n"));
        assert!(text(1, Release::Kafka4).contains("\noffsets.topic.replication.factor=1\n"));
    }

    #[test]
    fn kafka_3_is_not_told_of_share_groups() {
        assert!(text(1, Release::Kafka4).contains("share.coordinator"));
        assert!(!text(1, Release::Kafka3).contains("share.coordinator"));
    }

    #[test]
    fn each_setting_stands_on_its_line_once() {
        let text = text(3, Release::Kafka4);
        let mut names: Vec<_> =
            text.lines().filter(|line| !line.starts_with('#')).map(|line| line.split_once('=').unwrap().0).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
