//! Keys of clients by URL.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use actix_web::{App, HttpResponse, HttpServer, web};
use chassis::auth::client::{self, ClientAssertion};
use chassis::auth::jwks::{HttpFetcher, JwksError, JwksFetcher};
use chassis::auth::{Alg, TokenError};
use parking_lot::Mutex;
use schemas::authority::{AuthorityEvent, Client};

use crate::world::World;

#[derive(Default)]
struct Served {
    body: Mutex<String>,
    status: Mutex<u16>,
    asked: AtomicUsize,
}

impl Served {
    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

/// A key server on a free port of this machine: its state and its base URL.
async fn key_server() -> (Arc<Served>, String) {
    let served = Arc::new(Served { status: Mutex::new(200), ..Served::default() });
    let shared = served.clone();
    let server = HttpServer::new(move || {
        let served = shared.clone();
        let answer = move || {
            let served = served.clone();
            async move {
                served.asked.fetch_add(1, Ordering::SeqCst);
                let status = actix_web::http::StatusCode::from_u16(*served.status.lock()).unwrap();
                HttpResponse::build(status).insert_header(("location", "/jwks")).body(served.body.lock().clone())
            }
        };
        App::new().route("/jwks", web::get().to(answer))
    });
    let server = server.workers(1).disable_signals().bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}/jwks", server.addrs()[0]);
    tokio::spawn(server.run());
    (served, url)
}

async fn world_by_url() -> (World, Arc<Served>) {
    let world = World::new().await;
    let (served, jwks_url) = key_server().await;
    served.body.lock().clone_from(&world.jwks);
    world.register(AuthorityEvent::Client(Client { jwks: String::new(), jwks_url, ..world.client() })).await;
    (world, served)
}

#[actix_web::test]
async fn a_key_set_by_url_is_kept_five_minutes_and_a_new_key_is_found_within_a_minute() {
    let (world, served) = world_by_url().await;
    for _ in 0..3 {
        assert!(world.ask(&world.assertion()).await.is_ok());
    }
    assert_eq!(served.asked(), 1);
    // The client rotates: the set holds only the new key.
    let (new_key, jwks) = client::generate_key(Alg::Es384).unwrap();
    *served.body.lock() = jwks;
    let rotated = |world: &World| ClientAssertion { private_key: new_key.clone(), ..world.assertion() };
    assert_eq!(world.ask(&rotated(&world)).await.unwrap_err(), TokenError::UnknownKey);
    assert_eq!(served.asked(), 1, "asked again within a minute");
    world.clock.advance(60_000);
    assert!(world.ask(&rotated(&world)).await.is_ok());
    assert_eq!(served.asked(), 2);
    // The old key is gone with the old set.
    assert_eq!(world.ask(&world.assertion()).await.unwrap_err(), TokenError::UnknownKey);
    world.clock.advance(300_000);
    assert!(world.ask(&rotated(&world)).await.is_ok());
    assert_eq!(served.asked(), 3);
}

#[actix_web::test]
async fn unknown_keys_make_at_most_one_fetch_a_minute() {
    let (world, served) = world_by_url().await;
    let (other, _) = client::generate_key(Alg::Es384).unwrap();
    for _ in 0..5 {
        let it = ClientAssertion { private_key: other.clone(), ..world.assertion() };
        assert_eq!(world.ask(&it).await.unwrap_err(), TokenError::UnknownKey);
        world.clock.advance(30_000);
    }
    assert_eq!(served.asked(), 3); // at 0, 60 and 120 seconds
    *served.status.lock() = 500;
    for _ in 0..6 {
        world.clock.advance(10_000);
        let it = ClientAssertion { private_key: other.clone(), ..world.assertion() };
        assert_eq!(world.ask(&it).await.unwrap_err(), TokenError::UnknownKey);
    }
    assert_eq!(served.asked(), 4, "also where the server fails");
}

#[actix_web::test]
async fn a_key_server_that_fails_refuses_new_sign_ins_once_the_kept_set_is_old() {
    let (world, served) = world_by_url().await;
    assert!(world.ask(&world.assertion()).await.is_ok());
    *served.status.lock() = 500;
    world.clock.advance(299_000);
    assert!(world.ask(&world.assertion()).await.is_ok());
    world.clock.advance(1_000);
    for _ in 0..3 {
        assert_eq!(world.ask(&world.assertion()).await.unwrap_err(), TokenError::KeySet);
    }
    assert_eq!(served.asked(), 2, "a failing server is left alone for ten seconds");
    *served.status.lock() = 200;
    world.clock.advance(10_000);
    assert!(world.ask(&world.assertion()).await.is_ok());
}

#[actix_web::test]
async fn only_https_or_this_machine_no_redirect_and_64_kib() {
    let (served, url) = key_server().await;
    let fetcher = HttpFetcher::new();
    for bad in ["http://kiroku.example/jwks", "file:///etc/passwd", "ftp://127.0.0.1/", "http://127.0.0.1.example/", ""]
    {
        assert_eq!(fetcher.fetch(bad).await, Err(JwksError::Address), "{bad}");
    }
    *served.body.lock() = "x".repeat(64 * 1024);
    assert_eq!(fetcher.fetch(&url).await.map(|body| body.len()), Ok(64 * 1024));
    served.body.lock().push('x');
    assert_eq!(fetcher.fetch(&url).await, Err(JwksError::TooLarge));
    *served.status.lock() = 302;
    assert_eq!(fetcher.fetch(&url).await, Err(JwksError::Fetch));
}

#[actix_web::test]
async fn a_weak_private_or_foreign_key_in_the_set_is_not_used() {
    let world = World::new().await;
    let change = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut set: serde_json::Value = serde_json::from_str(&world.jwks).unwrap();
        change(&mut set["keys"][0]);
        set.to_string()
    };
    let sets = [
        change(&|key| key["use"] = "enc".into()),
        change(&|key| key["key_ops"] = serde_json::json!(["sign"])),
        change(&|key| key["alg"] = "ES256".into()),
        change(&|key| key["crv"] = "P-256".into()),
        change(&|key| key["d"] = "AAAA".into()),
        change(&|key| key["kty"] = "oct".into()),
        change(&|key| key["x"] = key["y"].clone()), // not on the curve
        change(&|key| drop(key.as_object_mut().unwrap().remove("kid"))),
        r#"{"keys": []}"#.to_owned(),
    ];
    for jwks in sets {
        world.register(AuthorityEvent::Client(Client { jwks: jwks.clone(), ..world.client() })).await;
        assert_eq!(world.ask(&world.assertion()).await.unwrap_err(), TokenError::UnknownKey, "{jwks}");
    }
    for jwks in ["{}", "[]", "keys"] {
        world.register(AuthorityEvent::Client(Client { jwks: jwks.into(), ..world.client() })).await;
        assert_eq!(world.ask(&world.assertion()).await.unwrap_err(), TokenError::KeySet, "{jwks}");
    }
}
