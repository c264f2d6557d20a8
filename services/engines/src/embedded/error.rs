//! What can go wrong when the data folder is opened, tested or copied.

use std::io;
use std::path::{Path, PathBuf};

use chassis::ports::keys::KeysError;
use chassis::ports::store::StoreError;

/// Errors name files and positions, never what lies in them.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    #[error("input or output at `{}` failed: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("`{}` is in use by another process", .0.display())]
    Locked(PathBuf),
    /// Acknowledged data does not read. Nothing was changed.
    #[error("segment {segment} of the log is damaged at byte {position}: {what}")]
    DamagedLog { segment: u32, position: u64, what: String },
    #[error("`{}` is damaged: {what}", path.display())]
    Damaged { path: PathBuf, what: String },
    #[error("`{}` was written by a newer program: {what}", path.display())]
    Newer { path: PathBuf, what: String },
    #[error(transparent)]
    Keys(#[from] KeysError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Adds the path to an error of input or output.
pub(crate) trait At<T> {
    fn at(self, path: &Path) -> Result<T, EngineError>;
}

impl<T> At<T> for io::Result<T> {
    fn at(self, path: &Path) -> Result<T, EngineError> {
        self.map_err(|source| EngineError::Io { path: path.to_owned(), source })
    }
}
