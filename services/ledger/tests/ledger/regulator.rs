//! R43: a case, two officials, no clinical content, and always an entry.

use schemas::authority::{AuthorityEvent, Case, Status};
use schemas::vocab::AccessKind;
use schemas::{Category, Purpose};
use serde_json::json;

use crate::world::{Citizen, DAY, HOSPITAL, NOW, World, access, official};

async fn with_entry() -> (World, Citizen) {
    let world = World::new().await;
    let citizen = world.citizen().await;
    let mut entry = access(citizen.pid);
    entry.kind = AccessKind::Automatic;
    entry.subject = "drug 1234".into();
    world.append(entry).await;
    (world, citizen)
}

fn about(citizen: &Citizen) -> impl FnOnce(&mut Case) {
    let pid = citizen.pid;
    move |case| case.persons.push(pid)
}

async fn kinds(world: &World, citizen: &Citizen) -> Vec<serde_json::Value> {
    let token = world.sign_in(citizen).await;
    world.get(&token, "/me/accesses").await.column("kind")
}

#[actix_web::test]
async fn an_official_inside_a_case_reads_without_clinical_content_and_is_named_in_the_list() {
    let (world, citizen) = with_entry().await;
    world.open_case("case-7", about(&citizen)).await;
    let token = world.official("off-1").await;
    let said = world.get(&token, &format!("/audit/accesses?case=case-7&person={}&lang=en", citizen.pid)).await;
    assert_eq!(said.status, 200, "{}", said.text);
    let entry = &said.json()["entries"][0];
    assert_eq!((&entry["no"], &entry["who"]["name"]), (&json!(1), &json!("Hanako Sato")));
    for member in ["categories", "items"] {
        assert_eq!(entry[member], json!([]), "{member}");
    }
    assert_eq!((&entry["query"], &entry["subject"]), (&json!(""), &json!("")));
    assert!(!said.text.contains("MED") && !said.text.contains("drug 1234") && !said.text.contains("status=active"));
    // What is withheld cannot be found by searching for it either.
    let probe = world.get(&token, &format!("/audit/accesses?case=case-7&person={}&category=MED", citizen.pid)).await;
    assert_eq!(probe.column("no"), Vec::<u64>::new());

    let own = world.sign_in(&citizen).await;
    let list = world.get(&own, "/me/accesses?lang=en").await;
    assert_eq!(list.column("kind"), ["log-read", "log-read", "automatic"]);
    let sentence = "3 July 2026 14:12. Name of off-1 (official, The Regulator) read this list without medical content, for case case-7.";
    assert_eq!(list.column("sentence")[0], sentence);
    assert_eq!(list.column("why")[0]["rules"], json!(["R43"]));
    let japanese = world.get(&own, "/me/accesses?kind=log-read&professional=off-1").await;
    let sentence = "2026年7月3日 14:12 The RegulatorのName of off-1(公務員)が、事案case-7のため、診療内容を除いてこの閲覧記録を確認しました。";
    assert_eq!(japanese.column("sentence")[0], sentence);
}

#[actix_web::test]
async fn without_a_case_that_holds_the_regulator_is_refused_and_the_refusal_is_an_entry() {
    let (world, citizen) = with_entry().await;
    world
        .open_case("over", |case| {
            about(&citizen)(case);
            case.until = NOW;
        })
        .await;
    world
        .open_case("closed", |case| {
            about(&citizen)(case);
            case.status = Status::Closed;
        })
        .await;
    world
        .open_case("too-long", |case| {
            about(&citizen)(case);
            case.until = case.opened_at + 31 * DAY;
        })
        .await;
    world.open_case("of-another", |_| ()).await;
    world
        .open_case("alone", |case| {
            about(&citizen)(case);
            case.officials[1] = "off-1".into();
        })
        .await;
    world
        .open_case("of-others", |case| {
            about(&citizen)(case);
            case.officials = ["off-2".into(), "off-3".into()];
        })
        .await;
    let token = world.official("off-1").await;
    let cases = ["none", "over", "closed", "too-long", "of-another", "alone", "of-others"];
    for case in cases {
        let said = world.get(&token, &format!("/audit/accesses?case={case}&person={}", citizen.pid)).await;
        assert_eq!((said.status.as_u16(), said.text.contains("not available")), (403, true), "{case}");
        assert!(said.headers.contains_key("kiroku-receipt"), "{case}");
    }
    let own = world.sign_in(&citizen).await;
    let list = world.get(&own, "/me/accesses?kind=denied&lang=en").await;
    assert_eq!(list.column("kind").len(), cases.len());
    assert!(list.column("who").iter().all(|who| who["id"] == "off-1"), "each names the human");
    for wrong in ["case=over", "person=x", "case=a&person=x&organisation=y", "case=a&person=x&shoe=1"] {
        assert_eq!(world.get(&token, &format!("/audit/accesses?{wrong}")).await.status, 400, "{wrong}");
    }
}

#[actix_web::test]
async fn a_case_rests_when_one_of_its_two_officials_is_no_longer_active() {
    let (world, citizen) = with_entry().await;
    world.open_case("case-1", about(&citizen)).await;
    let path = format!("/audit/accesses?case=case-1&person={}", citizen.pid);
    let token = world.official("off-1").await;
    assert_eq!(world.get(&token, &path).await.status, 200);
    world.registry.append(AuthorityEvent::Professional(official("off-2", Status::Revoked))).await.unwrap();
    assert_eq!(world.get(&token, &path).await.status, 403);
    assert_eq!(kinds(&world, &citizen).await, ["denied", "log-read", "automatic"]);
    let mut moved = official("off-2", Status::Active);
    moved.roles = vec![(HOSPITAL.into(), "official".into())];
    world.registry.append(AuthorityEvent::Professional(moved)).await.unwrap();
    assert_eq!(world.get(&token, &path).await.status, 403, "an official elsewhere is no second person");
    world.registry.append(AuthorityEvent::Professional(official("off-2", Status::Active))).await.unwrap();
    assert_eq!(world.get(&token, &path).await.status, 200);
}

#[actix_web::test]
async fn a_case_about_a_facility_shows_its_entries_only_and_its_own_list() {
    let (world, citizen) = with_entry().await;
    let mut elsewhere = access(citizen.pid);
    elsewhere.organisation = "2720000002".into();
    world.append(elsewhere).await;
    let mut nobody = access(citizen.pid);
    (nobody.person, nobody.kind, nobody.categories) = (None, AccessKind::Denied, vec![Category::Med]);
    world.append(nobody).await;
    world.open_case("facility", |case| case.organisations.push(HOSPITAL.into())).await;
    world.open_case("person", about(&citizen)).await;
    let token = world.official("off-2").await;
    let person = world.get(&token, &format!("/audit/accesses?case=facility&person={}", citizen.pid)).await;
    assert_eq!(person.column("no"), [1]);
    let own = world.get(&token, &format!("/audit/accesses?case=facility&organisation={HOSPITAL}")).await;
    assert_eq!((own.status.as_u16(), own.column("kind")), (200, vec![json!("denied")]));
    for (case, organisation) in [("facility", "2720000002"), ("person", HOSPITAL), ("none", HOSPITAL)] {
        let said = world.get(&token, &format!("/audit/accesses?case={case}&organisation={organisation}")).await;
        assert_eq!(said.status, 403, "{case} {organisation}");
    }
    assert_eq!(kinds(&world, &citizen).await, ["log-read", "read", "automatic"]);
}

#[actix_web::test]
async fn a_node_that_does_not_know_the_registry_of_today_refuses_the_regulator_and_serves_the_person() {
    let (world, citizen) = with_entry().await;
    world.open_case("case-1", about(&citizen)).await;
    world.clock.advance(61_000);
    let token = world.official("off-1").await;
    let path = format!("/audit/accesses?case=case-1&person={}", citizen.pid);
    assert_eq!(world.get(&token, &path).await.status, 403);
    assert_eq!(kinds(&world, &citizen).await, ["denied", "automatic"]);
}

#[actix_web::test]
async fn an_official_reads_what_was_tried_without_what_it_was_about() {
    let world = World::new().await;
    let citizen = world.citizen().await;
    let tried = |purpose, query: &str, subject: &str| {
        let mut entry = access(citizen.pid);
        (entry.kind, entry.purpose) = (AccessKind::Denied, purpose);
        (entry.query, entry.subject, entry.count) = (query.into(), subject.into(), 0);
        entry
    };
    world.append(tried(Purpose::Patrqt, "Immunization?status=completed", "")).await;
    world.append(tried(Purpose::Patrqt, "", "give_consent")).await;
    world.append(tried(Purpose::Treat, "MedicationRequest/$check", "drug 1234")).await;
    world.open_case("case-7", about(&citizen)).await;
    let token = world.official("off-1").await;
    let said = world.get(&token, &format!("/audit/accesses?case=case-7&person={}&lang=en", citizen.pid)).await;
    assert_eq!(said.column("subject"), ["read", "give_consent", "read"]);
    let sentences = said.column("sentence");
    let ends = ["read the person's records", "record the person's consent", "read the person's records"];
    for (sentence, end) in sentences.iter().zip(ends) {
        let sentence = sentence.as_str().unwrap();
        assert!(sentence.contains(&format!("tried to {end} and was refused")), "{sentence}");
    }
    assert!(!said.text.contains("drug 1234") && !said.text.contains("Immunization"));
}
