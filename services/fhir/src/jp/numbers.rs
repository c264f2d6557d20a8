//! Forms and check digits of Japanese numbers (`standards-japan.md` 1.4, 2.3).

/// R1013: `^[0-9]{8}:[^:\s　]*:[^:\s　]*:([0-9]{2})?$`; that of a public payer has no symbol, a number of 7 digits and no branch.
pub(super) fn is_member_id(value: &str, is_public: bool) -> bool {
    let parts: Vec<&str> = value.split(':').collect();
    let [insurer, symbol, number, branch] = parts.as_slice() else { return false };
    let is_form = is_digits(insurer, 8)
        && !symbol.contains(char::is_whitespace)
        && !number.contains(char::is_whitespace)
        && (branch.is_empty() || is_digits(branch, 2));
    is_form && (!is_public || (symbol.is_empty() && is_digits(number, 7) && branch.is_empty()))
}

/// R2152: `^[0-4][0-9][1-3][0-9]{7}\^20[2-3][0-9]\^[A-Za-z0-9-]{1,36}$`.
pub(super) fn is_bundle_identifier(value: &str) -> bool {
    let parts: Vec<&str> = value.split('^').collect();
    let [institution, year, id] = parts.as_slice() else { return false };
    let is_institution = is_digits(institution, 10)
        && matches!(institution.as_bytes()[0], b'0'..=b'4')
        && matches!(institution.as_bytes()[2], b'1'..=b'3');
    let is_year = is_digits(year, 4) && year.starts_with("20") && matches!(year.as_bytes()[2], b'2' | b'3');
    let is_id = (1..=36).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    is_institution && is_year && is_id
}

fn is_digits(text: &str, len: usize) -> bool {
    text.len() == len && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Insurer or public payer number of up to 8 digits (those of 国保 have 6) whose last digit checks the others.
pub fn is_insurer_number(text: &str) -> bool {
    (1..=8).contains(&text.len()) && has_check_digit(text)
}

/// Institution number: prefecture 2, fee table 1, institution 7, of it the last checks all before.
pub fn is_institution_number(text: &str) -> bool {
    text.len() == 10 && has_check_digit(text)
}

/// Weights 2, 1, 2, 1 from the right before the check digit; products of two digits count as their sum.
fn has_check_digit(text: &str) -> bool {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return false;
    }
    let sum: u32 = text
        .bytes()
        .rev()
        .enumerate()
        .map(|(at, byte)| {
            let digit = u32::from(byte - b'0');
            let product = if at % 2 == 1 { digit * 2 } else { digit };
            product / 10 + product % 10
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_digits_agree_with_the_published_examples() {
        assert!(is_insurer_number("33120015") && !is_insurer_number("06123456"));
        assert!(is_institution_number("0110113719") && is_institution_number("9918000010"));
        for bad in ["1311234567", "1318814790", "1319876543"] {
            assert!(!is_institution_number(bad), "{bad}");
        }
    }

    #[test]
    fn member_ids_and_bundle_identifiers_keep_to_their_form() {
        assert!(is_member_id("00012345:あいう:１８７:05", false) && is_member_id("00012345::187:", false));
        for bad in [
            "12345:a:b:05",
            "00012345:a:b",
            "00012345:a b:c:05",
            "00012345:a:b:5",
            "00012345:a:b:05:",
            "00012345:a\u{3000}:b:",
        ] {
            assert!(!is_member_id(bad, false), "{bad}");
        }
        assert!(is_member_id("12345678::1234567:", true) && !is_member_id("12345678:a:1234567:", true));
        assert!(
            is_bundle_identifier("1318814790^2024^0123-IDa-203949583949") && !is_bundle_identifier("1348814790^2024^a")
        );
        assert!(!is_bundle_identifier("1318814790^1999^a") && !is_bundle_identifier("1318814790^2024^"));
    }
}
