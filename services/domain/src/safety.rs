//! Duplicates and contraindicated pairs among a person's medicines (`standards-japan.md` 3.3): which drugs are in effect at
//! the reference date, and which of them clash with the drug asked about.

use std::collections::BTreeSet;

/// A drug as the check sees it: the codes of its ingredient-and-route classes (the first 7 characters of a YJ code; several for
/// a combination).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Drug {
    pub classes: BTreeSet<String>,
}

/// A drug prescribed or dispensed before.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PastDrug {
    pub drug: Drug,
    /// Day of dispensing, or of prescribing where no dispensing is known: days since 1970.
    pub start_day: i64,
    /// Days of supply where computable.
    pub days: Option<u32>,
}

/// How long a drug counts when its days of supply cannot be computed (external use, as needed).
pub const FLAT_WINDOW_DAYS: i64 = 14;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Clash {
    /// Same ingredient and same route.
    Duplicate,
    /// A pair that a package insert lists as contraindicated.
    Contraindicated,
}

impl PastDrug {
    /// Whether the effective window covers `day`: from the start, for the days of supply (or the flat window).
    pub fn in_effect(&self, day: i64) -> bool {
        let length = self.days.map_or(FLAT_WINDOW_DAYS, i64::from).max(1);
        (self.start_day..self.start_day + length).contains(&day)
    }
}

/// The clashes of `asked` with what is in effect on `day`: for each the index into `past`.
/// `contraindicated` says whether two classes are a listed pair, in either order.
pub fn find_clashes(
    asked: &Drug,
    past: &[PastDrug],
    day: i64,
    contraindicated: &dyn Fn(&str, &str) -> bool,
) -> Vec<(usize, Clash)> {
    let mut clashes = Vec::new();
    for (index, other) in past.iter().enumerate().filter(|(_, p)| p.in_effect(day)) {
        if !asked.classes.is_disjoint(&other.drug.classes) {
            clashes.push((index, Clash::Duplicate));
        }
        let pair = |a: &String| other.drug.classes.iter().any(|b| contraindicated(a, b) || contraindicated(b, a));
        if asked.classes.iter().any(pair) {
            clashes.push((index, Clash::Contraindicated));
        }
    }
    clashes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drug(classes: &[&str]) -> Drug {
        Drug { classes: classes.iter().map(|&c| c.to_owned()).collect() }
    }

    #[test]
    fn a_supply_of_fourteen_days_clashes_on_its_last_day_and_not_on_the_next() {
        let past = [PastDrug { drug: drug(&["1141007"]), start_day: 100, days: Some(14) }];
        let on = |day| find_clashes(&drug(&["1141007"]), &past, day, &|_, _| false);
        assert_eq!(on(113), vec![(0, Clash::Duplicate)]);
        assert_eq!(on(114), vec![]);
        assert_eq!(on(99), vec![]);
    }

    #[test]
    fn an_external_drug_counts_for_a_flat_fourteen_days() {
        let past = [PastDrug { drug: drug(&["2649735"]), start_day: 0, days: None }];
        assert_eq!(find_clashes(&drug(&["2649735"]), &past, 13, &|_, _| false).len(), 1);
        assert!(find_clashes(&drug(&["2649735"]), &past, 14, &|_, _| false).is_empty());
    }

    #[test]
    fn a_combination_is_compared_by_each_ingredient_and_a_listed_pair_clashes_in_either_order() {
        let past = [PastDrug { drug: drug(&["2149110", "2149039"]), start_day: 0, days: Some(30) }];
        assert_eq!(find_clashes(&drug(&["2149039"]), &past, 3, &|_, _| false), vec![(0, Clash::Duplicate)]);
        let pair = |a: &str, b: &str| (a, b) == ("2149110", "6119001");
        assert_eq!(find_clashes(&drug(&["6119001"]), &past, 3, &pair), vec![(0, Clash::Contraindicated)]);
    }
}
