//! What a token is worth at a request.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chassis::auth::client;
use chassis::auth::scopes::Interaction;
use chassis::auth::verify::Verifier;
use chassis::auth::{AuthError, Mint, TokenError};
use chassis::clock::ManualClock;
use schemas::authority::{AuthorityEvent, Client, Organisation, Professional, Status};
use serde_json::Value;
use std::sync::Arc;

use crate::world::{ISSUER, World, form, hospital, physician};

#[tokio::test]
async fn a_revoked_professional_is_refused_at_the_next_request_although_the_token_lives() {
    let world = World::new().await;
    let token = world.token().await;
    assert!(world.request(&token).is_ok());
    for status in [Status::Suspended, Status::Revoked, Status::Closed] {
        world.register(AuthorityEvent::Professional(Professional { status, ..physician() })).await;
        assert_eq!(world.request(&token).unwrap_err(), AuthError::Professional);
    }
    world.register(AuthorityEvent::Professional(physician())).await;
    assert!(world.request(&token).is_ok());
}

#[tokio::test]
async fn a_role_a_client_an_organisation_taken_away_ends_the_token_too() {
    let world = World::new().await;
    let token = world.token().await;
    let no_role = Professional { roles: vec![("1310000002".into(), "physician".into())], ..physician() };
    let no_client = Client { status: Status::Revoked, ..world.client() };
    let moved_client = Client { organisation: "1310000002".into(), ..world.client() };
    let closed = Organisation { status: Status::Closed, ..hospital() };
    for (change, undo, want) in [
        (AuthorityEvent::Professional(no_role), AuthorityEvent::Professional(physician()), AuthError::Role),
        (AuthorityEvent::Client(no_client), AuthorityEvent::Client(world.client()), AuthError::Client),
        (AuthorityEvent::Client(moved_client), AuthorityEvent::Client(world.client()), AuthError::Organisation),
        (AuthorityEvent::Organisation(closed), AuthorityEvent::Organisation(hospital()), AuthError::Organisation),
    ] {
        world.register(change).await;
        let refused = world.request(&token).unwrap_err();
        assert_eq!((refused, refused.status()), (want, 401));
        world.register(undo).await;
        assert!(world.request(&token).is_ok());
    }
}

#[tokio::test]
async fn a_scope_taken_from_the_client_no_longer_counts_in_a_living_token() {
    let world = World::new().await;
    let token = world.token().await;
    let (caller, standing) = world.request(&token).unwrap();
    assert!(standing.allows(&caller, "Observation", Interaction::Read));
    assert!(!standing.allows(&caller, "Observation", Interaction::Create));
    world.register(AuthorityEvent::Client(Client { scopes: vec!["system/Patient.r".into()], ..world.client() })).await;
    let (caller, standing) = world.request(&token).unwrap();
    assert!(!standing.allows(&caller, "Observation", Interaction::Read));
    assert!(standing.allows(&caller, "Patient", Interaction::Read));
}

#[tokio::test]
async fn a_token_ends_after_300_seconds_of_the_servers_clock_also_when_it_is_remembered() {
    let world = World::new().await;
    let token = world.token().await;
    world.clock.advance(299_999);
    assert!(world.verifier.verify(&token, None).is_ok());
    world.clock.advance(1);
    assert_eq!(world.verifier.verify(&token, None).unwrap_err(), AuthError::Expired);
    assert_eq!(Verifier::new(world.mint.clone()).verify(&token, None).unwrap_err(), AuthError::Expired);
}

#[tokio::test]
async fn a_token_with_any_character_changed_is_refused() {
    let world = World::new().await;
    let token = world.token().await;
    let plain = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for at in (0..token.len()).step_by(3).chain([token.len() - 1]) {
        let mut bytes = token.clone().into_bytes();
        let index = plain.iter().position(|c| *c == bytes[at]).unwrap_or(7);
        bytes[at] = plain[(index + 1) % 64];
        let changed = String::from_utf8(bytes).unwrap();
        let refused = world.verifier.verify(&changed, None).unwrap_err();
        assert!(matches!(refused, AuthError::Signature | AuthError::Malformed), "at {at}: {refused}");
    }
    assert!(world.verifier.verify(&token, None).is_ok());
}

#[tokio::test]
async fn a_token_whose_claims_were_rewritten_or_left_unsigned_is_refused() {
    let world = World::new().await;
    let token = world.token().await;
    // Remembered now: the same signature under other claims must still be checked.
    assert!(world.verifier.verify(&token, None).is_ok());
    let parts: Vec<&str> = token.split('.').collect();
    let mut claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[1]).unwrap()).unwrap();
    claims["extensions"]["hl7-b2b"]["purpose_of_use"][0] = "BTG".into();
    let rewritten = URL_SAFE_NO_PAD.encode(claims.to_string());
    let unsigned = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"at+jwt"}"#);
    for (bad, want) in [
        (format!("{}.{rewritten}.{}", parts[0], parts[2]), AuthError::Signature),
        (format!("{unsigned}.{rewritten}."), AuthError::Signature),
        (format!("{}.{}.", parts[0], parts[1]), AuthError::Signature),
        (format!("{}.{}", parts[0], parts[1]), AuthError::Malformed),
        (format!("{token}.{token}"), AuthError::Malformed),
        (String::new(), AuthError::Missing),
        ("a".repeat(20_000), AuthError::Malformed),
    ] {
        assert_eq!(world.verifier.verify(&bad, None).unwrap_err(), want);
    }
    // An assertion is no access token, though its signature is good.
    let assertion = client::assertion(&world.assertion()).unwrap();
    assert_eq!(world.verifier.verify(&assertion, None).unwrap_err(), AuthError::Signature);
}

#[tokio::test]
async fn a_token_of_another_server_is_refused_and_a_restart_changes_nothing() {
    let world = World::new().await;
    let token = world.token().await;
    let open = async |issuer: &str| {
        let clock = Arc::new(ManualClock::at(1_800_000_000_000));
        Verifier::new(Mint::open(world.keys.as_ref(), clock, issuer).await.unwrap())
    };
    assert!(open(ISSUER).await.verify(&token, None).is_ok());
    let foreign = World::new().await;
    assert_eq!(foreign.verifier.verify(&token, None).unwrap_err(), AuthError::Signature);
    assert_eq!(open("https://other.example").await.verify(&token, None).unwrap_err(), AuthError::Audience);
}

const CERTIFICATE: &str = "0a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f9";

#[tokio::test]
async fn a_token_bound_to_a_certificate_is_worth_nothing_over_another() {
    let world = World::new().await;
    let other = "ff".repeat(32);
    // Registered as OpenSSL prints it.
    let pairs: Vec<String> =
        CERTIFICATE.as_bytes().chunks(2).map(|c| String::from_utf8_lossy(c).to_uppercase()).collect();
    let certificate_sha256 = pairs.join(":");
    world.register(AuthorityEvent::Client(Client { certificate_sha256, ..world.client() })).await;
    let ask = async |certificate: Option<&str>| {
        world.tokens.issue(&form(client::assertion(&world.assertion()).unwrap()), certificate).await
    };
    for wrong in [None, Some(other.as_str()), Some("")] {
        assert_eq!(ask(wrong).await.unwrap_err(), TokenError::Certificate);
    }
    let token = ask(Some(CERTIFICATE)).await.unwrap().access_token;
    for wrong in [None, Some(other.as_str()), Some("")] {
        assert_eq!(world.verifier.verify(&token, wrong).unwrap_err(), AuthError::Binding);
    }
    let caller = world.verifier.verify(&token, Some(CERTIFICATE)).unwrap();
    assert_eq!(caller.certificate_sha256.as_deref(), Some(CERTIFICATE));
    assert!(caller.check_registry(&world.registry.state()).is_ok());
    // The client's certificate is replaced: tokens of the old one end.
    world.register(AuthorityEvent::Client(Client { certificate_sha256: other, ..world.client() })).await;
    assert_eq!(caller.check_registry(&world.registry.state()).unwrap_err(), AuthError::Binding);
}

#[tokio::test]
async fn a_certificate_that_is_shown_binds_the_token_even_where_none_is_registered() {
    let world = World::new().await;
    let assertion = client::assertion(&world.assertion()).unwrap();
    let token = world.tokens.issue(&form(assertion), Some(CERTIFICATE)).await.unwrap().access_token;
    assert!(world.verifier.verify(&token, Some(CERTIFICATE)).is_ok());
    assert_eq!(world.verifier.verify(&token, Some(&"ee".repeat(32))).unwrap_err(), AuthError::Binding);
    assert_eq!(world.verifier.verify(&token, None).unwrap_err(), AuthError::Binding);
}

#[test]
fn the_authorization_header_is_read_as_rfc_6750_says() {
    assert_eq!(Verifier::bearer_of(Some("Bearer abc")), Ok("abc"));
    assert_eq!(Verifier::bearer_of(Some("bearer abc")), Ok("abc"));
    for other in [None, Some(""), Some("Bearer"), Some("Basic abc")] {
        assert_eq!(Verifier::bearer_of(other), Err(AuthError::Missing));
    }
}
