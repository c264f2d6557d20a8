//! What stands in `infra` agrees with the program: names of metrics and settings, topics, versions, runbooks. That the files can be
//! read at all by those who will read them is checked by `infra/check`.

mod metrics;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use chassis::config::{self, EngineKind, Settings, Sources};
use schemas::vocab::Topic;
use servers::Release;

use crate::root;

/// Every file below `infra/FOLDER`, as (path from the root, text); what git ignores is passed over.
fn files(folder: &str) -> Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    let mut folders = vec![root().join("infra").join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
            let path = entry?.path();
            if path.is_dir() && !path.ends_with("private") {
                folders.push(path);
            } else if path.is_file() {
                let from_root = path.strip_prefix(root())?.display().to_string();
                found.push((from_root, std::fs::read_to_string(&path)?));
            }
        }
    }
    found.sort();
    ensure!(!found.is_empty(), "`infra/{folder}` is empty");
    Ok(found)
}

fn text(path: &str) -> Result<String> {
    std::fs::read_to_string(root().join("infra").join(path)).with_context(|| path.to_owned())
}

/// Parts of `text` that begin with `start` and go on as `goes_on` says.
fn words<'a>(text: &'a str, start: &str, goes_on: fn(char) -> bool) -> BTreeSet<&'a str> {
    let at = text.match_indices(start).filter(|(at, _)| !text[..*at].ends_with(goes_on));
    at.map(|(at, _)| text[at..].split(|c| !goes_on(c)).next().unwrap_or_default()).collect()
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// Settings as a process of `role` loads them.
fn settings(role: &str) -> Result<Settings> {
    let set = |name: &str, value: String| (config::env_name(name), value);
    let environment = vec![set("roles", role.to_owned()), set("engine.cql.user", format!("kiroku_{role}"))];
    let file = Some(root().join("infra/settings/kiroku.toml"));
    Ok(config::load(&Sources { file, environment, flags: Vec::new() })?)
}

const ROLES: [&str; 4] = ["edge", "query", "ledger", "projector"];

#[test]
fn the_settings_of_production_load_for_every_role() -> Result<()> {
    for role in ROLES {
        let settings = settings(role).with_context(|| role.to_owned())?;
        ensure!(settings.engine.kind == EngineKind::Distributed && settings.roles.len() == 1, "{role}");
        ensure!(settings.engine.kafka.replication == 3 && settings.engine.cql.replication == 3, "{role}: three copies");
        ensure!(settings.tls.certificate.is_some() && settings.tls.client_ca.is_some(), "{role}: nothing in clear");
    }
    Ok(())
}

#[test]
fn every_paragraph_of_settings_begins_with_its_reason() -> Result<()> {
    for file in ["kiroku.toml", "kafka.properties", "cassandra.yaml"] {
        let text = text(&format!("settings/{file}"))?;
        for paragraph in text.split("\n\n") {
            let first = paragraph.lines().find(|line| !line.starts_with('[')).unwrap_or_default();
            ensure!(first.starts_with('#'), "{file}: no reason above `{first}`");
        }
    }
    Ok(())
}

#[test]
fn settings_in_the_environment_of_containers_are_settings_of_the_program() -> Result<()> {
    let known: BTreeSet<String> = config::keys().iter().map(|key| config::env_name(key.name)).collect();
    let mut seen = BTreeSet::new();
    for (path, text) in files("compose")?.into_iter().chain(files("kubernetes")?) {
        for name in words(&text, "KIROKU__", is_name) {
            ensure!(known.contains(name), "{path}: `{name}` is no setting");
            seen.insert(name.to_owned());
        }
    }
    ensure!(seen.len() >= 2, "roles and the user of the database are set somewhere: {seen:?}");
    Ok(())
}

#[test]
fn what_brokers_are_told_agrees_with_what_is_asked_of_topics() -> Result<()> {
    let source = std::fs::read_to_string(root().join("services/engines/src/kafka/topics.rs"))?;
    let brokers = text("settings/kafka.properties")?;
    let told: BTreeMap<&str, &str> = brokers.lines().filter_map(|line| line.split_once('=')).collect();
    let literal = |name: &str| {
        let after = source.split(&format!("\"{name}\"")).nth(1)?.split("\".into()").next()?;
        after.split('"').nth(1).map(str::to_owned)
    };
    for (of_topic, of_broker) in [
        ("retention.ms", "log.retention.ms"),
        ("retention.bytes", "log.retention.bytes"),
        ("unclean.leader.election.enable", "unclean.leader.election.enable"),
    ] {
        let wanted = literal(of_topic).with_context(|| format!("topics.rs says nothing of `{of_topic}`"))?;
        ensure!(told.get(of_broker) == Some(&wanted.as_str()), "`{of_broker}` must be {wanted}");
    }
    ensure!(told.get("log.message.timestamp.type") == Some(&"LogAppendTime") && source.contains("\"LogAppendTime\""));
    let number = |name: &str| told.get(name).and_then(|value| value.parse::<usize>().ok()).unwrap_or(0);
    let copies = usize::from(settings("edge")?.engine.kafka.replication);
    ensure!(number("default.replication.factor") == copies && number("min.insync.replicas") == copies - 1);
    // The largest value of a record, its key and framing: RECORD_MAX and MESSAGE_MAX of the client.
    let client = std::fs::read_to_string(root().join("services/engines/src/kafka/client.rs"))?;
    ensure!(client.contains("MESSAGE_MAX: usize = RECORD_MAX + 1024 * 1024;"));
    ensure!(number("message.max.bytes") >= 17 * 1024 * 1024, "a record of 16 MiB must fit");
    ensure!(number("replica.fetch.max.bytes") >= number("message.max.bytes"), "replicas fetch what was accepted");
    ensure!(told.get("auto.create.topics.enable") == Some(&"false"));
    ensure!(told.get("allow.everyone.if.no.acl.found") == Some(&"false"));
    Ok(())
}

#[test]
fn rights_are_given_on_every_topic_and_to_every_role() -> Result<()> {
    let rights = text("settings/kafka-rights")?;
    let listed = rights.lines().find_map(|line| line.strip_prefix("topics=(topic={")).context("the list of topics")?;
    let listed: BTreeSet<&str> = listed.trim_end_matches("})").split(',').collect();
    // Beside those of the log: what processes hold their clocks against.
    let wanted = Topic::ALL.iter().map(|topic| topic.as_str()).chain(["probe"]);
    ensure!(listed == wanted.collect(), "{listed:?}");
    ensure!(rights.contains(&format!("KIROKU_PREFIX:-{}}}", settings("edge")?.engine.kafka.prefix)));
    let cql = text("settings/cql-rights.cql")?;
    let keyspace = settings("edge")?.engine.cql.keyspace;
    for role in ROLES {
        ensure!(rights.contains(&format!("kiroku-{role}")), "kafka-rights: {role}");
        for of in ["", "_keys", "_erasures"] {
            let grant = format!("GRANT SELECT ON KEYSPACE {keyspace}{of} TO kiroku_{role};");
            ensure!(cql.contains(&grant), "cql-rights: {grant}");
        }
    }
    Ok(())
}

#[test]
fn images_are_pinned_and_servers_are_those_that_are_tested() -> Result<()> {
    let mut images = BTreeSet::new();
    for (path, text) in files("compose")?.into_iter().chain(files("kubernetes")?) {
        for line in text.lines().map(str::trim) {
            let image = line.strip_prefix("image: ").or_else(|| line.strip_prefix("FROM "));
            let Some(image) = image.and_then(|image| image.split_whitespace().next()) else { continue };
            let tag = image.rsplit_once(':').with_context(|| format!("{path}: `{image}` has no version"))?.1;
            let digits = tag
                .trim_start_matches('v')
                .split('.')
                .take_while(|part| part.starts_with(|c: char| c.is_ascii_digit()));
            ensure!(digits.count() >= 2, "{path}: `{image}` is not pinned");
            images.insert(image.to_owned());
        }
    }
    for release in [Release::Kafka4, Release::Cassandra5] {
        let (product, version) = (release.product(), release.version());
        let fits = |image: &&String| image.split(['/', ':', '-']).any(|part| part == product);
        let of_product: Vec<&String> = images.iter().filter(fits).collect();
        ensure!(of_product.len() >= 2, "{product}: {of_product:?}");
        for image in of_product {
            ensure!(image.ends_with(&format!(":{version}")), "`{image}`: the tests run on {version}");
        }
    }
    let ours = images.iter().filter(|image| image.starts_with("kiroku:")).collect::<Vec<_>>();
    ensure!(ours == [&format!("kiroku:{}", env!("CARGO_PKG_VERSION"))], "{ours:?}");
    Ok(())
}

#[test]
fn a_process_has_time_to_drain_and_probes_ask_what_is_there() -> Result<()> {
    let pod = text("kubernetes/role/deployment.yaml")?;
    let grace = pod.split("terminationGracePeriodSeconds: ").nth(1).and_then(|rest| rest.lines().next());
    let grace: u64 = grace.context("terminationGracePeriodSeconds")?.parse()?;
    // What runs, then what the producer still holds (10 s).
    ensure!(grace >= settings("edge")?.http.stop_timeout_s + 10, "{grace} s");
    let health = std::fs::read_to_string(root().join("services/chassis/src/telemetry/health.rs"))?;
    let probes = words(&pod, "/health/", |c| is_name(c) || c == '/');
    ensure!(probes.len() == 2, "{probes:?}");
    for probe in probes {
        ensure!(health.contains(&format!("\"{probe}\"")), "`{probe}` is no route");
    }
    Ok(())
}

#[test]
fn every_alert_has_a_runbook_and_every_runbook_an_alert() -> Result<()> {
    let alerts = text("observability/prometheus/alerts.yml")?;
    let mut by_runbook: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for alert in alerts.split("- alert: ").skip(1) {
        let name = alert.lines().next().unwrap_or_default().trim();
        let value = |field: &str| alert.split(field).nth(1).and_then(|rest| rest.lines().next()).map(str::trim);
        let severity = value("severity: ").with_context(|| format!("{name}: severity"))?.trim_end_matches('}');
        ensure!(["critical", "warning"].contains(&severity), "{name}: `{severity}`");
        ensure!(value("summary: ").is_some_and(|summary| summary.len() > 10), "{name} says nothing");
        let runbook = value("runbook: ").with_context(|| format!("{name}: runbook"))?;
        by_runbook.entry(runbook.to_owned()).or_default().insert(name.to_owned());
    }
    let written: BTreeMap<String, String> = files("runbooks")?.into_iter().collect();
    ensure!(by_runbook.keys().eq(written.keys()), "{:?}\n{:?}", by_runbook.keys(), written.keys());
    for (path, text) in written {
        let line = text.lines().find_map(|line| line.strip_prefix("Alerts: ")).with_context(|| path.clone())?;
        let named: BTreeSet<String> = line.trim_end_matches('.').split(", ").map(str::to_owned).collect();
        ensure!(named == by_runbook[&path], "{path}: {named:?} and {:?}", by_runbook[&path]);
        for part in ["**What it means for people**", "**How to look**", "**What to do**", "**Over when**", "**Tell**"] {
            ensure!(text.contains(part), "{path} lacks {part}");
        }
    }
    Ok(())
}

#[test]
fn no_file_of_infra_holds_a_secret() -> Result<()> {
    let mut all = Vec::new();
    for folder in ["compose", "gateway", "kubernetes", "observability", "runbooks", "settings"] {
        all.extend(files(folder)?);
    }
    for (path, text) in all {
        for word in ["-----BEGIN", "kind: Secret\n", "basic_auth", "bearer_token:", "AKIA", "AWS_SECRET"] {
            ensure!(!text.contains(word), "{path} holds `{word}`");
        }
        // A password is a file's name, a reference, or made when it is needed.
        for line in text.lines().filter(|line| line.contains("PASSWORD = '")) {
            ensure!(line.contains("PASSWORD = '$"), "{path}: `{line}`");
        }
    }
    ensure!(text("compose/.gitignore")?.contains("/private/"), "made secrets must stay out of git");
    Ok(())
}
