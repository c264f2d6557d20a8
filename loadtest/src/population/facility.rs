//! Facilities, insurers and professionals.

use super::Population;
use super::check_digit;
use super::dice::{Dice, Domain};
use super::names::{FEMALE, MALE, SURNAMES};
use super::places::{PLACES, Place};

/// What a facility is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FacilityKind {
    Hospital,
    Clinic,
    Pharmacy,
}

impl FacilityKind {
    /// The word of the registry's organisation type.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hospital => "hospital",
            Self::Clinic => "clinic",
            Self::Pharmacy => "pharmacy",
        }
    }

    /// 点数表 digit of the institution code: 1 医科, 4 調剤.
    pub fn fee_table(self) -> char {
        if self == Self::Pharmacy { '4' } else { '1' }
    }
}

/// A hospital, clinic or pharmacy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facility {
    /// Number within the population.
    pub index: u64,
    pub kind: FacilityKind,
    /// 医療機関コード, ten digits with a valid check digit.
    pub code: String,
    pub name: String,
    pub place: &'static Place,
    /// Address as one line, and the phone number.
    pub address: String,
    pub phone: String,
}

/// An insurer (保険者).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Insurer {
    pub index: u64,
    /// 保険者番号, eight digits (国保 padded with zeros) with a valid check digit.
    pub number: String,
    pub name: String,
    pub kind: InsurerKind,
    pub place: &'static Place,
}

/// 保険種別 as far as the generator knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InsurerKind {
    /// 協会けんぽ, 法別番号 01.
    Association,
    /// 健康保険組合, 06.
    Society,
    /// 共済組合, 31.
    MutualAid,
    /// 国民健康保険, 00 (six digits padded).
    National,
    /// 後期高齢者医療, 39.
    Elderly,
}

impl InsurerKind {
    /// Code of `InsuranceMajorCategory`: 1 医保, 2 国保, 7 後期高齢.
    pub fn category(self) -> (&'static str, &'static str) {
        match self {
            Self::National => ("2", "国保"),
            Self::Elderly => ("7", "後期高齢"),
            _ => ("1", "医保"),
        }
    }

    fn prefix(self) -> &'static str {
        match self {
            Self::Association => "01",
            Self::Society => "06",
            Self::MutualAid => "31",
            Self::National => "00",
            Self::Elderly => "39",
        }
    }
}

/// Profession of a licensed person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Profession {
    Doctor,
    Dentist,
    Pharmacist,
    Nurse,
}

impl Profession {
    /// English word of the registry, and the Japanese one.
    pub fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Doctor => ("physician", "医師"),
            Self::Dentist => ("dentist", "歯科医師"),
            Self::Pharmacist => ("pharmacist", "薬剤師"),
            Self::Nurse => ("nurse", "看護師"),
        }
    }

    /// Identifier system of the licence number.
    pub fn licence_system(self) -> &'static str {
        match self {
            Self::Doctor => "http://jpfhir.jp/fhir/core/mhlw/IdSystem/medicalRegistrationNumber",
            Self::Dentist => "urn:oid:1.2.392.100495.20.3.32",
            Self::Pharmacist => "urn:oid:1.2.392.100495.20.3.33",
            Self::Nurse => "urn:oid:1.2.392.100495.20.3.34",
        }
    }
}

/// A licensed professional.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Professional {
    pub index: u64,
    pub profession: Profession,
    /// Licence number, six digits, distinct among professionals.
    pub licence: String,
    pub family: &'static str,
    pub given: &'static str,
    pub family_kana: &'static str,
    pub given_kana: &'static str,
}

impl Professional {
    /// Family and given name with a half-width space.
    pub fn name(&self) -> String {
        format!("{} {}", self.family, self.given)
    }

    /// The reading, in katakana.
    pub fn kana(&self) -> String {
        format!("{} {}", self.family_kana, self.given_kana)
    }
}

/// Facilities have distinct codes below this index, professionals distinct licences.
const DISTINCT: u64 = 900_000;
/// Kinds of insurers in each place, in the order of [`Population::insurer`].
const INSURERS: [InsurerKind; 7] = [
    InsurerKind::Association,
    InsurerKind::Society,
    InsurerKind::National,
    InsurerKind::Elderly,
    InsurerKind::Society,
    InsurerKind::MutualAid,
    InsurerKind::Society,
];

impl Population {
    /// The `i`-th facility: of each eight, one hospital, four clinics, three pharmacies. Codes are distinct for `i`
    /// below 900,000.
    pub fn facility(&self, i: u64) -> Facility {
        let mut dice = Dice::open(self.seed, Domain::Facility, i, 0);
        let kind = match i % 8 {
            0 => FacilityKind::Hospital,
            1..=4 => FacilityKind::Clinic,
            _ => FacilityKind::Pharmacy,
        };
        let place = dice.pick(PLACES);
        let number = 100_000 + (i * 7_919 + self.seed % DISTINCT) % DISTINCT;
        let body = format!("{}{}{number}", place.prefecture_code(), kind.fee_table());
        let surname = dice.pick(SURNAMES).0;
        let direction = dice.pick(&["中央", "東", "西", "南", "北", "第一", "みなみ", "ひかり"]);
        let name = match kind {
            FacilityKind::Hospital => format!("{}{direction}病院", place.city),
            FacilityKind::Clinic => {
                format!("{surname}{}", dice.pick(&["内科医院", "クリニック", "医院", "整形外科", "診療所"]))
            }
            FacilityKind::Pharmacy => format!("{surname}薬局{}{direction}店", place.town),
        };
        let address = address(place, &mut dice);
        let phone = format!("0{}-{}-{}", dice.between(11, 99), dice.between(200, 999), dice.digits(4));
        Facility {
            index: i,
            kind,
            code: check_digit::complete(check_digit::institution, &body),
            name,
            place,
            address,
            phone,
        }
    }

    /// The `k`-th hospital.
    pub fn hospital(&self, k: u64) -> Facility {
        self.facility(k * 8)
    }

    /// The `k`-th clinic.
    pub fn clinic(&self, k: u64) -> Facility {
        self.facility(k / 4 * 8 + 1 + k % 4)
    }

    /// The `k`-th pharmacy.
    pub fn pharmacy(&self, k: u64) -> Facility {
        self.facility(k / 3 * 8 + 5 + k % 3)
    }

    /// How many insurers there are: [`Population::insurer`] repeats after them.
    pub fn insurer_count(&self) -> u64 {
        (PLACES.len() * INSURERS.len()) as u64
    }

    /// The `i`-th insurer: seven in each place (協会けんぽ, three 組合, 国保, 後期高齢, 共済); all numbers distinct.
    pub fn insurer(&self, i: u64) -> Insurer {
        let index = i % self.insurer_count();
        let kind = INSURERS[(index % 7) as usize];
        let place = &PLACES[(index / 7) as usize];
        let mut dice = Dice::open(self.seed, Domain::Insurer, index, 0);
        let body = format!("{}{}{:03}", kind.prefix(), place.prefecture_code(), index + 101);
        let name = match kind {
            InsurerKind::Association => format!("全国健康保険協会{}支部", place.prefecture),
            InsurerKind::Society => {
                format!("{}{}健康保険組合", dice.pick(SURNAMES).0, dice.pick(&["電機", "製作所", "商事", "工業"]))
            }
            InsurerKind::MutualAid => format!("{}職員共済組合", place.prefecture),
            InsurerKind::National => format!("{}国民健康保険", place.city),
            InsurerKind::Elderly => format!("{}後期高齢者医療広域連合", place.prefecture),
        };
        Insurer { index, number: check_digit::complete(check_digit::insurer, &body), name, kind, place }
    }

    /// The `i`-th professional: of each six, three doctors, a pharmacist, a nurse, a dentist. Licences are distinct for
    /// `i` below 900,000.
    pub fn professional(&self, i: u64) -> Professional {
        let mut dice = Dice::open(self.seed, Domain::Professional, i, 0);
        let profession = match i % 6 {
            0..=2 => Profession::Doctor,
            3 => Profession::Pharmacist,
            4 => Profession::Nurse,
            _ => Profession::Dentist,
        };
        let (family, family_kana, _) = *dice.pick(SURNAMES);
        let given_names = if dice.chance(35) { FEMALE } else { MALE };
        let (given, given_kana, _) = *dice.pick(given_names);
        let licence = (100_000 + (i * 8_837 + self.seed % DISTINCT) % DISTINCT).to_string();
        Professional { index: i, profession, licence, family, given, family_kana, given_kana }
    }

    /// The `k`-th doctor.
    pub fn doctor(&self, k: u64) -> Professional {
        self.professional(k / 3 * 6 + k % 3)
    }

    /// The `k`-th pharmacist.
    pub fn pharmacist(&self, k: u64) -> Professional {
        self.professional(k * 6 + 3)
    }

    /// Who signs at this facility: always the same doctor (or pharmacist) for a facility.
    pub fn signer_of(&self, facility: &Facility) -> Professional {
        match facility.kind {
            FacilityKind::Pharmacy => self.pharmacist(facility.index),
            _ => self.doctor(facility.index),
        }
    }
}

/// A house number in the town, as one line from the prefecture on.
pub(crate) fn address(place: &Place, dice: &mut Dice) -> String {
    let (block, lot, house) = (dice.between(1, 6), dice.between(1, 30), dice.between(1, 20));
    format!("{}{}{}{block}-{lot}-{house}", place.prefecture, place.city, place.town)
}
