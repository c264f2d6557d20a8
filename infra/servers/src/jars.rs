//! The servers' jars, fetched from Maven Central once.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::files;

/// A server in a fixed version. Never a range: one once picked a release whose parts were not all there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Release {
    #[serde(rename = "kafka-4.3.1")]
    Kafka4,
    #[serde(rename = "kafka-3.9.2")]
    Kafka3,
    #[serde(rename = "cassandra-5.0.9")]
    Cassandra5,
}

/// Group, name and version; with what they need in turn.
type Artifact = (&'static str, &'static str, &'static str);

impl Release {
    /// `kafka` or `cassandra`: the first part of its servers' names.
    pub fn product(self) -> &'static str {
        match self {
            Self::Kafka4 | Self::Kafka3 => "kafka",
            Self::Cassandra5 => "cassandra",
        }
    }

    pub fn version(self) -> &'static str {
        match self {
            Self::Kafka4 => "4.3.1",
            Self::Kafka3 => "3.9.2",
            Self::Cassandra5 => "5.0.9",
        }
    }

    /// The server and the logging that it does not bring along.
    fn artifacts(self) -> &'static [Artifact] {
        match self {
            Self::Kafka4 => &[
                ("org.apache.kafka", "kafka_2.13", "4.3.1"),
                ("org.apache.logging.log4j", "log4j-slf4j-impl", "2.25.4"),
            ],
            Self::Kafka3 => &[("org.apache.kafka", "kafka_2.13", "3.9.2"), ("org.slf4j", "slf4j-reload4j", "1.7.36")],
            Self::Cassandra5 => &[("org.apache.cassandra", "cassandra-all", "5.0.9")],
        }
    }

    /// Command line tools of the topics and rights, fetched without what they need: the server has all of it.
    fn tools(self) -> Option<Artifact> {
        (self == Self::Kafka4).then_some(("org.apache.kafka", "kafka-tools", "4.3.1"))
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.product(), self.version())
    }
}

/// The folder that keeps fetched jars, 44 to 67 MB each server.
#[derive(Clone, Debug)]
pub struct Jars {
    folder: PathBuf,
}

impl Default for Jars {
    /// `target/servers` of this workspace.
    fn default() -> Self {
        Self::at(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/servers"))
    }
}

impl Jars {
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// Puts the jars of `release` into a folder and returns it. By links where the file system is the
    /// same. A cluster that runs from its own outlives a `cargo clean`.
    ///
    /// # Errors
    /// As [`Jars::fetch`]; or the folder cannot be written.
    pub(crate) fn link(&self, release: Release, into: &Path) -> Result<PathBuf> {
        let from = self.fetch(release)?;
        if into.exists() {
            // Of a start that failed. Never written over: its files may be the fetched ones.
            std::fs::remove_dir_all(into)?;
        }
        files::create_folder(into)?;
        for entry in std::fs::read_dir(&from).with_context(|| format!("reading `{}`", from.display()))? {
            let jar = entry?.path();
            let to = into.join(jar.file_name().unwrap_or_default());
            if std::fs::hard_link(&jar, &to).is_err() {
                std::fs::copy(&jar, &to).with_context(|| format!("writing `{}`", to.display()))?;
            }
        }
        Ok(into.to_owned())
    }

    /// The folder of the jars of `release`. Uses no network if they are there; else asks `mvn`, which takes half a minute.
    ///
    /// A torn download is never taken for a whole one: the folder gets its name when all is in it. Two processes may fetch at
    /// the same time.
    ///
    /// # Errors
    /// `mvn` is missing or fails: without a network, or because a checksum differs.
    pub fn fetch(&self, release: Release) -> Result<PathBuf> {
        std::fs::create_dir_all(&self.folder).with_context(|| format!("creating `{}`", self.folder.display()))?;
        let base = self.folder.canonicalize()?;
        files::text_of(&base)?;
        let whole = base.join(release.to_string());
        if !whole.exists() {
            let part = base.join(format!("{release}.part-{}", std::process::id()));
            download(release, &part)
                .with_context(|| format!("fetching the jars of {release} into `{}`", base.display()))?;
            let renamed = std::fs::rename(&part, &whole);
            if renamed.is_err() {
                std::fs::remove_dir_all(&part)?;
            }
            ensure!(whole.exists(), "cannot rename `{}`: {renamed:?}", part.display());
        }
        Ok(whole.join("lib"))
    }
}

fn download(release: Release, folder: &Path) -> Result<()> {
    if folder.exists() {
        std::fs::remove_dir_all(folder)?;
    }
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join("pom.xml"), pom(release))?;
    let output = Command::new("mvn")
        // -C: a checksum that differs is an error.
        .args(["-q", "-B", "-ntp", "-C", "-f", "pom.xml"])
        .arg("org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies")
        .args(["-DoutputDirectory=lib", "-DincludeScope=runtime"])
        .current_dir(folder)
        .output()
        .context("cannot run `mvn`: install Maven")?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "`mvn` ended with {}: {}", output.status, said.trim());
    Ok(())
}

fn pom(release: Release) -> String {
    let dependency = |(group, name, version): Artifact, more: &str| {
        format!(
            "<dependency><groupId>{group}</groupId><artifactId>{name}</artifactId><version>{version}</version>{more}</dependency>"
        )
    };
    let alone = "<exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>";
    let servers = release.artifacts().iter().map(|artifact| dependency(*artifact, ""));
    let tools = release.tools().map(|artifact| dependency(artifact, alone));
    format!(
        "<project xmlns=\"http://maven.apache.org/POM/4.0.0\"><modelVersion>4.0.0</modelVersion><groupId>kiroku</groupId>\
         <artifactId>{release}</artifactId><version>1</version><packaging>pom</packaging><dependencies>{}</dependencies></project>\n",
        servers.chain(tools).collect::<String>()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tools_come_without_what_they_need() {
        let text = pom(Release::Kafka4);
        let tools = text.split("<dependency>").find(|part| part.contains("kafka-tools")).unwrap();
        assert!(tools.contains("<version>4.3.1</version><exclusions>"));
        assert_eq!(text.matches("<exclusions>").count(), 1);
        assert!(!pom(Release::Cassandra5).contains("<exclusions>"));
    }
}
