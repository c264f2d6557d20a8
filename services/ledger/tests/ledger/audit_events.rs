//! The list as FHIR.

use schemas::access::AccessOutcome;
use schemas::header::ItemVersion;
use schemas::vocab::AccessKind;
use schemas::{Category, ItemKey, LocalId, ResourceId, ResourceType};
use serde_json::{Value, json};

use crate::world::{DAY, NOW, World, access};

fn resources(bundle: &Value) -> Vec<&Value> {
    bundle["entry"].as_array().map_or_else(Vec::new, |all| all.iter().map(|e| &e["resource"]).collect())
}

fn agent<'a>(event: &'a Value, code: &str) -> &'a Value {
    let agents = event["agent"].as_array().unwrap();
    agents.iter().find(|a| a["type"]["coding"][0]["code"] == code).unwrap_or_else(|| panic!("no agent {code}: {event}"))
}

#[actix_web::test]
async fn a_read_follows_ihe_balp_and_is_read_by_its_id() {
    let world = World::new().await;
    let citizen = world.citizen().await;
    let item = ItemKey { resource_type: ResourceType::MedicationRequest, local: LocalId::random() };
    let mut entry = access(citizen.pid);
    entry.items = vec![ItemVersion { item, version: 3, bucket: None }];
    entry.count = 1;
    let id = world.append(entry).await;
    let token = world.sign_in(&citizen).await;
    let bundle = world.get(&token, "/fhir/AuditEvent").await.json();
    assert_eq!(bundle["type"], "searchset");
    let event = resources(&bundle)[0];
    assert_eq!(event["id"], id.to_string());
    assert_eq!(
        event["meta"]["profile"][0],
        "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.PatientRead"
    );
    assert_eq!(
        (&event["type"]["code"], &event["subtype"][0]["code"], &event["action"]),
        (&json!("rest"), &json!("read"), &json!("R"))
    );
    assert_eq!((&event["outcome"], &event["recorded"]), (&json!("0"), &json!("2026-07-03T05:12:00.000Z")));
    assert_eq!(agent(event, "IRCP")["name"], "Hanako Sato");
    assert_eq!(agent(event, "PROV")["who"]["identifier"]["value"], "1310000001");
    assert_eq!(agent(event, "110152")["who"]["identifier"]["value"], "his", "of a read the client is the destination");
    assert_eq!(event["agent"].as_array().unwrap().iter().filter(|a| a["requestor"] == true).count(), 1);
    let entities = event["entity"].as_array().unwrap();
    let role = |code: &str| entities.iter().find(|e| e["role"]["code"] == code).unwrap();
    let reference = format!("MedicationRequest/{}", ResourceId { pid: citizen.pid, local: item.local });
    assert_eq!(role("4")["what"]["reference"], reference);
    assert_eq!(role("4")["securityLabel"][0]["code"], "MED");
    assert_eq!(role("24")["query"], "TWVkaWNhdGlvblJlcXVlc3Q/c3RhdHVzPWFjdGl2ZQ==");
    let again = world.get(&token, &format!("/fhir/AuditEvent/{id}")).await;
    assert_eq!((again.status.as_u16(), &again.json()), (200, event));
    let found = world.get(&token, &format!("/fhir/AuditEvent?entity={reference}")).await.json();
    assert_eq!(resources(&found).len(), 1);
    assert!(!event.to_string().contains("\"\""), "no empty text: {event}");
}

#[actix_web::test]
async fn a_denial_has_a_profile_of_its_own_and_its_reason() {
    let world = World::new().await;
    let citizen = world.citizen().await;
    let mut entry = access(citizen.pid);
    (entry.kind, entry.outcome, entry.reason) = (AccessKind::Denied, AccessOutcome::Denied, "no-consent".into());
    entry.rules = vec!["R11".into()];
    world.append(entry).await;
    let token = world.sign_in(&citizen).await;
    let bundle = world.get(&token, "/fhir/AuditEvent").await.json();
    let event = resources(&bundle)[0];
    assert_eq!(event["meta"]["profile"][0], "https://kiroku.example/StructureDefinition/access-denied");
    assert_eq!((&event["type"]["code"], &event["outcome"]), (&json!("110113"), &json!("4")));
    assert_eq!((&event["outcomeDesc"], &event["subtype"][0]["code"]), (&json!("no-consent"), &json!("denied")));
    assert_eq!(agent(event, "IRCP")["policy"], json!(["https://kiroku.example/rules/R11"]));
}

#[actix_web::test]
async fn search_parameters_narrow_and_unknown_ones_are_refused() {
    let world = World::new().await;
    let citizen = world.citizen().await;
    let mut old = access(citizen.pid);
    (old.released_at, old.kind, old.categories) = (NOW - DAY, AccessKind::Export, vec![Category::Vacc]);
    (old.organisation, old.organisation_name) = ("2720000002".into(), "Clinic Y".into());
    let old = world.append(old).await;
    let new = world.append(access(citizen.pid)).await;
    let token = world.sign_in(&citizen).await;
    let both = vec![new.to_string(), old.to_string()];
    let (old, new) = (vec![old.to_string()], vec![new.to_string()]);
    let cases = [
        ("date=ge2026-07-03&subtype=read", &new),
        ("date=lt2026-07-03", &old),
        ("date=2026-07-02", &old),
        ("agent=Organization/2720000002", &old),
        ("agent=his&subtype=read", &new),
        ("agent-name=clinic", &old),
        ("agent-name=sato", &both),
        ("type=110106", &old),
        ("subtype=export,read", &both),
        ("category=VACC", &old),
        ("facility=Central&kind=read", &new),
        ("outcome=4", &Vec::new()),
    ];
    for (query, ids) in cases {
        let said = world.get(&token, &format!("/fhir/AuditEvent?{query}")).await;
        assert_eq!(said.status, 200, "{query}: {}", said.text);
        let bundle = said.json();
        let found: Vec<String> = resources(&bundle).iter().map(|r| r["id"].as_str().unwrap().to_owned()).collect();
        assert_eq!(found, *ids, "{query}");
    }
    assert_eq!(world.get(&token, "/fhir/AuditEvent?shoe=1").await.status, 400);
    let lenient =
        world.ask(&token, "/fhir/AuditEvent?shoe=1&subtype=export", &[("prefer", "handling=lenient")]).await.json();
    assert_eq!(resources(&lenient)[1]["issue"][0]["expression"], json!(["shoe"]), "what was left out is said");
    let first = world.get(&token, "/fhir/AuditEvent?_count=1&agent-name=sato").await.json();
    let next =
        first["link"].as_array().unwrap().iter().find(|l| l["relation"] == "next").unwrap()["url"].as_str().unwrap();
    let second = world.get(&token, next.strip_prefix("https://kiroku.example").unwrap()).await.json();
    assert_eq!(resources(&second).len(), 1);
    assert_ne!(resources(&first)[0]["id"], resources(&second)[0]["id"]);
}
