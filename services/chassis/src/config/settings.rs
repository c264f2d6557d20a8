//! The settings themselves; their meanings stand in `keys.rs`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::ConfigError;
use super::engine::{EngineKind, EngineSettings};
use super::words::words;

/// All settings of one process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    pub data: PathBuf,
    #[serde(deserialize_with = "words")]
    pub roles: Vec<Role>,
    pub partitions: u16,
    pub erasure_journal: Option<PathBuf>,
    pub key_encryption_key_file: Option<PathBuf>,
    pub verdict_timeout_ms: u64,
    pub engine: EngineSettings,
    pub http: HttpSettings,
    pub tls: TlsSettings,
    pub log: LogSettings,
    pub telemetry: TelemetrySettings,
    pub limits: LimitSettings,
    pub store: StoreSettings,
    pub query: QuerySettings,
    pub policy: PolicySettings,
    /// Rule id and `off`, `warning` or `error`; read by those who own the rules.
    pub jp_rules: BTreeMap<String, String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            data: "kiroku-data".into(),
            roles: Vec::new(),
            partitions: 2,
            erasure_journal: None,
            key_encryption_key_file: None,
            verdict_timeout_ms: 10_000,
            engine: EngineSettings::default(),
            http: HttpSettings::default(),
            tls: TlsSettings::default(),
            log: LogSettings::default(),
            telemetry: TelemetrySettings::default(),
            limits: LimitSettings::default(),
            store: StoreSettings::default(),
            query: QuerySettings::default(),
            policy: PolicySettings::default(),
            jp_rules: BTreeMap::new(),
        }
    }
}

impl Settings {
    /// Whether this process has `role`.
    pub fn has(&self, role: Role) -> bool {
        self.roles.is_empty() || self.roles.contains(&role)
    }

    /// What clients call this server, without a slash at the end; `bound` is the address that it listens on.
    pub fn public_url(&self, bound: SocketAddr) -> String {
        let scheme = if self.tls.certificate.is_some() { "https" } else { "http" };
        let url = self.http.public_url.clone().unwrap_or_else(|| format!("{scheme}://{bound}"));
        url.trim_end_matches('/').to_owned()
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let refuse = |key, reason| Err(ConfigError::Invalid { key, reason });
        if !(0.0..=1.0).contains(&self.telemetry.sample_ratio) {
            return refuse("telemetry.sample_ratio", "must lie between 0 and 1");
        }
        if !["error", "warn", "info", "debug", "trace"].contains(&self.log.level.as_str()) {
            return refuse("log.level", "must be error, warn, info, debug or trace");
        }
        if self.partitions == 0 || self.partitions > schemas::ids::SHARDS {
            return refuse("partitions", "must lie between 1 and the number of shards, 4096");
        }
        if self.tls.certificate.is_some() != self.tls.key.is_some() {
            return refuse("tls.key", "must be set together with `tls.certificate`");
        }
        if self.tls.client_certificates != ClientCertificates::Off {
            if self.tls.certificate.is_none() {
                return refuse("tls.certificate", "must be set when client certificates are asked for");
            }
            if self.tls.client_ca.is_none() {
                return refuse("tls.client_ca", "must be set when client certificates are asked for");
            }
        }
        if self.engine.kind == EngineKind::Distributed {
            if self.engine.kafka.brokers.is_empty() {
                return refuse("engine.kafka.brokers", "must name at least one broker for the distributed engine");
            }
            if self.engine.cql.nodes.is_empty() {
                return refuse("engine.cql.nodes", "must name at least one node for the distributed engine");
            }
        }
        if self.http.connections_max == 0 {
            return refuse("http.connections_max", "must be at least 1");
        }
        Ok(())
    }
}

/// A role that a process may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    Edge,
    Projector,
    Query,
    Ledger,
}

/// How to listen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpSettings {
    pub listen: String,
    /// 0: one per core.
    pub workers: usize,
    pub public_url: Option<String>,
    pub keep_alive_s: u64,
    pub header_timeout_ms: u64,
    pub body_timeout_s: u64,
    pub stop_timeout_s: u64,
    /// Per worker.
    pub connections_max: usize,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8080".into(),
            workers: 0,
            public_url: None,
            keep_alive_s: 75,
            header_timeout_ms: 5_000,
            body_timeout_s: 30,
            stop_timeout_s: 7,
            connections_max: 10_000,
        }
    }
}

/// Whether a client shows a certificate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientCertificates {
    #[default]
    Off,
    /// Asked for; if shown it must come from an authority of `tls.client_ca`.
    Optional,
    Required,
}

/// TLS 1.3; off while `certificate` is absent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TlsSettings {
    pub certificate: Option<PathBuf>,
    pub key: Option<PathBuf>,
    pub client_ca: Option<PathBuf>,
    pub client_certificates: ClientCertificates,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogSettings {
    pub level: String,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self { level: "info".into() }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TelemetrySettings {
    pub otlp_endpoint: Option<String>,
    pub sample_ratio: f64,
}

impl Default for TelemetrySettings {
    fn default() -> Self {
        Self { otlp_endpoint: None, sample_ratio: 0.01 }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitSettings {
    pub submission_bytes_max: usize,
    pub depth_max: usize,
    pub disk_free_bytes_min: u64,
    /// 0: no limit.
    pub requests_per_second_per_client: u32,
}

impl Default for LimitSettings {
    fn default() -> Self {
        Self {
            submission_bytes_max: 10 * 1024 * 1024,
            depth_max: 64,
            disk_free_bytes_min: 1024 * 1024 * 1024,
            requests_per_second_per_client: 0,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreSettings {
    pub cache_bytes: u64,
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self { cache_bytes: 384 * 1024 * 1024 }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QuerySettings {
    pub header_cache_bytes: u64,
}

impl Default for QuerySettings {
    fn default() -> Self {
        Self { header_cache_bytes: 64 * 1024 * 1024 }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PolicySettings {
    pub bundle: Option<PathBuf>,
    pub public_key_file: Option<PathBuf>,
}
