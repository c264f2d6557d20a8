use crate::client::{get, send};
use crate::fixture::{CANARY, seen, settings, start};

/// Plants the canary wherever a client can put words.
async fn plant(base: &str) {
    let client = reqwest::Client::new();
    for path in
        [format!("/items/{CANARY}"), format!("/large?name={CANARY}"), format!("/{CANARY}"), format!("/panic?{CANARY}")]
    {
        let request = client.get(format!("{base}{path}")).header("user-agent", CANARY).header("x-request-id", CANARY);
        send(request.header("authorization", format!("Bearer {CANARY}"))).await;
    }
    send(client.request(CANARY.parse().unwrap(), format!("{base}/items/1"))).await;
    let body = format!("{{\"family\": {CANARY}");
    send(client.post(format!("{base}/json")).header("content-type", "application/json").body(body)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logs_traces_and_metrics_hold_route_patterns_and_nothing_that_a_client_wrote() {
    let site = start(&settings());
    let id = "0190163d-8694-739b-aea5-966c26f8ad91";
    plant(&site.base).await;
    send(reqwest::Client::new().get(format!("{}/items/{CANARY}", site.base)).header("x-request-id", id)).await;
    let metrics = String::from_utf8(get(format!("{}/metrics", site.base)).await.body).unwrap();
    site.running.stop().await;
    tokio::task::spawn_blocking(|| seen().guard.flush()).await.unwrap();
    let (logs, traces) = (seen().logs.text(), seen().traces.text());
    for (name, text) in [("logs", &logs), ("traces", &traces), ("metrics", &metrics)] {
        assert!(text.contains("/items/{id}"), "{name} show no route pattern: {text}");
        assert!(!text.contains(CANARY), "{name} show what a client wrote");
    }
    assert!(logs.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
    let line = logs.lines().find(|line| line.contains(id)).expect("an id in the form of a uuid is logged");
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!(line["span"]["trace_id"].as_str().unwrap().len(), 32);
    assert!(logs.contains("\"message\":\"panic\"") && logs.contains("fixture.rs"));
    assert!(metrics.contains("kiroku_http_requests_total{method=\"GET\",route=\"/items/{id}\",status=\"404\"}"));
    assert!(metrics.contains("kiroku_http_requests_total{method=\"OTHER\""));
}

#[test]
fn a_refusal_is_logged_once() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let id = "1190163d-8694-739b-aea5-966c26f8ad92";
    runtime.block_on(async {
        let site = start(&settings());
        send(reqwest::Client::new().get(format!("{}/problem", site.base)).header("x-request-id", id)).await;
        site.running.stop().await;
    });
    let logs = seen().logs.text();
    let lines: Vec<_> = logs.lines().filter(|l| l.contains(id) && l.contains("request refused")).collect();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("business-rule") && lines[0].contains("R49"), "{}", lines[0]);
}

#[test]
fn metrics_render_with_build_and_commits_even_before_anything_happened() {
    chassis::telemetry::metrics::log_commit(40, 0.0002);
    chassis::telemetry::metrics::decision("TREAT", "permit", (0.00002, true));
    chassis::telemetry::metrics::lags(&[("person", 0, 9), ("person", 1, 3)]);
    chassis::telemetry::metrics::lags(&[("person", 1, 3)]);
    chassis::telemetry::metrics::engine_call("append", 0.002, false);
    chassis::telemetry::metrics::queue_depth("verdicts").set(2);
    let text = chassis::telemetry::metrics::render();
    for part in [
        "kiroku_build_info{version=\"0.1.0\"} 1",
        "kiroku_log_commit_records_bucket{le=\"64\"} 1",
        "kiroku_decisions_total{purpose=\"TREAT\",result=\"permit\"} 1",
        "kiroku_lag_records{partition=\"1\",topic=\"person\"} 3",
        "kiroku_engine_seconds_count{call=\"append\"} 1",
        "kiroku_engine_errors_total{call=\"append\"} 1",
        "kiroku_queue_depth{queue=\"verdicts\"} 2",
        "kiroku_ledger_append_seconds_count 0",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    assert!(!text.contains("partition=\"0\""), "a partition that another process has taken over is forgotten");
}

#[test]
fn core_dumps_are_off_once_asked_for() {
    chassis::telemetry::no_core_dumps().unwrap();
    let core = rustix::process::getrlimit(rustix::process::Resource::Core);
    assert_eq!((core.current, core.maximum), (Some(0), Some(0)));
    assert_eq!(rustix::process::dumpable_behavior().unwrap(), rustix::process::DumpableBehavior::NotDumpable);
}
