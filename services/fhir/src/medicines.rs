//! What the safety check reads out of prescriptions and dispensings: ingredient-and-route classes, start, days of supply.
//! `standards-japan.md` 3.3. The first 7 characters of a YJ code (and of a general-name code) are ingredient and route.

use std::collections::{BTreeSet, HashSet};
use std::sync::LazyLock;

use schemas::ResourceType;

use crate::dates;
use crate::json::Node;
use crate::systems::canonical;

const YJ: &str = "http://capstandard.jp/iyaku.info/CodeSystem/YJ-code";
const GENERAL: &str = "http://jpfhir.jp/fhir/core/mhlw/CodeSystem/MedicationGeneralOrderCode";
const CLASS: usize = 7;
const MS_PER_DAY: i64 = 86_400_000;
/// Japan's day begins 9 hours before UTC's.
const JAPAN_MS: i64 = 9 * 3_600_000;

/// One medicine as the check sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Medicine {
    /// Classes of the product; empty where no code can be compared.
    pub classes: BTreeSet<String>,
    /// Day of dispensing or prescribing, days since 1970 in Japan.
    pub start_day: Option<i64>,
    /// Days of supply where they can be computed.
    pub days: Option<u32>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Interactions {
    release: String,
    pairs: Vec<(String, String)>,
}

static INTERACTIONS: LazyLock<Interactions> = LazyLock::new(|| {
    toml::from_str(include_str!("../definitions/interactions.toml")).expect("the committed table of interactions reads")
});
static PAIRS: LazyLock<HashSet<(&'static str, &'static str)>> = LazyLock::new(|| {
    INTERACTIONS.pairs.iter().flat_map(|(a, b)| [(a.as_str(), b.as_str()), (b.as_str(), a.as_str())]).collect()
});

/// Whether two classes are a contraindicated pair, in either order.
pub fn is_contraindicated(one: &str, other: &str) -> bool {
    PAIRS.contains(&(one, other))
}

/// Release of the table of pairs.
pub fn interactions_release() -> &'static str {
    &INTERACTIONS.release
}

/// The day of a time (milliseconds since 1970) in Japan, as days since 1970.
pub fn day_in_japan(time: i64) -> i64 {
    (time + JAPAN_MS).div_euclid(MS_PER_DAY)
}

/// The class of a coded medicine; `None` for a system that cannot be compared.
pub fn class_of<'a>(system: &str, code: &'a str) -> Option<&'a str> {
    matches!(canonical(system), YJ | GENERAL).then(|| code.get(..CLASS)).flatten()
}

/// Reads a MedicationRequest or MedicationDispense (with or without its id and meta).
pub fn read(resource_type: ResourceType, resource: &Node) -> Medicine {
    let codings = resource.get("medicationCodeableConcept").and_then(|c| c.get("coding")).map_or(&[][..], Node::items);
    let class = |c: &Node| class_of(c.text("system")?, c.text("code")?).map(str::to_owned);
    let start = match resource_type {
        ResourceType::MedicationDispense => resource.text("whenHandedOver").or_else(|| resource.text("whenPrepared")),
        _ => resource.text("authoredOn"),
    };
    Medicine {
        classes: codings.iter().filter_map(class).collect(),
        start_day: start.and_then(dates::interval).map(|(from, _)| day_in_japan(from)),
        days: days_of_supply(resource),
    }
}

/// Days from the supply itself, or from the bounds of the dosage.
fn days_of_supply(resource: &Node) -> Option<u32> {
    let supply = resource.get("daysSupply").or_else(|| resource.get("dispenseRequest")?.get("expectedSupplyDuration"));
    let bounds = || {
        let dosage = resource.get("dosageInstruction")?.items().first()?;
        dosage.get("timing")?.get("repeat")?.get("boundsDuration")
    };
    let quantity = supply.or_else(bounds)?;
    let is_days = matches!(quantity.text("code").or_else(|| quantity.text("unit")), Some("d" | "日" | "day" | "days"));
    let value = quantity.get("value")?.as_number()?.parse::<f64>().ok()?;
    // A fraction of a day is a day; nobody is supplied for more than ten years.
    (is_days && (0.0..3660.0).contains(&value)).then(|| value.ceil() as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Limits, parse};

    #[test]
    fn a_prescription_yields_its_class_start_and_days() {
        let raw = br#"{"authoredOn":"2026-11-20T23:30:00+09:00","medicationCodeableConcept":{"coding":[{"system":"urn:oid:1.2.392.100495.20.2.73","code":"1141007F1063"}]},"dispenseRequest":{"expectedSupplyDuration":{"value":14,"unit":"d"}}}"#;
        let medicine = read(ResourceType::MedicationRequest, &parse(raw, &Limits::default()).unwrap());
        assert_eq!(medicine.classes, BTreeSet::from(["1141007".to_owned()]));
        assert_eq!(medicine.days, Some(14));
        assert_eq!(medicine.start_day, Some(day_in_japan(dates::interval("2026-11-20").unwrap().0)));
    }

    #[test]
    fn a_listed_pair_is_found_in_either_order() {
        assert!(is_contraindicated("2171018", "2190028") && is_contraindicated("2190028", "2171018"));
        assert!(!is_contraindicated("1141007", "2171018"));
    }
}
