//! What fhir-sdk writes differently without changing it: numbers in floating point, moments, base64.

/// Whether two spellings are one number to a parser that counts in floating point.
pub fn same_number(a: &str, b: &str) -> bool {
    b.parse().is_ok_and(|b| same_number_as(a, b))
}

pub(crate) fn same_number_as(text: &str, value: f64) -> bool {
    // Reading and writing a float may move the last bit of a number with more than 17 digits.
    text.parse::<f64>().is_ok_and(|a| a == value || (a - value).abs() <= a.abs() * f64::EPSILON)
}

/// Whether two texts say the same, in the spellings that fhir-sdk changes.
pub fn same_text(a: &str, b: &str) -> bool {
    a == b || same_time(a, b) || (a.contains(|c: char| c.is_ascii_whitespace()) && same_without_space(a, b))
}

/// Only base64 may differ in white space: nothing else comes back changed in that way.
fn same_without_space(a: &str, b: &str) -> bool {
    let is_base64 = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
    b.len().is_multiple_of(4)
        && b.chars().all(is_base64)
        && a.chars().filter(|c| !c.is_ascii_whitespace()).eq(b.chars())
}

/// Whether two texts are one moment, in the spellings that fhir-sdk changes.
fn same_time(a: &str, b: &str) -> bool {
    let (Some(a), Some(b)) = (Moment::read(a), Moment::read(b)) else { return false };
    let is_leap = a.clock.ends_with(":60") && b.clock.ends_with(":59") && a.clock[..6] == b.clock[..6];
    a.date == b.date && a.zone == b.zone && (is_leap || (a.clock == b.clock && a.fraction == b.fraction))
}

#[derive(PartialEq)]
struct Moment<'a> {
    date: &'a str,
    clock: &'a str,
    /// Nine digits at most, without zeros at the end.
    fraction: &'a str,
    zone: &'a str,
}

impl<'a> Moment<'a> {
    /// `date T hh:mm:ss fraction zone`, or a time alone.
    fn read(text: &'a str) -> Option<Self> {
        let (date, rest) = text.split_once('T').unwrap_or(("", text));
        let zone_at = rest.find(['Z', '+', '-']).unwrap_or(rest.len());
        let (time, zone) = rest.split_at(zone_at);
        let (clock, fraction) = time.split_once('.').unwrap_or((time, ""));
        let is_clock = clock.len() == 8 && clock.bytes().all(|byte| byte.is_ascii_digit() || byte == b':');
        let fraction = fraction.get(..9).unwrap_or(fraction).trim_end_matches('0');
        let zone = if matches!(zone, "+00:00" | "-00:00") { "Z" } else { zone };
        is_clock.then_some(Self { date, clock, fraction, zone })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_losses_are_no_difference() {
        assert!(same_text("2016-12-31T23:59:60Z", "2016-12-31T23:59:59.999999999Z"));
        assert!(
            same_text("2020-01-01T10:00:00.000+00:00", "2020-01-01T10:00:00Z")
                && same_text("10:00:00.50", "10:00:00.5")
        );
        assert!(same_text("aGVs\nbG8=", "aGVsbG8=") && same_number("1.50", "1.5") && same_number("1e2", "100.0"));
        assert!(same_number("12345678901234567890123456789", "1.2345678901234568e28"));
        assert!(!same_text("2020-01-01T10:00:00Z", "2020-01-01T10:00:01Z") && !same_text("a b", "ab c"));
        assert!(!same_number("6.3", "6.4") && !same_text("2020-01-01T10:00:00+09:00", "2020-01-01T10:00:00Z"));
    }
}
