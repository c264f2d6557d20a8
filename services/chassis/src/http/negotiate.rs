//! What the client asks about form: `Accept`, `_format`, `_pretty`, `Prefer` (FHIR R4 http.html, RFC 7240).

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header::{self, HeaderMap};
use actix_web::{FromRequest, HttpRequest, web};

use super::refusal::Refusal;

/// `Prefer: return=...`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PreferReturn {
    Minimal,
    #[default]
    Representation,
    OperationOutcome,
}

/// The preferences that we know; others are passed over, as RFC 7240 wants.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Prefer {
    /// `None`: not said; the default depends on the interaction.
    pub returns: Option<PreferReturn>,
    /// `handling=lenient`: unknown parameters are left out, and that is said. Strict otherwise.
    pub lenient: bool,
}

/// The form of the answer; an extractor that refuses (406) what is not JSON.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Negotiation {
    pub pretty: bool,
    pub prefer: Prefer,
}

impl Negotiation {
    /// `_format` wins over `Accept`.
    pub fn of(headers: &HeaderMap, query: &str) -> Result<Self, Refusal> {
        let (mut format, mut pretty) = (None, false);
        if query.contains("_format") || query.contains("_pretty") || query.contains('%') {
            // Other parameters are not judged here; a query that does not decode is refused by whoever reads it.
            let pairs = web::Query::<Vec<(String, String)>>::from_query(query)
                .map_or_else(|_| Vec::new(), web::Query::into_inner);
            for (name, value) in pairs {
                match name.as_str() {
                    "_format" => format = Some(value),
                    "_pretty" => pretty = value == "true",
                    _ => {}
                }
            }
        }
        let acceptable = match format {
            Some(format) => is_json(&format),
            None => accepts_json(headers),
        };
        if !acceptable {
            return Err(Refusal::not_acceptable());
        }
        Ok(Self { pretty, prefer: prefer(headers) })
    }

    /// The body in the form asked for.
    pub fn form(&self, body: Vec<u8>) -> Vec<u8> {
        if self.pretty { pretty_json(&body) } else { body }
    }
}

impl FromRequest for Negotiation {
    type Error = actix_web::Error;
    type Future = Ready<Result<Self, Self::Error>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::of(req.headers(), req.query_string()).map_err(Into::into))
    }
}

/// Refuses (415) a body that says to be anything but JSON. A missing `Content-Type` is taken as JSON.
pub fn require_json(headers: &HeaderMap) -> Result<(), Refusal> {
    match headers.get(header::CONTENT_TYPE) {
        None => Ok(()),
        Some(value) if value.to_str().is_ok_and(is_json) => Ok(()),
        Some(_) => Err(Refusal::unsupported_media_type()),
    }
}

fn accepts_json(headers: &HeaderMap) -> bool {
    let mut any = false;
    for value in headers.get_all(header::ACCEPT) {
        any = true;
        let Ok(text) = value.to_str() else { continue };
        if text.split(',').any(|range| !is_excluded(range) && (is_json(range) || is_wild(range))) {
            return true;
        }
    }
    !any
}

fn is_wild(range: &str) -> bool {
    matches!(range.split(';').next().unwrap_or_default().trim(), "*/*" | "application/*")
}

/// `q=0` (RFC 9110, 12.4.2).
fn is_excluded(range: &str) -> bool {
    let weight = range.split(';').skip(1).find_map(|p| p.trim().strip_prefix("q="));
    weight.and_then(|q| q.parse::<f32>().ok()).is_some_and(|q| q <= 0.0)
}

/// Whether a media type, or a short word of `_format`, is FHIR R4 JSON. A plus that was sent unescaped arrives as a space.
fn is_json(text: &str) -> bool {
    let mut parts = text.split(';');
    let name = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
    let known = matches!(
        name.as_str(),
        "json"
            | "application/json"
            | "application/fhir+json"
            | "application/fhir json"
            | "application/json+fhir"
            | "text/json"
    );
    known && parts.all(|p| p.trim().strip_prefix("fhirVersion=").is_none_or(|v| v.trim_matches('"').starts_with("4.0")))
}

fn prefer(headers: &HeaderMap) -> Prefer {
    let mut out = Prefer::default();
    for value in headers.get_all("prefer").filter_map(|v| v.to_str().ok()) {
        for (name, said) in value.split([',', ';']).filter_map(|p| p.trim().split_once('=')) {
            match (name.trim().to_ascii_lowercase().as_str(), said.trim().trim_matches('"')) {
                ("return", "minimal") => out.returns = Some(PreferReturn::Minimal),
                ("return", "representation") => out.returns = Some(PreferReturn::Representation),
                ("return", "OperationOutcome") => out.returns = Some(PreferReturn::OperationOutcome),
                ("handling", "lenient") => out.lenient = true,
                ("handling", "strict") => out.lenient = false,
                _ => {}
            }
        }
    }
    out
}

/// JSON with line breaks and two spaces per level. Works on the text, so that every decimal stays as it was written.
pub fn pretty_json(compact: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(compact.len() * 3 / 2);
    let (mut depth, mut in_string, mut escaped) = (0usize, false, false);
    let break_line = |out: &mut Vec<u8>, depth: usize| {
        out.push(b'\n');
        out.extend(std::iter::repeat_n(b' ', depth * 2));
    };
    let mut bytes = compact.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        if in_string {
            out.push(byte);
            in_string = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
            continue;
        }
        match byte {
            b' ' | b'\n' | b'\r' | b'\t' => {}
            b'{' | b'[' => {
                out.push(byte);
                while bytes.next_if(u8::is_ascii_whitespace).is_some() {}
                if let Some(end) = bytes.next_if(|b| matches!(b, b'}' | b']')) {
                    out.push(end);
                } else {
                    depth += 1;
                    break_line(&mut out, depth);
                }
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                break_line(&mut out, depth);
                out.push(byte);
            }
            b',' => {
                out.push(byte);
                break_line(&mut out, depth);
            }
            b':' => out.extend_from_slice(b": "),
            _ => {
                in_string = byte == b'"';
                out.push(byte);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut out = HeaderMap::new();
        for (name, value) in pairs {
            out.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        out
    }

    #[test]
    fn json_is_served_to_whoever_can_take_it_and_xml_is_refused() {
        let status = |accept: &'static str, query: &str| {
            Negotiation::of(&headers(&[("accept", accept)]), query).map_err(|r| r.status)
        };
        for good in ["*/*", "application/fhir+json", "text/html, application/*;q=0.8", "application/json;charset=utf-8"]
        {
            assert!(status(good, "").is_ok(), "{good}");
        }
        for bad in
            ["application/fhir+xml", "text/html", "application/json;q=0", "application/fhir+json;fhirVersion=5.0"]
        {
            assert_eq!(status(bad, ""), Err(406), "{bad}");
        }
        assert!(status("application/fhir+xml", "_format=json").is_ok());
        assert!(status("application/xml", "_format=application/fhir+json").is_ok());
        assert!(status("application/xml", "_format=application%2Ffhir%2Bjson").is_ok());
        assert_eq!(status("*/*", "code=1&_format=xml"), Err(406));
        assert_eq!(status("*/*", "%5fformat=xml"), Err(406));
        assert!(Negotiation::of(&HeaderMap::new(), "_pretty=true").unwrap().pretty);
    }

    #[test]
    fn preferences_are_read_from_all_headers_and_unknown_ones_passed_over() {
        let both = headers(&[("prefer", "return=minimal, respond-async"), ("prefer", "handling=lenient")]);
        let prefer = Negotiation::of(&both, "").unwrap().prefer;
        assert_eq!(prefer, Prefer { returns: Some(PreferReturn::Minimal), lenient: true });
        let one =
            Negotiation::of(&headers(&[("prefer", "return=OperationOutcome; handling=strict")]), "").unwrap().prefer;
        assert_eq!(one, Prefer { returns: Some(PreferReturn::OperationOutcome), lenient: false });
    }

    #[test]
    fn pretty_json_changes_spaces_between_tokens_only() {
        let text = br#"{"a":1.50,"b":[],"c":{"d":"x, {\"y\": \\"},"e":[1,{ }]}"#;
        let pretty = String::from_utf8(pretty_json(text)).unwrap();
        assert!(pretty.starts_with("{\n  \"a\": 1.50,\n  \"b\": [],\n"), "{pretty}");
        assert!(pretty.contains(r#""d": "x, {\"y\": \\""#));
        let value = |t: &[u8]| serde_json::from_slice::<serde_json::Value>(t).unwrap();
        assert_eq!(value(pretty.as_bytes()), value(text));
        assert_eq!(pretty_json(pretty.as_bytes()), pretty.as_bytes());
    }
}
