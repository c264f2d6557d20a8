//! How strings are compared in searches: without case, accents, width, or the difference between the two kana.

use unicode_normalization::UnicodeNormalization;

/// Folds: NFKC, lower case, accents off, katakana to hiragana, small kana to large (registers write them either way), runs of
/// white space to one space.
pub fn fold(text: &str) -> String {
    let lower = text.nfkc().flat_map(char::to_lowercase).nfd().filter(|c| !is_accent(*c)).nfc();
    let mut out = String::with_capacity(text.len());
    for c in lower {
        match c {
            'ß' => out.push_str("ss"),
            c if c.is_whitespace() => {
                if !out.is_empty() && !out.ends_with(' ') {
                    out.push(' ');
                }
            }
            c => out.push(fold_kana(c)),
        }
    }
    if out.ends_with(' ') {
        out.pop();
    }
    out
}

/// Marks of Latin, Greek and Cyrillic letters; the two voicing marks of kana (U+3099, U+309A) are letters to a Japanese reader.
fn is_accent(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}')
}

fn fold_kana(c: char) -> char {
    let hiragana = match c {
        'ァ'..='ヶ' => char::from_u32(c as u32 - 0x60).unwrap_or(c),
        _ => c,
    };
    match hiragana {
        'ぁ' => 'あ',
        'ぃ' => 'い',
        'ぅ' => 'う',
        'ぇ' => 'え',
        'ぉ' => 'お',
        'っ' => 'つ',
        'ゃ' => 'や',
        'ゅ' => 'ゆ',
        'ょ' => 'よ',
        'ゎ' => 'わ',
        'ゕ' => 'か',
        'ゖ' => 'け',
        other => other,
    }
}

/// `text`, folded, starts with `folded`. Plain ASCII is compared in place.
pub fn starts_with(text: &str, folded: &str) -> bool {
    if is_simple(text) {
        return text.len() >= folded.len() && text.as_bytes()[..folded.len()].eq_ignore_ascii_case(folded.as_bytes());
    }
    fold(text).starts_with(folded)
}

/// `text`, folded, contains `folded`.
pub fn contains(text: &str, folded: &str) -> bool {
    if is_simple(text) {
        let (text, part) = (text.as_bytes(), folded.as_bytes());
        return part.is_empty() || text.windows(part.len()).any(|w| w.eq_ignore_ascii_case(part));
    }
    fold(text).contains(folded)
}

/// ASCII whose folding is nothing but lower case.
fn is_simple(text: &str) -> bool {
    let bytes = text.as_bytes();
    text.is_ascii()
        && !bytes.first().is_some_and(u8::is_ascii_whitespace)
        && !bytes.last().is_some_and(u8::is_ascii_whitespace)
        && !bytes.windows(2).any(|w| w == b"  ")
        && !bytes.iter().any(|b| b.is_ascii_whitespace() && *b != b' ')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn case_accents_width_and_kana_make_no_difference() {
        for (one, other) in [
            ("Müller", "MULLER"),
            ("ﾔﾏﾀﾞ　ﾀﾛｳ", "やまだ たろう"),
            ("ショウコ", "しようこ"),
            ("Ｓｍｉｔｈ", "smith"),
            ("Straße", "STRASSE"),
        ] {
            assert_eq!(fold(one), fold(other));
        }
        assert_ne!(fold("ハハ"), fold("パパ"), "voicing is a letter, not an accent");
    }

    proptest! {
        #[test]
        fn folding_twice_is_folding_once(text in "\\PC{0,40}|[ァ-ヶぁ-ゖ a-zA-Zéü]{0,20}") {
            let once = fold(&text);
            prop_assert_eq!(fold(&once), once);
        }

        #[test]
        fn comparing_in_place_and_comparing_folded_agree(text in "[ -~\t]{0,20}", part in "[a-zA-Z0-9 ]{0,5}") {
            let part = fold(&part);
            prop_assert_eq!(starts_with(&text, &part), fold(&text).starts_with(&part));
            prop_assert_eq!(contains(&text, &part), fold(&text).contains(&part));
        }
    }
}
