//! SMART v2 scopes: `system/Observation.rs`, `patient/*.cruds`, `user/Consent.c`.

use std::fmt;

/// What a request does to a type, as SMART v2 counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interaction {
    Create,
    /// Also vread and instance history.
    Read,
    /// Also patch.
    Update,
    Delete,
    /// Also type history and `$everything`.
    Search,
}

const LETTERS: [u8; 5] = *b"cruds";

impl Interaction {
    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// Whose view a scope is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Context {
    /// One person, named in the token.
    Patient,
    /// The acting professional.
    User,
    /// The client itself.
    System,
}

impl Context {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Patient => "patient",
            Self::User => "user",
            Self::System => "system",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Scope {
    context: Context,
    /// `None`: `*`.
    resource: Option<Box<str>>,
    bits: u8,
}

/// A set of scopes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scopes(Vec<Scope>);

/// More scopes than this in one text are not looked at: no client needs them.
const MAX_SCOPES: usize = 200;

impl Scopes {
    /// Reads the scopes that we know and leaves out the rest (`openid`, SMART v1, scopes narrowed by `?query`, which we could
    /// only grant too wide).
    pub fn parse_lenient(text: &str) -> Self {
        let mut out = Self::default();
        text.split_ascii_whitespace().take(MAX_SCOPES).filter_map(parse_one).for_each(|scope| out.add(scope));
        out
    }

    /// What both sets allow, context by context.
    #[must_use]
    pub fn intersect(&self, other: &Self) -> Self {
        let mut out = Self::default();
        for a in &self.0 {
            for b in other.0.iter().filter(|b| b.context == a.context) {
                let resource = match (&a.resource, &b.resource) {
                    (None, r) | (r, None) => r.clone(),
                    (Some(x), Some(y)) if x == y => Some(x.clone()),
                    _ => continue,
                };
                if a.bits & b.bits != 0 {
                    out.add(Scope { context: a.context, resource, bits: a.bits & b.bits });
                }
            }
        }
        out
    }

    /// Without the scopes of `context`.
    #[must_use]
    pub fn without(mut self, context: Context) -> Self {
        self.0.retain(|s| s.context != context);
        self
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether any scope covers this interaction with this type (FHIR's name, `AuditEvent` too).
    pub fn allows(&self, resource_type: &str, interaction: Interaction) -> bool {
        self.0.iter().any(|s| {
            s.bits & interaction.bit() != 0 && s.resource.as_deref().is_none_or(|resource| resource == resource_type)
        })
    }

    fn add(&mut self, scope: Scope) {
        match self.0.iter_mut().find(|s| s.context == scope.context && s.resource == scope.resource) {
            Some(same) => same.bits |= scope.bits,
            None => self.0.push(scope),
        }
    }
}

fn parse_one(text: &str) -> Option<Scope> {
    let (context, rest) = text.split_once('/')?;
    let context = match context {
        "patient" => Context::Patient,
        "user" => Context::User,
        "system" => Context::System,
        _ => return None,
    };
    let (resource, letters) = rest.split_once('.')?;
    let resource = match resource {
        "*" => None,
        name => {
            let well_formed = name.len() <= 64
                && name.starts_with(|c: char| c.is_ascii_uppercase())
                && name.bytes().all(|b| b.is_ascii_alphabetic());
            Some(well_formed.then_some(name)?.into())
        }
    };
    // Letters must come in the order of `cruds`, each at most once (SMART v2).
    let (mut bits, mut next) = (0u8, 0);
    for letter in letters.bytes() {
        let at = next + LETTERS[next..].iter().position(|&l| l == letter)?;
        bits |= 1 << at;
        next = at + 1;
    }
    (bits != 0).then_some(Scope { context, resource, bits })
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, scope) in self.0.iter().enumerate() {
            let gap = if i == 0 { "" } else { " " };
            write!(f, "{gap}{}/{}.", scope.context.as_str(), scope.resource.as_deref().unwrap_or("*"))?;
            for (_, letter) in LETTERS.iter().enumerate().filter(|(n, _)| scope.bits & (1 << n) != 0) {
                write!(f, "{}", char::from(*letter))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_granted_is_what_was_asked_for_and_is_registered() {
        let asked = Scopes::parse_lenient("system/*.rs patient/Consent.cruds system/Observation.c openid");
        let registered = Scopes::parse_lenient("system/Observation.crs system/Condition.r patient/*.r user/*.cruds");
        let granted = asked.intersect(&registered);
        assert_eq!(granted.to_string(), "system/Observation.crs system/Condition.r patient/Consent.r");
        assert!(granted.allows("Observation", Interaction::Create) && granted.allows("Condition", Interaction::Read));
        assert!(!granted.allows("Condition", Interaction::Search) && !granted.allows("Patient", Interaction::Read));
    }

    #[test]
    fn a_scope_that_we_cannot_enforce_exactly_is_never_granted() {
        for text in [
            "system/*.read",
            "system/*.*",
            "system/Observation.sr",
            "system/Observation.rr",
            "system/Observation.",
            "system/Observation.rs?category=laboratory",
            "launch/patient",
            "offline_access",
            "system/observation.r",
            "system/.r",
            "other/*.r",
            "system/*r",
            "/.",
            "system/Obser vation.r",
        ] {
            assert!(Scopes::parse_lenient(text).is_empty(), "{text}");
        }
    }

    #[test]
    fn a_text_reads_back_as_it_was_written() {
        let text = "system/Observation.rs patient/*.cruds user/Consent.d";
        assert_eq!(Scopes::parse_lenient(text).to_string(), text);
    }
}
