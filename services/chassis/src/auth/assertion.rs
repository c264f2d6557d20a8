//! The client's assertion (RFC 7523) with the acting professional in it, after UDAP B2B and IUA names.

use schemas::{OrganisationId, Pid, PractitionerId, Purpose, ResourceId};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::token_error::TokenError;

/// An assertion ends at most so far ahead, seconds (SMART Backend Services).
pub const MAX_LIFETIME_S: i64 = 300;
/// Honest clocks differ; beyond this an assertion that ends too late is refused.
const END_TOLERANCE_S: i64 = 5;
/// How far `iat` and `nbf` may lie ahead of our clock, and `iat` before the longest life.
const SKEW_S: i64 = 60;
const MAX_JTI: usize = 256;

/// Registered claims. Members that are named twice do not read.
#[derive(Deserialize)]
pub(crate) struct Claims {
    pub(crate) iss: String,
    pub(crate) sub: String,
    aud: Audience,
    exp: NumericDate,
    iat: Option<NumericDate>,
    nbf: Option<NumericDate>,
    pub(crate) jti: String,
    auth_time: Option<NumericDate>,
    person: Option<String>,
    extensions: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

/// Seconds since 1970; fractions are cut off.
#[derive(Deserialize, Clone, Copy)]
#[serde(transparent)]
struct NumericDate(f64);

impl NumericDate {
    /// Saturates: a date beyond all numbers is simply far away.
    #[expect(clippy::cast_possible_truncation, reason = "saturating is what is wanted")]
    fn seconds(self) -> i64 {
        self.0.floor() as i64
    }
}

impl Claims {
    /// Audience, times and the id's form, by our clock alone. `now`: milliseconds since 1970.
    pub(crate) fn check(&self, endpoint: &str, now: i64) -> Result<(), TokenError> {
        let for_us = match &self.aud {
            Audience::One(aud) => aud == endpoint,
            Audience::Many(all) => all.iter().any(|aud| aud == endpoint),
        };
        if !for_us {
            return Err(TokenError::Audience);
        }
        let now_s = now.div_euclid(1000);
        let exp = self.exp.seconds();
        if exp <= now_s {
            return Err(TokenError::Expired);
        }
        if exp > now_s + MAX_LIFETIME_S + END_TOLERANCE_S {
            return Err(TokenError::TooLong);
        }
        let ahead = |date: &NumericDate| date.seconds() > now_s + SKEW_S;
        if self.iat.as_ref().is_some_and(ahead) || self.nbf.as_ref().is_some_and(ahead) {
            return Err(TokenError::NotYet);
        }
        if self.iat.is_some_and(|iat| iat.seconds() < now_s - MAX_LIFETIME_S - SKEW_S) {
            return Err(TokenError::Expired);
        }
        if self.jti.is_empty() || self.jti.len() > MAX_JTI {
            return Err(TokenError::Jti);
        }
        Ok(())
    }

    /// Until when the id must be remembered, milliseconds since 1970.
    pub(crate) fn remember_until(&self) -> i64 {
        self.exp.seconds().saturating_add(SKEW_S).saturating_mul(1000)
    }

    /// When the professional signed in at the facility, as it says; never later than `now`. Milliseconds since 1970.
    pub(crate) fn authenticated_at(&self, now: i64) -> i64 {
        self.auth_time.map_or(now, |time| time.seconds().saturating_mul(1000).clamp(0, now))
    }

    /// The one person that the token shall be good for, by pid or by the id of one of its Patients.
    pub(crate) fn person(&self, acting: &Acting) -> Result<Option<Pid>, TokenError> {
        let text = match (&self.person, &acting.person_id) {
            (Some(a), Some(b)) if a != b => return Err(TokenError::Person),
            (Some(text), _) | (None, Some(text)) => text,
            (None, None) => return Ok(None),
        };
        let id = text.strip_prefix("Patient/").unwrap_or(text);
        let pid = id.parse::<Pid>().ok().or_else(|| id.parse::<ResourceId>().ok().map(|id| id.pid));
        pid.filter(|pid| *pid != Pid::COMMONS).map(Some).ok_or(TokenError::Person)
    }

    /// Who acts and why. Exactly one of the two extensions.
    pub(crate) fn acting(&self) -> Result<Acting, TokenError> {
        let raw = self.extensions.as_deref().ok_or(TokenError::Extension)?;
        let extensions: Extensions = serde_json::from_str(raw.get()).map_err(|_| TokenError::Extension)?;
        let named = match (extensions.b2b, extensions.iua) {
            (Some(one), None) | (None, Some(one)) => one,
            _ => return Err(TokenError::Extension),
        };
        named.read()
    }
}

#[derive(Deserialize)]
struct Extensions {
    #[serde(rename = "hl7-b2b")]
    b2b: Option<Named>,
    #[serde(rename = "ihe_iua")]
    iua: Option<Named>,
}

/// UDAP B2B names, and what IUA calls the same. `subject_name` and `organization_name` are not read: names come from the
/// registry.
#[derive(Deserialize)]
struct Named {
    version: Option<String>,
    #[serde(alias = "national_provider_identifier")]
    subject_id: Option<String>,
    subject_role: Option<Codes>,
    #[serde(alias = "subject_organization_id")]
    organization_id: Option<String>,
    /// Read apart, so that every wrong form of it gets the same code.
    purpose_of_use: Option<Box<RawValue>>,
    delegate_of: Option<String>,
    person_id: Option<String>,
}

/// IUA sends coded objects, UDAP strings.
#[derive(Deserialize)]
#[serde(untagged)]
enum Code {
    Text(String),
    Coded { code: String, system: Option<String> },
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Codes {
    One(Code),
    Many(Vec<Code>),
}

/// HL7 v3 PurposeOfUse lies in ActReason.
const PURPOSE_SYSTEMS: [&str; 3] =
    ["urn:oid:2.16.840.1.113883.5.8", "2.16.840.1.113883.5.8", "http://terminology.hl7.org/CodeSystem/v3-ActReason"];

impl Code {
    /// (system, code); `system#code` in one string is UDAP's form.
    fn parts(&self) -> (Option<&str>, &str) {
        match self {
            Self::Text(text) => {
                text.rsplit_once('#').map_or((None, text.as_str()), |(system, code)| (Some(system), code))
            }
            Self::Coded { code, system } => (system.as_deref(), code),
        }
    }
}

impl Codes {
    fn only(&self) -> Option<&Code> {
        match self {
            Self::One(code) => Some(code),
            Self::Many(codes) => <&[Code; 1]>::try_from(codes.as_slice()).ok().map(|[code]| code),
        }
    }
}

/// What an assertion says of who acts.
#[derive(Debug)]
pub(crate) struct Acting {
    pub(crate) practitioner: Option<PractitionerId>,
    /// Empty without a practitioner.
    pub(crate) role: String,
    pub(crate) organisation: Option<OrganisationId>,
    pub(crate) purpose: Purpose,
    pub(crate) delegate_of: Option<PractitionerId>,
    person_id: Option<String>,
}

impl Named {
    fn read(self) -> Result<Acting, TokenError> {
        if self.version.is_some_and(|version| version != "1") {
            return Err(TokenError::Extension);
        }
        let bare = |text: String| text.rsplit_once('#').map_or(text.clone(), |(_, id)| id.to_owned());
        let purpose = purpose(self.purpose_of_use.as_deref()).ok_or(TokenError::Purpose)?;
        let practitioner = self.subject_id.map(|id| PractitionerId(bare(id)));
        let role = match &self.subject_role {
            Some(codes) => codes.only().ok_or(TokenError::Role)?.parts().1.to_owned(),
            None => String::new(),
        };
        // A professional has one role, and a system none.
        if practitioner.is_some() == role.is_empty() {
            return Err(TokenError::Role);
        }
        let delegate_of = self.delegate_of.map(|id| PractitionerId(bare(id)));
        if delegate_of.is_some() && practitioner.is_none() {
            return Err(TokenError::Delegate);
        }
        let organisation = self.organization_id.map(|id| OrganisationId(bare(id)));
        Ok(Acting { practitioner, role, organisation, purpose, delegate_of, person_id: self.person_id })
    }
}

/// Exactly one, exactly spelt, of the list.
fn purpose(raw: Option<&RawValue>) -> Option<Purpose> {
    let codes: Codes = serde_json::from_str(raw?.get()).ok()?;
    let (system, code) = codes.only()?.parts();
    if system.is_some_and(|system| !PURPOSE_SYSTEMS.contains(&system)) {
        return None;
    }
    code.parse().ok()
}
