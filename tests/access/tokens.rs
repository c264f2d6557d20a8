//! Who is asking: everything that only looks like a good assertion or token is refused.

use std::sync::Arc;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chassis::auth::client::{ClientAssertion, assertion, sign, token_form};
use chassis::clock::{Clock, SystemClock};
use kiroku::api::{Acting, ClientKey};
use loadtest::population::Kind;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Signer;
use schemas::authority::{AuthorityEvent, Status};
use serde_json::{Value, json};
use tests::Harness;
use tests::wire::Line;

use crate::writing::item;

fn asserted(harness: &Harness) -> ClientAssertion {
    let key = &harness.clinic.key;
    ClientAssertion {
        private_key: key.private_key.clone(),
        client_id: key.client_id.clone(),
        audience: format!("{}/auth/token", harness.api.url),
        now: SystemClock.now(),
        purpose: "TREAT".to_owned(),
        practitioner: Some((harness.clinic.professional.clone(), String::new())),
        role: harness.clinic.role.clone(),
        organisation: key.organisation.clone(),
        ..ClientAssertion::default()
    }
}

/// Posts an assertion; (status, code).
async fn present(harness: &Harness, assertion: &str) -> Result<(u16, Value)> {
    let http = reqwest::Client::new();
    let form = token_form(assertion, "user/*.rs");
    let reply = http.post(format!("{}/auth/token", harness.api.url)).form(&form).send().await?;
    Ok((reply.status().as_u16(), reply.json().await?))
}

fn jwt(header: &Value, claims: &Value, signature: &[u8]) -> String {
    let part = |value: &[u8]| URL_SAFE_NO_PAD.encode(value);
    format!("{}.{}.{}", part(header.to_string().as_bytes()), part(claims.to_string().as_bytes()), part(signature))
}

/// HS256 over (header, claims) with `secret`.
fn hs256(claims: &Value, secret: &[u8]) -> Result<String> {
    let header = json!({"alg": "HS256", "typ": "JWT"});
    let unsigned = jwt(&header, claims, b"");
    let text = unsigned.trim_end_matches('.');
    let key = PKey::hmac(secret)?;
    let signature = Signer::new(MessageDigest::sha256(), &key)?.sign_oneshot_to_vec(text.as_bytes())?;
    Ok(jwt(&header, claims, &signature))
}

#[tokio::test]
async fn an_assertion_is_good_once_and_only_as_it_was_signed() -> Result<()> {
    let harness = Harness::start().await?;
    let good = asserted(&harness);
    let signed = assertion(&good)?;
    assert_eq!(present(&harness, &signed).await?.0, 200);
    let (status, body) = present(&harness, &signed).await?;
    assert_eq!((status, body["code"].as_str()), (401, Some("assertion-replayed")), "{body}");

    let claims = good.claims();
    let public = PKey::private_key_from_pem(good.private_key.as_bytes())?.public_key_to_pem()?;
    let header = json!({"alg": "none", "typ": "JWT"});
    let (stranger, _) = ClientKey::generate("system-stranger", &harness.clinic.code, &[], "x")?;
    let forged = [
        ("none", jwt(&header, &claims, b"")),
        ("hs256 with the public key", hs256(&claims, &public)?),
        ("a stranger's key", sign(&stranger.private_key, &claims)?),
        (
            "another audience",
            assertion(&ClientAssertion { audience: "https://other.example/token".into(), ..good.clone() })?,
        ),
        ("an unknown client", assertion(&ClientAssertion { client_id: "system-nobody".into(), ..good.clone() })?),
        ("over", assertion(&ClientAssertion { now: good.now - 3_600_000, ..good.clone() })?),
        ("not yet", assertion(&ClientAssertion { now: good.now + 3_600_000, ..good.clone() })?),
        ("too long", assertion(&ClientAssertion { lifetime: 86_400, ..good.clone() })?),
        ("nothing", String::new()),
        ("no jwt", "a.b".to_owned()),
    ];
    for (what, text) in forged {
        let (status, body) = present(&harness, &text).await?;
        assert_eq!(status, 401, "{what}: {body}");
    }
    harness.node.stop().await
}

#[tokio::test]
async fn a_purpose_that_is_missing_unknown_or_lower_case_gives_no_token() -> Result<()> {
    let harness = Harness::start().await?;
    let good = asserted(&harness);
    for purpose in [
        Value::Null,
        json!([]),
        json!([null]),
        json!("TREAT TREAT"),
        json!(["treat"]),
        json!(["CURIOUS"]),
        json!(["TREAT", "BTG"]),
        json!([["TREAT"]]),
    ] {
        let mut claims = good.claims();
        claims["extensions"]["hl7-b2b"]["purpose_of_use"] = purpose.clone();
        let (status, body) = present(&harness, &sign(&good.private_key, &claims)?).await?;
        assert!((400..=401).contains(&status), "{purpose}: {status} {body}");
    }
    let mut claims = good.claims();
    claims["extensions"]["hl7-b2b"].as_object_mut().context("an object")?.remove("purpose_of_use");
    let (status, body) = present(&harness, &sign(&good.private_key, &claims)?).await?;
    assert_eq!(status, 400, "{body}");
    for (what, practitioner, organisation) in [
        ("another facility's professional", harness.hospital.professional.clone(), harness.clinic.code.clone()),
        ("nobody", "nobody".to_owned(), harness.clinic.code.clone()),
        ("another organisation", harness.clinic.professional.clone(), harness.hospital.code.clone()),
    ] {
        let practitioner = Some((practitioner, String::new()));
        let wrong = ClientAssertion { practitioner, organisation, ..good.clone() };
        let (status, body) = present(&harness, &assertion(&wrong)?).await?;
        assert!((400..=401).contains(&status), "{what}: {status} {body}");
    }
    harness.node.stop().await
}

/// The parts of a token, to be put together wrongly.
fn forged_tokens(token: &str, public: &[u8]) -> Result<Vec<(&'static str, String)>> {
    let parts: Vec<&str> = token.split('.').collect();
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[1])?)?;
    let mut longer = claims.clone();
    longer["exp"] = json!(claims["exp"].as_i64().unwrap_or_default() + 3_600);
    let text = longer.to_string();
    Ok(vec![
        ("none", format!("{}.{}.", URL_SAFE_NO_PAD.encode(br#"{"alg":"none","typ":"at+jwt"}"#), parts[1])),
        ("unsigned", format!("{}.{}.", parts[0], parts[1])),
        ("hs256 with the public key", hs256(&claims, public)?),
        ("longer life", format!("{}.{}.{}", parts[0], URL_SAFE_NO_PAD.encode(text), parts[2])),
        ("a turned bit", format!("{}.{}.{}", parts[0], parts[1], turned(parts[2]))),
        ("two parts", format!("{}.{}", parts[0], parts[1])),
        ("not base64", "ä.ö.ü".to_owned()),
    ])
}

fn turned(text: &str) -> String {
    let mut bytes = URL_SAFE_NO_PAD.decode(text).unwrap_or_default();
    bytes[10] ^= 1;
    URL_SAFE_NO_PAD.encode(bytes)
}

#[tokio::test]
async fn a_token_that_was_changed_is_no_token() -> Result<()> {
    let harness = Harness::start().await?;
    let citizen = harness.bear(1).await?;
    let line = Line::new(&harness.api.url);
    let path = format!("/fhir/Observation?patient={}", citizen.patient);
    let token = harness.token(&harness.hospital, &harness.hospital.care()).await?;
    assert_eq!(line.get(&token, &path).await?.status, 200);
    let jwks = line.get("", "/auth/jwks").await?.text;
    for (what, forged) in forged_tokens(&token, jwks.as_bytes())? {
        let reply = line.get(&forged, &path).await?;
        assert_eq!(reply.status, 401, "{what}: {}", reply.text);
        assert!(reply.header("www-authenticate").starts_with("Bearer"), "{what}");
    }
    assert_eq!(line.get("", &path).await?.status, 401);
    harness.node.stop().await
}

#[tokio::test]
async fn a_token_ends_after_its_300_seconds() -> Result<()> {
    let harness = Harness::start().await?;
    let citizen = harness.bear(1).await?;
    let line = Line::new(&harness.api.url);
    let path = format!("/fhir/Observation?patient={}", citizen.patient);
    let now = SystemClock.now();
    for (age_s, status) in [(200, 200), (301, 401), (86_400, 401)] {
        let clock = Arc::new(chassis::clock::ManualClock::at(now - age_s * 1000));
        let old = chassis::auth::Mint::open(&*harness.node.engine.keys, clock.clone(), &harness.node.url).await?;
        let tokens = chassis::auth::tokens::TokenService::with_mint(
            harness.node.registry.clone(),
            // Its own memory of used ids: the node's would take an assertion of yesterday for a replay.
            Arc::new(chassis::twins::MemoryStore::new()),
            old,
            Arc::new(chassis::auth::jwks::HttpFetcher::new()),
        );
        let signed = assertion(&ClientAssertion { now: clock.now(), ..asserted(&harness) })?;
        let form = chassis::auth::tokens::TokenForm {
            grant_type: "client_credentials".into(),
            client_assertion_type: chassis::auth::tokens::ASSERTION_TYPE.into(),
            client_assertion: signed,
            scope: "user/*.rs".into(),
        };
        let token = tokens.issue(&form, None).await?.access_token;
        let reply = line.get(&token, &path).await?;
        assert_eq!(reply.status, status, "{age_s} s old: {}", reply.text);
    }
    harness.node.stop().await
}

#[tokio::test]
async fn whoever_is_struck_from_the_registry_is_out_with_the_next_request() -> Result<()> {
    let harness = Harness::start().await?;
    let citizen = harness.bear(1).await?;
    let line = Line::new(&harness.api.url);
    let id = harness.keep(&harness.hospital, &item(&harness, &citizen, Kind::Laboratory, 1), "one").await?;
    let path = format!("/fhir/Observation/{id}");
    let doctor = harness.token(&harness.hospital, &harness.hospital.care()).await?;
    let system = harness.token(&harness.hospital, &harness.hospital.records()).await?;
    assert_eq!(line.get(&doctor, &path).await?.status, 200);
    let registry = &harness.node.registry;
    let professional = harness.hospital.professional.as_str().into();
    let mut struck = registry.state().professional(&professional).context("registered")?.as_ref().clone();
    struck.status = Status::Revoked;
    registry.append(AuthorityEvent::Professional(struck)).await?;
    assert_eq!(line.get(&doctor, &path).await?.status, 401);
    assert_ne!(line.get(&system, &path).await?.status, 401, "the hospital's system is not struck");
    let client = harness.hospital.key.client_id.as_str().into();
    let mut struck = registry.state().client(&client).context("registered")?.as_ref().clone();
    struck.status = Status::Revoked;
    registry.append(AuthorityEvent::Client(struck)).await?;
    assert_eq!(line.get(&system, &path).await?.status, 401);
    assert!(harness.api.token(&harness.hospital.key, &Acting::system("RECORDMGT")).await.is_err());
    harness.node.stop().await
}

#[tokio::test]
async fn a_token_for_one_person_opens_no_other() -> Result<()> {
    let harness = Harness::start().await?;
    let (one, two) = (harness.bear(1).await?, harness.bear(2).await?);
    let theirs = harness.keep(&harness.hospital, &item(&harness, &two, Kind::Laboratory, 1), "two").await?;
    let line = Line::new(&harness.api.url);
    let doctor = harness.token(&harness.hospital, &harness.hospital.care().about(&one.pid.to_string())).await?;
    assert_eq!(line.get(&doctor, "/fhir/Observation").await?.status, 200, "the token names the person");
    assert_eq!(line.get(&doctor, &format!("/fhir/Observation/{theirs}")).await?.status, 404);
    let other = line.get(&doctor, &format!("/fhir/Observation?patient={}", two.patient)).await?;
    assert_eq!(other.status, 400, "{}", other.text);
    harness.node.stop().await
}
