//! A person signs in with a card.

use std::sync::Arc;

use chassis::auth::client;
use chassis::auth::person::{PersonSignIn, SignIn};
use chassis::auth::scopes::Interaction;
use chassis::auth::{Assurance, AuthError, Mint, TokenError};
use chassis::clock::{Clock, ManualClock};
use chassis::registry::card_id;
use schemas::authority::AuthorityEvent;
use schemas::{Pid, Purpose};

use crate::world::{ISSUER, World};

struct Cards {
    world: World,
    desk: PersonSignIn,
    pid: Pid,
    key: String,
    public: String,
}

impl Cards {
    async fn new() -> Self {
        let world = World::new().await;
        let desk = PersonSignIn::new(world.registry.clone(), world.store.clone(), world.mint.clone());
        let (key, public) = client::generate_card().unwrap();
        let pid = Pid::random();
        world.register(AuthorityEvent::Card { pid, public_key: public.clone() }).await;
        Self { world, desk, pid, key, public }
    }

    fn answer(&self, subject: &str) -> SignIn {
        let nonce = self.desk.challenge(subject).nonce;
        let signature = client::sign_challenge(&self.key, ISSUER, &nonce).unwrap();
        SignIn { subject: subject.into(), nonce, signature }
    }

    async fn refused(&self, request: &SignIn) {
        assert_eq!(self.desk.sign_in(request, None).await.unwrap_err(), TokenError::SignIn);
    }
}

#[tokio::test]
async fn a_person_signs_in_with_a_card_and_gets_a_token_for_oneself_alone() {
    let cards = Cards::new().await;
    let card = card_id(&cards.public).unwrap();
    for subject in [cards.pid.to_string(), card.clone()] {
        let answer = cards.desk.sign_in(&cards.answer(&subject), None).await.unwrap();
        let (caller, standing) = cards.world.request(&answer.access_token).unwrap();
        assert!(caller.is_person && caller.practitioner.is_none() && caller.organisation.0.is_empty());
        assert_eq!(
            (caller.person, caller.purpose, caller.assurance),
            (Some(cards.pid), Purpose::Patrqt, Assurance::Card)
        );
        assert_eq!(caller.authenticated_at, cards.world.clock.now());
        assert!(standing.allows(&caller, "AuditEvent", Interaction::Search));
        assert!(standing.allows(&caller, "Consent", Interaction::Create));
        assert!(!standing.allows(&caller, "Observation", Interaction::Create) && !standing.has_right("records.read"));
        assert!(!caller.may_ask_about(Pid::random()));
    }
}

#[tokio::test]
async fn a_challenge_is_good_once_for_two_minutes_for_its_subject_and_on_this_server() {
    let cards = Cards::new().await;
    let subject = cards.pid.to_string();
    let used = cards.answer(&subject);
    assert!(cards.desk.sign_in(&used, None).await.is_ok());
    cards.refused(&used).await;

    let late = cards.answer(&subject);
    cards.world.clock.advance(120_000);
    cards.refused(&late).await;

    let mut other_subject = cards.answer(&subject);
    other_subject.subject = card_id(&cards.public).unwrap();
    cards.refused(&other_subject).await;

    let mut elsewhere = cards.answer(&subject);
    elsewhere.signature = client::sign_challenge(&cards.key, "https://evil.example", &elsewhere.nonce).unwrap();
    cards.refused(&elsewhere).await;

    let (stranger, _) = client::generate_card().unwrap();
    let mut forged = cards.answer(&subject);
    forged.signature = client::sign_challenge(&stranger, ISSUER, &forged.nonce).unwrap();
    cards.refused(&forged).await;

    let mut made_up = cards.answer(&subject);
    made_up.nonce.replace_range(30..31, if &made_up.nonce[30..31] == "A" { "B" } else { "A" });
    made_up.signature = client::sign_challenge(&cards.key, ISSUER, &made_up.nonce).unwrap();
    cards.refused(&made_up).await;
}

#[tokio::test]
async fn nobodys_id_gets_a_challenge_that_looks_like_anybodys_and_the_same_refusal() {
    let cards = Cards::new().await;
    let nobody = Pid::random().to_string();
    let (known, unknown) = (cards.desk.challenge(&cards.pid.to_string()), cards.desk.challenge(&nobody));
    assert_eq!((known.nonce.len(), known.expires_in), (unknown.nonce.len(), unknown.expires_in));
    cards.refused(&cards.answer(&nobody)).await;
    cards.refused(&cards.answer("")).await;
}

#[tokio::test]
async fn a_replaced_or_withdrawn_card_ends_its_tokens() {
    let cards = Cards::new().await;
    let subject = cards.pid.to_string();
    let token = cards.desk.sign_in(&cards.answer(&subject), None).await.unwrap().access_token;
    let (_, other) = client::generate_card().unwrap();
    for public_key in [other, String::new()] {
        cards.world.register(AuthorityEvent::Card { pid: cards.pid, public_key }).await;
        assert_eq!(cards.world.request(&token).unwrap_err(), AuthError::Card);
        cards.refused(&cards.answer(&subject)).await;
    }
    // The same key registered for another person: it opens nothing of the first.
    cards.world.register(AuthorityEvent::Card { pid: Pid::random(), public_key: cards.public.clone() }).await;
    assert_eq!(cards.world.request(&token).unwrap_err(), AuthError::Card);
}

#[tokio::test]
async fn a_challenge_lives_over_a_restart() {
    let cards = Cards::new().await;
    let request = cards.answer(&cards.pid.to_string());
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(cards.world.clock.now()));
    let mint = Mint::open(cards.world.keys.as_ref(), clock, ISSUER).await.unwrap();
    let desk = PersonSignIn::new(cards.world.registry.clone(), cards.world.store.clone(), mint);
    assert!(desk.sign_in(&request, None).await.is_ok());
    cards.refused(&request).await;
}
