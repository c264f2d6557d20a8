//! Kafka: files of a node before its first start.

mod probe;
mod settings;

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

pub(crate) use probe::ask;
pub(crate) use settings::{Node, Voter};

use crate::jars::Release;
use crate::{files, java};

/// Writes settings and argument file into `folder` and gives the data folder its form.
pub(crate) fn prepare(node: &Node<'_>, release: Release, folder: &Path, lib: &str, cluster_id: &str) -> Result<()> {
    let properties = folder.join("server.properties");
    let logging = folder.join("log4j.properties");
    files::write(&properties, &settings::properties(node, release))?;
    let heap_mib = if node.voters.len() > 1 { 384 } else { 512 };
    let mut options = java::common_options(node.folder, heap_mib);
    options.extend(["-XX:+UseSerialGC".to_owned(), format!("-Dkafka.logs.dir={}", node.folder)]);
    if release == Release::Kafka3 {
        // Without a file it logs nothing.
        files::write(&logging, LOG4J)?;
        options.push(format!("-Dlog4j.configuration=file:{}", files::text_of(&logging)?));
    } else {
        options.push("-Dorg.apache.logging.log4j.level=INFO".to_owned());
    }
    let (properties, class_path) = (files::text_of(&properties)?, format!("{lib}/*"));
    java::write_arguments(&folder.join("java.args"), &options, &class_path, &["kafka.Kafka", properties])?;
    let mut format = Command::new(java::program());
    format.args(["-cp", &class_path, "kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", properties]);
    let output = format.output().context("cannot run `java`: install Java 17")?;
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "formatting `{}` failed: {}", folder.display(), said.trim());
    Ok(())
}

/// 16 random bytes in Base64 as Kafka writes them. The first is small, so that the text cannot begin with a dash.
pub(crate) fn random_cluster_id() -> Result<String> {
    let mut bytes = [0; 16];
    openssl::rand::rand_bytes(&mut bytes)?;
    bytes[0] &= 0x7f;
    let text = openssl::base64::encode_block(&bytes);
    Ok(text.trim_end_matches('=').replace('+', "-").replace('/', "_"))
}

const LOG4J: &str = "\
log4j.rootLogger=INFO, stdout
log4j.appender.stdout=org.apache.log4j.ConsoleAppender
log4j.appender.stdout.layout=org.apache.log4j.PatternLayout
log4j.appender.stdout.layout.ConversionPattern=[%d] %p %m (%c)%n
";
