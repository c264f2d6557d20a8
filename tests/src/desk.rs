//! What happens at a desk: a visit is opened, the person ticks categories with her card, and takes it back.

use anyhow::{Context, Result, ensure};
use chassis::clock::{Clock, SystemClock};
use fhir::consent::to_fhir;
use kiroku::api::Reply;
use schemas::ResourceId;
use schemas::authority::AuthorityEvent;
use schemas::consent::{ConsentArtefact, ConsentKind, ConsentStatus, ConsentType, Giver, Method};
use schemas::vocab::{Category, Label, Purpose};
use serde_json::{Value, json};

use crate::{Citizen, Harness, Site};

/// What a consent opens.
#[derive(Clone, Debug, Default)]
pub struct Ticked {
    pub categories: Vec<Category>,
    pub labels: Vec<Label>,
}

impl Ticked {
    pub fn categories(categories: &[Category]) -> Self {
        Self { categories: categories.to_vec(), labels: Vec::new() }
    }
}

/// The artefact of a visit consent at `site`, good for 12 hours from now.
pub fn visit_consent(site: &Site, ticked: &Ticked) -> ConsentArtefact {
    let now = SystemClock.now();
    ConsentArtefact {
        kind: ConsentKind::Visit,
        giver: Giver::OneSelf,
        consent_type: ConsentType::Permit,
        facilities: vec![site.code.as_str().into()],
        practitioners: Vec::new(),
        categories: ticked.categories.clone(),
        labels: ticked.labels.clone(),
        authors: Vec::new(),
        data_period: None,
        items: Vec::new(),
        purposes: vec![Purpose::Treat],
        valid_from: now,
        valid_until: Some(now + 12 * 3_600_000),
        method: Method::ReaderPin,
        staff: Vec::new(),
        terms: "kiroku-terms|1".to_owned(),
        terms_sha256: String::new(),
        status: ConsentStatus::Active,
        visit: None,
        safety: None,
    }
}

impl Harness {
    /// As [`Harness::bear`], with ids that follow from `key`: the same on another node but for the pid.
    pub async fn bear_as(&self, index: u64, key: &str) -> Result<Citizen> {
        let token = self.token_of_insurer().await?;
        let person = self.population.person(index);
        let facility = self.population.hospital(0);
        let patient = loadtest::population::fhir::patient(&person, &facility, self.population.today());
        let reply = self.api.post(&token, "/fhir/Patient", &patient, &[("idempotency-key", key)]).await?;
        ensure!(reply.status == 201, "a birth is answered with {}: {}", reply.status, reply.body);
        let id = reply.location_id().context("a created Patient has a Location")?;
        let pid = id.parse::<ResourceId>()?.pid;
        let (card, public_key) = kiroku::api::Card::generate(pid)?;
        self.node.registry.append(AuthorityEvent::Card { pid, public_key }).await?;
        Ok(Citizen { pid, patient: id, index, card })
    }

    async fn token_of_insurer(&self) -> Result<String> {
        self.api.token(&self.insurer, &kiroku::api::Acting::system("RECORDMGT")).await
    }

    /// Opens an outpatient visit with the site's professional as care team; gives its id.
    pub async fn open_visit(&self, site: &Site, citizen: &Citizen) -> Result<String> {
        let token = self.token(site, &site.records()).await?;
        let visit = json!({
            "person": citizen.pid.to_string(), "kind": "outpatient", "team": [site.professional], "proof": "card",
        });
        let card = self.api.card_header(&citizen.card).await?;
        let reply = self.api.post(&token, "/visits", &visit, &[("kiroku-card", card.as_str())]).await?;
        ensure!(reply.status == 201, "a visit is answered with {}: {}", reply.status, reply.body);
        Ok(reply.body["visit"].as_str().context("a visit has an id")?.to_owned())
    }

    /// Gives a Consent at the desk, with the person's card; the answer as it came.
    pub async fn send_consent(&self, site: &Site, citizen: &Citizen, artefact: &ConsentArtefact) -> Result<Reply> {
        let patient = format!("Patient/{}", citizen.patient);
        let body = to_fhir(artefact, &patient, &patient);
        self.send_with_card(site, citizen, ("/fhir/Consent", &body)).await
    }

    /// A visit with a consent whose id follows from `key`: the same on another node but for the pid.
    pub async fn admit_as(
        &self,
        site: &Site,
        citizen: &Citizen,
        (artefact, key): (&ConsentArtefact, &str),
    ) -> Result<()> {
        self.open_visit(site, citizen).await?;
        let patient = format!("Patient/{}", citizen.patient);
        let body = to_fhir(artefact, &patient, &patient);
        let token = self.token(site, &site.desk()).await?;
        let card = self.api.card_header(&citizen.card).await?;
        let headers = [("kiroku-card", card.as_str()), ("idempotency-key", key)];
        let reply = self.api.post(&token, "/fhir/Consent", &body, &headers).await?;
        ensure!(reply.status == 201, "a consent is answered with {}: {}", reply.status, reply.body);
        Ok(())
    }

    /// Posts from the desk with the proof of the card.
    pub async fn send_with_card(&self, site: &Site, citizen: &Citizen, (path, body): (&str, &Value)) -> Result<Reply> {
        let token = self.token(site, &site.desk()).await?;
        let card = self.api.card_header(&citizen.card).await?;
        self.api.post(&token, path, body, &[("kiroku-card", &card)]).await
    }

    /// A visit with its consent; gives the consent's id.
    pub async fn admit(&self, site: &Site, citizen: &Citizen, ticked: &Ticked) -> Result<String> {
        self.open_visit(site, citizen).await?;
        let reply = self.send_consent(site, citizen, &visit_consent(site, ticked)).await?;
        ensure!(reply.status == 201, "a consent is answered with {}: {}", reply.status, reply.body);
        reply.location_id().context("a created Consent has a Location")
    }

    /// Takes a visit consent back at the desk.
    pub async fn withdraw(&self, site: &Site, citizen: &Citizen, (id, ticked): (&str, &Ticked)) -> Result<Reply> {
        let artefact = ConsentArtefact { status: ConsentStatus::Inactive, ..visit_consent(site, ticked) };
        let patient = format!("Patient/{}", citizen.patient);
        let mut body = to_fhir(&artefact, &patient, &patient);
        body["id"] = json!(id);
        let token = self.token(site, &site.desk()).await?;
        let card = self.api.card_header(&citizen.card).await?;
        self.api.put(&token, &format!("/fhir/Consent/{id}"), &body, &[("kiroku-card", &card)]).await
    }

    /// Sends a record through a site's system under an Idempotency-Key; gives its id.
    pub async fn keep(&self, site: &Site, record: &Value, key: &str) -> Result<String> {
        let token = self.token(site, &site.records()).await?;
        let resource_type = record["resourceType"].as_str().context("a record has a type")?;
        let reply =
            self.api.post(&token, &format!("/fhir/{resource_type}"), record, &[("idempotency-key", key)]).await?;
        ensure!(reply.status == 201, "{resource_type} is answered with {}: {}", reply.status, reply.body);
        reply.location_id().context("a created resource has a Location")
    }
}
