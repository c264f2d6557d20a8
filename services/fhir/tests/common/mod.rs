//! Example data made by others, read from where it lies (`../shared/data`), never copied.

use std::path::{Path, PathBuf};

/// The shared folder, or `None` with a word where it is absent.
pub(crate) fn shared() -> Option<PathBuf> {
    let given = std::env::var_os("KIROKU_SHARED").map(PathBuf::from);
    let folder = given.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared")).join("data");
    if folder.is_dir() {
        return Some(folder);
    }
    note(&format!("skipped: no example data in {}", folder.display()));
    None
}

/// A line for whoever reads the test's output.
pub(crate) fn note(text: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// The JSON files below a folder, in the order of their paths.
pub(crate) fn json_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next).expect("the folder is readable").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "json") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}
