//! Alerts and dashboards name only metrics that the processes really export on the distributed engine.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};

use super::{files, is_name, text, words};
use crate::{code_of, root, sources};

const METRICS: &str = "services/chassis/src/telemetry/metrics.rs";
/// What the engine of one machine alone counts stands still in production.
const EMBEDDED: &str = "services/engines/src/embedded/";
/// Of node_exporter.
const OF_OTHERS: [&str; 4] = [
    "node_filesystem_avail_bytes",
    "node_filesystem_size_bytes",
    "node_timex_offset_seconds",
    "node_timex_sync_status",
];
/// What Prometheus itself puts on every series: its job, its target and what `prometheus.yml` adds.
const LABELS_OF_PROMETHEUS: [&str; 4] = ["job", "instance", "role", "le"];

/// A metric in the source: its kind (`histogram`, `counter_vec` ...) and its labels.
struct Metric {
    kind: String,
    labels: Vec<String>,
}

/// Calls of the makers of metrics in `code`: (name, metric, where the call begins).
fn made(code: &str) -> Vec<(String, Metric, usize)> {
    let makers = ["counter", "counter_vec", "gauge_vec", "histogram", "histogram_vec"];
    let mut found = Vec::new();
    for (at, _) in code.match_indices("\"kiroku_") {
        let name = code[at + 1..].split('"').next().unwrap_or_default().to_owned();
        let before = code[..at].trim_end().trim_end_matches('(');
        let kind = before.rsplit(|c| !is_name(c)).next().unwrap_or_default().to_owned();
        if makers.contains(&kind.as_str()) {
            let call = &code[at..at + code[at..].find(';').unwrap_or(0)];
            let labels = call.split("&[").nth(1).and_then(|rest| rest.split(']').next()).unwrap_or_default();
            let labels = if kind.ends_with("_vec") { labels } else { "" };
            let labels = labels.split(',').map(|label| label.trim().trim_matches('"').to_owned()).collect();
            found.push((name, Metric { kind, labels }, at));
        }
    }
    found
}

/// Names of the functions of `code` whose text names `what`.
fn functions_with(code: &str, what: &str) -> Vec<String> {
    let functions = code.split("\npub").skip(1).filter_map(|part| {
        let signature = part.split("fn ").nth(1)?;
        let body = part.split("\n}").next()?;
        body.contains(what).then(|| signature.split('(').next().unwrap_or_default().to_owned())
    });
    functions.collect()
}

/// Metrics that some role really counts, by name.
fn exported() -> Result<BTreeMap<String, Metric>> {
    let own = code_of(&std::fs::read_to_string(root().join(METRICS))?);
    let rest: Vec<String> = sources(&["services"])?
        .into_iter()
        .filter(|(path, _)| path.contains("/src/") && path != METRICS && !path.starts_with(EMBEDDED))
        .map(|(_, text)| code_of(&text))
        .collect();
    let is_used = |what: &str| rest.iter().any(|code| code.contains(&format!("metrics::{what}")));
    let mut exported = BTreeMap::new();
    for (name, metric, at) in made(&own) {
        let holder = own[..at].rsplit("static ").next().and_then(|text| text.split(':').next()).context("a static")?;
        let recorders = functions_with(&own, holder);
        // The build is told by whoever shows the metrics at all.
        let shown =
            own.split("fn touch_all").nth(1).is_some_and(|touch| touch.contains(&format!("{holder}.with_label")));
        if shown || is_used(&format!("{holder}.")) || recorders.iter().any(|function| is_used(&format!("{function}(")))
        {
            exported.insert(name, metric);
        }
    }
    exported.extend(rest.iter().flat_map(|code| made(code)).map(|(name, metric, _)| (name, metric)));
    ensure!(exported.len() >= 8, "only {:?} were found", exported.keys());
    Ok(exported)
}

/// Names that an agent of the engines gives, with their labels.
fn of_engines() -> Result<BTreeMap<String, Vec<String>>> {
    let mut names = BTreeMap::new();
    for agent in ["observability/jmx-kafka.yml", "observability/jmx-cassandra.yml"] {
        for rule in text(agent)?.split("pattern:").skip(1) {
            let name = rule
                .split("name: ")
                .filter_map(|part| part.split(|c| !is_name(c)).next())
                .find(|name| name.contains('_'));
            let labels = rule.split("labels: {").nth(1).and_then(|rest| rest.split('}').next()).unwrap_or_default();
            let labels =
                labels.split(',').filter_map(|pair| pair.split_once(':')).map(|(label, _)| label.trim().to_owned());
            names.insert(name.with_context(|| format!("{agent}: a rule without a name"))?.to_owned(), labels.collect());
        }
    }
    Ok(names)
}

/// Expressions of alerts and dashboards, with their place.
fn expressions() -> Result<Vec<(String, String)>> {
    let alerts = text("observability/prometheus/alerts.yml")?;
    let of_alert = |alert: &str| {
        let name = alert.lines().next().unwrap_or_default().to_owned();
        let expression = alert.split("expr: ").nth(1).and_then(|rest| rest.split("\n        labels:").next());
        (name, expression.unwrap_or_default().split("\n        for:").next().unwrap_or_default().to_owned())
    };
    let mut found: Vec<_> = alerts.split("- alert: ").skip(1).map(of_alert).collect();
    for (path, text) in files("observability/grafana/dashboards")? {
        let board: serde_json::Value = serde_json::from_str(&text).with_context(|| path.clone())?;
        for target in
            board["panels"].as_array().into_iter().flatten().flat_map(|p| p["targets"].as_array().into_iter().flatten())
        {
            found.push((path.clone(), target["expr"].as_str().context("expr")?.to_owned()));
        }
    }
    ensure!(found.len() > 50 && found.iter().all(|(_, expression)| !expression.is_empty()), "{}", found.len());
    Ok(found)
}

/// The labels that an expression selects by, behind each place where `metric` stands.
fn selected(expression: &str, metric: &str) -> BTreeSet<String> {
    let mut labels = BTreeSet::new();
    for part in expression.split(metric).skip(1).filter_map(|rest| rest.strip_prefix('{')) {
        // Without what is quoted: a value may hold braces and commas.
        let plain: String = part.split('"').step_by(2).collect();
        for matcher in plain.split('}').next().unwrap_or_default().split(',') {
            labels.insert(matcher.trim().trim_end_matches(['=', '~', '!']).to_owned());
        }
    }
    labels.remove("");
    labels
}

#[test]
fn alerts_and_dashboards_name_only_metrics_that_are_exported() -> Result<()> {
    let (ours, engines) = (exported()?, of_engines()?);
    for (place, expression) in expressions()? {
        for start in ["kiroku_", "kafka_", "cassandra_", "node_"] {
            for name in words(&expression, start, is_name) {
                let suffix = ["_bucket", "_sum", "_count"].iter().find(|suffix| name.ends_with(**suffix));
                let histogram = suffix.and_then(|suffix| ours.get(name.trim_end_matches(suffix)));
                let histogram = histogram.filter(|metric| metric.kind.starts_with("histogram"));
                let plain = ours.get(name).filter(|metric| !metric.kind.starts_with("histogram"));
                let labels = histogram.or(plain).map(|metric| &metric.labels).or_else(|| engines.get(name));
                ensure!(labels.is_some() || OF_OTHERS.contains(&name), "{place}: nobody exports `{name}`");
                for label in selected(&expression, name) {
                    let known = labels.is_none_or(|labels| labels.contains(&label));
                    ensure!(
                        known || LABELS_OF_PROMETHEUS.contains(&label.as_str()),
                        "{place}: `{name}` has no label `{label}`"
                    );
                }
            }
        }
    }
    Ok(())
}

#[test]
fn a_metric_that_nobody_counts_is_not_taken_for_an_exported_one() -> Result<()> {
    let ours = exported()?;
    for counted in
        ["kiroku_http_requests_total", "kiroku_ledger_append_seconds", "kiroku_decisions_total", "kiroku_build_info"]
    {
        ensure!(ours.contains_key(counted), "{counted}");
    }
    // Only the engine of one machine counts its commits.
    ensure!(!ours.contains_key("kiroku_log_sync_seconds"));
    ensure!(ours["kiroku_http_requests_total"].labels == ["route", "method", "status"]);
    Ok(())
}
