//! Dates of FHIR as intervals of milliseconds, from inclusive to exclusive: `2024` is a year long, `2024-05-01T10:00` a minute.
//!
//! A date or time without a time zone is meant in Japan (+09:00): the country has one zone, and its systems leave it out.

const MS_PER_MINUTE: i64 = 60_000;
const MS_PER_DAY: i64 = 86_400_000;
/// Where no zone is written: Asia/Tokyo.
const JAPAN_OFFSET_MINUTES: i64 = 540;

/// The interval that a `date`, `dateTime` or `instant` (or a partial one) covers; `None` if it is not one.
///
/// A leap second counts as the first second of the next minute; a fraction is as long as its last digit, at least 1 ms.
pub fn interval(text: &str) -> Option<(i64, i64)> {
    let bytes = text.as_bytes();
    let year = digits(bytes, 0, 4)?;
    if year == 0 {
        return None;
    }
    let zone = JAPAN_OFFSET_MINUTES * MS_PER_MINUTE;
    match bytes.len() {
        4 => Some((day_ms(year, 1, 1)? - zone, day_ms(year + 1, 1, 1)? - zone)),
        7 => {
            let month = month_at(bytes)?;
            let (next_year, next_month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
            Some((day_ms(year, month, 1)? - zone, day_ms(next_year, next_month, 1)? - zone))
        }
        10 => {
            let start = day_ms(year, month_at(bytes)?, day_at(bytes)?)? - zone;
            Some((start, start + MS_PER_DAY))
        }
        11.. => time_interval(bytes, day_ms(year, month_at(bytes)?, day_at(bytes)?)?),
        _ => None,
    }
}

fn month_at(bytes: &[u8]) -> Option<i64> {
    (bytes[4] == b'-').then(|| digits(bytes, 5, 2)).flatten()
}

fn day_at(bytes: &[u8]) -> Option<i64> {
    (bytes[7] == b'-').then(|| digits(bytes, 8, 2)).flatten()
}

/// `THH:MM[:SS[.fraction]][zone]` after a day that starts at `day` (as if in UTC).
fn time_interval(bytes: &[u8], day: i64) -> Option<(i64, i64)> {
    if bytes[10] != b'T' || *bytes.get(13)? != b':' {
        return None;
    }
    let (hour, minute) = (digits(bytes, 11, 2)?, digits(bytes, 14, 2)?);
    if hour > 23 || minute > 59 {
        return None;
    }
    let mut from = day + (hour * 60 + minute) * MS_PER_MINUTE;
    let (mut length, mut at) = (MS_PER_MINUTE, 16);
    if bytes.get(at) == Some(&b':') {
        let second = digits(bytes, 17, 2)?;
        if second > 60 {
            return None;
        }
        from += second * 1000;
        (length, at) = (1000, 19);
        if bytes.get(at) == Some(&b'.') {
            let fraction = bytes[at + 1..].iter().take_while(|b| b.is_ascii_digit()).count();
            let kept = fraction.min(3);
            length = *[0, 100, 10, 1].get(kept).filter(|_| kept > 0)?;
            from += digits(bytes, at + 1, kept)? * length;
            at += 1 + fraction;
        }
    }
    let offset = zone_minutes(&bytes[at..])?;
    let from = from - offset * MS_PER_MINUTE;
    Some((from, from + length))
}

fn zone_minutes(zone: &[u8]) -> Option<i64> {
    match zone {
        [] => Some(JAPAN_OFFSET_MINUTES),
        b"Z" => Some(0),
        [sign @ (b'+' | b'-'), _, _, b':', _, _] => {
            let (hours, minutes) = (digits(zone, 1, 2)?, digits(zone, 4, 2)?);
            if hours > 14 || minutes > 59 {
                return None;
            }
            let total = hours * 60 + minutes;
            Some(if *sign == b'-' { -total } else { total })
        }
        _ => None,
    }
}

fn digits(bytes: &[u8], at: usize, count: usize) -> Option<i64> {
    bytes.get(at..at + count)?.iter().try_fold(0, |n, b| b.is_ascii_digit().then(|| n * 10 + i64::from(b - b'0')))
}

/// Milliseconds at the start of a day of the Gregorian calendar, UTC.
fn day_ms(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let length = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=length).contains(&day) {
        return None;
    }
    // Days from 1970-01-01, with years that start in March, so that the leap day comes last.
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let year_of_era = shifted.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some((era * 146_097 + day_of_era - 719_468) * MS_PER_DAY)
}

/// `instant` in UTC with milliseconds, as FHIR writes it.
pub fn instant(ms: i64) -> String {
    chrono::DateTime::from_timestamp_millis(ms)
        .map(|t| t.to_rfc3339_opts(chrono::SecondsFormat::Millis, true))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_partial_date_covers_all_of_its_year_month_or_day_in_japan() {
        let day = interval("2024-02-29").unwrap();
        assert_eq!(instant(day.0), "2024-02-28T15:00:00.000Z");
        assert_eq!(day.1 - day.0, MS_PER_DAY);
        let year = interval("2024").unwrap();
        assert_eq!((year.1 - year.0) / MS_PER_DAY, 366);
        assert_eq!(interval("2024-12").unwrap().1, year.1);
    }

    #[test]
    fn a_time_keeps_its_precision_and_zone() {
        assert_eq!(interval("2015-02-07T13:28:17-05:00"), interval("2015-02-07T18:28:17Z"));
        assert_eq!(interval("2015-02-07T13:28:17"), interval("2015-02-07T13:28:17+09:00"));
        let (from, to) = interval("2015-02-07T13:28:17.239Z").unwrap();
        assert_eq!((instant(from).as_str(), to - from), ("2015-02-07T13:28:17.239Z", 1));
        assert_eq!(interval("2016-12-31T23:59:60Z").unwrap().0, interval("2017-01-01").unwrap().0 + 9 * 3_600_000);
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "",
            "20",
            "2024-",
            "2024-13",
            "2024-00",
            "2023-02-29",
            "2024-1-1",
            "2024-01-01T",
            "2024-01-01T25:00Z",
            "2024-01-01T10",
            "2024-01-01T10:00:00.Z",
            "2024-01-01T10:00:00+9",
            "２０２４",
            "0000",
            "2024-01-01T10:00:61Z",
        ] {
            assert_eq!(interval(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn dates_agree_with_chrono(ms in -62_000_000_000_000i64..250_000_000_000_000) {
            let text = instant(ms);
            prop_assert_eq!(interval(&text), Some((ms, ms + 1)));
            let day = &text[..10];
            let (from, to) = interval(&format!("{day}T00:00:00Z")).map(|(f, _)| (f, f + MS_PER_DAY)).unwrap();
            prop_assert!(from <= ms && ms < to);
        }

        #[test]
        fn no_text_makes_a_panic(text in "\\PC{0,30}|[0-9T:.Z+-]{0,30}") {
            let _ = interval(&text);
        }
    }
}
