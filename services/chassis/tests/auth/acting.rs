//! Who acts, why, for whom and how far: the extension of the assertion, the person, the scopes.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chassis::auth::client::{self, ClientAssertion};
use chassis::auth::{Assurance, AuthError, TokenError};
use chassis::clock::Clock;
use openssl::pkey::PKey;
use schemas::authority::{AuthorityEvent, Client, Status};
use schemas::{LocalId, Pid, Purpose, ResourceId};
use serde_json::{Value, json};

use crate::world::{HOSPITAL, World, clerk, form, physician};

#[tokio::test]
async fn a_purpose_that_is_not_exactly_one_of_the_list_is_refused() {
    let world = World::new().await;
    let bad = [
        json!(null),
        json!([]),
        json!(["TREAT", "ETREAT"]),
        json!(["TREAT", "TREAT"]),
        json!([null]),
        json!("treat"),
        json!(["treat"]),
        json!(["MARKETING"]),
        json!([" TREAT"]),
        json!([""]),
        json!(1),
        json!({"TREAT": true}),
        json!([["TREAT"]]),
        json!(["urn:oid:1.2.3#TREAT"]),
        json!({"code": "TREAT", "system": "urn:oid:1.2.3"}),
    ];
    for value in bad {
        let got = world.ask_changed(|claims| claims["extensions"]["hl7-b2b"]["purpose_of_use"] = value.clone()).await;
        assert_eq!(got.unwrap_err(), TokenError::Purpose, "{value}");
    }
    let missing =
        world.ask_changed(|c| drop(c["extensions"]["hl7-b2b"].as_object_mut().unwrap().remove("purpose_of_use")));
    assert_eq!(missing.await.unwrap_err(), TokenError::Purpose);
    for value in [json!(["ETREAT"]), json!("ETREAT"), json!(["urn:oid:2.16.840.1.113883.5.8#ETREAT"])] {
        let got = world.ask_changed(|claims| claims["extensions"]["hl7-b2b"]["purpose_of_use"] = value.clone()).await;
        assert_eq!(world.request(&got.unwrap().access_token).unwrap().0.purpose, Purpose::Etreat);
    }
}

#[tokio::test]
async fn a_purpose_that_is_named_twice_does_not_read() {
    let world = World::new().await;
    let mut claims = world.assertion().claims();
    claims["extensions"] = json!("@");
    let twice = r#"{"hl7-b2b":{"version":"1","purpose_of_use":["TREAT"],"purpose_of_use":["PATRQT"]}}"#;
    let text = claims.to_string().replace("\"@\"", twice);
    let jwk: Value = serde_json::from_str(&world.jwks).unwrap();
    let header = json!({"alg": "ES384", "kid": jwk["keys"][0]["kid"], "typ": "JWT"}).to_string();
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(text));
    let key = PKey::private_key_from_pem(world.key.as_bytes()).unwrap();
    let digest = openssl::sha::sha384(signed.as_bytes());
    let signature = openssl::ecdsa::EcdsaSig::sign(&digest, key.ec_key().unwrap().as_ref()).unwrap();
    let raw = [signature.r().to_vec_padded(48).unwrap(), signature.s().to_vec_padded(48).unwrap()].concat();
    let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(raw));
    assert_eq!(world.tokens.issue(&form(token), None).await.unwrap_err(), TokenError::Extension);
}

#[tokio::test]
async fn iua_names_say_the_same() {
    let world = World::new().await;
    let pid = Pid::random();
    let iua = json!({"ihe_iua": {
        "subject_name": "Ito Hanako", "national_provider_identifier": "dr-1", "subject_organization_id": HOSPITAL,
        "subject_role": [{"system": "urn:oid:2.16.840.1.113883.6.96", "code": "physician"}],
        "purpose_of_use": [{"system": "urn:oid:2.16.840.1.113883.5.8", "code": "TREAT"}], "person_id": pid.to_string(),
    }});
    let got = world.ask_changed(|claims| claims["extensions"] = iua.clone()).await.unwrap();
    let (caller, _) = world.request(&got.access_token).unwrap();
    assert_eq!((caller.practitioner.as_ref().unwrap().0.as_str(), caller.person), ("dr-1", Some(pid)));
    let both = world.ask_changed(|claims| claims["extensions"]["ihe_iua"] = iua["ihe_iua"].clone()).await;
    assert_eq!(both.unwrap_err(), TokenError::Extension);
}

#[tokio::test]
async fn who_acts_must_stand_in_the_registry_with_that_role_at_that_organisation() {
    let world = World::new().await;
    let good = world.assertion();
    let who = |id: &str| Some((id.to_owned(), "Ito Hanako".to_owned()));
    for (it, want) in [
        (ClientAssertion { practitioner: who("dr-9"), ..good.clone() }, AuthError::Professional.into()),
        (ClientAssertion { role: "pharmacist".into(), ..good.clone() }, AuthError::Role.into()),
        (ClientAssertion { role: String::new(), ..good.clone() }, TokenError::Role),
        (ClientAssertion { practitioner: None, ..good.clone() }, TokenError::Role),
        (ClientAssertion { organisation: "1310000002".into(), ..good.clone() }, TokenError::Organisation),
        (ClientAssertion { client_id: "his-9".into(), ..good.clone() }, AuthError::Client.into()),
        (ClientAssertion { delegate_of: "dr-9".into(), ..good.clone() }, AuthError::Delegate.into()),
    ] {
        assert_eq!(world.ask(&it).await.unwrap_err(), want);
    }
    world.register(AuthorityEvent::Client(Client { status: Status::Suspended, ..world.client() })).await;
    assert_eq!(world.ask(&good).await.unwrap_err(), AuthError::Client.into());
}

#[tokio::test]
async fn a_clerk_acts_for_a_named_licensed_person_and_a_system_for_nobody() {
    let world = World::new().await;
    let clerk_id = clerk().id.0;
    let it = ClientAssertion {
        practitioner: Some((clerk_id, String::new())),
        role: "clerk".into(),
        delegate_of: physician().id.0,
        ..world.assertion()
    };
    let (caller, standing) = world.request(&world.ask(&it).await.unwrap().access_token).unwrap();
    assert_eq!(caller.delegate_of.as_ref().unwrap().0, "dr-1");
    assert_eq!(standing.delegate_of.unwrap().name, "Ito Hanako");
    let alone =
        ClientAssertion { practitioner: None, role: String::new(), purpose: "RECORDMGT".into(), ..world.assertion() };
    let (caller, standing) = world.request(&world.ask(&alone).await.unwrap().access_token).unwrap();
    assert_eq!((caller.assurance, &caller.practitioner), (Assurance::System, &None));
    assert!(standing.professional.is_none());
}

#[tokio::test]
async fn a_facility_cannot_claim_a_second_factor_that_nobody_gave() {
    let world = World::new().await;
    let ahead = world.clock.now() / 1000 + 3_600;
    let got = world.ask_changed(|claims| {
        claims["acr"] = json!("card");
        claims["auth_time"] = json!(ahead);
        claims["extensions"]["hl7-b2b"]["assurance"] = json!("national");
    });
    let (caller, _) = world.request(&got.await.unwrap().access_token).unwrap();
    assert_eq!((caller.assurance, caller.is_person), (Assurance::Facility, false));
    assert_eq!(caller.authenticated_at, world.clock.now());
}

#[tokio::test]
async fn a_token_for_one_person_names_that_person_by_pid_or_by_patient() {
    let world = World::new().await;
    let pid = Pid::random();
    let patient = ResourceId { pid, local: LocalId::random() };
    for person in [pid.to_string(), patient.to_string(), format!("Patient/{patient}")] {
        let answer = world.ask(&ClientAssertion { person, ..world.assertion() }).await.unwrap();
        let (caller, _) = world.request(&answer.access_token).unwrap();
        assert_eq!(caller.person, Some(pid));
        assert!(caller.may_ask_about(pid) && !caller.may_ask_about(Pid::random()));
    }
    let commons = format!("c-{}", LocalId::random());
    for person in ["x".to_owned(), commons, Pid::COMMONS.to_string(), format!("{pid} {pid}"), format!("{pid}-")] {
        let refused = world.ask(&ClientAssertion { person: person.clone(), ..world.assertion() }).await;
        assert_eq!(refused.unwrap_err(), TokenError::Person, "{person}");
    }
    let two = world.ask_changed(|claims| claims["person"] = json!([pid.to_string(), Pid::random().to_string()])).await;
    assert_eq!(two.unwrap_err(), TokenError::Malformed);
}

#[tokio::test]
async fn scopes_beyond_the_registered_ones_are_not_granted() {
    let world = World::new().await;
    let scopes = vec!["system/Observation.rs".into(), "patient/*.rs".into(), "user/*.r".into()];
    world.register(AuthorityEvent::Client(Client { scopes, ..world.client() })).await;
    let granted = async |scope: &str, person: &str| {
        let it = ClientAssertion { person: person.into(), ..world.assertion() };
        let form = chassis::auth::tokens::TokenForm { scope: scope.into(), ..form(client::assertion(&it).unwrap()) };
        world.tokens.issue(&form, None).await.map(|answer| answer.scope)
    };
    let pid = Pid::random().to_string();
    assert_eq!(
        granted("system/*.cruds user/Condition.rs", "").await.unwrap(),
        "system/Observation.rs user/Condition.r"
    );
    assert_eq!(granted("patient/*.cruds", "").await, Err(TokenError::Scope));
    assert_eq!(granted("patient/*.cruds", &pid).await.unwrap(), "patient/*.rs");
    for none in ["", "system/Patient.r", "system/*.read", "openid"] {
        assert_eq!(granted(none, "").await, Err(TokenError::Scope), "{none}");
    }
}
