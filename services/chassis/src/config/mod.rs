//! Settings: defaults, then a TOML file, then the environment (`KIROKU__HTTP__LISTEN`), then flags. A key that nobody knows
//! is an error that names it. The table of all keys is generated from this module ([`table_markdown`]).

mod engine;
mod keys;
mod settings;
mod words;

pub use engine::{CqlSettings, EngineKind, EngineSettings, KafkaClient, KafkaSettings};
pub use keys::{Key, env_name, keys, table_markdown};
pub use settings::{
    ClientCertificates, HttpSettings, LimitSettings, LogSettings, PolicySettings, QuerySettings, Role, Settings,
    StoreSettings, TelemetrySettings, TlsSettings,
};

use std::path::{Path, PathBuf};

use ::config::{Config, Environment, File, FileFormat, Source, Value, ValueKind};

/// Names the settings file where the flag `--config` does not.
pub const FILE_VARIABLE: &str = "KIROKU_CONFIG";

/// Settings cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("unknown key `{key}` in {origin}; `kiroku settings` lists them")]
    UnknownKey { key: String, origin: String },
    #[error("the settings in {origin} cannot be read")]
    Unreadable { origin: String, source: ::config::ConfigError },
    #[error("a setting has a wrong value")]
    Value(#[source] ::config::ConfigError),
    #[error("`{key}` {reason}")]
    Invalid { key: &'static str, reason: &'static str },
}

/// Where settings come from, weakest first: the file, the environment, the flags.
#[derive(Debug, Default, Clone)]
pub struct Sources {
    /// The file of `--config`; where absent, the one that `KIROKU_CONFIG` names in `environment`.
    pub file: Option<PathBuf>,
    /// Names and values; others than `KIROKU__...` and `KIROKU_CONFIG` are passed over.
    pub environment: Vec<(String, String)>,
    /// Keys of the table and their values, as flags give them.
    pub flags: Vec<(String, String)>,
}

impl Sources {
    /// The environment of this process, a file and flags.
    pub fn of_process(file: Option<PathBuf>, flags: Vec<(String, String)>) -> Self {
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, _)| name.starts_with("KIROKU"))
            .collect();
        Self { file, environment, flags }
    }

    fn file(&self) -> Option<PathBuf> {
        let named = || self.environment.iter().find(|(name, _)| name == FILE_VARIABLE).map(|(_, path)| path.into());
        self.file.clone().or_else(named)
    }
}

/// Loads and checks settings.
pub fn load(sources: &Sources) -> Result<Settings, ConfigError> {
    let mut builder = Config::builder();
    if let Some(path) = sources.file() {
        let origin = origin_of(&path);
        let file = File::from(path.as_path()).format(FileFormat::Toml);
        refuse_unknown(&file, &origin)?;
        builder = builder.add_source(file);
    }
    let environment = Environment::with_prefix("KIROKU")
        .prefix_separator("__")
        .separator("__")
        .source(Some(sources.environment.iter().cloned().collect()));
    refuse_unknown(&environment, "the environment")?;
    builder = builder.add_source(environment);
    for (key, value) in &sources.flags {
        if !keys::is_known(key) {
            return Err(ConfigError::UnknownKey { key: key.clone(), origin: "the flags".into() });
        }
        builder = builder.set_override(key, value.as_str()).map_err(ConfigError::Value)?;
    }
    let settings: Settings = builder.build().and_then(Config::try_deserialize).map_err(ConfigError::Value)?;
    settings.check()?;
    Ok(settings)
}

fn origin_of(path: &Path) -> String {
    format!("`{}`", path.display())
}

fn refuse_unknown(source: &dyn Source, origin: &str) -> Result<(), ConfigError> {
    let unreadable = |source| ConfigError::Unreadable { origin: origin.to_owned(), source };
    for (key, value) in source.collect().map_err(unreadable)? {
        refuse_unknown_below(&key, &value, origin)?;
    }
    Ok(())
}

fn refuse_unknown_below(key: &str, value: &Value, origin: &str) -> Result<(), ConfigError> {
    match &value.kind {
        ValueKind::Table(table) if !keys::is_known(key) => {
            table.iter().try_for_each(|(name, below)| refuse_unknown_below(&format!("{key}.{name}"), below, origin))
        }
        _ if keys::is_known(key) => Ok(()),
        _ => Err(ConfigError::UnknownKey { key: key.to_owned(), origin: origin.to_owned() }),
    }
}
