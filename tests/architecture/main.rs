//! Architecture and tidiness as tests: arrows between crates, what each role may touch, sizes of files.

mod arrows;
mod declassified;
mod doors;
mod formats;
mod infra;
mod tidy;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Root of the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every Rust file below the folders, as (path from the root, text).
pub(crate) fn sources(folders: &[&str]) -> Result<Vec<(String, String)>> {
    let mut files = Vec::new();
    for folder in folders {
        walk(&root().join(folder), &mut files).with_context(|| (*folder).to_owned())?;
    }
    files.sort();
    Ok(files)
}

fn walk(folder: &Path, files: &mut Vec<(String, String)>) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        if path.is_dir() && !matches!(name, "target" | ".git" | "node_modules") {
            walk(&path, files)?;
        } else if path.extension().is_some_and(|e| e == "rs") {
            let from_root = path.strip_prefix(root())?.display().to_string();
            files.push((from_root, std::fs::read_to_string(&path)?));
        }
    }
    Ok(())
}

/// A file without its comments and without what stands in `#[cfg(test)] mod tests {`.
pub(crate) fn code_of(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}
