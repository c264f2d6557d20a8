//! The Java that runs the servers.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::files;

/// `java` of `JAVA_HOME`, or of the path.
pub(crate) fn program() -> PathBuf {
    std::env::var_os("JAVA_HOME").map_or_else(|| "java".into(), |home| Path::new(&home).join("bin/java"))
}

/// Writes a file that `java @FILE` reads: options, class path, main class and its arguments. Without an interpreter between us
/// and the server, and the path of the file is how its process is recognised.
pub(crate) fn write_arguments(path: &Path, options: &[String], class_path: &str, main: &[&str]) -> Result<()> {
    let mut lines: Vec<&str> = options.iter().map(String::as_str).collect();
    lines.extend(["-cp", class_path]);
    lines.extend(main);
    files::write(path, &(lines.join("\n") + "\n"))
}

/// What every server gets. Native libraries are unpacked into a folder of its own, for a killed process leaves them behind.
pub(crate) fn common_options(folder: &str, heap_mib: u32) -> Vec<String> {
    vec![
        format!("-Xms{}m", heap_mib.min(128)),
        format!("-Xmx{heap_mib}m"),
        "-XX:+ExitOnOutOfMemoryError".to_owned(),
        "-XX:-UsePerfData".to_owned(),
        format!("-Djava.io.tmpdir={folder}/tmp"),
    ]
}
