//! R14: what the person denies by item, by author, by period.

use anyhow::Result;
use chassis::clock::{Clock, SystemClock};
use fhir::consent::to_fhir;
use loadtest::population::Kind;
use schemas::consent::{ConsentArtefact, ConsentItem, ConsentKind, ConsentType, Method};
use tests::Citizen;
use tests::desk::{Ticked, visit_consent};

use super::{Plan, Side, VISIBLE};

/// When the items of a denied period were made; nothing of the population is so old.
pub(super) const LONG_AGO: &str = "1951-05-05T10:00:00+09:00";
/// 1951 in milliseconds since 1970.
const PERIOD: (i64, i64) = (-599_616_000_000, -568_080_000_000);
const DATED: [Kind; 3] = [Kind::Laboratory, Kind::VitalSign, Kind::BloodPressure];

/// What a denial goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Denial {
    Item,
    Author,
    Period,
}

impl Denial {
    pub(super) const ALL: [Self; 3] = [Self::Item, Self::Author, Self::Period];

    /// Kinds of items that it can go by: the reader would see them all without it.
    pub(super) fn kinds(self) -> &'static [Kind] {
        match self {
            Self::Item | Self::Author => &VISIBLE,
            Self::Period => &DATED,
        }
    }
}

impl Side {
    /// The person denies, signed in with her card: one Consent for each kind of denial.
    pub(super) async fn deny(&self, citizen: &Citizen, plans: &[Plan]) -> Result<()> {
        for denial in Denial::ALL {
            let denied: Vec<&Plan> = plans.iter().filter(|p| p.denied == Some(denial)).collect();
            if !denied.is_empty() {
                self.give_denial(citizen, (denial, &denied)).await?;
            }
        }
        Ok(())
    }

    async fn give_denial(&self, citizen: &Citizen, (denial, plans): (Denial, &[&Plan])) -> Result<()> {
        let site = &self.harness.clinic;
        let mut artefact = ConsentArtefact {
            kind: ConsentKind::Denial,
            consent_type: ConsentType::Deny,
            facilities: Vec::new(),
            purposes: Vec::new(),
            valid_from: SystemClock.now() - 1000,
            valid_until: None,
            method: Method::App,
            terms: String::new(),
            ..visit_consent(site, &Ticked::default())
        };
        let item = |plan: &&Plan| {
            let reference = format!("{}/{}", resource_type(plan.kind), self.id_of(citizen, plan));
            ConsentItem { reference, meaning: "instance".to_owned() }
        };
        match denial {
            Denial::Item => artefact.items = plans.iter().map(item).collect(),
            Denial::Author => artefact.authors = vec![self.harness.other_clinic.code.as_str().into()],
            Denial::Period => artefact.data_period = Some(PERIOD),
        }
        let patient = format!("Patient/{}", citizen.patient);
        let own = self.harness.api.sign_in(&citizen.card).await?;
        let reply = self.harness.api.post(&own, "/fhir/Consent", &to_fhir(&artefact, &patient, &patient), &[]).await?;
        assert_eq!(reply.status, 201, "a denial by {denial:?}: {}", reply.body);
        Ok(())
    }
}

fn resource_type(kind: Kind) -> &'static str {
    match kind {
        Kind::DiagnosticReport => "DiagnosticReport",
        Kind::Encounter => "Encounter",
        _ => "Observation",
    }
}
