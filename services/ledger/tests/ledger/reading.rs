//! Reading a list: whose it is, what it leaves, what damage does.

use chassis::ports::keys::Keys;
use chassis::ports::log::{Append, Log};
use chassis::ports::store::{Store, Table};
use ledger::{list_name, row_key, row_partition};
use schemas::access::{AccessList, AccessRecord, Commitment, ReceiptBytes};
use schemas::shelf::{Visit, VisitKind, VisitProof};
use schemas::vocab::{AccessKind, LinkState, Topic};
use schemas::{Category, LocalId, codec};
use serde_json::json;

use crate::world::{DAY, HOSPITAL, NOW, World, access};

#[actix_web::test]
async fn a_person_reads_the_own_list_newest_first_and_the_reading_is_the_next_entry() {
    let world = World::new().await;
    let citizen = world.citizen().await;
    world.append(access(citizen.pid)).await;
    world.append(access(citizen.pid)).await;
    let token = world.sign_in(&citizen).await;
    let first = world.get(&token, "/me/accesses?lang=en").await;
    assert_eq!((first.status.as_u16(), first.column("no")), (200, vec![json!(2), json!(1)]));
    use base64::Engine;
    let receipt = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(first.header("kiroku-receipt")).unwrap();
    let receipt: ReceiptBytes = codec::decode("receipt", &receipt).unwrap();
    let second = world.get(&token, "/me/accesses?lang=en").await;
    assert_eq!(second.column("kind"), ["log-read", "read", "read"]);
    let newest = &second.json()["entries"][0];
    assert_eq!(newest["proof"]["entry"], receipt.entry.to_string());
    assert_eq!(newest["sentence"], "3 July 2026 14:12. You looked at this list.");
    assert_eq!((&newest["count"], &newest["why"]["rules"]), (&json!(2), &json!(["R02"])));
}

#[actix_web::test]
async fn nothing_of_a_list_leaves_while_the_log_cannot_be_written() {
    let world = World::new().await;
    let citizen = world.citizen().await;
    world.append(access(citizen.pid)).await;
    let token = world.sign_in(&citizen).await;
    world.log.fail_appends(true);
    for path in ["/me/accesses", "/fhir/AuditEvent"] {
        let said = world.get(&token, path).await;
        assert_eq!(said.status, 503, "{path}");
        assert!(!said.text.contains("Sato") && !said.text.contains("medicines"), "{}", said.text);
    }
    world.log.fail_appends(false);
    assert_eq!(world.get(&token, "/me/accesses").await.column("kind"), ["read"], "the failed readings left nothing");
}

#[actix_web::test]
async fn a_person_cannot_read_anothers_list_and_finds_the_attempt_in_the_own_one() {
    let world = World::new().await;
    let (own, other) = (world.citizen().await, world.citizen().await);
    let theirs = world.append(access(other.pid)).await;
    let token = world.sign_in(&own).await;
    let nobody = schemas::Pid::random();
    let mut bodies = Vec::new();
    for pid in [other.pid, nobody] {
        let said = world.get(&token, &format!("/fhir/AuditEvent?patient=Patient/{pid}-{}", LocalId::random())).await;
        assert_eq!(said.status, 403);
        assert!(said.headers.contains_key("kiroku-receipt"));
        bodies.push(said.text);
    }
    assert_eq!(bodies[0], bodies[1], "an unknown person and a forbidden person answer alike");
    assert_eq!(world.get(&token, &format!("/fhir/AuditEvent/{theirs}")).await.status, 404);
    let list = world.get(&token, "/me/accesses").await;
    assert_eq!(list.column("kind"), ["log-read", "denied", "denied"]);
    assert!(!list.text.contains(&other.pid.to_string()) && !list.text.contains(&theirs.to_string()));
    let others = world.sign_in(&other).await;
    assert_eq!(world.get(&others, "/me/accesses").await.column("kind"), ["read"]);
}

#[actix_web::test]
async fn a_physician_cannot_read_a_list_and_the_person_sees_that_it_was_tried() {
    let world = World::new().await;
    let citizen = world.citizen().await;
    world.append(access(citizen.pid)).await;
    let doctor = world.token("his", "dr-1", "physician", "TREAT").await;
    for path in
        [format!("/fhir/AuditEvent?patient={}", citizen.pid), format!("/audit/accesses?case=c&person={}", citizen.pid)]
    {
        let said = world.get(&doctor, &path).await;
        assert_eq!(said.status, 403, "{path}");
        assert!(said.text.contains("not available"));
    }
    let token = world.sign_in(&citizen).await;
    let list = world.get(&token, "/me/accesses?lang=en").await;
    assert_eq!(list.column("kind"), ["denied", "denied", "read"]);
    let sentence =
        "3 July 2026 14:12. Name of dr-1 tried to read your list of who looked and was refused: nothing permits it.";
    assert_eq!(
        list.column("sentence")[0],
        sentence.replace("Name of dr-1", "Dr Name of dr-1 (physician, Central Hospital)")
    );
    assert_eq!(world.get("no-token", "/me/accesses").await.status, 401);
}

#[actix_web::test]
async fn a_flipped_byte_anywhere_in_a_row_or_head_is_said_and_nothing_is_shown() {
    let world = World::new().await;
    let citizen = world.citizen().await;
    for _ in 0..3 {
        world.append(access(citizen.pid)).await;
    }
    let token = world.sign_in(&citizen).await;
    assert_eq!(world.get(&token, "/me/accesses").await.status, 200);
    let list = AccessList::Person(citizen.pid);
    let rows = row_partition(&list, 2026);
    let name = list_name(&list);
    let places: [(Table, &[u8], Vec<u8>); 2] =
        [(Table::Access, &rows, row_key(2).to_vec()), (Table::AccessHead, &name, Vec::new())];
    for (table, partition, key) in places {
        // Numbering goes on during the test, so the row is read again each time.
        let good = world.store.get(table, partition, &key).await.unwrap().unwrap();
        for at in (0..good.len()).step_by(good.len() / 16 + 1) {
            let good = world.store.get(table, partition, &key).await.unwrap().unwrap();
            let mut bad = good.to_vec();
            bad[at] ^= 1;
            world.store.tamper(table, partition, &key, Some(bad.into()));
            for path in ["/me/accesses", "/fhir/AuditEvent"] {
                let said = world.get(&token, path).await;
                assert_eq!(said.status, 500, "byte {at} of {table:?}: {}", said.text);
                assert!(said.text.contains("damaged") && !said.text.contains("Sato"));
            }
            world.store.tamper(table, partition, &key, Some(good));
        }
    }
    world.store.tamper(Table::Access, &rows, &row_key(2), None);
    assert_eq!(world.get(&token, "/me/accesses").await.status, 500, "a row that is gone is missed");
}

#[actix_web::test]
async fn a_body_that_opens_and_is_not_what_was_committed_to_is_said() {
    let world = World::new().await;
    let citizen = world.citizen().await;
    let list = AccessList::Person(citizen.pid);
    let key = world.keys.log_key(&list, 2026).await.unwrap();
    let entry = access(citizen.pid);
    let sealed = chassis::crypto::seal(&key.entry_key(&entry.id), &entry.id.0, &codec::encode(&entry));
    let record = AccessRecord { id: entry.id, list, year: 2026, commitment: Commitment([1; 32]), sealed };
    let value = codec::encode(&record).into();
    world.log.append(Append { topic: Topic::Access, shard: citizen.pid.shard(), value }).await.unwrap();
    let token = world.sign_in(&citizen).await;
    for path in ["/me/accesses".to_owned(), format!("/fhir/AuditEvent/{}", entry.id)] {
        let said = world.get(&token, &path).await;
        assert_eq!((said.status.as_u16(), said.text.contains("damaged")), (500, true), "{path}");
        assert!(!said.text.contains("Sato"));
    }
}

#[actix_web::test]
async fn a_list_is_searched_by_facility_professional_date_kind_category_and_words() {
    let world = World::new().await;
    let citizen = world.citizen().await;
    let mut other = access(citizen.pid);
    other.organisation = "2720000002".into();
    other.organisation_name = "Clinic Y".into();
    other.organisation_group = String::new();
    other.released_at = NOW - 3 * DAY;
    other.kind = AccessKind::Search;
    other.categories = vec![Category::Checkup];
    if let Some(actor) = other.actor.as_mut() {
        actor.id = "dr-2".into();
        actor.name = "Ken Mori".into();
    }
    world.append(other).await;
    world.append(access(citizen.pid)).await;
    let token = world.sign_in(&citizen).await;
    let cases = [
        ("facility=clinic", vec![1]),
        ("facility=2720000002", vec![1]),
        ("facility=tokyo%20group", vec![2]),
        ("professional=mori", vec![1]),
        ("professional=dr-1&kind=read", vec![2]),
        ("to=2026-06-30", vec![1]),
        ("from=2026-07-03&kind=read,search", vec![2]),
        ("kind=search", vec![1]),
        ("category=MED", vec![2]),
        ("category=CHECKUP,MED", vec![2, 1]),
        ("text=checkups&lang=en", vec![1]),
        ("facility=clinic&professional=sato", vec![]),
        ("purpose=ETREAT", vec![]),
    ];
    for (query, numbers) in cases {
        let said = world.get(&token, &format!("/me/accesses?{query}")).await;
        assert_eq!(said.status, 200, "{query}: {}", said.text);
        assert_eq!(said.column("no"), numbers, "{query}");
    }
    for wrong in ["color=red", "kind=purple", "from=yesterday", "_page=x", "lang=fr"] {
        assert_eq!(world.get(&token, &format!("/me/accesses?{wrong}")).await.status, 400, "{wrong}");
    }
}

#[actix_web::test]
async fn pages_follow_each_other_without_a_gap_while_new_entries_come() {
    let world = World::new().await;
    let citizen = world.citizen().await;
    for _ in 0..10 {
        world.append(access(citizen.pid)).await;
    }
    let token = world.sign_in(&citizen).await;
    let (mut path, mut seen) = ("/me/accesses?_count=4".to_owned(), Vec::new());
    loop {
        let said = world.get(&token, &path).await;
        seen.extend(said.column("no").iter().map(|n| n.as_u64().unwrap()));
        match said.json()["next"].as_str() {
            Some(next) => path = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(seen, (1..=10).rev().collect::<Vec<_>>());
}

#[actix_web::test]
async fn text_is_one_sentence_per_line_in_the_language_asked_for() {
    let world = World::new().await;
    let citizen = world.citizen().await;
    world.append(access(citizen.pid)).await;
    world.append(access(citizen.pid)).await;
    let token = world.sign_in(&citizen).await;
    let english = [("accept", "text/plain"), ("accept-language", "en-GB,ja;q=0.5")];
    let said = world.ask(&token, "/me/accesses", &english).await;
    assert_eq!(said.header("content-type"), "text/plain; charset=utf-8");
    let line = "3 July 2026 14:12. Dr Hanako Sato (physician, Central Hospital) looked at your medicines (12 items), for treatment.";
    assert_eq!(said.text, format!("{line}\n{line}\n"));
    let said = world.ask(&token, "/me/accesses?kind=read", &[("accept", "text/plain")]).await;
    assert!(said.text.starts_with(
        "2026年7月3日 14:12 Central HospitalのHanako Sato(医師)が、あなたの薬の情報(12件)を閲覧しました。"
    ));
    assert_eq!(world.ask(&token, "/me/accesses", &[("accept", "image/png")]).await.status, 406);
}

#[actix_web::test]
async fn while_the_link_is_suspect_only_entries_of_visits_by_card_are_shown() {
    let world = World::new().await;
    let citizen = world.citizen().await;
    world.append(access(citizen.pid)).await;
    let mut before = access(citizen.pid);
    before.released_at = NOW - 2 * DAY;
    world.append(before).await;
    let visit = |proof, opened_at| Visit {
        id: LocalId::random(),
        facility: HOSPITAL.into(),
        kind: VisitKind::Outpatient,
        opened_at,
        closed_at: None,
        team: Vec::new(),
        proof,
    };
    let token = world.sign_in(&citizen).await;
    world.put_state(citizen.pid, LinkState::Suspect, vec![visit(VisitProof::Paper, NOW - 3 * DAY)], 1).await;
    assert_eq!(world.get(&token, "/me/accesses").await.column("no"), Vec::<u64>::new());
    world.put_state(citizen.pid, LinkState::Suspect, vec![visit(VisitProof::Card, NOW - DAY)], 2).await;
    assert_eq!(world.get(&token, "/me/accesses?kind=read").await.column("no"), [1]);
}

#[actix_web::test]
async fn a_list_that_does_not_reach_to_this_moment_says_so() {
    let mut world = World::new().await;
    let citizen = world.citizen().await;
    world.append(access(citizen.pid)).await;
    let token = world.sign_in(&citizen).await;
    assert_eq!(world.get(&token, "/me/accesses").await.json()["behind"], json!(null));
    world.handle.stop().await;
    world.append(access(citizen.pid)).await;
    let said = world.get(&token, "/me/accesses?lang=en").await;
    let sentence = "Entries of the last moments are not in this list yet; look again in a minute.";
    assert_eq!((said.column("no"), &said.json()["behind"]), (vec![json!(1)], &json!(sentence)));
    let bundle = world.get(&token, "/fhir/AuditEvent").await.json();
    assert_eq!(bundle["entry"][1]["resource"]["issue"][0]["code"], "incomplete");
    assert!(!world.handle.is_running());
}

#[actix_web::test]
async fn entries_whose_key_was_destroyed_keep_their_number_and_lose_their_words() {
    let world = World::new().await;
    let citizen = world.citizen().await;
    world.append(access(citizen.pid)).await;
    world.open_case("case-1", |case| case.persons.push(citizen.pid)).await;
    let token = world.sign_in(&citizen).await;
    assert_eq!(world.get(&token, "/me/accesses").await.column("kind"), ["read"]);
    world.keys.destroy_person(citizen.pid).await.unwrap();
    // The state can no longer be opened either: nobody is let in, and no word of an entry leaves.
    let said = world.get(&token, "/me/accesses").await;
    assert_eq!(said.status, 410);
    assert!(!said.text.contains("Sato"));
    let report = ledger::verify_lists(&world.list_deps(), world.store.clone(), &mut |_, _| {}).await.unwrap();
    assert!(report.is_good() && report.without_key == 2, "{report:?}");
    assert_eq!((report.records, report.opened), (3, 1), "the refusal itself is an entry of nobody's list");
}

#[actix_web::test]
async fn an_erased_person_is_told_so_and_to_everybody_else_is_like_an_unknown_person() {
    let world = World::new().await;
    let (citizen, official) = (world.citizen().await, world.official("off-1").await);
    world.append(access(citizen.pid)).await;
    let own = world.sign_in(&citizen).await;
    assert_eq!(world.get(&own, "/me/accesses").await.status, 200);
    world.keys.destroy_person(citizen.pid).await.unwrap();
    for path in ["/me/accesses", "/fhir/AuditEvent", &format!("/fhir/AuditEvent/{}", schemas::EntryId::random())] {
        let said = world.get(&own, path).await;
        assert_eq!(said.status, 410, "{path}: {}", said.text);
        assert!(said.text.contains("were erased") && said.headers.contains_key("kiroku-receipt"), "{}", said.text);
    }
    world
        .open_case("case-9", |case| {
            case.persons = vec![citizen.pid];
        })
        .await;
    let doctor = world.token("his", "dr-1", "physician", "TREAT").await;
    for (token, path) in [(&doctor, "/fhir/AuditEvent?patient="), (&official, "/audit/accesses?case=case-9&person=")] {
        let erased = world.get(token, &format!("{path}{}", citizen.pid)).await;
        let unknown = world.get(token, &format!("{path}{}", schemas::Pid::random())).await;
        assert_eq!((erased.status, &erased.text), (unknown.status, &unknown.text));
        assert_eq!(erased.status, 403);
        assert_eq!(erased.header("kiroku-receipt").len(), unknown.header("kiroku-receipt").len());
    }
}
