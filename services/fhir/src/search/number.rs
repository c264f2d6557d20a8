//! Numbers in searches: exact decimals, with the precision that is written (R4 search, "number").

use std::str::FromStr;

use rust_decimal::Decimal;

use super::Fault;
use super::prefix::Prefix;

/// A decimal as FHIR writes it, exponents included; more than 28 digits are rounded.
pub(super) fn parse(text: &str) -> Option<Decimal> {
    match text.contains(['e', 'E']) {
        true => Decimal::from_scientific(text).ok(),
        false => Decimal::from_str(text).ok(),
    }
}

/// A condition on a number, compiled.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct NumberTest {
    prefix: Prefix,
    value: Decimal,
    /// Half of the last digit written; for `ap` a tenth of the value.
    margin: Decimal,
}

impl NumberTest {
    pub(super) fn new(prefix: Prefix, text: &str) -> Result<Self, Fault> {
        let bad = || Fault::value("a number is wanted, such as 5.40 or 1e2");
        let value = parse(text).ok_or_else(bad)?;
        let margin = match prefix {
            Prefix::Ap => value.abs() / Decimal::TEN,
            _ => half_of_last_digit(text).ok_or_else(bad)?,
        };
        Ok(Self { prefix, value, margin })
    }

    /// `5.40` means from 5.395 inclusive to 5.405 exclusive; the other prefixes compare with exactly 5.4.
    pub(super) fn matches(&self, stored: &str) -> bool {
        let Some(stored) = parse(stored) else { return false };
        let equal = |s: Decimal| {
            let below = self.value.checked_sub(self.margin).is_none_or(|low| low <= s);
            below && self.value.checked_add(self.margin).is_none_or(|high| s < high)
        };
        match self.prefix {
            Prefix::Eq => equal(stored),
            Prefix::Ne => !equal(stored),
            Prefix::Gt | Prefix::Sa => stored > self.value,
            Prefix::Lt | Prefix::Eb => stored < self.value,
            Prefix::Ge => stored >= self.value,
            Prefix::Le => stored <= self.value,
            Prefix::Ap => self.value.checked_sub(stored).is_some_and(|gap| gap.abs() <= self.margin),
        }
    }
}

fn half_of_last_digit(text: &str) -> Option<Decimal> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let decimals =
        mantissa.split_once('.').map_or(0, |(_, fraction)| i32::try_from(fraction.len()).unwrap_or(i32::MAX));
    let power = exponent.checked_sub(decimals)?;
    match power {
        ..=-28 => Some(Decimal::ZERO),
        -27..=0 => Some(Decimal::new(5, u32::try_from(1 - power).ok()?)),
        1..=27 => Decimal::from_i128_with_scale(10i128.pow(u32::try_from(power).ok()?), 0).checked_div(Decimal::TWO),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(prefix: Prefix, text: &str, stored: &str) -> bool {
        NumberTest::new(prefix, text).unwrap().matches(stored)
    }

    #[test]
    fn a_number_is_as_precise_as_it_is_written() {
        assert!(matches(Prefix::Eq, "100", "99.5") && !matches(Prefix::Eq, "100", "100.5"));
        assert!(matches(Prefix::Eq, "100.00", "100.004") && !matches(Prefix::Eq, "100.00", "100.4"));
        assert!(matches(Prefix::Eq, "1e2", "140") && !matches(Prefix::Eq, "1.00e2", "101"));
        assert!(matches(Prefix::Eq, "0.3", "0.30000000000000000000000001"));
        assert!(matches(Prefix::Ap, "100", "91") && !matches(Prefix::Ap, "100", "89"));
        assert!(matches(Prefix::Gt, "5.4", "5.41") && !matches(Prefix::Gt, "5.4", "5.40"));
        assert!(NumberTest::new(Prefix::Eq, "5,4").is_err() && NumberTest::new(Prefix::Eq, "").is_err());
    }

    proptest! {
        #[test]
        fn greater_less_and_the_same_exclude_one_another(a in -100_000i64..100_000, b in -100_000i64..100_000, scale in 0u32..5) {
            let (a, b) = (Decimal::new(a, scale).to_string(), Decimal::new(b, scale).to_string());
            let (gt, lt) = (matches(Prefix::Gt, &a, &b), matches(Prefix::Lt, &a, &b));
            prop_assert!(!(gt && lt));
            prop_assert_eq!(matches(Prefix::Ge, &a, &b), !lt);
            prop_assert_eq!(matches(Prefix::Le, &a, &b), !gt);
            prop_assert_eq!(matches(Prefix::Eq, &a, &b), !matches(Prefix::Ne, &a, &b));
        }

        #[test]
        fn no_text_makes_a_panic(text in "[0-9eE.+-]{0,40}|\\PC{0,10}") {
            if let Ok(test) = NumberTest::new(Prefix::Eq, &text) {
                test.matches(&text);
            }
        }
    }
}
