//! Pages stay as they were when the first was made, whatever is written between them; a link is good for its reader alone.

use anyhow::{Context, Result};
use loadtest::population::Kind;
use reqwest::Method;
use schemas::ResourceId;
use serde_json::{Value, json};
use tests::wire::{Ask, Line, Wire};
use tests::{Citizen, Harness};

use crate::writing::item;

/// `Type/id` of each match, in the order of the page.
fn found(page: &Value) -> Vec<String> {
    let entries = page["entry"].as_array().into_iter().flatten();
    let matches = entries.filter(|entry| entry["search"]["mode"] == "match").map(|entry| &entry["resource"]);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    matches.map(|resource| format!("{}/{}", text(&resource["resourceType"]), text(&resource["id"]))).collect()
}

pub(crate) fn link(page: &Value, relation: &str, line: &Line) -> Option<String> {
    let link = page["link"].as_array()?.iter().find(|link| link["relation"] == relation)?;
    Some(link["url"].as_str()?.replace(&line.url, ""))
}

pub(crate) async fn page(line: &Line, token: &str, path: &str) -> Result<Value> {
    let reply = line.get(token, path).await?;
    assert_eq!(reply.status, 200, "{path}: {}", reply.text);
    Ok(reply.json())
}

/// Seven laboratory values that the hospital keeps of a person; their ids, in the order of writing.
async fn seven(harness: &Harness, citizen: &Citizen) -> Result<Vec<String>> {
    let mut ids = Vec::new();
    for k in 0..7 {
        let record = item(harness, citizen, Kind::Laboratory, k);
        ids.push(harness.keep(&harness.hospital, &record, &format!("{} {k}", citizen.pid)).await?);
    }
    Ok(ids)
}

/// Adds a record, deletes one, and changes another.
async fn disturb(harness: &Harness, citizen: &Citizen, (deleted, changed): (&str, &str)) -> Result<()> {
    let key = format!("{} added before {deleted}", citizen.pid);
    harness.keep(&harness.hospital, &item(harness, citizen, Kind::Laboratory, 50), &key).await?;
    let token = harness.token(&harness.hospital, &harness.hospital.records()).await?;
    assert_eq!(harness.api.delete(&token, &format!("/fhir/Observation/{deleted}")).await?.status, 204);
    let mut record = item(harness, citizen, Kind::Laboratory, 60);
    record["id"] = json!(changed);
    let reply = harness.api.put(&token, &format!("/fhir/Observation/{changed}"), &record, &[]).await?;
    assert_eq!(reply.status, 200, "{}", reply.body);
    Ok(())
}

#[tokio::test]
async fn pages_show_each_record_of_the_start_once_while_others_come_and_go() -> Result<()> {
    let harness = Harness::start().await?;
    let line = Line::new(&harness.api.url);
    let doctor = harness.token(&harness.hospital, &harness.hospital.care()).await?;
    for (index, path) in [
        (1, "/fhir/Patient/P/$everything?_count=2"),
        (2, "/fhir/Patient/P/$everything?_count=3&_type=Observation"),
        (3, "/fhir/Observation?patient=P&_count=2"),
        (4, "/fhir/Observation?patient=P&_count=2&_sort=_id"),
    ] {
        let citizen = harness.bear(index).await?;
        let ids = seven(&harness, &citizen).await?;
        let path = path.replace('P', &citizen.patient).replace(&format!("{}atient", citizen.patient), "Patient");
        let whole = path.replace("_count=2", "_count=100").replace("_count=3", "_count=100");
        let start = found(&page(&line, &doctor, &whole).await?);
        assert!(ids.iter().all(|id| start.contains(&format!("Observation/{id}"))), "{path}");

        let mut pages = vec![page(&line, &doctor, &path).await?];
        let mut links = Vec::new();
        while let Some(next) = link(pages.last().context("a page")?, "next", &line) {
            let seen: Vec<String> = pages.iter().flat_map(found).collect();
            let mut unseen = ids.iter().filter(|id| !seen.contains(&format!("Observation/{id}")));
            if let (Some(deleted), Some(changed)) = (unseen.next(), unseen.next()) {
                disturb(&harness, &citizen, (deleted, changed)).await?;
            }
            pages.push(page(&line, &doctor, &next).await?);
            links.push(next);
            assert!(pages.len() < 20, "pages end");
        }
        let shown: Vec<String> = pages.iter().flat_map(found).collect();
        assert_eq!(shown, start, "{path}: each record of the start once, in its order");
        assert!(pages.iter().all(|page| page["total"] == start.len()), "{path}: the total stays");
        assert!(link(&pages[0], "previous", &line).is_none());

        let mut at = pages.len() - 1;
        while let Some(previous) = link(&pages[at], "previous", &line) {
            at -= 1;
            let back = page(&line, &doctor, &previous).await?;
            assert_eq!(found(&back), found(&pages[at]), "{path}: the way back shows the same pages");
            pages[at] = back;
        }
        assert_eq!(at, 0, "{path}: the way back ends at the first page");
        let fresh = found(&page(&line, &doctor, &whole).await?);
        assert_ne!(fresh, start, "{path}: who begins again sees what is there now");
    }
    harness.node.stop().await
}

#[tokio::test]
async fn a_page_link_is_good_for_its_reader_its_person_and_its_query_only() -> Result<()> {
    let harness = Harness::start().await?;
    let (one, two) = (harness.bear(1).await?, harness.bear(2).await?);
    seven(&harness, &one).await?;
    let line = Line::new(&harness.api.url);
    let hospital = &harness.hospital;
    let doctor = harness.token(hospital, &hospital.care()).await?;
    let same_doctor = harness.token(hospital, &hospital.care()).await?;
    let system = harness.token(hospital, &hospital.records()).await?;
    let stranger = harness.token(&harness.clinic, &harness.clinic.care()).await?;
    let own = harness.api.sign_in(&one.card).await?;
    for path in [
        format!("/fhir/Patient/{}/$everything?_count=2", one.patient),
        format!("/fhir/Observation?patient={}&_count=2", one.patient),
    ] {
        let next = link(&page(&line, &doctor, &path).await?, "next", &line).context("more than a page")?;
        assert_eq!(line.get(&same_doctor, &next).await?.status, 200, "another token of the same reader");
        for (who, token) in [("a doctor elsewhere", &stranger), ("the person", &own)] {
            let refused = line.get(token, &next).await?;
            assert_eq!(refused.status, 400, "{who}: {}", refused.text);
            assert_eq!(refused.json()["issue"][0]["expression"][0], "_page");
        }
        assert_ne!(line.get(&system, &next).await?.status, 200, "the system of the same facility");
        for changed in [
            next.replace("_count=2", "_count=3"),
            next.replace(&one.patient, &two.patient),
            next.replace("_count=2", "_count=2&_type=Observation"),
            next.replace("_page=", "_page=A"),
        ] {
            let refused = line.get(&doctor, &changed).await?;
            assert_eq!(refused.status, 400, "{changed}: {}", refused.text);
        }
    }
    harness.node.stop().await
}

#[tokio::test]
async fn everything_refuses_what_it_does_not_know_and_counts_without_showing() -> Result<()> {
    let harness = Harness::start().await?;
    let citizen = harness.bear(1).await?;
    seven(&harness, &citizen).await?;
    let line = Line::new(&harness.api.url);
    let doctor = harness.token(&harness.hospital, &harness.hospital.care()).await?;
    let path = format!("/fhir/Patient/{}/$everything", citizen.patient);
    for (query, place) in [
        ("canarybird=1", "parameter[0]"),
        ("_count=2&_offset=2", "parameter[1]"),
        ("_sort=date", "parameter[0]"),
        ("_summary=true", "parameter[0]"),
        ("_elements=id", "parameter[0]"),
        ("_count=2&_count=3", "_count"),
        ("_count=-1", "_count"),
        ("_count=canarybird", "_count"),
        ("_page=canarybird", "_page"),
        ("_since=canarybird", "_since"),
    ] {
        let reply = line.get(&doctor, &format!("{path}?{query}")).await?;
        assert_eq!(reply.status, 400, "{query}: {}", reply.text);
        assert_eq!(reply.json()["issue"][0]["expression"][0], place, "{query}: {}", reply.text);
        assert!(!reply.text.contains("canarybird"), "{query}: {}", reply.text);
    }
    assert_eq!(line.get(&doctor, &format!("{path}?_type=Canarybird")).await?.status, 404);
    let lenient = Ask::get(format!("{path}?canarybird=1&_type=Observation")).header("prefer", "handling=lenient");
    let lenient = line.ask(&doctor, &lenient).await?.json();
    let said = &lenient["entry"][7]["resource"]["issue"][1];
    assert_eq!((&lenient["total"], &said["expression"][0]), (&json!(7), &json!("parameter[0]")), "{lenient}");
    let counted = page(&line, &doctor, &format!("{path}?_count=0&_type=Observation")).await?;
    assert_eq!((&counted["total"], &counted["entry"]), (&json!(7), &Value::Null));
    assert!(link(&counted, "next", &line).is_none());
    harness.node.stop().await
}

/// Five organisations and a practitioner with a role at the first.
async fn commons(harness: &Harness, line: &Line) -> Result<Vec<String>> {
    let mut ids = Vec::new();
    for k in 0..5 {
        ids.push(keep_common(harness, line, &organisation(k)).await?);
    }
    let practitioner = json!({"resourceType": "Practitioner", "name": [{"family": "架空"}]});
    let practitioner = keep_common(harness, line, &practitioner).await?;
    let role = json!({
        "resourceType": "PractitionerRole",
        "practitioner": {"reference": format!("Practitioner/{practitioner}")},
        "organization": {"reference": format!("Organization/{}", ids[0])},
    });
    keep_common(harness, line, &role).await?;
    Ok(ids)
}

fn organisation(k: usize) -> Value {
    let text = "<div xmlns=\"http://www.w3.org/1999/xhtml\">x</div>";
    json!({
        "resourceType": "Organization", "active": true, "name": format!("paged {k}"), "alias": ["paged"],
        "identifier": [{"system": "http://example.org/paged", "value": k.to_string()}],
        "text": {"status": "generated", "div": text},
    })
}

async fn keep_common(harness: &Harness, line: &Line, body: &Value) -> Result<String> {
    let token = harness.token(&harness.hospital, &harness.hospital.records()).await?;
    let path = format!("/fhir/{}", body["resourceType"].as_str().context("a type")?);
    let reply = line.ask(&token, &Ask::with_body(Method::POST, path, body.to_string())).await?;
    assert_eq!(reply.status, 201, "{}", reply.text);
    let id = reply.header("location").split('/').rev().nth(2).context("an id")?.to_owned();
    assert!(id.parse::<ResourceId>().is_ok(), "{id}");
    Ok(id)
}

#[tokio::test]
async fn a_search_of_commons_pages_and_its_pages_stay_as_they_were() -> Result<()> {
    let harness = Harness::start().await?;
    let line = Line::new(&harness.api.url);
    let ids = commons(&harness, &line).await?;
    let doctor = harness.token(&harness.clinic, &harness.clinic.care()).await?;
    let path = "/fhir/Organization?name=paged&_sort=identifier&_count=2";
    let mut pages = vec![page(&line, &doctor, path).await?];
    let first_link = link(&pages[0], "next", &line).context("more than a page")?;
    let late = keep_common(&harness, &line, &organisation(9)).await?;
    let mut renamed = organisation(0);
    (renamed["id"], renamed["name"]) = (json!(ids[4]), json!("paged away"));
    let token = harness.token(&harness.hospital, &harness.hospital.records()).await?;
    let reply = harness.api.put(&token, &format!("/fhir/Organization/{}", ids[4]), &renamed, &[]).await?;
    assert_eq!(reply.status, 200, "{}", reply.body);
    while let Some(next) = link(pages.last().context("a page")?, "next", &line) {
        pages.push(page(&line, &doctor, &next).await?);
        assert!(pages.len() < 20, "pages end");
    }
    let shown: Vec<String> = pages.iter().flat_map(found).collect();
    assert_eq!(shown, ids.iter().map(|id| format!("Organization/{id}")).collect::<Vec<_>>());
    assert!(pages.iter().all(|page| page["total"] == 5));
    let previous = link(&pages[2], "previous", &line).context("a page before")?;
    assert_eq!(found(&page(&line, &doctor, &previous).await?), found(&pages[1]));
    assert_eq!(page(&line, &doctor, path).await?["total"], 6, "who begins again sees {late}");
    let stranger = harness.token(&harness.other_clinic, &harness.other_clinic.care()).await?;
    assert_eq!(line.get(&stranger, &first_link).await?.status, 400, "a link is its reader's");
    harness.node.stop().await
}

#[tokio::test]
async fn a_search_of_commons_counts_includes_follows_chains_and_shows_parts() -> Result<()> {
    let harness = Harness::start().await?;
    let line = Line::new(&harness.api.url);
    let ids = commons(&harness, &line).await?;
    let doctor = harness.token(&harness.clinic, &harness.clinic.care()).await?;
    let get = async |path: &str| page(&line, &doctor, path).await;
    for path in ["/fhir/Organization?name=paged&_summary=count", "/fhir/Organization?name=paged&_count=0"] {
        let counted = get(path).await?;
        assert_eq!((&counted["total"], &counted["entry"]), (&json!(5), &Value::Null), "{path}");
    }
    assert_eq!(get("/fhir/Organization?name=paged&_total=none").await?["total"], Value::Null);
    let parts = get("/fhir/Organization?name=paged&_elements=name").await?;
    let part = &parts["entry"][0]["resource"];
    assert!(part["name"].is_string() && part["alias"].is_null() && part["text"].is_null(), "{part}");
    assert_eq!(part["meta"]["tag"][0]["code"], "SUBSETTED");
    let part = get("/fhir/Organization?name=paged&_summary=data").await?["entry"][0]["resource"].clone();
    assert!(part["alias"].is_array() && part["text"].is_null(), "{part}");
    let roles = get("/fhir/PractitionerRole?organization.name=paged&_include=PractitionerRole:practitioner").await?;
    assert_eq!(roles["total"], 1);
    assert_eq!(roles["entry"][1]["search"]["mode"], "include");
    assert_eq!(roles["entry"][1]["resource"]["resourceType"], "Practitioner");
    let lenient = Ask::get("/fhir/Organization?name=paged&canarybird=1").header("prefer", "handling=lenient");
    let lenient = line.ask(&doctor, &lenient).await?.json();
    assert_eq!((&lenient["total"], &lenient["entry"][5]["search"]["mode"]), (&json!(5), &json!("outcome")));

    let path = format!("/fhir/Organization/{}", ids[0]);
    let whole: Wire = line.get(&doctor, &path).await?;
    let tag = whole.header("etag").to_owned();
    assert_eq!((whole.status, tag.as_str()), (200, "W/\"1\""));
    for (known, status) in [(tag.as_str(), 304), ("*", 304), ("W/\"7\", W/\"1\"", 304), ("W/\"2\"", 200)] {
        let reply = line.ask(&doctor, &Ask::get(path.clone()).header("if-none-match", known)).await?;
        assert_eq!((reply.status, reply.text.is_empty()), (status, status == 304), "{known}: {}", reply.text);
        assert_eq!(reply.header("etag"), tag);
    }
    harness.node.stop().await
}

#[tokio::test]
async fn a_read_takes_summary_and_elements_and_refuses_what_it_does_not_know() -> Result<()> {
    let harness = Harness::start().await?;
    let citizen = harness.bear(1).await?;
    let id = harness.keep(&harness.hospital, &item(&harness, &citizen, Kind::Laboratory, 1), "one").await?;
    let doctor = harness.token(&harness.hospital, &harness.hospital.care()).await?;
    let line = Line::new(&harness.api.url);
    let path = format!("/fhir/Observation/{id}");
    let whole = line.get(&doctor, &path).await?.json();
    assert!(whole["valueQuantity"].is_object(), "{whole}");
    let few = line.get(&doctor, &format!("{path}?_elements=issued")).await?.json();
    assert_eq!((&few["status"], &few["valueQuantity"]), (&whole["status"], &Value::Null), "{few}");
    assert_eq!(few["meta"]["tag"][0]["code"], "SUBSETTED", "{few}");
    let short = line.get(&doctor, &format!("{path}/_history/1?_summary=text")).await?.json();
    assert_eq!((&short["id"], &short["valueQuantity"]), (&whole["id"], &Value::Null), "{short}");
    for wrong in ["_summary=count", "_summary=maybe", "code=1"] {
        let refused = line.get(&doctor, &format!("{path}?{wrong}")).await?;
        assert_eq!(refused.status, 400, "{wrong}: {}", refused.text);
    }
    harness.node.stop().await
}
