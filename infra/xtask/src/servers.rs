//! Real Kafka and Cassandra on this machine, for tests and for development.

use std::path::PathBuf;

use anyhow::Result;
use clap::ValueEnum;
use servers::{Cluster, Jars, KafkaPlan, KafkaVersion, Nodes, Plan, State};

/// `xtask up --folder DIR`
#[derive(clap::Args)]
pub(crate) struct Up {
    /// Holds data, logs, certificates and `engines.toml`; one that was used before keeps its data
    #[arg(long)]
    folder: PathBuf,
    /// Version of Kafka: 4 is what is run, 3 is for the client kafka-rust
    #[arg(long, value_enum, default_value = "4")]
    kafka: Kafka,
    /// Nodes of Kafka: 1 or 3
    #[arg(long, default_value_t = 1)]
    kafka_nodes: usize,
    /// Nodes of Cassandra: 0 (none), 1 or 3
    #[arg(long, default_value_t = 1)]
    cassandra_nodes: usize,
}

#[derive(Clone, Copy, ValueEnum)]
enum Kafka {
    #[value(name = "4")]
    V4,
    #[value(name = "3")]
    V3,
    None,
}

/// `xtask down --folder DIR`
#[derive(clap::Args)]
pub(crate) struct Down {
    /// The folder that was given to `up`
    #[arg(long)]
    folder: PathBuf,
}

/// Starts the servers and leaves them running.
#[expect(clippy::print_stdout, reason = "the command line speaks to its user")]
pub(crate) fn up(args: Up) -> Result<()> {
    let version = match args.kafka {
        Kafka::V4 => Some(KafkaVersion::V4),
        Kafka::V3 => Some(KafkaVersion::V3),
        Kafka::None => None,
    };
    let kafka =
        version.map(|version| Ok::<_, anyhow::Error>(KafkaPlan { version, nodes: args.kafka_nodes.try_into()? }));
    let cassandra = (args.cassandra_nodes > 0).then(|| Nodes::try_from(args.cassandra_nodes));
    let plan = Plan {
        folder: args.folder,
        kafka: kafka.transpose()?,
        cassandra: cassandra.transpose()?,
        jars: Jars::default(),
    };
    let cluster = Cluster::start(&plan)?;
    for server in cluster.servers() {
        let seconds = server.ready_after.unwrap_or_default().as_secs_f32();
        println!("{} ({}) listens on {}, ready after {seconds:.1} s.", server.name, server.release, server.address);
    }
    println!("How to reach them stands in {}.", cluster.folder().join("engines.toml").display());
    cluster.leave_running();
    Ok(())
}

/// Ends the servers that `up` has started.
#[expect(clippy::print_stdout, reason = "the command line speaks to its user")]
pub(crate) fn down(args: &Down) -> Result<()> {
    let cluster = Cluster::open(&args.folder)?;
    let running = cluster.servers().iter().filter(|server| server.state() != State::Gone).count();
    cluster.stop()?;
    println!("{running} servers were running and have ended.");
    Ok(())
}
