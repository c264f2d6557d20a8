//! The commands beside `serve`: what an operator does to a data folder, and what fills it.

pub mod backup;
pub mod check;
pub mod copy;
pub mod load;
pub(crate) mod manual;
pub mod rebuild;
pub mod registry;
pub mod restore;
mod say;
mod tables;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use chassis::config::{EngineKind, Settings};
use engines::embedded::{self, Embedded, EngineError};

use crate::engine::Engine;

pub(crate) use say::{Bar, print, print_json, warn};

/// Opens what the settings name; a data folder as [`open_folder`] does.
pub async fn open_engine(settings: &Settings, make: bool) -> Result<Engine> {
    match settings.engine.kind {
        EngineKind::Embedded => Ok(Engine::embedded(open_folder(settings, make)?)),
        EngineKind::Distributed => Engine::open(settings).await,
    }
}

/// Opens the data folder of the settings. A folder that does not exist is made only if `make` says so: a misspelt path must
/// not look like an empty registry.
pub fn open_folder(settings: &Settings, make: bool) -> Result<Arc<Embedded>> {
    if settings.engine.kind == EngineKind::Distributed {
        bail!(
            "this command works on a data folder, and the settings name the distributed engine: `kiroku copy` makes a folder out of it"
        );
    }
    let data = &settings.data;
    if !make && !data.join("format").exists() {
        bail!("`{}` is no data folder of kiroku (it holds no file `format`); name one with --data", data.display());
    }
    match embedded::open(&crate::engine::embedded_config(settings)) {
        Ok(engine) => Ok(Arc::new(engine)),
        Err(EngineError::Locked(path)) => Err(locked(&path)),
        Err(error) => Err(error).with_context(|| format!("opening the data folder `{}`", data.display())),
    }
}

fn locked(path: &std::path::Path) -> anyhow::Error {
    let path = path.display();
    anyhow::anyhow!(
        "the data folder `{path}` is in use by a running server (or another command); stop it first, for one process at a time may open it"
    )
}

/// `--data` as a setting that overrides file and environment.
pub(crate) fn data_flag(data: Option<&PathBuf>) -> Option<(String, String)> {
    data.map(|data| ("data".to_owned(), data.display().to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_in_use_and_a_folder_that_is_none_are_told_apart() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let settings = Settings { data: folder.path().join("data"), ..Settings::default() };
        let text = |result: Result<Arc<Embedded>>| result.err().map(|e| e.to_string()).unwrap_or_default();
        assert!(text(open_folder(&settings, false)).contains("is no data folder"));
        let first = open_folder(&settings, true).expect("a fresh folder opens");
        assert!(text(open_folder(&settings, false)).contains("in use by a running server"));
        drop(first);
        assert!(open_folder(&settings, false).is_ok());
    }
}
