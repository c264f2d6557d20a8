//! The primitive types of FHIR R4 (http://hl7.org/fhir/R4/datatypes.html#primitive), each with the check of its form.

use crate::json::Node;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Primitive {
    Base64Binary,
    Boolean,
    Canonical,
    Code,
    Date,
    DateTime,
    Decimal,
    Id,
    Instant,
    Integer,
    Markdown,
    Oid,
    PositiveInt,
    String,
    Time,
    UnsignedInt,
    Uri,
    Url,
    Uuid,
    Xhtml,
}

/// R4: strings shall not be longer than 1 MB (1024 x 1024 characters).
const STRING_CHARS_MAX: usize = 1 << 20;

/// A decimal has no limit in R4; 29 digits and more are kept, but nobody writes a hundred.
const DECIMAL_BYTES_MAX: usize = 100;

/// What is wrong with a value; never the value.
type Fault = &'static str;

impl Primitive {
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "base64Binary" => Self::Base64Binary,
            "boolean" => Self::Boolean,
            "canonical" => Self::Canonical,
            "code" => Self::Code,
            "date" => Self::Date,
            "dateTime" => Self::DateTime,
            "decimal" => Self::Decimal,
            "id" => Self::Id,
            "instant" => Self::Instant,
            "integer" => Self::Integer,
            "markdown" => Self::Markdown,
            "oid" => Self::Oid,
            "positiveInt" => Self::PositiveInt,
            "string" => Self::String,
            "time" => Self::Time,
            "unsignedInt" => Self::UnsignedInt,
            "uri" => Self::Uri,
            "url" => Self::Url,
            "uuid" => Self::Uuid,
            "xhtml" => Self::Xhtml,
            _ => return None,
        })
    }

    /// `Err` with the fault of form; the flag says that the JSON type itself is wrong.
    pub(crate) fn check(self, node: &Node) -> Result<(), (bool, Fault)> {
        match (self, node) {
            (Self::Boolean, Node::Bool(_)) => Ok(()),
            (Self::Boolean, _) => Err((true, "must be true or false, without quotes")),
            (Self::Decimal | Self::Integer | Self::PositiveInt | Self::UnsignedInt, Node::Number(text)) => {
                self.check_number(text).map_err(|fault| (false, fault))
            }
            (Self::Decimal | Self::Integer | Self::PositiveInt | Self::UnsignedInt, _) => {
                Err((true, "must be a number, without quotes"))
            }
            (_, Node::String(text)) => self.check_text(text).map_err(|fault| (false, fault)),
            _ => Err((true, "must be a string")),
        }
    }

    fn check_number(self, text: &str) -> Result<(), Fault> {
        if self == Self::Decimal {
            // Beyond this range the second opinion, which counts in floating point, could not follow.
            let is_in_range = text.parse::<f64>().is_ok_and(|value| value.abs() < 1e300);
            return ensure(text.len() <= DECIMAL_BYTES_MAX && is_in_range, "must be a decimal of reasonable size");
        }
        let value: i64 = text.parse::<i32>().map_err(|_| "must be a whole number of 32 bits")?.into();
        match self {
            Self::PositiveInt => ensure(value > 0, "must be 1 or more"),
            Self::UnsignedInt => ensure(value >= 0, "must not be negative"),
            _ => Ok(()),
        }?;
        ensure(text != "-0", "must not be written with a sign")
    }

    fn check_text(self, text: &str) -> Result<(), Fault> {
        ensure(!text.is_empty(), "must not be empty")?;
        match self {
            Self::String | Self::Markdown | Self::Xhtml => check_string(text),
            Self::Code => {
                let is_code = !text.starts_with(' ') && !text.ends_with(' ') && !text.contains("  ");
                ensure(is_code && !text.contains(is_control), "must be a code: no spaces but single ones inside")
            }
            Self::Id => {
                let is_id =
                    text.len() <= 64 && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'));
                ensure(is_id, "must be an id: 1 to 64 letters, digits, - and .")
            }
            Self::Uri | Self::Url | Self::Canonical => {
                ensure(!text.contains(|c: char| c.is_whitespace() || is_control(c)), "must be a URI, without spaces")
            }
            Self::Oid => ensure(is_oid(text), "must be urn:oid: and an OID"),
            Self::Uuid => ensure(is_uuid(text), "must be urn:uuid: and a UUID in small letters"),
            Self::Date => ensure(is_date(text), "must be a date that exists: YYYY, YYYY-MM or YYYY-MM-DD"),
            Self::DateTime => ensure(is_date_time(text), "must be a date, or a date with time, seconds and time zone"),
            Self::Instant => ensure(is_instant(text), "must be a date with time, seconds and time zone"),
            Self::Time => ensure(is_time(text), "must be a time: hh:mm:ss, no time zone"),
            Self::Base64Binary => ensure(is_base64(text), "must be base64 with padding"),
            Self::Boolean | Self::Decimal | Self::Integer | Self::PositiveInt | Self::UnsignedInt => {
                Err("must not be a string")
            }
        }
    }
}

fn ensure(holds: bool, fault: Fault) -> Result<(), Fault> {
    if holds { Ok(()) } else { Err(fault) }
}

/// Below a space, but for those that R4 allows in strings: tab, line feed, carriage return.
fn is_control(c: char) -> bool {
    c < ' ' || c == '\u{7f}'
}

fn check_string(text: &str) -> Result<(), Fault> {
    let is_long = text.len() > STRING_CHARS_MAX && text.chars().count() > STRING_CHARS_MAX;
    ensure(!is_long, "must not be longer than 1,048,576 characters")?;
    let has_control = text.bytes().any(|b| b < b' ' && !matches!(b, b'\t' | b'\n' | b'\r'));
    ensure(!has_control, "must not have control characters")
}

fn is_oid(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("urn:oid:") else { return false };
    let mut arcs = rest.split('.');
    let first = arcs.next().is_some_and(|arc| matches!(arc, "0" | "1" | "2"));
    let mut count = 0;
    first
        && arcs.all(|arc| {
            count += 1;
            !arc.is_empty() && arc.bytes().all(|b| b.is_ascii_digit()) && (arc == "0" || !arc.starts_with('0'))
        })
        && count > 0
}

fn is_uuid(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("urn:uuid:") else { return false };
    rest.len() == 36
        && rest.bytes().enumerate().all(|(at, b)| match at {
            8 | 13 | 18 | 23 => b == b'-',
            _ => b.is_ascii_digit() || (b'a'..=b'f').contains(&b),
        })
}

/// `text` as a number of exactly `len` digits.
fn digits(text: &str, len: usize) -> Option<u32> {
    (text.len() == len && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

fn is_date(text: &str) -> bool {
    let mut parts = text.splitn(3, '-');
    let Some(year) = parts.next().and_then(|part| digits(part, 4)).filter(|year| *year > 0) else { return false };
    let Some(month) = parts.next() else { return true };
    let Some(month) = digits(month, 2).filter(|month| (1..=12).contains(month)) else { return false };
    let Some(day) = parts.next() else { return true };
    let year = i32::try_from(year).unwrap_or(i32::MAX);
    digits(day, 2).is_some_and(|day| chrono::NaiveDate::from_ymd_opt(year, month, day).is_some())
}

fn is_date_time(text: &str) -> bool {
    if text.contains('T') { is_instant(text) } else { is_date(text) }
}

fn is_instant(text: &str) -> bool {
    let Some((date, rest)) = text.split_once('T') else { return false };
    let zone_at = rest.find(['Z', '+', '-']).unwrap_or(rest.len());
    let (time, zone) = rest.split_at(zone_at);
    date.len() == 10 && is_date(date) && is_time(time) && is_zone(zone)
}

/// `hh:mm:ss` with an optional fraction; second 60 is a leap second.
fn is_time(text: &str) -> bool {
    let (clock, fraction) = text.split_once('.').map_or((text, None), |(clock, fraction)| (clock, Some(fraction)));
    let mut parts = clock.split(':').map(|part| digits(part, 2));
    let (hour, minute, second) = (parts.next().flatten(), parts.next().flatten(), parts.next().flatten());
    hour.is_some_and(|hour| hour < 24)
        && minute.is_some_and(|minute| minute < 60)
        && second.is_some_and(|second| second <= 60)
        && parts.next().is_none()
        && fraction.is_none_or(|text| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()))
}

fn is_zone(text: &str) -> bool {
    if text == "Z" {
        return true;
    }
    let Some((hour, minute)) = text.strip_prefix(['+', '-']).and_then(|rest| rest.split_once(':')) else {
        return false;
    };
    match (digits(hour, 2), digits(minute, 2)) {
        (Some(hour), Some(minute)) => (hour < 14 && minute < 60) || (hour == 14 && minute == 0),
        _ => false,
    }
}

/// RFC 4648 with padding; white space is allowed, as R4's pattern allows it.
fn is_base64(text: &str) -> bool {
    let (mut count, mut padding) = (0usize, 0usize);
    for byte in text.bytes().filter(|byte| !byte.is_ascii_whitespace()) {
        match byte {
            b'=' => padding += 1,
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' if padding == 0 => {}
            _ => return false,
        }
        count += 1;
    }
    count > 0 && count % 4 == 0 && padding <= 2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(primitive: Primitive, text: &str) -> bool {
        primitive.check(&Node::String(text.into())).is_ok()
    }

    #[test]
    fn only_dates_of_the_calendar_are_dates() {
        for good in ["2024", "2024-02", "2024-02-29", "0001-01-01", "9999-12-31"] {
            assert!(accepts(Primitive::Date, good), "{good}");
        }
        for bad in [
            "24",
            "0000",
            "2023-02-29",
            "2024-13",
            "2024-00",
            "2024-1-1",
            "2024-01-32",
            "2024-01-01T00:00:00Z",
            "２０２４",
        ] {
            assert!(!accepts(Primitive::Date, bad), "{bad}");
        }
    }

    #[test]
    fn times_need_seconds_and_a_zone() {
        for good in ["2015-02-07T13:28:17.239+02:00", "2016-12-31T23:59:60Z", "2015-02-07T00:00:00-14:00"] {
            assert!(accepts(Primitive::DateTime, good) && accepts(Primitive::Instant, good), "{good}");
        }
        for bad in [
            "2015-02-07T13:28Z",
            "2015-02-07T13:28:17",
            "2015-02-07T24:00:00Z",
            "2015-02-07T13:28:61Z",
            "2015-02T13:28:17Z",
            "2015-02-07T13:28:17+15:00",
            "2015-02-07T13:28:17.Z",
            "2015-02-07t13:28:17Z",
            "2015-02-07T13:28:17z",
        ] {
            assert!(!accepts(Primitive::DateTime, bad), "{bad}");
        }
        assert!(!accepts(Primitive::Instant, "2015-02-07"));
        assert!(accepts(Primitive::Time, "08:00:00.5") && !accepts(Primitive::Time, "08:00"));
    }

    #[test]
    fn whole_numbers_keep_to_their_ranges() {
        let check = |primitive: Primitive, text: &str| primitive.check(&Node::Number(text.into())).is_ok();
        assert!(check(Primitive::Integer, "-2147483648") && !check(Primitive::Integer, "2147483648"));
        assert!(
            !check(Primitive::Integer, "1.0") && !check(Primitive::Integer, "1e3") && !check(Primitive::Integer, "-0")
        );
        assert!(check(Primitive::UnsignedInt, "0") && !check(Primitive::UnsignedInt, "-1"));
        assert!(check(Primitive::PositiveInt, "1") && !check(Primitive::PositiveInt, "0"));
        assert!(
            check(Primitive::Decimal, "12345678901234567890123456789.123456789") && !check(Primitive::Decimal, "1e999")
        );
    }

    #[test]
    fn texts_keep_to_their_forms() {
        assert!(
            accepts(Primitive::Code, "a b") && !accepts(Primitive::Code, " a") && !accepts(Primitive::Code, "a  b")
        );
        assert!(
            accepts(Primitive::Id, "a.B-9")
                && !accepts(Primitive::Id, "a_b")
                && !accepts(Primitive::Id, &"a".repeat(65))
        );
        assert!(
            accepts(Primitive::Oid, "urn:oid:1.2.0")
                && !accepts(Primitive::Oid, "urn:oid:1.02")
                && !accepts(Primitive::Oid, "urn:oid:3.1")
        );
        assert!(accepts(Primitive::Base64Binary, "aGVs\r\nbG8=") && !accepts(Primitive::Base64Binary, "aGVsbG8"));
        assert!(accepts(Primitive::String, "全 角\n") && !accepts(Primitive::String, "a\u{0}"));
        assert!(!accepts(Primitive::Uri, "a b") && accepts(Primitive::Uri, "urn:oid:1.2.392"));
        assert!(accepts(Primitive::Uuid, "urn:uuid:c757873d-ec9a-4326-a141-556f43239520"));
    }
}
