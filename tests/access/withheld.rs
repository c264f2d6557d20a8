//! What is withheld is absent: two nodes hold the same person, one of them with further items that the reader may not see.
//! Whatever the reader asks, in reading and in the conditions of writing, both answer the same.
//!
//! `KIROKU_CASES` cases (default 6), `KIROKU_SEED` to repeat one run.

mod asks;
mod denials;
mod listed;

use anyhow::{Context, Result};
use loadtest::population::{Dice, Kind, Population, Subject};
use schemas::consent::ConsentArtefact;
use schemas::vocab::{Category, Label};
use schemas::{ClientId, LocalId, ResourceId, SubmissionId};
use serde_json::{Value, json};
use tests::desk::{Ticked, visit_consent};
use tests::wire::{Line, Wire, count_accesses};
use tests::{Citizen, Harness, Site};

use crate::person::labelled;
use asks::{Path, reads, writes};
use denials::Denial;

const VISIBLE: [Kind; 5] =
    [Kind::Laboratory, Kind::VitalSign, Kind::BloodPressure, Kind::DiagnosticReport, Kind::Encounter];
const UNTICKED: [Kind; 5] =
    [Kind::MedicationRequest, Kind::MedicationDispense, Kind::Claim, Kind::Immunization, Kind::DocumentReference];
const LABELS: [Label; 4] = [Label::Sealed, Label::RestrictedPsy, Label::RestrictedHiv, Label::Restricted];

/// Who reads, and so what is withheld.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reader {
    /// Under a visit consent for EHR: other categories, restricted and sealed items, and what the person denies (R14) are
    /// withheld. The denials stand on the side with the items alone: that there is one must not show either.
    Doctor,
    /// The person: what she was not told is withheld.
    Person,
}

/// One item of a case, without its person.
#[derive(Clone, Debug)]
struct Plan {
    kind: Kind,
    number: u64,
    key: String,
    hidden: Option<Label>,
    /// The person's denial that hides it.
    denied: Option<Denial>,
    /// Withheld from the reader.
    withheld: bool,
    /// Further versions, and whether it is deleted at last.
    updates: u64,
    deleted: bool,
    /// Key of another item that it refers to.
    refers: Option<String>,
}

fn plan(dice: &mut Dice, reader: Reader, case: u64) -> Vec<Plan> {
    let count = 6 + dice.below(6);
    let mut plans: Vec<Plan> = Vec::new();
    for n in 0..count {
        // At least one of each.
        let withheld = n == 0 || (n > 1 && dice.chance(50));
        let denies = withheld && reader == Reader::Doctor && dice.chance(40);
        let denied = denies.then(|| *dice.pick(&Denial::ALL));
        let labelled = reader == Reader::Person || dice.chance(60);
        let kind = match denied {
            Some(denial) => *dice.pick(denial.kinds()),
            None if withheld && !labelled => *dice.pick(&UNTICKED),
            None => *dice.pick(&VISIBLE),
        };
        let hidden = match reader {
            _ if !withheld || !labelled || denies => None,
            Reader::Person => Some(Label::Untold),
            Reader::Doctor => Some(*dice.pick(&LABELS)),
        };
        let earlier = plans.len() as u64;
        let refers = (earlier > 0 && kind == Kind::Laboratory && dice.chance(60)).then(|| {
            let at = usize::try_from(dice.below(earlier)).unwrap_or_default();
            plans[at].key.clone()
        });
        let updates = if dice.chance(30) { 1 + dice.below(2) } else { 0 };
        let deleted = withheld && dice.chance(20);
        plans.push(Plan {
            kind,
            number: n,
            key: format!("case {case} item {n}"),
            hidden,
            denied,
            withheld,
            updates,
            deleted,
            refers,
        });
    }
    plans
}

/// One side: a node, its person, and who asks there.
struct Side {
    harness: Harness,
    line: Line,
}

impl Side {
    async fn start() -> Result<Self> {
        let harness = Harness::start().await?;
        let line = Line::new(&harness.api.url);
        Ok(Self { harness, line })
    }

    /// Who writes the item.
    fn author(&self, plan: &Plan) -> &Site {
        if plan.denied == Some(Denial::Author) { &self.harness.other_clinic } else { &self.harness.hospital }
    }

    /// The id that the item has, or would have.
    fn id_of(&self, citizen: &Citizen, plan: &Plan) -> String {
        let client = ClientId::from(self.author(plan).key.client_id.as_str());
        let local = LocalId::of_entry(&SubmissionId::of_key(&client, &plan.key), 0);
        ResourceId { pid: citizen.pid, local }.to_string()
    }

    fn record(&self, population: &Population, citizen: &Citizen, plans: &[Plan], plan: &Plan) -> Value {
        let person = self.harness.population.person(citizen.index);
        let subject = Subject::Reference(format!("Patient/{}", citizen.patient));
        let mut record = population.item(plan.kind, &person, &subject, plan.number);
        if let Some(other) = plan.refers.as_ref().and_then(|key| plans.iter().find(|p| p.key == *key)) {
            let id = self.id_of(citizen, other);
            record["derivedFrom"] = json!([{"reference": format!("Observation/{id}")}]);
        }
        if plan.denied == Some(Denial::Period) {
            record["effectiveDateTime"] = json!(denials::LONG_AGO);
        }
        plan.hidden.map_or(record.clone(), |label| labelled(record, label))
    }

    /// Writes the items; the withheld ones and the person's denials only where `all`.
    async fn fill(&self, population: &Population, citizen: &Citizen, plans: &[Plan], all: bool) -> Result<()> {
        let api = &self.harness.api;
        for plan in plans.iter().filter(|p| all || !p.withheld) {
            let mut record = self.record(population, citizen, plans, plan);
            let author = self.author(plan);
            let id = self.harness.keep(author, &record, &plan.key).await?;
            assert_eq!(id, self.id_of(citizen, plan), "ids follow from the key");
            let token = self.harness.token(author, &author.records()).await?;
            let path = format!("/fhir/{}/{id}", record["resourceType"].as_str().context("a type")?);
            record["id"] = json!(id);
            for version in 0..plan.updates {
                record["language"] = json!(["ja", "en", "fr"][usize::try_from(version).unwrap_or_default() % 3]);
                let reply = api.put(&token, &path, &record, &[]).await?;
                assert_eq!(reply.status, 200, "{}", reply.body);
            }
            if plan.deleted {
                assert_eq!(api.delete(&token, &path).await?.status, 204);
            }
        }
        if all { self.deny(citizen, plans).await } else { Ok(()) }
    }

    async fn reader(&self, reader: Reader, citizen: &Citizen, consent: &ConsentArtefact) -> Result<String> {
        let clinic = &self.harness.clinic;
        match reader {
            Reader::Person => self.harness.api.sign_in(&citizen.card).await,
            Reader::Doctor => {
                let key = format!("consent of {}", citizen.index);
                self.harness.admit_as(clinic, citizen, (consent, &key)).await?;
                self.harness.token(clinic, &clinic.care()).await
            }
        }
    }

    /// The answer made comparable, and how many entries it cost.
    async fn ask(&self, token: &str, citizen: &Citizen, path: &Path) -> Result<(Wire, u64)> {
        let before = count_accesses(&self.harness.node).await?;
        let answer = self.line.ask(token, &path.ask).await?;
        let cost = count_accesses(&self.harness.node).await? - before;
        Ok((answer.plain(&self.line.url, &[&citizen.pid.to_string()]), cost))
    }

    /// All pages of a search, by its `next` links.
    async fn pages(&self, token: &str, citizen: &Citizen, path: &str) -> Result<Vec<Wire>> {
        let mut pages = Vec::new();
        let mut next = Some(path.to_owned());
        while let Some(path) = next.take() {
            let page = self.line.get(token, &path).await?;
            let links = page.json();
            let link = links["link"].as_array().into_iter().flatten().find(|l| l["relation"] == "next");
            next = link.and_then(|l| l["url"].as_str()).map(|url| url.replace(&self.line.url, ""));
            pages.push(page.plain(&self.line.url, &[&citizen.pid.to_string()]));
            assert!(pages.len() < 100, "pages end");
        }
        Ok(pages)
    }
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_withheld_is_absent_on_every_path() -> Result<()> {
    let seed = number("KIROKU_SEED", chassis::clock::Clock::now(&chassis::clock::SystemClock).unsigned_abs());
    let cases = number("KIROKU_CASES", 6);
    eprintln!("withheld = absent: KIROKU_SEED={seed} KIROKU_CASES={cases}");
    let population = Population::new(seed);
    let (without, with) = (Side::start().await?, Side::start().await?);
    let mut compared = 0;
    for case in 0..cases {
        let mut dice = population.dice(case, 77);
        let reader = if case % 3 == 2 { Reader::Person } else { Reader::Doctor };
        let plans = plan(&mut dice, reader, case);
        compared += compare(&population, (&without, &with), (reader, case), &plans)
            .await
            .with_context(|| format!("seed {seed}, case {case}"))?;
    }
    assert!(compared > cases * 40, "{compared} answers were compared");
    without.harness.node.stop().await?;
    with.harness.node.stop().await
}

async fn compare(
    population: &Population,
    (without, with): (&Side, &Side),
    (reader, case): (Reader, u64),
    plans: &[Plan],
) -> Result<u64> {
    let key = format!("birth {case}");
    let index = 100 + case;
    let (a, b) = (without.harness.bear_as(index, &key).await?, with.harness.bear_as(index, &key).await?);
    without.fill(population, &a, plans, false).await?;
    with.fill(population, &b, plans, true).await?;
    let consent = visit_consent(&without.harness.clinic, &Ticked::categories(&[Category::Ehr]));
    let (token_a, token_b) = (without.reader(reader, &a, &consent).await?, with.reader(reader, &b, &consent).await?);
    let of = |side: &Side, citizen: &Citizen| asks::Case {
        patient: citizen.patient.clone(),
        items: plans
            .iter()
            .map(|p| asks::Item {
                id: side.id_of(citizen, p),
                record: side.record(population, citizen, plans, p),
                withheld: p.withheld,
            })
            .collect(),
        number: case,
    };
    let (case_a, case_b) = (of(without, &a), of(with, &b));
    let mut compared = 0;
    let plain = |what: &str, left: (Wire, u64), right: (Wire, u64)| {
        assert!(left.0 == right.0, "{reader:?}, case {case}: `{what}` tells:\n{:?}\n{:?}\n{plans:?}", left.0, right.0);
        assert_eq!(left.1, right.1, "{reader:?}, case {case}: `{what}` costs another number of entries");
    };
    let mut round = async |asks: (Vec<Path>, Vec<Path>), tokens: (&str, &str)| -> Result<()> {
        for (left, right) in asks.0.iter().zip(&asks.1) {
            plain(&left.name, without.ask(tokens.0, &a, left).await?, with.ask(tokens.1, &b, right).await?);
            compared += 1;
        }
        Ok(())
    };
    round((reads(&case_a), reads(&case_b)), (&token_a, &token_b)).await?;
    if reader == Reader::Doctor {
        let (checked, _) = without.ask(&token_a, &a, &asks::check(&case_a.patient)).await?;
        assert_eq!(checked.status, 200, "the safety check is one that is answered: {}", checked.text);
        let clinic = &without.harness.clinic;
        let system_a = without.harness.token(clinic, &clinic.records()).await?;
        let system_b = with.harness.token(&with.harness.clinic, &with.harness.clinic.records()).await?;
        round((writes(&case_a), writes(&case_b)), (&system_a, &system_b)).await?;
        round((reads(&case_a), reads(&case_b)), (&token_a, &token_b)).await?;
    }
    for (left, right) in asks::paged(&case_a).iter().zip(&asks::paged(&case_b)) {
        let (left_pages, right_pages) =
            (without.pages(&token_a, &a, left).await?, with.pages(&token_b, &b, right).await?);
        assert_eq!(left_pages, right_pages, "{reader:?}, case {case}: pages of {left} tell");
        compared += 1;
    }
    if reader == Reader::Person {
        let lists = (without.listed(&token_a, &a).await?, with.listed(&token_b, &b).await?);
        assert!(lists.0.len() > 40, "{} entries are in the list", lists.0.len());
        assert_eq!(lists.0, lists.1, "case {case}: the list of who looked tells");
    }
    Ok(compared)
}
