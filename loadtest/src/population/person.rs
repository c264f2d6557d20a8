//! Persons.

use chrono::{Datelike, Days, NaiveDate};

use super::Population;
use super::check_digit;
use super::dice::{Dice, Domain};
use super::facility::{Insurer, InsurerKind, address};
use super::names::{FEMALE, MALE, Name, SURNAMES};
use super::places::{PLACES, Place};

/// Identifier system of the insured person's number.
pub const MEMBER_ID_SYSTEM: &str = "http://jpfhir.jp/fhir/clins/Idsystem/JP_Insurance_memberID";

/// Sex as insurers record it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sex {
    Male,
    Female,
}

impl Sex {
    /// FHIR `administrative-gender`.
    pub fn as_fhir(self) -> &'static str {
        match self {
            Self::Male => "male",
            Self::Female => "female",
        }
    }
}

/// A made-up person, whole from its seed and index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    pub index: u64,
    pub family: Name,
    pub given: Name,
    pub sex: Sex,
    pub birth_date: NaiveDate,
    pub place: &'static Place,
    /// One line from the prefecture on.
    pub address: String,
    pub phone: String,
    pub insurer: Insurer,
    /// 記号; empty for 後期高齢.
    pub symbol: String,
    /// 番号; distinct over the population, half-width or full-width (never mixed).
    pub number: String,
    /// 枝番, two digits.
    pub branch: String,
    /// 個人番号 with a valid check digit, for the eligibility side only: by law never in medical FHIR.
    pub individual_number: String,
}

impl Person {
    /// Family and given name in kanji with a half-width space.
    pub fn name(&self) -> String {
        format!("{} {}", self.family.0, self.given.0)
    }

    /// The reading in katakana.
    pub fn kana(&self) -> String {
        format!("{} {}", self.family.1, self.given.1)
    }

    /// Given and family name in Latin letters.
    pub fn latin(&self) -> String {
        format!("{} {}", self.given.2, self.family.2)
    }

    /// 被保険者個人識別子 `保険者番号8:記号:番号:枝番2`, a value of [`MEMBER_ID_SYSTEM`].
    pub fn member_id(&self) -> String {
        format!("{}:{}:{}:{}", self.insurer.number, self.symbol, self.number, self.branch)
    }

    /// Full years of age on that day.
    pub fn age(&self, on: NaiveDate) -> i32 {
        let before = (on.month(), on.day()) < (self.birth_date.month(), self.birth_date.day());
        on.year() - self.birth_date.year() - i32::from(before)
    }
}

/// Share of each ten years of age in thousands, as in the 2020s (0-9, 10-19, ... 100-109).
const AGES: [u64; 11] = [71, 86, 101, 108, 135, 146, 121, 128, 76, 27, 1];

impl Population {
    /// The `i`-th person, for `i` below 90,000,000: a pure function of seed, today and index.
    pub fn person(&self, i: u64) -> Person {
        let mut dice = Dice::open(self.seed, Domain::Person, i, 0);
        let sex = if dice.chance(51) { Sex::Female } else { Sex::Male };
        let birth_date = self.birth_date(&mut dice);
        let age = (self.today - birth_date).num_days() / 366;
        let place_index = dice.below(PLACES.len() as u64);
        let place = &PLACES[place_index as usize];
        let kind = match age {
            75.. => 3,
            _ => [0, 0, 0, 1, 4, 6, 5, 2, 2, 2][dice.below(10) as usize],
        };
        let insurer = self.insurer(place_index * 7 + kind);
        let (symbol, number) = insured_number(i, &insurer, &mut dice);
        // Half of all surnames come from the twenty commonest.
        let surnames = if dice.chance(50) { &SURNAMES[..20] } else { SURNAMES };
        Person {
            index: i,
            family: *dice.pick(surnames),
            given: *dice.pick(if sex == Sex::Male { MALE } else { FEMALE }),
            sex,
            birth_date,
            place,
            address: address(place, &mut dice),
            phone: format!("0{}0-{}-{}", dice.between(7, 9), dice.digits(4), dice.digits(4)),
            branch: if insurer.kind == InsurerKind::Elderly { "00".into() } else { format!("{:02}", dice.below(5)) },
            insurer,
            symbol,
            number,
            individual_number: check_digit::complete(check_digit::individual_number, &dice.digits(11)),
        }
    }

    fn birth_date(&self, dice: &mut Dice) -> NaiveDate {
        let decade = dice.weighted(&AGES) as u64;
        let days = decade * 3_652 + dice.below(3_652) + 1;
        self.today.checked_sub_days(Days::new(days)).unwrap_or(self.today)
    }
}

/// 記号 and 番号. The number is a one-to-one image of the index, so no two persons share a member id.
fn insured_number(i: u64, insurer: &Insurer, dice: &mut Dice) -> (String, String) {
    let number = (10_000_000 + (i * 48_271 + 7) % 90_000_000).to_string();
    match insurer.kind {
        InsurerKind::Elderly => (String::new(), number),
        InsurerKind::Association => (format!("{}0{}", insurer.place.prefecture_code(), dice.digits(5)), number),
        InsurerKind::National if dice.chance(20) => (full_width(&format!("国{}", dice.digits(2))), full_width(&number)),
        _ => (dice.between(1, 9_999).to_string(), number),
    }
}

/// ASCII digits as full-width ones, as many old cards print them.
fn full_width(text: &str) -> String {
    text.chars().map(|c| c.to_digit(10).and_then(|digit| char::from_u32(0xff10 + digit)).unwrap_or(c)).collect()
}
