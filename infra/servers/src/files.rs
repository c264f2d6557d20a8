//! Small writes with an error that names the file, and the paths that may stand in settings.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result, ensure};

/// A path as text for settings. They have four syntaxes (properties, YAML, XML, Java's argument file), so a path that would
/// need quoting in any of them is refused.
pub(crate) fn text_of(path: &Path) -> Result<&str> {
    let text = path.to_str().unwrap_or_default();
    let plain = !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "/._-+".contains(c));
    ensure!(
        plain,
        "`{}` cannot stand in the servers' settings: choose a folder of ASCII letters, digits and `/._-+`",
        path.display()
    );
    Ok(text)
}

pub(crate) fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).with_context(|| format!("writing `{}`", path.display()))
}

/// For private keys: nobody else reads them, and none is overwritten.
pub(crate) fn write_secret(path: &Path, bytes: &[u8]) -> Result<()> {
    let opened = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    opened.and_then(|mut file| file.write_all(bytes)).with_context(|| format!("writing `{}`", path.display()))
}

pub(crate) fn create_folder(path: &Path) -> Result<()> {
    std::fs::create_dir_all(path).with_context(|| format!("creating `{}`", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_needs_quoting_is_refused() {
        assert_eq!(text_of(Path::new("/tmp/k-1/a_b.c+d")).unwrap(), "/tmp/k-1/a_b.c+d");
        for path in ["", "/tmp/a b", "/tmp/a\"b", "/tmp/a:b", "/tmp/a*", "/tmp/a#b", "/tmp/\u{8a18}\u{9332}"] {
            assert!(text_of(Path::new(path)).is_err(), "`{path}`");
        }
    }
}
