//! The token endpoint: what an assertion must be.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chassis::auth::client::{self, ClientAssertion};
use chassis::auth::jwks::HttpFetcher;
use chassis::auth::tokens::TokenService;
use chassis::auth::{Alg, Assurance, TokenError};
use chassis::clock::Clock;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Signer;
use schemas::Purpose;
use schemas::authority::{AuthorityEvent, Client};
use serde_json::{Value, json};

use crate::world::{HOSPITAL, World, form};

#[tokio::test]
async fn a_good_assertion_gives_a_token_that_says_who_acts_where_and_why() {
    let world = World::new().await;
    let answer = world.ask(&world.assertion()).await.unwrap();
    assert_eq!((answer.token_type, answer.expires_in, answer.scope.as_str()), ("Bearer", 300, "system/*.rs"));
    let (caller, standing) = world.request(&answer.access_token).unwrap();
    assert_eq!(caller.client.0, "his-1");
    assert_eq!(caller.organisation.0, HOSPITAL);
    assert_eq!(caller.practitioner.as_ref().unwrap().0, "dr-1");
    assert_eq!((caller.role.as_str(), caller.purpose, caller.is_person), ("physician", Purpose::Treat, false));
    assert_eq!((caller.assurance, caller.authenticated_at), (Assurance::Facility, world.clock.now()));
    assert_eq!(standing.professional.as_ref().unwrap().name, "Ito Hanako");
    assert!(standing.has_right("records.read") && !standing.has_right("records.write"));
}

#[tokio::test]
async fn an_rs384_key_works_as_well() {
    let world = World::new().await;
    let (key, jwks) = client::generate_key(Alg::Rs384).unwrap();
    world.register(AuthorityEvent::Client(Client { jwks, ..world.client() })).await;
    let it = ClientAssertion { private_key: key, ..world.assertion() };
    assert!(world.request(&world.ask(&it).await.unwrap().access_token).is_ok());
}

#[tokio::test]
async fn a_used_jti_is_refused_also_by_a_new_process_over_the_reopened_store() {
    let world = World::new().await;
    let assertion = client::assertion(&world.assertion()).unwrap();
    // Each call: a service that remembers nothing, over tables opened anew.
    let opened = std::sync::atomic::AtomicU32::new(2);
    let service = || {
        let store = world.tables.open_memory(opened.fetch_add(1, std::sync::atomic::Ordering::SeqCst));
        TokenService::with_mint(world.registry.clone(), store, world.mint.clone(), Arc::new(HttpFetcher::new()))
    };
    assert!(service().issue(&form(assertion.clone()), None).await.is_ok());
    for _ in 0..2 {
        assert_eq!(service().issue(&form(assertion.clone()), None).await.unwrap_err(), TokenError::Replayed);
    }
    // Until its very last second.
    world.clock.advance(239_000);
    assert_eq!(service().issue(&form(assertion.clone()), None).await.unwrap_err(), TokenError::Replayed);
    world.clock.advance(1_000);
    assert_eq!(service().issue(&form(assertion), None).await.unwrap_err(), TokenError::Expired);
}

#[tokio::test]
async fn the_same_jti_of_two_clients_is_two_ids() {
    let world = World::new().await;
    world.register(AuthorityEvent::Client(Client { id: "his-2".into(), ..world.client() })).await;
    let first = ClientAssertion { jti: "one".into(), ..world.assertion() };
    assert!(world.ask(&first).await.is_ok());
    assert!(world.ask(&ClientAssertion { client_id: "his-2".into(), ..first.clone() }).await.is_ok());
    assert_eq!(world.ask(&first).await.unwrap_err(), TokenError::Replayed);
}

#[tokio::test]
async fn an_assertion_that_does_not_verify_uses_up_no_jti() {
    let world = World::new().await;
    let it = ClientAssertion { jti: "mine".into(), ..world.assertion() };
    let (other, _) = client::generate_key(Alg::Es384).unwrap();
    let good = client::assertion(&it).unwrap();
    let forged = client::assertion(&ClientAssertion { private_key: other, ..it }).unwrap();
    let (head, _) = good.rsplit_once('.').unwrap();
    let (_, wrong) = forged.rsplit_once('.').unwrap();
    let refused = world.tokens.issue(&form(format!("{head}.{wrong}")), None).await;
    assert_eq!(refused.unwrap_err(), TokenError::Signature);
    assert!(world.tokens.issue(&form(good), None).await.is_ok());
}

fn compact(header: &Value, claims: &Value) -> String {
    format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims.to_string()))
}

#[tokio::test]
async fn none_and_hs256_with_the_public_key_are_refused() {
    let world = World::new().await;
    let jwk: Value = serde_json::from_str(&world.jwks).unwrap();
    let kid = &jwk["keys"][0]["kid"];
    let claims = world.assertion().claims();
    let public = PKey::private_key_from_pem(world.key.as_bytes()).unwrap().public_key_to_pem().unwrap();
    for alg in ["none", "None", "NONE", "HS256", "HS384", "ES256", "RS256", "PS384", "ES512", "", "es384"] {
        let signed = compact(&json!({"alg": alg, "kid": kid, "typ": "JWT"}), &claims);
        let secret = PKey::hmac(&public).unwrap();
        let mac =
            Signer::new(MessageDigest::sha256(), &secret).unwrap().sign_oneshot_to_vec(signed.as_bytes()).unwrap();
        for signature in [String::new(), URL_SAFE_NO_PAD.encode(mac)] {
            let refused = world.tokens.issue(&form(format!("{signed}.{signature}")), None).await.unwrap_err();
            assert_eq!((refused, refused.status()), (TokenError::Algorithm, 401), "{alg}");
        }
    }
    // The right name over a signature of the wrong kind.
    for signature in [vec![], vec![0; 96], vec![1; 96], vec![255; 96], vec![1; 95], vec![0; 256]] {
        let signed = compact(&json!({"alg": "ES384", "kid": kid, "typ": "JWT"}), &claims);
        let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature));
        assert_eq!(world.tokens.issue(&form(token), None).await.unwrap_err(), TokenError::Signature);
    }
}

#[tokio::test]
async fn a_header_without_kid_of_another_type_or_with_crit_is_refused() {
    let world = World::new().await;
    let jwk: Value = serde_json::from_str(&world.jwks).unwrap();
    let (kid, key) = (&jwk["keys"][0]["kid"], &jwk["keys"][0]);
    let claims = world.assertion().claims();
    for (header, want) in [
        (json!({"alg": "ES384", "typ": "JWT"}), TokenError::Algorithm),
        (json!({"alg": "ES384", "kid": "other", "typ": "JWT", "jwk": key}), TokenError::UnknownKey),
        (json!({"alg": "RS384", "kid": kid, "typ": "JWT"}), TokenError::UnknownKey),
        (json!({"alg": "ES384", "kid": kid, "typ": "at+jwt"}), TokenError::Algorithm),
        (json!({"alg": "ES384", "kid": kid, "crit": ["b64"], "b64": false}), TokenError::Malformed),
    ] {
        let token = format!("{}.AAAA", compact(&header, &claims));
        assert_eq!(world.tokens.issue(&form(token), None).await.unwrap_err(), want, "{header}");
    }
    for token in ["", ".", "..", "...", "a.b.c", "e30.e30.e30", "{}"] {
        assert_eq!(world.tokens.issue(&form(token.into()), None).await.unwrap_err(), TokenError::Malformed, "{token}");
    }
}

#[tokio::test]
async fn audience_subject_and_times_are_checked_by_the_servers_clock_alone() {
    let world = World::new().await;
    let now = world.clock.now() / 1000;
    let cases: [(&str, Value, Option<TokenError>); 17] = [
        ("aud", json!("https://kiroku.example/token"), Some(TokenError::Audience)),
        ("aud", json!([]), Some(TokenError::Audience)),
        ("aud", json!(["https://other.example", crate::world::ENDPOINT]), None),
        ("aud", json!(null), Some(TokenError::Malformed)),
        ("sub", json!("his-2"), Some(TokenError::Subject)),
        ("exp", json!(now), Some(TokenError::Expired)),
        ("exp", json!(now - 600), Some(TokenError::Expired)),
        ("exp", json!(now + 300), None),
        ("exp", json!(now + 310), Some(TokenError::TooLong)),
        ("exp", json!(now + 600), Some(TokenError::TooLong)),
        ("exp", json!(1e300), Some(TokenError::TooLong)),
        ("exp", json!("tomorrow"), Some(TokenError::Malformed)),
        ("iat", json!(now + 59), None),
        ("iat", json!(now + 61), Some(TokenError::NotYet)),
        ("nbf", json!(now + 61), Some(TokenError::NotYet)),
        ("jti", json!(""), Some(TokenError::Jti)),
        ("jti", json!("x".repeat(257)), Some(TokenError::Jti)),
    ];
    for (name, value, want) in cases {
        let got = world.ask_changed(|claims| claims[name] = value.clone()).await;
        assert_eq!(got.err(), want, "{name} = {value}");
    }
    for name in ["iss", "sub", "aud", "exp", "jti"] {
        let got = world.ask_changed(|claims| drop(claims.as_object_mut().unwrap().remove(name))).await;
        assert_eq!(got.unwrap_err(), TokenError::Malformed, "without {name}");
    }
}

#[tokio::test]
async fn no_token_is_given_while_its_single_use_cannot_be_recorded() {
    let world = World::new().await;
    world.store.fail_applies(true);
    let refused = world.ask(&world.assertion()).await.unwrap_err();
    assert_eq!((refused, refused.status()), (TokenError::Unavailable, 503));
    world.store.fail_applies(false);
    assert!(world.ask(&world.assertion()).await.is_ok());
}

#[tokio::test]
async fn the_form_must_be_that_of_backend_services() {
    let world = World::new().await;
    let good = || form(client::assertion(&world.assertion()).unwrap());
    let mut bad = good();
    bad.grant_type = "password".into();
    assert_eq!(world.tokens.issue(&bad, None).await.unwrap_err().oauth_error(), "unsupported_grant_type");
    let mut bad = good();
    bad.client_assertion_type.clear();
    assert_eq!(world.tokens.issue(&bad, None).await.unwrap_err().status(), 400);
    let mut bad = good();
    bad.client_assertion = "a".repeat(100_000);
    let refused = world.tokens.issue(&bad, None).await.unwrap_err();
    assert_eq!(refused, TokenError::Malformed);
    assert_eq!(refused.to_json()["error"], "invalid_client");
}

#[tokio::test]
async fn the_smart_configuration_says_what_the_endpoint_does() {
    let world = World::new().await;
    let said = chassis::auth::tokens::smart_configuration("https://kiroku.example/");
    assert_eq!(said["token_endpoint"], world.tokens.endpoint());
    assert_eq!(said["token_endpoint_auth_signing_alg_values_supported"], json!(["ES384", "RS384"]));
    assert_eq!(world.mint.jwks()["keys"][0]["crv"], "P-256");
    assert!(world.mint.jwks()["keys"][0].get("d").is_none());
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(300))]

    /// Changes 1 to 4 characters of a good assertion: none is ever accepted, none makes a panic or a 5xx.
    #[test]
    fn a_changed_assertion_is_refused(changes in proptest::collection::vec((0usize..10_000, "[-_A-Za-z0-9.=]"), 1..5)) {
        static WORLD: std::sync::LazyLock<(tokio::runtime::Runtime, World)> = std::sync::LazyLock::new(|| {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            let world = runtime.block_on(World::new());
            (runtime, world)
        });
        let (runtime, world) = &*WORLD;
        let good = client::assertion(&world.assertion()).unwrap();
        let mut bad = good.clone();
        for (at, letter) in changes {
            let at = at % bad.len();
            bad.replace_range(at..=at, &letter);
        }
        proptest::prop_assume!(bad != good);
        let refused = runtime.block_on(world.tokens.issue(&form(bad), None)).unwrap_err();
        proptest::prop_assert_eq!(refused.status(), 401);
    }
}
