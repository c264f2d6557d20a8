//! Syncs what a flush or a compaction writes while it is written.
//!
//! The engine writes a table of 64 MB as fast as memory takes it and syncs it at its end; for as long as that takes, a tenth of a
//! second, no sync of the log returns, and nobody is answered. In pieces of a few megabytes each, those who wait get their turn.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// The newest file of each folder of tables, and how long it was when it was last synced.
pub(crate) struct Growing(Vec<(PathBuf, PathBuf, u64)>);

impl Growing {
    /// The folders of all keyspaces in the engine's folder.
    pub(crate) fn below(folder: &Path) -> io::Result<Self> {
        let mut folders = Vec::new();
        for keyspace in std::fs::read_dir(folder.join("keyspaces"))? {
            let keyspace = keyspace?.path();
            folders.extend(["tables", "blobs"].map(|kind| (keyspace.join(kind), PathBuf::new(), 0)));
        }
        Ok(Self(folders))
    }

    /// Syncs the files that have grown; true if there are any. An error is left to the engine: it syncs each file again.
    pub(crate) fn sync(&mut self) -> bool {
        let mut any = false;
        for (folder, last, synced) in &mut self.0 {
            let Ok(Some(path)) = newest(folder, "") else { continue };
            let Ok(file) = File::open(&path) else { continue };
            let length = file.metadata().map_or(0, |m| m.len());
            if (&path, length) != (&*last, *synced) {
                any |= file.sync_data().is_ok();
                (*last, *synced) = (path, length);
            }
        }
        any
    }
}

/// The file with the largest number before `suffix` for its name: the engine numbers its files.
pub(crate) fn newest(folder: &Path, suffix: &str) -> io::Result<Option<PathBuf>> {
    let mut newest: Option<(u64, PathBuf)> = None;
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let number = path.file_name().and_then(|n| n.to_str()).and_then(|n| n.strip_suffix(suffix));
        if let Some(number) = number.and_then(|n| n.parse::<u64>().ok())
            && newest.as_ref().is_none_or(|(n, _)| *n < number)
        {
            newest = Some((number, path));
        }
    }
    Ok(newest.map(|(_, path)| path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_file_of_each_folder_is_synced_once_for_each_growth() {
        let folder = tempfile::tempdir().unwrap();
        let tables = folder.path().join("keyspaces/0/tables");
        std::fs::create_dir_all(&tables).unwrap();
        let mut growing = Growing::below(folder.path()).unwrap();
        assert!(!growing.sync(), "there is nothing yet");
        std::fs::write(tables.join("9"), "a").unwrap();
        std::fs::write(tables.join("10"), "b").unwrap();
        assert_eq!(newest(&tables, "").unwrap(), Some(tables.join("10")));
        assert!(growing.sync() && !growing.sync());
        std::fs::write(tables.join("9"), "longer").unwrap();
        assert!(!growing.sync(), "an older file is finished");
        std::fs::write(tables.join("10"), "longer").unwrap();
        assert!(growing.sync() && !growing.sync());
    }
}
