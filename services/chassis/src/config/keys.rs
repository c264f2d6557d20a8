//! The table of settings: every key, what it means; defaults come from the code itself.

use std::fmt::Write as _;

use super::Settings;

/// One setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    pub name: &'static str,
    pub meaning: &'static str,
    /// As it would stand in the file; empty where the setting is absent by default.
    pub default: String,
}

/// The last part of a name that stands for any name.
const ANY: &str = ".*";

/// Names and meanings, in the order of the table. A test holds it equal to the fields of [`Settings`].
const MEANINGS: &[(&str, &str)] = &[
    ("data", "folder of log, tables, keys and sessions"),
    ("roles", "the roles of this process, separated by commas; empty means all"),
    ("partitions", "partitions of each topic that is divided by person; fixed when the folder is made"),
    ("erasure_journal", "file outside every backup in which erasures are written before a key is destroyed"),
    (
        "key_encryption_key_file",
        "file with the key (32 bytes) that wraps all other keys; made in the data folder if absent",
    ),
    ("verdict_timeout_ms", "how long the edge waits for a verdict before it answers 202"),
    ("engine.kind", "embedded (files of the data folder, one process) or distributed (Kafka and CQL)"),
    (
        "engine.kafka.client",
        "rdkafka, or kafka-rust for brokers up to 3.9 (built with its feature; its topics are its own)",
    ),
    (
        "engine.kafka.owned",
        "with kafka-rust: partitions of `person` and `access` that this process works on, separated by commas; empty means all",
    ),
    ("engine.kafka.brokers", "some brokers, `host:port`, separated by commas; the others are learned from these"),
    ("engine.kafka.ca", "file with the authority of the brokers' certificates (PEM)"),
    ("engine.kafka.certificate", "file with this process's certificate for the brokers (PEM)"),
    ("engine.kafka.key", "file with the key of that certificate (PEM)"),
    ("engine.kafka.prefix", "names of topics begin with it"),
    ("engine.kafka.replication", "replicas of each partition; with three, two must have a record before it counts"),
    ("engine.cql.nodes", "some nodes of the database, `host:port`, separated by commas"),
    ("engine.cql.ca", "file with the authority of the nodes' certificates (PEM)"),
    ("engine.cql.certificate", "file with this process's certificate for the nodes (PEM)"),
    ("engine.cql.key", "file with the key of that certificate (PEM)"),
    ("engine.cql.user", "role at the database"),
    ("engine.cql.password_file", "file with the role's password"),
    ("engine.cql.keyspace", "keyspace of the tables; those of keys and erasures are named after it"),
    ("engine.cql.replication", "replicas of each row"),
    ("http.listen", "address and port; port 0 takes a free one"),
    ("http.workers", "threads that answer requests; 0 means one per core"),
    ("http.public_url", "what clients call this server: issuer of tokens, base of links"),
    ("http.keep_alive_s", "how long an idle connection is kept"),
    (
        "http.header_timeout_ms",
        "how long a client may take to send the head of a request, or to finish a TLS handshake",
    ),
    ("http.body_timeout_s", "how long a client may take to send a body"),
    ("http.stop_timeout_s", "how long a stopping server lets running requests finish"),
    ("http.connections_max", "connections per worker"),
    ("tls.certificate", "file with the server's certificate chain (PEM); set it to speak TLS 1.3, only"),
    ("tls.key", "file with the key of the certificate (PEM)"),
    ("tls.client_ca", "file with the authorities of client certificates (PEM)"),
    ("tls.client_certificates", "off, optional or required"),
    ("log.level", "error, warn, info, debug or trace, for our own code; libraries never say more than warnings"),
    ("telemetry.otlp_endpoint", "base URL of an OTLP collector (HTTP, protobuf); traces are sent only if it is set"),
    ("telemetry.sample_ratio", "share of traces that are sent, 0 to 1"),
    ("limits.submission_bytes_max", "largest body, after decompression"),
    ("limits.depth_max", "deepest nesting of JSON"),
    ("limits.disk_free_bytes_min", "below this the edge takes no records"),
    ("limits.requests_per_second_per_client", "requests of one client per second and process; 0 means no limit"),
    ("store.cache_bytes", "cache of the embedded store"),
    ("query.header_cache_bytes", "cache of opened headers of the query role"),
    ("policy.bundle", "file of the signed policy bundle; the one built in if absent"),
    ("policy.public_key_file", "file with the key that verifies the bundle (PEM)"),
    ("jp_rules.*", "one Japanese form rule by its id: on or off"),
];

/// All settings, in the order of the table.
pub fn keys() -> Vec<Key> {
    let defaults = serde_json::to_value(Settings::default()).expect("settings are plain data");
    let default_of = |name: &str| match name.split('.').try_fold(&defaults, |at, part| at.get(part)) {
        None | Some(serde_json::Value::Null) => String::new(),
        Some(serde_json::Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    MEANINGS.iter().map(|&(name, meaning)| Key { name, meaning, default: default_of(name) }).collect()
}

/// Name of a setting in the environment.
pub fn env_name(key: &str) -> String {
    format!("KIROKU__{}", key.replace('.', "__").to_uppercase())
}

/// The table of all settings as Markdown: key, default, environment, meaning.
pub fn table_markdown() -> String {
    let mut out = String::from("| key | default | environment | meaning |\n|---|---|---|---|\n");
    for key in keys() {
        let default = if key.default.is_empty() { String::new() } else { format!("`{}`", key.default) };
        writeln!(out, "| `{}` | {default} | `{}` | {} |", key.name, env_name(key.name), key.meaning)
            .expect("a string takes all");
    }
    out
}

/// Whether `name` is a setting, or lies in a group that takes any name.
pub(super) fn is_known(name: &str) -> bool {
    MEANINGS.iter().any(|(known, _)| match known.strip_suffix(ANY) {
        Some(group) => name.strip_prefix(group).is_some_and(|rest| rest.starts_with('.') && !rest[1..].contains('.')),
        None => *known == name,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves(prefix: &str, value: &serde_json::Value, out: &mut Vec<String>) {
        match value {
            serde_json::Value::Object(fields) if prefix == "jp_rules" => {
                assert!(fields.is_empty());
                out.push("jp_rules.*".into());
            }
            serde_json::Value::Object(fields) => {
                let dot = if prefix.is_empty() { "" } else { "." };
                fields.iter().for_each(|(name, below)| leaves(&format!("{prefix}{dot}{name}"), below, out));
            }
            _ => out.push(prefix.to_owned()),
        }
    }

    #[test]
    fn the_table_names_every_setting_of_the_code_and_no_other() {
        let mut in_code = Vec::new();
        leaves("", &serde_json::to_value(Settings::default()).unwrap(), &mut in_code);
        let mut in_table: Vec<String> = MEANINGS.iter().map(|(name, _)| (*name).to_owned()).collect();
        in_code.sort();
        in_table.sort();
        assert_eq!(in_code, in_table);
        assert!(
            table_markdown()
                .contains("| `limits.submission_bytes_max` | `10485760` | `KIROKU__LIMITS__SUBMISSION_BYTES_MAX` |")
        );
    }

    #[test]
    fn a_group_takes_any_name_one_level_deep() {
        assert!(is_known("jp_rules.r1013") && is_known("http.listen"));
        assert!(!is_known("jp_rules") && !is_known("jp_rules.a.b") && !is_known("http.listne") && !is_known("http"));
    }
}
