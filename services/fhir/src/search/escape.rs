//! The escapes of FHIR search values: `\,` `\|` `\$` `\\`.

/// Splits at each `separator` that no backslash stands before; the parts keep their escapes.
pub(super) fn split(text: &str, separator: char) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut escaped) = (0, false);
    for (at, c) in text.char_indices() {
        if c == separator && !escaped {
            parts.push(&text[start..at]);
            start = at + c.len_utf8();
        }
        escaped = c == '\\' && !escaped;
    }
    parts.push(&text[start..]);
    parts
}

/// Takes the escapes off.
pub(super) fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => out.extend(chars.next()),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_escaped_text_survives_splitting(parts in proptest::collection::vec("[a-z,|$\\\\]{0,8}", 1..4)) {
            let escape = |p: &String| p.chars().flat_map(|c| ",|$\\".contains(c).then_some('\\').into_iter().chain([c])).collect::<String>();
            let joined = parts.iter().map(escape).collect::<Vec<_>>().join(",");
            let back: Vec<String> = split(&joined, ',').into_iter().map(unescape).collect();
            prop_assert_eq!(back, parts);
        }
    }
}
