//! The forms of a literal reference (http://hl7.org/fhir/R4/references.html#literal).

/// What the text of a reference says by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Literal<'a> {
    /// `#id`, or `#` for the container.
    Local,
    /// `Type/id`, `Type/id/_history/v`, the same at the end of a URL, or `Type?query` (in a transaction).
    Typed {
        resource_type: &'a str,
        /// Empty for a conditional reference.
        id: &'a str,
        /// The base of a URL without its last slash; empty for a relative reference.
        base: &'a str,
        version: Option<&'a str>,
        /// What follows `?` in a conditional reference.
        query: Option<&'a str>,
    },
    /// A URN, or a URL that does not end as FHIR's do.
    Opaque,
}

/// Reads the text of a `Reference.reference`; `None` where it has no form that FHIR knows.
pub fn literal(text: &str) -> Option<Literal<'_>> {
    if text.starts_with('#') {
        return Some(Literal::Local);
    }
    if text.is_empty() || text.contains(char::is_whitespace) {
        return None;
    }
    let is_url = text.starts_with("http://") || text.starts_with("https://");
    if let Some((resource_type, query)) = text.split_once('?').filter(|_| !is_url) {
        let typed = Literal::Typed { resource_type, id: "", base: "", version: None, query: Some(query) };
        return (is_type_name(resource_type) && !query.is_empty()).then_some(typed);
    }
    let mut rest = text;
    let mut version = None;
    if let Some((before, after)) = text.split_once("/_history/") {
        rest = before;
        version = Some(after).filter(|after| is_id(after));
        version?;
    }
    let mut parts = rest.rsplitn(3, '/');
    let (id, resource_type, base) = (parts.next()?, parts.next(), parts.next());
    if let Some(resource_type) = resource_type.filter(|name| is_type_name(name) && is_id(id)) {
        let base = base.unwrap_or("");
        if is_url || base.is_empty() {
            return Some(Literal::Typed { resource_type, id, base, version, query: None });
        }
    }
    let is_urn = text.starts_with("urn:");
    (is_url || is_urn || text.contains("://")).then_some(Literal::Opaque)
}

fn is_type_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_uppercase()) && text.bytes().all(|b| b.is_ascii_alphabetic())
}

fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_read_by_their_form() {
        let typed = |base, version| Literal::Typed { resource_type: "Patient", id: "a-1", base, version, query: None };
        assert_eq!(literal("Patient/a-1"), Some(typed("", None)));
        assert_eq!(literal("Patient/a-1/_history/2"), Some(typed("", Some("2"))));
        assert_eq!(literal("https://x.jp/fhir/Patient/a-1"), Some(typed("https://x.jp/fhir", None)));
        assert_eq!(literal("urn:uuid:c757873d-ec9a-4326-a141-556f43239520"), Some(Literal::Opaque));
        assert_eq!(literal("http://x.jp/some/page.html?id=1"), Some(Literal::Opaque));
        assert_eq!(literal("#a"), Some(Literal::Local));
        let query =
            Literal::Typed { resource_type: "Patient", id: "", base: "", version: None, query: Some("identifier=a|b") };
        assert_eq!(literal("Patient?identifier=a|b"), Some(query));
        for bad in [
            "",
            "Patient",
            "patient/1",
            "Patient/",
            "Patient/a b",
            "Patient/a_b",
            "../Patient/1",
            "x/Patient/1",
            "Patient?",
        ] {
            assert_eq!(literal(bad), None, "{bad}");
        }
    }
}
