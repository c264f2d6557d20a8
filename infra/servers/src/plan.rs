//! What is to be started.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use crate::jars::{Jars, Release};

/// A folder and the servers that run in it. All of them speak TLS and ask for a client's certificate.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Holds data, settings, certificates and logs. A new one, or one of an earlier start with the same servers: their data
    /// and addresses are then kept.
    pub folder: PathBuf,
    pub kafka: Option<KafkaPlan>,
    pub cassandra: Option<Nodes>,
    pub jars: Jars,
}

#[derive(Clone, Copy, Debug)]
pub struct KafkaPlan {
    pub version: KafkaVersion,
    pub nodes: Nodes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KafkaVersion {
    /// 4.3.1, what is run
    V4,
    /// 3.9.2, the last that the client kafka-rust understands
    V3,
}

/// How many nodes; data is replicated to all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nodes {
    One,
    Three,
}

impl Nodes {
    pub fn count(self) -> usize {
        match self {
            Self::One => 1,
            Self::Three => 3,
        }
    }
}

impl TryFrom<usize> for Nodes {
    type Error = anyhow::Error;

    fn try_from(count: usize) -> anyhow::Result<Self> {
        match count {
            1 => Ok(Self::One),
            3 => Ok(Self::Three),
            _ => anyhow::bail!("`{count}` nodes are not provided for: choose 1 or 3"),
        }
    }
}

impl KafkaVersion {
    pub(crate) fn release(self) -> Release {
        match self {
            Self::V4 => Release::Kafka4,
            Self::V3 => Release::Kafka3,
        }
    }
}

impl Plan {
    /// Release and number (from 1) of each node, in the order of their start.
    pub(crate) fn members(&self) -> Vec<(Release, u8)> {
        let kafka = self.kafka.map(|kafka| (kafka.version.release(), kafka.nodes));
        let cassandra = self.cassandra.map(|nodes| (Release::Cassandra5, nodes));
        let products = kafka.into_iter().chain(cassandra);
        products.flat_map(|(release, nodes)| (1..=nodes.count() as u8).map(move |node| (release, node))).collect()
    }
}

/// Kafka's nodes differ by port; Cassandra's share their ports, so each has an address of its own.
pub(crate) fn ip(release: Release, node: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 0, if release == Release::Cassandra5 { node } else { 1 })
}
