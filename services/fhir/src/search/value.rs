//! Conditions on single search values, compiled from the text of a query.

use schemas::ResourceType;
use schemas::search::SearchValue;

use super::escape::{split, unescape};
use super::number::NumberTest;
use super::prefix::{DateTest, Prefix};
use super::{Fault, Shelf};
use crate::fold;
use crate::params::Kind;
use crate::systems;

/// A modifier after the parameter's name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Modifier {
    Exact,
    Contains,
    Not,
    Text,
    OfType,
    Missing,
    Below,
    Above,
    Identifier,
    Type(ResourceType),
}

impl Modifier {
    /// `None`: not known or not supported (`:in`, `:not-in`).
    pub(super) fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "exact" => Self::Exact,
            "contains" => Self::Contains,
            "not" => Self::Not,
            "text" => Self::Text,
            "of-type" => Self::OfType,
            "missing" => Self::Missing,
            "below" => Self::Below,
            "above" => Self::Above,
            "identifier" => Self::Identifier,
            other => Self::Type(other.parse().ok()?),
        })
    }

    /// Modifiers of R4 that a kind of parameter takes here; also said in the CapabilityStatement.
    pub(super) fn fits(self, kind: Kind) -> bool {
        match self {
            Self::Missing => true,
            Self::Exact | Self::Contains => kind == Kind::String,
            Self::Not | Self::Text | Self::OfType => kind == Kind::Token,
            Self::Below | Self::Above => kind == Kind::Uri,
            Self::Identifier | Self::Type(_) => kind == Kind::Reference,
        }
    }
}

/// What a token's system must be.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum System {
    Any,
    None,
    Is(String),
}

#[derive(Clone, PartialEq, Debug)]
pub(super) struct TokenTest {
    system: System,
    /// `None`: any code of the system.
    code: Option<String>,
    /// A `code` element has no system of its own; this one is implied by its binding.
    implied: Option<String>,
}

/// One condition; several are joined by OR.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Test {
    Token(TokenTest),
    TokenText(String),
    TokenOfType {
        kind: String,
        value: String,
    },
    TextStarts(String),
    TextContains(String),
    TextExact(String),
    Date(DateTest),
    Number(NumberTest),
    Quantity {
        number: NumberTest,
        system: Option<String>,
        code: Option<String>,
    },
    /// `Type/id` or a URL.
    ReferenceTo(String),
    /// An id of whatever type; spelt out as a Patient's, for that is compared by person.
    ReferenceId {
        id: String,
        as_patient: String,
    },
    ReferenceIdentifier {
        system: System,
        value: Option<String>,
    },
    Uri(String),
    UriBelow(String),
    UriAbove(String),
}

/// How one parameter's values are read.
#[derive(Clone, Copy)]
pub(super) struct Reading<'a> {
    pub kind: Kind,
    pub modifier: Option<Modifier>,
    pub implied_system: Option<&'a str>,
    /// URLs that start so are ours: `Type/id` follows.
    pub base_url: &'a str,
}

impl Test {
    /// Compiles one alternative, escapes still on.
    pub(super) fn parse(reading: &Reading<'_>, text: &str) -> Result<Self, Fault> {
        if text.is_empty() {
            return Err(Fault::value("a value is missing"));
        }
        match reading.kind {
            Kind::Token => token(reading, text),
            Kind::String => Ok(match reading.modifier {
                Some(Modifier::Exact) => Self::TextExact(unescape(text)),
                Some(Modifier::Contains) => Self::TextContains(fold::fold(&unescape(text))),
                _ => Self::TextStarts(fold::fold(&unescape(text))),
            }),
            Kind::Date => DateTest::new(&unescape(text)).map(Self::Date),
            Kind::Number => {
                let (prefix, number) = Prefix::take(text);
                NumberTest::new(prefix, number).map(Self::Number)
            }
            Kind::Quantity => quantity(text),
            Kind::Reference => reference(reading, text),
            Kind::Uri => Ok(match reading.modifier {
                Some(Modifier::Below) => Self::UriBelow(unescape(text)),
                Some(Modifier::Above) => Self::UriAbove(unescape(text)),
                _ => Self::Uri(unescape(text)),
            }),
            Kind::Composite | Kind::Special => Err(Fault::unsupported("this parameter is not supported")),
        }
    }

    /// Whether a stored value satisfies the condition. A value of another form never does.
    pub(super) fn matches(&self, value: &SearchValue, shelf: &dyn Shelf) -> bool {
        match (self, value) {
            (Self::Token(test), SearchValue::Token { system, code, .. }) => test.matches(system, code),
            (Self::TokenText(part), SearchValue::Token { text, .. }) => !text.is_empty() && fold::contains(text, part),
            (Self::TokenOfType { kind, value }, SearchValue::Token { code, types: Some(types), .. }) => {
                code.eq_ignore_ascii_case(value) && types.split(' ').any(|t| t == kind)
            }
            (Self::TextStarts(part), SearchValue::Text(text)) => fold::starts_with(text, part),
            (Self::TextContains(part), SearchValue::Text(text)) => fold::contains(text, part),
            (Self::TextExact(wanted), SearchValue::Text(text)) => text == wanted,
            (Self::Date(test), SearchValue::Date { from, to }) => test.matches(*from, *to),
            (Self::Number(test), SearchValue::Number(number)) => test.matches(number),
            (
                Self::Quantity { number, system: wanted, code: unit_wanted },
                SearchValue::Quantity { value, system, code, unit },
            ) => {
                wanted.as_ref().is_none_or(|w| w == system)
                    && unit_wanted.as_ref().is_none_or(|w| w == code || (wanted.is_none() && w == unit))
                    && number.matches(value)
            }
            (Self::ReferenceTo(wanted), SearchValue::Reference { target, .. }) => refers_to(target, wanted, shelf),
            (Self::ReferenceId { id, as_patient }, SearchValue::Reference { target, .. }) => {
                refers_to_id(target, id, as_patient, shelf)
            }
            (
                Self::ReferenceIdentifier { system, value },
                SearchValue::Reference { identifier_system, identifier_value, .. },
            ) => {
                !identifier_value.is_empty()
                    && value.as_ref().is_none_or(|v| v.eq_ignore_ascii_case(identifier_value))
                    && system.matches(identifier_system, None)
            }
            (Self::Uri(wanted), SearchValue::Uri(uri)) => uri == wanted,
            (Self::UriBelow(wanted), SearchValue::Uri(uri)) => lies_below(uri, wanted),
            (Self::UriAbove(wanted), SearchValue::Uri(uri)) => lies_below(wanted, uri),
            _ => false,
        }
    }
}

impl TokenTest {
    /// Codes are compared without regard to case: R4 prefers too much to too little where a system does not say.
    fn matches(&self, system: &str, code: &str) -> bool {
        let right_code = match &self.code {
            Some(wanted) => !code.is_empty() && wanted.eq_ignore_ascii_case(code),
            None => !code.is_empty() || !system.is_empty(),
        };
        right_code && self.system.matches(system, self.implied.as_deref())
    }
}

impl System {
    fn matches(&self, system: &str, implied: Option<&str>) -> bool {
        match self {
            Self::Any => true,
            Self::None => system.is_empty(),
            Self::Is(wanted) => wanted == system || (system.is_empty() && implied == Some(wanted)),
        }
    }
}

fn system_of(text: &str) -> System {
    match unescape(text) {
        empty if empty.is_empty() => System::None,
        text => System::Is(systems::canonical(&text).to_owned()),
    }
}

fn token(reading: &Reading<'_>, text: &str) -> Result<Test, Fault> {
    let parts = split(text, '|');
    match (reading.modifier, parts.as_slice()) {
        (Some(Modifier::Text), _) => Ok(Test::TokenText(fold::fold(&unescape(text)))),
        (Some(Modifier::OfType), [system, code, value]) => {
            Ok(Test::TokenOfType { kind: format!("{}|{}", unescape(system), unescape(code)), value: unescape(value) })
        }
        (Some(Modifier::OfType), _) => Err(Fault::value("with :of-type three parts are wanted: system|code|value")),
        (_, [code]) => Ok(Test::Token(token_test(reading, System::Any, Some(code)))),
        (_, ["", ""]) => Err(Fault::value("a system or a code is missing")),
        (_, [system, ""]) => Ok(Test::Token(token_test(reading, system_of(system), None))),
        (_, [system, code]) => Ok(Test::Token(token_test(reading, system_of(system), Some(code)))),
        _ => Err(Fault::value("code, system|code, |code or system| is wanted")),
    }
}

fn token_test(reading: &Reading<'_>, system: System, code: Option<&str>) -> TokenTest {
    TokenTest { system, code: code.map(unescape), implied: reading.implied_system.map(str::to_owned) }
}

fn quantity(text: &str) -> Result<Test, Fault> {
    let (prefix, rest) = Prefix::take(text);
    let parts: Vec<String> = split(rest, '|').into_iter().map(unescape).collect();
    let some = |text: &String| Some(text.clone()).filter(|t| !t.is_empty());
    let (system, code) = match parts.as_slice() {
        [_] => (None, None),
        [_, system, code] => (some(system), some(code)),
        _ => return Err(Fault::value("number, number|system|code or number||code is wanted")),
    };
    Ok(Test::Quantity { number: NumberTest::new(prefix, &parts[0])?, system, code })
}

fn reference(reading: &Reading<'_>, text: &str) -> Result<Test, Fault> {
    match reading.modifier {
        Some(Modifier::Identifier) => match split(text, '|').as_slice() {
            [value] => Ok(Test::ReferenceIdentifier { system: System::Any, value: Some(unescape(value)) }),
            [system, ""] => Ok(Test::ReferenceIdentifier { system: system_of(system), value: None }),
            [system, value] => {
                Ok(Test::ReferenceIdentifier { system: system_of(system), value: Some(unescape(value)) })
            }
            _ => Err(Fault::value("value or system|value is wanted")),
        },
        Some(Modifier::Type(resource_type)) => {
            let id = unescape(text);
            let id = id.strip_prefix(&format!("{resource_type}/")).unwrap_or(&id);
            match id.contains('/') {
                true => Err(Fault::value("after a type the id alone is wanted")),
                false => Ok(Test::ReferenceTo(format!("{resource_type}/{id}"))),
            }
        }
        _ => {
            let text = unescape(text);
            let base = reading.base_url.trim_end_matches('/');
            let local = text.strip_prefix(base).filter(|_| !base.is_empty()).and_then(|rest| rest.strip_prefix('/'));
            let target = local.unwrap_or(&text);
            let target = target.find("/_history/").map_or(target, |at| &target[..at]);
            Ok(match target.contains(['/', ':']) {
                true => Test::ReferenceTo(target.to_owned()),
                false => Test::ReferenceId { id: target.to_owned(), as_patient: format!("Patient/{target}") },
            })
        }
    }
}

/// A reference to one of the person's Patients finds references to all of them: each organisation has its own Patient.
fn refers_to(target: &str, wanted: &str, shelf: &dyn Shelf) -> bool {
    target == wanted
        || target.split_once('|').is_some_and(|(url, _)| url == wanted)
        || (wanted.starts_with("Patient/") && target.starts_with("Patient/") && shelf.same_person(target, wanted))
}

fn refers_to_id(target: &str, id: &str, as_patient: &str, shelf: &dyn Shelf) -> bool {
    match target.split_once('/') {
        Some((kind, target_id)) if !kind.contains(':') => {
            target_id == id || (kind == "Patient" && shelf.same_person(target, as_patient))
        }
        _ => false,
    }
}

/// `uri` is `prefix` or stands below it at the border of a part.
fn lies_below(uri: &str, prefix: &str) -> bool {
    let ends_at_border = prefix.ends_with(['/', ':', '.', '#', '?']);
    uri.strip_prefix(prefix)
        .is_some_and(|rest| rest.is_empty() || ends_at_border || rest.starts_with(['/', ':', '.', '#', '?', '|']))
}
