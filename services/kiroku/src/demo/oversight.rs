//! The person reads who looked; two officials look into it, and that is seen too.

use anyhow::Result;
use chassis::clock::{Clock, SystemClock};
use schemas::authority::{AuthorityEvent, Case, Status};
use serde_json::{Value, json};

use super::step::{Ask, Teller, entries};
use super::world::{CASE, OFFICIALS};
use crate::api::Reply;

const DAY_MS: i64 = 86_400_000;

fn listed(reply: &Reply) -> Vec<&Value> {
    reply.body["entries"].as_array().into_iter().flatten().collect()
}

fn sentence(entry: &Value) -> String {
    entry["sentence"].as_str().unwrap_or_default().to_owned()
}

pub(super) async fn read_own_list(teller: &mut Teller<'_>) -> Result<()> {
    let world = teller.world;
    let person = world.person();
    teller.begin(format!("{} reads the list of all this, in plain sentences.", person.said));
    let oneself = person.who();
    let japanese = teller.ask(&oneself, Ask::get("/me/accesses?lang=ja&_count=3")).await?;
    teller.check(
        "three sentences in Japanese",
        listed(&japanese).len() == 3 && sentence(listed(&japanese)[0]).contains('。'),
    );
    listed(&japanese).into_iter().for_each(|entry| teller.quote(sentence(entry)));
    let english = teller.ask(&oneself, Ask::get("/me/accesses?lang=en&_count=100")).await?;
    let all = listed(&english);
    all.iter().for_each(|entry| teller.quote(sentence(entry)));
    let has = |kind: &str, facility: &str| {
        all.iter().any(|entry| entry["kind"] == json!(kind) && entry["facility"]["id"] == json!(facility))
    };
    teller.check("the other clinic's attempt is in it", has("denied", &world.other.code));
    teller.check("the named clinic's reading is in it", has("read", &world.clinic.code));
    teller.check("its search is in it", has("search", &world.clinic.code));
    teller.check("the consents given at its desk are in it", has("consent", &world.clinic.code));
    teller.check("what the hospital wrote is in it", has("write", &world.hospital.code));
    teller.check("the record that was kept out is in it, as refused", has("denied", &world.hospital.code));
    let objected = all.iter().any(|entry| sentence(entry).contains("the person objects"));
    teller.check("and the list says why: the person objects", objected);
    teller.check("the pharmacy's check is in it", has("automatic", &world.pharmacy.code));
    let fhir = teller.ask(&oneself, Ask::get("/fhir/AuditEvent?_count=5")).await?;
    let events = entries(&fhir);
    let all_events = !events.is_empty() && events.iter().all(|r| r["resourceType"] == json!("AuditEvent"));
    teller.check("the same list is there as FHIR AuditEvent", fhir.status == 200 && all_events);
    Ok(())
}

pub(super) async fn audit(teller: &mut Teller<'_>) -> Result<()> {
    let world = teller.world;
    let (person, [first, _]) = (world.person(), &world.officials);
    teller.begin("Two officials of the regulator open a case; one reads the entries, without medical content, and the person sees that.");
    let path = format!("/audit/accesses?case={CASE}&person={}&lang=en&_count=100", person.pid);
    let reply = teller.ask(first, Ask::get(&path)).await?;
    teller.check_status("without a case an official reads nothing", &reply, &[403]);
    let now = SystemClock.now();
    let [one, other] = OFFICIALS;
    let case = Case {
        id: CASE.to_owned(),
        kind: "case".to_owned(),
        officials: [one.into(), other.into()],
        persons: vec![person.pid],
        organisations: Vec::new(),
        opened_at: now,
        until: now + 7 * DAY_MS,
        status: Status::Active,
    };
    world.registry.append(AuthorityEvent::Case(case)).await?;
    let reply = teller.ask(first, Ask::get(&path)).await?;
    teller.check_status("with the case of two officials the entries are read", &reply, &[200]);
    let all = listed(&reply);
    all.iter().take(3).for_each(|entry| teller.quote(sentence(entry)));
    let bare = |entry: &&Value| {
        let empty = |name: &str| entry[name].as_array().is_none_or(Vec::is_empty);
        empty("items") && empty("categories") && entry["query"].as_str().unwrap_or_default().is_empty()
    };
    teller.check("no item, no category, no query is among them", !all.is_empty() && all.iter().all(bare));
    let list = teller.ask(&person.who(), Ask::get("/me/accesses?lang=en&kind=log-read&_count=100")).await?;
    let seen = listed(&list).into_iter().find(|entry| sentence(entry).contains(CASE));
    seen.into_iter().for_each(|entry| teller.quote(sentence(entry)));
    teller.check("the person sees that an official read the list, and for which case", seen.is_some());
    Ok(())
}
