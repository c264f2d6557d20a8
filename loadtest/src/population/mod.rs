//! A seeded population of Japan: persons, facilities, insurers, professionals and FHIR R4 resources about them.
//!
//! Everything is a pure function of (seed, today, index): the same arguments give the same bytes, no matter what was
//! asked before, and a person costs the same at index 3 and at index 3,000,000. Nobody in it exists.

pub mod check_digit;
pub mod clinical;
mod dice;
pub mod drugs;
mod facility;
pub mod fhir;
mod names;
mod person;
pub mod places;

use chrono::{Days, NaiveDate};
use serde_json::Value;

pub use dice::Dice;
pub use facility::{Facility, FacilityKind, Insurer, InsurerKind, Profession, Professional};
pub use fhir::{ClinsType, Context, Kind, Subject};
pub use person::{MEMBER_ID_SYSTEM, Person, Sex};

use dice::Domain;

/// Groups of eight facilities that histories draw from; further indices are valid but have no records of their own.
const NEIGHBOURHOODS: u64 = 50;
/// How far back histories reach, in days.
const HISTORY_DAYS: u64 = 3_650;

/// The population of one seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Population {
    seed: u64,
    today: NaiveDate,
}

impl Population {
    /// The population of `seed` as of 2026-11-21. See [`Population::with_today`].
    pub fn new(seed: u64) -> Self {
        Self::with_today(seed, NaiveDate::from_ymd_opt(2026, 11, 21).expect("a day of the calendar"))
    }

    /// The population of `seed` as of `today`: nobody is born and nothing happens after that day. Birth dates and
    /// dates of records move with it.
    pub fn with_today(seed: u64, today: NaiveDate) -> Self {
        Self { seed, today }
    }

    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    /// The day as of which the population stands.
    pub fn today(&self) -> NaiveDate {
        self.today
    }

    /// A stream of chance for callers who use the builders of [`fhir`] themselves; another (index, part), another stream.
    pub fn dice(&self, index: u64, part: u64) -> Dice {
        Dice::open(self.seed, Domain::Caller, index, part)
    }

    /// A facility of the person's neighbourhood, `pick` any number: of eight, one hospital, four clinics, three
    /// pharmacies. Histories draw from these.
    pub fn facility_near(&self, person: &Person, pick: u64) -> Facility {
        self.facility(person.index % NEIGHBOURHOODS * 8 + pick % 8)
    }

    /// `n` resources about a person in a mix like that of a real shelf (about 45 % Observation), over the ten years
    /// before today, not before birth, in no order. They name the person by member id and stand alone: what they
    /// refer to is contained or named by identifier.
    pub fn history(self, person_index: u64, n: u64) -> impl Iterator<Item = Value> {
        let person = self.person(person_index);
        let subject = Subject::Member(person.member_id());
        self.history_about(person, subject, n)
    }

    /// As [`Population::history`], but the person is named as `subject` says.
    pub fn history_about(self, person: Person, subject: Subject, n: u64) -> impl Iterator<Item = Value> {
        (0..n).map(move |k| self.history_item(&person, &subject, k))
    }

    /// The `k`-th resource of the person's history, without making those before it.
    pub fn history_item(&self, person: &Person, subject: &Subject, k: u64) -> Value {
        let mut dice = Dice::open(self.seed, Domain::History, person.index, k);
        let kind = Kind::thrown(&mut dice);
        self.make(kind, person, subject, (format!("H{k}"), &mut dice))
    }

    /// The `k`-th resource of one kind about a person, apart from the history: another `k`, another resource.
    pub fn item(&self, kind: Kind, person: &Person, subject: &Subject, k: u64) -> Value {
        let mut dice = Dice::open(self.seed, Domain::Item, person.index, (k << 8) | kind as u64);
        self.make(kind, person, subject, (format!("I{k}"), &mut dice))
    }

    fn make(&self, kind: Kind, person: &Person, subject: &Subject, (own, dice): (String, &mut Dice)) -> Value {
        let pick = match kind {
            Kind::MedicationDispense => dice.between(5, 7),
            Kind::DiagnosticReport | Kind::Procedure => 0,
            _ => dice.between(0, 4),
        };
        let facility = self.facility_near(person, pick as u64);
        let signer = self.signer_of(&facility);
        let age = (self.today - person.birth_date).num_days().max(1) as u64;
        let on = self.today - Days::new(dice.below(HISTORY_DAYS.min(age)));
        let context = Context {
            person,
            subject: subject.clone(),
            facility: &facility,
            signer: &signer,
            on,
            minute: dice.between(9 * 60, 17 * 60) as u32,
            instance: format!("{}-{}-{own}", kind.tag(), person.index),
        };
        fhir::build(kind, &context, dice)
    }
}
