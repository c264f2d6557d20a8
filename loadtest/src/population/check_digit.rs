//! Check digits of Japanese health insurance and resident numbers (design/standards-japan.md, 2.3).

/// The check digit of a 保険者番号 or 公費負担者番号 from the digits before it: weights 2, 1, 2, 1 ... from the right,
/// products of two digits summed by digit, then what is missing to the next ten. `None` if a character is no digit.
pub fn insurer(body: &str) -> Option<char> {
    let mut sum = 0;
    for (place, character) in body.chars().rev().enumerate() {
        let product = character.to_digit(10)? * if place % 2 == 0 { 2 } else { 1 };
        sum += product / 10 + product % 10;
    }
    char::from_digit((10 - sum % 10) % 10, 10)
}

/// The check digit of a 医療機関コード of 10 digits from the first nine (prefecture 2, 点数表 1, number 6): the rule of
/// [`insurer`] over all of them. `None` if they are not nine digits.
pub fn institution(body: &str) -> Option<char> {
    (body.len() == 9).then(|| insurer(body)).flatten()
}

/// The check digit of a 受給者番号 of 7 digits from the first six; the same weights.
pub fn recipient(body: &str) -> Option<char> {
    (body.len() == 6).then(|| insurer(body)).flatten()
}

/// The check digit of a 個人番号 of 12 digits from the first eleven (総務省令第85号 第5条): the n-th digit from the right
/// times n+1 (n up to 6) or n-5, summed; 0 if the rest by 11 is at most 1, else 11 less the rest.
pub fn individual_number(body: &str) -> Option<char> {
    if body.len() != 11 {
        return None;
    }
    let mut sum = 0;
    for (place, character) in (1_u32..).zip(body.chars().rev()) {
        sum += character.to_digit(10)? * if place <= 6 { place + 1 } else { place - 5 };
    }
    let rest = sum % 11;
    char::from_digit(if rest <= 1 { 0 } else { 11 - rest }, 10)
}

/// Whether the last digit of `number` is what `rule` makes of those before it.
pub fn holds(rule: fn(&str) -> Option<char>, number: &str) -> bool {
    let mut characters = number.chars();
    characters.next_back().is_some_and(|last| rule(characters.as_str()) == Some(last))
}

/// `body` with its check digit behind it. `body` must be digits of the length that `rule` wants.
pub(crate) fn complete(rule: fn(&str) -> Option<char>, body: &str) -> String {
    let digit = rule(body).expect("the generator passes digits of the right length");
    format!("{body}{digit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_the_public_test_vectors_hold() {
        assert!(holds(insurer, "33120015"));
        assert!(holds(institution, "0110113719"));
        assert!(holds(institution, "9918000010"));
        assert!(holds(individual_number, "983205673214"));
    }

    #[test]
    fn example_numbers_of_the_guides_fail_as_known() {
        for number in ["1311234567", "1318814790", "1319876543"] {
            assert!(!holds(institution, number), "{number}");
        }
        assert!(!holds(insurer, "06123456"));
    }

    #[test]
    fn letters_wrong_lengths_and_emptiness_never_hold() {
        for number in ["", "1", "01101137x9", "011011371", "０１１０１１３７１９"] {
            assert!(!holds(institution, number), "{number}");
            assert!(!holds(individual_number, number), "{number}");
        }
    }

    #[test]
    fn every_single_wrong_digit_of_an_institution_code_is_found() {
        let right = "0110113719";
        for place in 0..10 {
            for digit in b'0'..=b'9' {
                let mut wrong = right.as_bytes().to_vec();
                wrong[place] = digit;
                let wrong = String::from_utf8(wrong).expect("digits");
                assert_eq!(holds(institution, &wrong), wrong == right, "{wrong}");
            }
        }
    }
}
