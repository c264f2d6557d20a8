//! The topics: made with the settings that the log's promises need, and checked at each start.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use chassis::ports::log::LogError;
use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::metadata::Metadata;
use schemas::vocab::Topic;

use super::{Config, client, error};

/// How often new topics are looked for.
const POLL: Duration = Duration::from_millis(100);
/// Edges that can wait for verdicts at the same time, each on a partition of its own.
const VERDICT_PARTITIONS: u16 = 64;

/// Probes are forgotten after an hour.
const PROBES_MS: &str = "3600000";

/// Something about a topic that breaks a promise, in words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("topic `{0}` does not exist: run `kiroku topics`")]
    Missing(String),
    #[error("topic `{topic}` has {found} partitions and needs {wanted}")]
    Partitions { topic: String, found: usize, wanted: String },
    #[error("topic `{topic}` has {found} replicas of a partition and needs {wanted}")]
    Replicas { topic: String, found: usize, wanted: u16 },
    #[error("topic `{topic}`: `{setting}` is `{found}` and must be {wanted}: {why}")]
    Setting { topic: String, setting: &'static str, found: String, wanted: String, why: &'static str },
}

/// A setting of a topic, its value, and what breaks without it.
#[derive(Clone)]
struct Setting {
    name: &'static str,
    value: String,
    why: &'static str,
}

/// Replicas that must have a record before it is acknowledged.
fn in_sync_min(config: &Config) -> u16 {
    if config.replication >= 3 { 2 } else { 1 }
}

fn settings(config: &Config) -> [Setting; 7] {
    let time = if config.carrying { "CreateTime" } else { "LogAppendTime" };
    let setting = |name, value: String, why| Setting { name, value, why };
    [
        setting("cleanup.policy", "delete".into(), "compaction would remove records that a rebuild needs"),
        setting("retention.ms", "-1".into(), "tables are rebuilt from the whole log"),
        setting("retention.bytes", "-1".into(), "tables are rebuilt from the whole log"),
        setting("message.timestamp.type", time.into(), "rules read the log's time, never a client's"),
        setting("min.insync.replicas", in_sync_min(config).to_string(), "an acknowledged record survives a broker"),
        setting(
            "unclean.leader.election.enable",
            "false".into(),
            "a replica that lags would lose what was acknowledged",
        ),
        setting("max.message.bytes", client::MESSAGE_MAX.to_string(), "a submission of 10 MiB must fit"),
    ]
}

/// What a probe needs: the broker's time. Nobody reads one.
fn probe_settings() -> [Setting; 2] {
    let setting = |name, value: &str, why| Setting { name, value: value.to_owned(), why };
    [
        setting("message.timestamp.type", "LogAppendTime", "processes hold their clocks against the log's"),
        setting("retention.ms", PROBES_MS, "every process appends a probe every 2 s"),
    ]
}

/// The name of the topic of probes on the brokers.
pub(super) fn probe_name(config: &Config) -> String {
    format!("{}probe", config.prefix)
}

/// The name of a topic on the brokers.
pub(crate) fn name(config: &Config, topic: Topic) -> String {
    format!("{}{}", config.prefix, topic.as_str())
}

fn partitions_wanted(config: &Config, topic: Topic) -> u16 {
    match topic {
        Topic::Person | Topic::Access => config.partitions,
        Topic::Verdict => VERDICT_PARTITIONS,
        Topic::Identity | Topic::Commons | Topic::Authority => 1,
    }
}

fn admin(config: &Config) -> Result<AdminClient<DefaultClientContext>, LogError> {
    client::base(config).create().map_err(error::io)
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(client::ASK)).operation_timeout(Some(client::ASK))
}

/// Makes the topics that are missing, and says what is wrong with those that exist; those are left as they are.
///
/// # Errors
/// `Io` if no broker answers or one refuses to make a topic.
pub async fn create_topics(config: &Config) -> Result<Vec<Fault>, LogError> {
    let faults = check_topics(config).await?;
    let missing: Vec<&String> =
        faults.iter().filter_map(|f| if let Fault::Missing(name) = f { Some(name) } else { None }).collect();
    let settings = settings(config);
    let wanted: Vec<(String, Topic)> = Topic::ALL.iter().map(|t| (name(config, *t), *t)).collect();
    let probe = probe_name(config);
    let probe_settings = probe_settings();
    let new_probe = missing.contains(&&probe).then(|| {
        let new = NewTopic::new(&probe, 1, TopicReplication::Fixed(i32::from(config.replication)));
        probe_settings.iter().fold(new, |new, setting| new.set(setting.name, &setting.value))
    });
    let new: Vec<NewTopic<'_>> = wanted
        .iter()
        .filter(|(name, _)| missing.contains(&name))
        .map(|(name, topic)| {
            let replication = TopicReplication::Fixed(i32::from(config.replication));
            let new = NewTopic::new(name, i32::from(partitions_wanted(config, *topic)), replication);
            settings.iter().fold(new, |new, setting| new.set(setting.name, &setting.value))
        })
        .chain(new_probe)
        .collect();
    if !new.is_empty() {
        let started = Instant::now();
        for made in admin(config)?.create_topics(&new, &options()).await.map_err(error::io)? {
            match made {
                // Another node was faster.
                Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((topic, code)) => {
                    let text = format!("Kafka refused to make topic `{topic}`: {code}");
                    return Err(std::io::Error::other(text).into());
                }
            }
        }
        // The brokers tell one another a little later.
        while check_topics(config).await?.iter().any(|fault| matches!(fault, Fault::Missing(_))) {
            if started.elapsed() > client::ASK {
                return Err(std::io::Error::other("Kafka: new topics did not appear in time").into());
            }
            tokio::time::sleep(POLL).await;
        }
    }
    Ok(faults.into_iter().filter(|fault| !matches!(fault, Fault::Missing(_))).collect())
}

/// Gives all topics the settings that they must have.
pub(super) async fn set_topics(config: &Config) -> Result<(), LogError> {
    let settings = settings(config);
    let names: Vec<String> = Topic::ALL.iter().map(|topic| name(config, *topic)).collect();
    let changes: Vec<AlterConfig<'_>> = names
        .iter()
        .map(|name| {
            let change = AlterConfig::new(ResourceSpecifier::Topic(name));
            settings.iter().fold(change, |change, setting| change.set(setting.name, &setting.value))
        })
        .collect();
    for done in admin(config)?.alter_configs(&changes, &options()).await.map_err(error::io)? {
        done.map_err(|(_, code)| std::io::Error::other(format!("Kafka: settings of a topic: {code}")))?;
    }
    let started = Instant::now();
    while let Some(fault) = check_topics(config).await?.first() {
        if started.elapsed() > client::ASK {
            return Err(std::io::Error::other(fault.to_string()).into());
        }
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}

/// What about the topics breaks a promise; empty if all is well.
///
/// # Errors
/// `Io` if no broker answers.
pub async fn check_topics(config: &Config) -> Result<Vec<Fault>, LogError> {
    let metadata = metadata(config).await?;
    let mut faults = Vec::new();
    let mut present = Vec::new();
    for topic in Topic::ALL {
        let name = name(config, *topic);
        match metadata.topics().iter().find(|t| t.name() == name && !t.partitions().is_empty()) {
            Some(found) => {
                faults.extend(check_layout(config, *topic, found));
                present.push(name);
            }
            None => faults.push(Fault::Missing(name)),
        }
    }
    let probe = probe_name(config);
    match metadata.topics().iter().any(|t| t.name() == probe && !t.partitions().is_empty()) {
        true => present.push(probe.clone()),
        false => faults.push(Fault::Missing(probe.clone())),
    }
    let resources: Vec<_> = present.iter().map(|name| ResourceSpecifier::Topic(name)).collect();
    if !resources.is_empty() {
        let described = admin(config)?.describe_configs(&resources, &options()).await.map_err(error::io)?;
        for (topic, described) in present.iter().zip(described) {
            let described =
                described.map_err(|code| std::io::Error::other(format!("Kafka: topic `{topic}`: {code}")))?;
            let wanted = if *topic == probe { probe_settings().to_vec() } else { settings(config).to_vec() };
            faults.extend(check_settings(&wanted, topic, &described));
        }
    }
    Ok(faults)
}

fn check_layout(config: &Config, topic: Topic, found: &rdkafka::metadata::MetadataTopic) -> Vec<Fault> {
    let mut faults = Vec::new();
    let (count, wanted) = (found.partitions().len(), partitions_wanted(config, topic));
    let fits = match topic {
        // Fixed when the topics were made; `kiroku copy` moves a log to another number.
        Topic::Person | Topic::Access => count <= usize::from(schemas::ids::SHARDS),
        _ => count == usize::from(wanted),
    };
    if !fits {
        let wanted = match topic {
            Topic::Person | Topic::Access => format!("at most {}", schemas::ids::SHARDS),
            _ => wanted.to_string(),
        };
        faults.push(Fault::Partitions { topic: found.name().to_owned(), found: count, wanted });
    }
    let replicas = found.partitions().iter().map(|p| p.replicas().len()).min().unwrap_or(0);
    if replicas < usize::from(config.replication) {
        faults.push(Fault::Replicas { topic: found.name().to_owned(), found: replicas, wanted: config.replication });
    }
    faults
}

fn check_settings(wanted: &[Setting], topic: &str, found: &rdkafka::admin::ConfigResource) -> Vec<Fault> {
    let value = |name: &str| found.get(name).and_then(|entry| entry.value.clone()).unwrap_or_default();
    let at_least = ["min.insync.replicas", "max.message.bytes"];
    let wrong = |setting: &Setting| {
        let found = value(setting.name);
        let number = |text: &str| text.parse::<i64>().ok();
        let is_right = match at_least.contains(&setting.name) {
            true => number(&found) >= number(&setting.value),
            false => found == setting.value,
        };
        (!is_right).then(|| Fault::Setting {
            topic: topic.to_owned(),
            setting: setting.name,
            found,
            wanted: setting.value.clone(),
            why: setting.why,
        })
    };
    wanted.iter().filter_map(wrong).collect()
}

/// Partitions of each topic.
pub(crate) async fn counts(config: &Config) -> Result<HashMap<Topic, u16>, LogError> {
    let metadata = metadata(config).await?;
    let count = |topic: &Topic| {
        let name = name(config, *topic);
        let found = metadata.topics().iter().find(|t| t.name() == name).map_or(0, |t| t.partitions().len());
        (*topic, u16::try_from(found).unwrap_or(u16::MAX))
    };
    Ok(Topic::ALL.iter().map(count).collect())
}

async fn metadata(config: &Config) -> Result<Metadata, LogError> {
    let admin = admin(config)?;
    let asked = tokio::task::spawn_blocking(move || admin.inner().fetch_metadata(None, client::ASK)).await;
    asked.map_err(std::io::Error::other)?.map_err(error::io)
}
