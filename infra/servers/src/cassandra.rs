//! Cassandra: files of a node before its first start.

mod probe;
mod settings;

use std::path::Path;

use anyhow::Result;

pub(crate) use probe::{Level, ask};
pub(crate) use settings::Node;

use crate::{files, java};

/// The superuser that Cassandra makes by itself.
pub(crate) const USER: &str = "cassandra";
pub(crate) const PASSWORD: &str = "cassandra";

/// With 512 a node ended under 16 writers of 8 MiB values; with this it bore 8 writers of 15 MiB.
const HEAP_MIB: u32 = 768;

/// Without these Cassandra does not start on Java 17.
const EXPORTS: [&str; 9] = [
    "java.base/jdk.internal.misc",
    "java.base/java.lang.ref",
    "java.management.rmi/com.sun.jmx.remote.internal.rmi",
    "java.rmi/sun.rmi.registry",
    "java.rmi/sun.rmi.server",
    "java.sql/java.sql",
    "jdk.unsupported/sun.misc",
    "jdk.compiler/com.sun.tools.javac.file",
    "jdk.attach/sun.tools.attach",
];
const OPENS: [&str; 14] = [
    "java.base/java.io",
    "java.base/java.lang",
    "java.base/java.lang.module",
    "java.base/java.lang.reflect",
    "java.base/java.util",
    "java.base/jdk.internal.loader",
    "java.base/jdk.internal.math",
    "java.base/jdk.internal.module",
    "java.base/jdk.internal.ref",
    "java.base/jdk.internal.reflect",
    "java.base/jdk.internal.util.jar",
    "java.base/sun.nio.ch",
    "jdk.compiler/com.sun.tools.javac",
    "jdk.management/com.sun.management.internal",
];

/// Writes settings and argument file into `folder`.
pub(crate) fn prepare(node: &Node<'_>, folder: &Path, lib: &str) -> Result<()> {
    files::write(&folder.join("cassandra.yaml"), &settings::yaml(node))?;
    files::write(&folder.join("logback.xml"), LOGBACK)?;
    let class_path = format!("{}:{lib}/*", node.folder);
    let main = ["org.apache.cassandra.service.CassandraDaemon"];
    java::write_arguments(&folder.join("java.args"), &options(node.folder), &class_path, &main)
}

fn options(folder: &str) -> Vec<String> {
    let mut options = java::common_options(folder, HEAP_MIB);
    for option in [
        "-XX:+UseG1GC",
        // Each of the 128 writers keeps up to 1 MiB of buffer, and a large write takes 16 MiB more: 128m ended a node, too.
        "-XX:MaxDirectMemorySize=512m",
        "-Djdk.attach.allowAttachSelf=true",
        "-Dio.netty.tryReflectionSetAccessible=true",
        "-Dcassandra.skip_wait_for_gossip_to_settle=0",
        "-Dcassandra.superuser_setup_delay_ms=0",
        "-Dcassandra.ring_delay_ms=1000",
        "-Dcassandra-foreground=yes",
    ] {
        options.push(option.to_owned());
    }
    options.push(format!("-Dcassandra.config=file://{folder}/cassandra.yaml"));
    options.push(format!("-Dcassandra.storagedir={folder}/data"));
    options.push(format!("-Dlogback.configurationFile=file://{folder}/logback.xml"));
    options.extend(EXPORTS.iter().map(|package| format!("--add-exports={package}=ALL-UNNAMED")));
    options.extend(OPENS.iter().map(|package| format!("--add-opens={package}=ALL-UNNAMED")));
    options
}

const LOGBACK: &str = r#"<configuration>
  <appender name="STDOUT" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%-5level [%thread] %date{ISO8601} %F:%L - %msg%n</pattern></encoder>
  </appender>
  <root level="INFO"><appender-ref ref="STDOUT"/></root>
</configuration>
"#;
