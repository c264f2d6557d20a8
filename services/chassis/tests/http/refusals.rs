use crate::client::{get, send};
use crate::fixture::{CANARY, settings, start};

#[tokio::test]
async fn a_refusal_is_an_operation_outcome_with_path_and_rule() {
    let site = start(&settings());
    let said = get(format!("{}/problem", site.base)).await;
    assert_eq!(said.outcome(422), "business-rule");
    let issue = &said.json()["issue"][0];
    assert_eq!(issue["expression"][0], "Observation.code");
    assert_eq!(issue["details"]["text"], "R49");
    assert_eq!(said.header("cache-control"), "no-store");
    site.running.stop().await;
}

#[tokio::test]
async fn two_items_that_are_not_found_answer_with_the_same_bytes() {
    let site = start(&settings());
    let one = get(format!("{}/items/1", site.base)).await;
    let other = get(format!("{}/items/{}", site.base, "x".repeat(300))).await;
    assert_eq!(one.outcome(404), "not-found");
    assert_eq!(one.body, other.body);
    site.running.stop().await;
}

#[tokio::test]
async fn an_unknown_path_a_wrong_method_and_bad_json_are_told_as_outcomes() {
    let site = start(&settings());
    let client = reqwest::Client::new();
    assert_eq!(get(format!("{}/nowhere/{CANARY}", site.base)).await.outcome(404), "not-found");
    assert_eq!(send(client.delete(format!("{}/problem", site.base))).await.outcome(405), "not-supported");
    let json = client.post(format!("{}/json", site.base)).header("content-type", "application/json");
    let said = send(json.body(format!("{{\"{CANARY}\":"))).await;
    assert_eq!(said.outcome(400), "structure");
    assert!(!String::from_utf8_lossy(&said.body).contains(CANARY));
    site.running.stop().await;
}

#[tokio::test]
async fn a_throttled_client_is_told_when_to_come_back() {
    let site = start(&settings());
    let said = send(reqwest::Client::new().put(format!("{}/items/1", site.base)).body("{}")).await;
    assert_eq!(said.outcome(429), "throttled");
    assert_eq!(said.header("retry-after"), "7");
    site.running.stop().await;
}

#[tokio::test]
async fn a_panic_in_a_handler_answers_500_and_the_server_lives() {
    let site = start(&settings());
    let client = reqwest::Client::new();
    for _ in 0..3 {
        let said = send(client.get(format!("{}/panic", site.base)).header("x-request-id", "abc")).await;
        assert_eq!(said.outcome(500), "exception");
        assert_eq!(said.header("x-request-id"), "abc");
        assert!(!String::from_utf8_lossy(&said.body).contains(CANARY));
        assert_eq!(send(client.get(format!("{}/large", site.base))).await.status, 200);
    }
    site.running.stop().await;
}

#[test]
fn no_token_and_a_bad_token_are_challenged_as_rfc_6750_wants() {
    use chassis::http::Refusal;
    let challenge = |r: Refusal| r.headers.iter().find(|(n, _)| *n == "www-authenticate").unwrap().1.clone();
    assert_eq!(challenge(Refusal::unauthorized("")), "Bearer realm=\"kiroku\"");
    assert_eq!(challenge(Refusal::unauthorized("invalid_token")), "Bearer realm=\"kiroku\", error=\"invalid_token\"");
}

#[test]
fn the_cause_of_an_internal_error_is_not_in_its_answer() {
    let refusal = chassis::http::Refusal::internal(&std::io::Error::other(CANARY));
    assert!(!String::from_utf8(refusal.outcome()).unwrap().contains(CANARY));
}
