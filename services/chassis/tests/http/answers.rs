use std::io::Read;

use crate::client::{get, send};
use crate::fixture::{large, settings, start};

#[tokio::test]
async fn an_answer_is_compressed_only_for_those_who_ask() {
    let site = start(&settings());
    let url = format!("{}/large", site.base);
    let plain = get(url.clone()).await;
    assert_eq!(plain.header("content-encoding"), "");
    assert_eq!(plain.body, large().as_bytes());
    let packed = send(reqwest::Client::new().get(url).header("accept-encoding", "gzip")).await;
    assert_eq!(packed.header("content-encoding"), "gzip");
    assert!(packed.body.len() < 1000);
    let mut text = String::new();
    flate2::read::GzDecoder::new(&packed.body[..]).read_to_string(&mut text).unwrap();
    assert_eq!(text, large());
    let small = format!("{}/form", site.base);
    let small = send(reqwest::Client::new().get(small).header("accept-encoding", "gzip")).await;
    assert_eq!((small.header("content-encoding"), &small.body[..]), ("", &b"{\"value\":1.50}"[..]), "not worth it");
    site.running.stop().await;
}

#[tokio::test]
async fn json_in_its_pretty_form_keeps_its_decimals_and_xml_is_not_spoken() {
    let site = start(&settings());
    let pretty = get(format!("{}/form?_pretty=true&_format=json", site.base)).await;
    assert_eq!(String::from_utf8(pretty.body).unwrap(), "{\n  \"value\": 1.50\n}");
    assert_eq!(get(format!("{}/form?_format=xml", site.base)).await.outcome(406), "not-supported");
    let xml = reqwest::Client::new().get(format!("{}/form", site.base)).header("accept", "application/fhir+xml");
    assert_eq!(send(xml).await.outcome(406), "not-supported");
    site.running.stop().await;
}

#[tokio::test]
async fn a_client_gets_its_request_id_back_and_a_stranger_id_is_replaced() {
    let site = start(&settings());
    let client = reqwest::Client::new();
    let ask = |id: &str| send(client.get(format!("{}/ids", site.base)).header("x-request-id", id));
    let own = ask("order-66").await;
    assert_eq!(own.header("x-request-id"), "order-66");
    assert_eq!(own.json()["request"], "order-66");
    assert_eq!(
        own.header("kiroku-trace"),
        own.json()["trace"],
        "its own words are not logged, so it learns the trace id"
    );
    for bad in ["two words", &"x".repeat(65), ""] {
        let said = ask(bad).await;
        let given = said.header("x-request-id").to_owned();
        assert_eq!(given.len(), 32, "{bad}");
        assert_eq!(said.json()["trace"], given);
    }
    let (one, two) = (get(format!("{}/ids", site.base)).await, get(format!("{}/ids", site.base)).await);
    assert_ne!(one.header("x-request-id"), two.header("x-request-id"));
    site.running.stop().await;
}

#[tokio::test]
async fn a_trace_of_the_caller_goes_on_in_this_process_and_to_the_next() {
    let site = start(&settings());
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let request = reqwest::Client::new()
        .get(format!("{}/ids", site.base))
        .header("traceparent", format!("00-{trace}-00f067aa0ba902b7-00"));
    let said = send(request).await.json();
    assert_eq!(said["trace"], trace);
    let next = said["next"].as_str().unwrap();
    assert!(next.starts_with(&format!("00-{trace}-")) && !next.contains("00f067aa0ba902b7"), "{next}");
    let fresh = get(format!("{}/ids", site.base)).await.json();
    assert!(fresh["next"].as_str().unwrap().contains(fresh["trace"].as_str().unwrap()), "{fresh}");
    site.running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopping_server_lets_a_running_request_finish_and_takes_no_new_one() {
    let site = start(&settings());
    let running = tokio::spawn(get(format!("{}/gate", site.base)));
    site.entered.acquire().await.unwrap().forget();
    let stopping = tokio::spawn(site.running.stop());
    while tokio::net::TcpStream::connect(site.base.trim_start_matches("http://")).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(!stopping.is_finished());
    site.open.add_permits(1);
    assert_eq!(running.await.unwrap().status, 200);
    stopping.await.unwrap();
}

#[tokio::test]
async fn a_server_is_ready_when_every_named_check_is() {
    let site = start(&settings());
    let url = format!("{}/health/ready", site.base);
    assert_eq!(get(format!("{}/health/live", site.base)).await.status, 200);
    assert_eq!(get(url.clone()).await.status, 503, "nothing has been checked yet");
    let (log, heartbeat) = (site.readiness.check("log"), site.readiness.check("authority-heartbeat"));
    log.set(true);
    let half = get(url.clone()).await;
    assert_eq!(half.status, 503);
    assert_eq!(half.json(), serde_json::json!({"ready": false, "checks": {"log": true, "authority-heartbeat": false}}));
    heartbeat.set(true);
    assert_eq!(get(url).await.status, 200);
    site.running.stop().await;
}
