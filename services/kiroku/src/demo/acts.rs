//! Sharing, consenting, reading, withdrawing, checking, objecting.

use anyhow::{Context, Result, ensure};
use schemas::{Category, ResourceId};
use serde_json::{Value, json};

use super::resources::{self, Record};
use super::step::{Ask, Teller, entries, refusal_text};
use super::story::Facts;
use super::world::Site;

pub(super) async fn share(teller: &mut Teller<'_>, facts: &mut Facts) -> Result<()> {
    let world = teller.world;
    let (person, hospital, clinic) = (world.person(), &world.hospital, &world.clinic);
    teller.begin(format!(
        "{} keeps what it knows of {}, and shares a referral with its discharge summary for {}.",
        hospital.name, person.said, clinic.name
    ));
    let system = hospital.system();
    let mut ids = Vec::new();
    for (serial, kind) in [Record::Prescription, Record::Laboratory, Record::Vaccination].into_iter().enumerate() {
        let record = resources::record(world, person, kind, serial as u64)?;
        let path = format!("/fhir/{}", record["resourceType"].as_str().unwrap_or_default());
        let reply = teller.ask(&system, Ask::post(path, record)).await?;
        teller.check_status("the record is kept, durably", &reply, &[201]);
        ids.push(reply.location_id().context("a kept record has a Location")?);
    }
    let reply = teller.ask(&system, Ask::post("/fhir/Bundle", resources::referral(world, person)?)).await?;
    teller.check_status("the document is taken whole", &reply, &[201]);
    facts.letter = reply.location_id().context("a kept document has a Location")?;
    facts.prescription.clone_from(&ids[0]);
    facts.vaccination.clone_from(&ids[2]);
    Ok(())
}

pub(super) async fn refuse_others(teller: &mut Teller<'_>, facts: &Facts) -> Result<()> {
    let world = teller.world;
    let (person, other, clinic) = (world.person(), &world.other, &world.clinic);
    teller.begin(format!(
        "A doctor of {} asks for it and is refused; the named clinic too, before {} agrees.",
        other.name, person.said
    ));
    let path = format!("/fhir/Bundle/{}", facts.letter);
    let unknown = "/fhir/Bundle/".to_owned() + &absent(&facts.letter)?;
    let doctor = other.professional(person);
    let reply = teller.ask(&doctor, Ask::get(&path)).await?;
    teller.check_status("for this doctor the letter does not exist", &reply, &[404]);
    let nothing = teller.ask(&doctor, Ask::get(unknown)).await?;
    let same = (reply.status, &reply.body) == (nothing.status, &nothing.body);
    teller.check("a letter that really does not exist is answered with the same bytes", same);
    let reply = teller.ask(&doctor, Ask::get("/fhir/MedicationRequest")).await?;
    let kept = reply.status == 403 || entries(&reply).is_empty();
    teller.check("no medicine is found either", kept);
    let reply = teller.ask(&clinic.professional(person), Ask::get(&path)).await?;
    teller.check_status("the named clinic cannot read it before consent", &reply, &[404]);
    Ok(())
}

/// Another id on the same shelf, which nothing has.
fn absent(id: &str) -> Result<String> {
    let id: ResourceId = id.parse()?;
    Ok(ResourceId { local: schemas::LocalId([7; 10]), ..id }.to_string())
}

/// Opens a visit with the person's card; its id.
async fn open_visit(teller: &mut Teller<'_>, site: &Site, kind: &str) -> Result<String> {
    let person = teller.world.person();
    let body = json!({"person": person.reference(), "kind": kind, "team": [site.professional], "proof": "card"});
    let reply = teller.ask(&site.system(), Ask::post("/visits", body).with_card(person)).await?;
    teller.check_status("a visit is opened with the card", &reply, &[201]);
    Ok(reply.body["visit"].as_str().context("an opened visit has an id")?.to_owned())
}

pub(super) async fn consent_at_the_desk(teller: &mut Teller<'_>, facts: &mut Facts) -> Result<()> {
    let world = teller.world;
    let (person, clinic) = (world.person(), &world.clinic);
    teller.begin(format!(
        "At the desk of {}, {} puts the card on the reader, ticks medicines and clinical records (not vaccinations), and agrees to the letter.",
        clinic.name, person.said
    ));
    let visit = open_visit(teller, clinic, "outpatient").await?;
    let ticked = [Category::Med, Category::Ehr];
    let consents = [
        resources::visit_consent(clinic, person, &visit, &ticked),
        resources::document_consent(clinic, person, &visit, &facts.letter),
    ];
    let reply = teller.ask(&clinic.desk(), Ask::post("/fhir/Consent", consents[0].clone())).await?;
    teller.check_status("without the card's proof the desk cannot consent for anybody", &reply, &[403]);
    for consent in consents {
        let reply = teller.ask(&clinic.desk(), Ask::post("/fhir/Consent", consent).with_card(person)).await?;
        teller.check_status("the consent is kept as FHIR Consent", &reply, &[201]);
        facts.consents.push(reply.location_id().context("a kept consent has a Location")?);
    }
    Ok(())
}

pub(super) async fn read_what_was_ticked(teller: &mut Teller<'_>, facts: &mut Facts) -> Result<()> {
    let world = teller.world;
    let (person, clinic) = (world.person(), &world.clinic);
    teller.begin(format!(
        "{} reads the letter, its summary and what was ticked, but not what was not ticked.",
        clinic.professional_name
    ));
    let doctor = clinic.professional(person);
    let reply = teller.ask(&doctor, Ask::get(format!("/fhir/Bundle/{}", facts.letter))).await?;
    teller.check_status("the letter is read", &reply, &[200]);
    teller.check("the answer names its entry in the person's list", !reply.header("kiroku-receipt").is_empty());
    let reply = teller.ask(&doctor, Ask::get("/fhir/Bundle")).await?;
    let ids = |reply: &crate::api::Reply| -> Vec<String> {
        entries(reply).iter().filter_map(|r| r["id"].as_str()).map(str::to_owned).collect()
    };
    facts.summary = ids(&reply).into_iter().find(|id| *id != facts.letter).unwrap_or_default();
    teller.check("the discharge summary came with it", !facts.summary.is_empty());
    let reply = teller.ask(&doctor, Ask::get("/fhir/MedicationRequest")).await?;
    teller.check(
        "medicines were ticked: the hospital's prescription is there",
        ids(&reply).contains(&facts.prescription),
    );
    let reply = teller.ask(&doctor, Ask::get("/fhir/Observation")).await?;
    teller.check("clinical records were ticked: results are there", reply.status == 200 && !entries(&reply).is_empty());
    let reply = teller.ask(&doctor, Ask::get("/fhir/Immunization")).await?;
    teller.check(
        "vaccinations were not ticked: the search finds nothing",
        reply.status == 200 && entries(&reply).is_empty(),
    );
    let reply = teller.ask(&doctor, Ask::get(format!("/fhir/Immunization/{}", facts.vaccination))).await?;
    teller.check_status("nor does the vaccination exist by its id", &reply, &[404]);
    Ok(())
}

pub(super) async fn withdraw(teller: &mut Teller<'_>, facts: &Facts) -> Result<()> {
    let world = teller.world;
    let (person, clinic) = (world.person(), &world.clinic);
    teller.begin(format!("{} withdraws both consents at home, and the very next read is refused.", person.said));
    ensure!(facts.consents.len() == 2, "the consents of the step at the desk are missing");
    let oneself = person.who();
    for id in &facts.consents {
        let path = format!("/fhir/Consent/{id}");
        let mut consent: Value = teller.ask(&oneself, Ask::get(&path)).await?.body;
        teller.check("the person reads the own consent", consent["resourceType"] == json!("Consent"));
        consent["status"] = json!("inactive");
        let reply = teller.ask(&oneself, Ask::put(&path, consent)).await?;
        teller.check_status("the withdrawal is kept", &reply, &[200]);
    }
    let doctor = clinic.professional(person);
    let reply = teller.ask(&doctor, Ask::get(format!("/fhir/Bundle/{}", facts.letter))).await?;
    teller.check_status("the letter does not exist any more for the doctor", &reply, &[404]);
    let reply = teller.ask(&doctor, Ask::get(format!("/fhir/MedicationRequest/{}", facts.prescription))).await?;
    teller.check_status("nor does the prescription", &reply, &[404]);
    Ok(())
}

pub(super) async fn check_medicines(teller: &mut Teller<'_>) -> Result<()> {
    let world = teller.world;
    let (person, pharmacy, hospital) = (world.person(), &world.pharmacy, &world.hospital);
    teller.begin(format!(
        "{} checks an order before it hands it out: there is a duplicate, and the pharmacist learns that, not what it is.",
        pharmacy.name
    ));
    open_visit(teller, pharmacy, "pharmacy").await?;
    let pharmacist = pharmacy.professional(person);
    let order = resources::order(world, person)?;
    let body = json!({"resourceType": "Parameters", "parameter": [{"name": "order", "resource": order}]});
    let reply = teller.ask(&pharmacist, Ask::post("/fhir/MedicationRequest/$check", body)).await?;
    teller.check_status("the check is answered", &reply, &[200]);
    let text = reply.body.to_string();
    teller.check("it finds the duplicate", text.contains("duplicate"));
    let named = [resources::PRESCRIBED, "ノルバスク", hospital.name.as_str(), hospital.code.as_str()];
    teller.check("it names neither the drug nor who prescribed it", !named.iter().any(|name| text.contains(name)));
    let reply = teller.ask(&pharmacist, Ask::get("/fhir/MedicationRequest")).await?;
    teller.check("the pharmacist cannot look it up", reply.status == 403 || entries(&reply).is_empty());
    Ok(())
}

pub(super) async fn keep_a_visit_out(teller: &mut Teller<'_>) -> Result<()> {
    let world = teller.world;
    let (person, hospital) = (world.person(), &world.hospital);
    teller.begin(format!(
        "Back at {}, {} says \"not this visit\": what the hospital sends afterwards is not taken.",
        hospital.name, person.said
    ));
    let before = count_results(teller).await?;
    let visit = open_visit(teller, hospital, "outpatient").await?;
    let local = visit.parse::<ResourceId>()?.local;
    let objection = resources::objection(hospital, person, local);
    let reply = teller.ask(&hospital.desk(), Ask::post("/fhir/Consent", objection).with_card(person)).await?;
    teller.check_status("the objection is kept, by a button as big as the other one", &reply, &[201]);
    let record = resources::record(world, person, Record::Laboratory, 70)?;
    let reply = teller.ask(&hospital.system(), Ask::post("/fhir/Observation", record)).await?;
    teller.check_status("the hospital's result of this visit is refused", &reply, &[403]);
    teller.check("and the hospital is told why", refusal_text(&reply).contains("person objects"));
    let after = count_results(teller).await?;
    teller.check("the person's shelf is as it was", before.is_some() && before == after);
    Ok(())
}

/// How many results the person has, as the person sees it.
async fn count_results(teller: &mut Teller<'_>) -> Result<Option<u64>> {
    let oneself = teller.world.person().who();
    let reply = teller.ask(&oneself, Ask::get("/fhir/Observation?_summary=count")).await?;
    Ok(reply.body["total"].as_u64())
}
