//! Prefixes of ordered values, and what they mean for dates (R4 search, "Prefixes").

use super::Fault;
use crate::dates;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Prefix {
    Eq,
    Ne,
    Gt,
    Lt,
    Ge,
    Le,
    Sa,
    Eb,
    Ap,
}

impl Prefix {
    /// Takes the prefix off; none means `eq`.
    pub(super) fn take(text: &str) -> (Self, &str) {
        let known = [
            ("eq", Self::Eq),
            ("ne", Self::Ne),
            ("gt", Self::Gt),
            ("lt", Self::Lt),
            ("ge", Self::Ge),
            ("le", Self::Le),
            ("sa", Self::Sa),
            ("eb", Self::Eb),
            ("ap", Self::Ap),
        ];
        known
            .iter()
            .find_map(|(name, prefix)| text.strip_prefix(name).map(|rest| (*prefix, rest)))
            .unwrap_or((Self::Eq, text))
    }
}

/// A condition on a date, compiled. `ap` widens the searched interval by its own length at both ends: the rules have no clock,
/// so the tenth of the distance from today that R4 recommends (and leaves open) is not to be had.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct DateTest {
    prefix: Prefix,
    from: i64,
    to: i64,
}

impl DateTest {
    pub(super) fn new(text: &str) -> Result<Self, Fault> {
        let (prefix, date) = Prefix::take(text);
        // A `+` that nobody encoded arrives as a space.
        let (from, to) = dates::interval(&date.replace(' ', "+"))
            .ok_or_else(|| Fault::value("a date is wanted, such as 2024, 2024-05-01 or 2024-05-01T10:00:00+09:00"))?;
        Ok(match prefix {
            Prefix::Ap => Self { prefix, from: from - (to - from), to: to + (to - from) },
            _ => Self { prefix, from, to },
        })
    }

    /// Whether a stored interval (from inclusive, to exclusive) satisfies the condition.
    pub(super) fn matches(&self, from: i64, to: i64) -> bool {
        let contained = self.from <= from && to <= self.to;
        match self.prefix {
            Prefix::Eq => contained,
            Prefix::Ne => !contained,
            Prefix::Gt => to > self.to,
            Prefix::Lt => from < self.from,
            Prefix::Ge => to > self.to || contained,
            Prefix::Le => from < self.from || contained,
            Prefix::Sa => from >= self.to,
            Prefix::Eb => to <= self.from,
            Prefix::Ap => from < self.to && to > self.from,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(condition: &str, stored: &str) -> bool {
        let (from, to) = dates::interval(stored).unwrap();
        DateTest::new(condition).unwrap().matches(from, to)
    }

    #[test]
    fn a_month_finds_its_days_and_a_day_does_not_find_its_month() {
        assert!(matches("2024-05", "2024-05-31") && !matches("2024-05-31", "2024-05"));
        assert!(matches("ne2024-05-31", "2024-05"));
    }

    #[test]
    fn a_zone_moves_a_time_over_midnight() {
        assert!(matches("2024-05-02", "2024-05-01T20:00:00Z"), "05:00 of the next day in Japan");
        assert!(matches("ge2024-05-02T00:00:00 09:00", "2024-05-01T15:00:00Z"), "a plus sign that was not encoded");
    }

    #[test]
    fn starting_after_and_ending_before_leave_out_what_overlaps() {
        assert!(matches("sa2024-05-01", "2024-05-02") && !matches("sa2024-05-01", "2024-05"));
        assert!(matches("eb2024-05-01", "2024-04-30") && !matches("eb2024-05-15", "2024-05"));
        assert!(matches("gt2024-05-15", "2024-05") && matches("lt2024-05-15", "2024-05"));
        assert!(matches("ap2024-05", "2024-06-20") && !matches("ap2024-05", "2024-08"));
        assert!(DateTest::new("xx2024").is_err() && DateTest::new("").is_err());
    }

    proptest! {
        #[test]
        fn prefixes_agree_with_one_another(from in -1000i64..1000, length in 1i64..100, low in -1000i64..1000, width in 1i64..100) {
            let of = |prefix| DateTest { prefix, from: low, to: low + width }.matches(from, from + length);
            prop_assert_eq!(of(Prefix::Eq), !of(Prefix::Ne));
            prop_assert_eq!(of(Prefix::Ge), of(Prefix::Gt) || of(Prefix::Eq));
            prop_assert_eq!(of(Prefix::Le), of(Prefix::Lt) || of(Prefix::Eq));
            prop_assert!(!(of(Prefix::Sa) && of(Prefix::Eb)));
            prop_assert!(!of(Prefix::Sa) || of(Prefix::Gt));
            prop_assert!(!of(Prefix::Eb) || of(Prefix::Lt));
            prop_assert!(of(Prefix::Ge) || of(Prefix::Le), "every date is on one side or inside");
        }
    }
}
