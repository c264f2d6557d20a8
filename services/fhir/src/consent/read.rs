//! From a FHIR Consent to its meaning.

use schemas::consent::{ConsentArtefact, ConsentKind, ConsentStatus, ConsentType, Giver, Method};
use schemas::{Problem, ProblemCode};

use super::provision::{Provision, read_root};
use super::{Actor, EXTENSIONS, Meaning, ObjectionTerms};
use crate::dates;
use crate::json::Node;

/// Problems found so far, and how a reference without identifier is resolved.
pub(super) struct Reader<'a> {
    pub problems: Vec<Problem>,
    pub actors: &'a dyn Fn(&str) -> Option<Actor>,
}

impl Reader<'_> {
    pub(super) fn refuse(&mut self, code: ProblemCode, path: impl Into<String>, message: &str) {
        self.problems.push(Problem::new(code, path, message).with_rule("consent"));
    }

    pub(super) fn unenforceable(&mut self, path: impl Into<String>, message: &str) {
        self.refuse(ProblemCode::NotSupported, path, message);
    }
}

pub(super) fn text<'a>(node: &'a Node, name: &str) -> &'a str {
    node.get(name).and_then(Node::as_str).unwrap_or_default()
}

pub(super) fn list<'a>(node: &'a Node, name: &str) -> &'a [Node] {
    node.get(name).map(Node::items).unwrap_or_default()
}

/// Reads a Consent whose shape is checked. `actors` resolves references that carry no identifier (`Organization/<id>`).
///
/// # Errors
/// All that is missing or cannot be enforced, each with its path.
pub fn from_fhir(consent: &Node, actors: &dyn Fn(&str) -> Option<Actor>) -> Result<Meaning, Vec<Problem>> {
    let mut reader = Reader { problems: Vec::new(), actors };
    let header = read_header(consent, &mut reader);
    let provision = read_root(consent, &mut reader);
    if let (Some(header), Some(provision), true) = (header, provision, reader.problems.is_empty()) {
        let meaning = combine(consent, header, provision, &mut reader);
        if reader.problems.is_empty() {
            return Ok(meaning);
        }
    }
    Err(reader.problems)
}

struct Header {
    status: ConsentStatus,
    /// `None`: an objection.
    kind: Option<ConsentKind>,
    giver: Giver,
    method: Method,
    date_time: i64,
}

fn read_header(consent: &Node, reader: &mut Reader<'_>) -> Option<Header> {
    if consent.get("modifierExtension").is_some() {
        reader.unenforceable("Consent.modifierExtension", "a modifier that is not known here could change the meaning");
    }
    let status = text(consent, "status").parse::<ConsentStatus>().ok();
    if status.is_none() {
        reader.unenforceable("Consent.status", "active, inactive or entered-in-error is wanted");
    }
    if !has_code(consent.get("scope"), "patient-privacy") {
        reader.unenforceable("Consent.scope", "only the scope patient-privacy is kept here");
    }
    if consent.get("patient").is_none() {
        reader.refuse(ProblemCode::Required, "Consent.patient", "the patient is missing");
    }
    let date_time = dates::interval(text(consent, "dateTime")).map(|(from, _)| from);
    if date_time.is_none() {
        reader.refuse(ProblemCode::Required, "Consent.dateTime", "the time at which it was given is missing");
    }
    let method = code_extension(consent, "consent-method").parse().ok();
    if method.is_none() {
        let message = "the extension consent-method is wanted: reader-face, reader-pin, app, oral or paper";
        reader.refuse(ProblemCode::Required, "Consent.extension", message);
    }
    let kind = read_kind(consent, reader);
    let giver = read_giver(consent, reader);
    Some(Header { status: status?, kind: kind?, giver: giver?, method: method?, date_time: date_time? })
}

/// Outer `None`: unknown. Inner `None`: an objection. Only a denial needs no kind.
fn read_kind(consent: &Node, reader: &mut Reader<'_>) -> Option<Option<ConsentKind>> {
    let denies = consent.get("provision").is_some_and(|p| text(p, "type") == "deny" && list(p, "provision").is_empty());
    let kind = match code_extension(consent, "consent-kind") {
        "objection" => Some(None),
        "" if denies => Some(Some(ConsentKind::Denial)),
        code => code.parse().ok().map(Some),
    };
    if kind.is_none() {
        let message = "the extension consent-kind is wanted: visit, stay, document, denial, no-card or objection";
        reader.refuse(ProblemCode::Required, "Consent.extension", message);
    }
    kind
}

fn read_giver(consent: &Node, reader: &mut Reader<'_>) -> Option<Giver> {
    let performers = list(consent, "performer");
    let by_patient =
        performers.iter().all(|p| text(p, "reference").starts_with("Patient/") || text(p, "type") == "Patient");
    let giver = match code_extension(consent, "consent-giver") {
        "" if by_patient => Some(Giver::OneSelf),
        code => code.parse().ok(),
    };
    if giver.is_none() {
        let message = "who gave it is wanted in the extension consent-giver: self, guardian, curator, carer or proxy";
        reader.refuse(ProblemCode::Required, "Consent.extension", message);
    }
    giver
}

fn has_code(concept: Option<&Node>, wanted: &str) -> bool {
    concept.is_some_and(|c| list(c, "coding").iter().any(|coding| text(coding, "code") == wanted))
}

fn extensions<'a>(node: &'a Node, name: &'a str) -> impl Iterator<Item = &'a Node> {
    let is_ours = move |e: &&Node| text(e, "url").strip_prefix(EXTENSIONS) == Some(name);
    list(node, "extension").iter().filter(is_ours)
}

fn code_extension<'a>(node: &'a Node, name: &'a str) -> &'a str {
    extensions(node, name).next().map(|e| text(e, "valueCode")).unwrap_or_default()
}

fn string_extensions(node: &Node, name: &str) -> Vec<String> {
    extensions(node, name).map(|e| text(e, "valueString").to_owned()).collect()
}

fn combine(consent: &Node, header: Header, provision: Provision, reader: &mut Reader<'_>) -> Meaning {
    let visit = string_extensions(consent, "consent-visit").into_iter().next();
    let valid_from = provision.from.unwrap_or(header.date_time);
    if provision.until.is_some_and(|until| until <= valid_from) {
        reader.refuse(ProblemCode::Value, "Consent.provision.period", "it would end before it starts");
    }
    let objection = header.kind.is_none().then(|| objection(&provision, visit.as_deref(), valid_from, reader));
    let policy = list(consent, "policy").first();
    let safety = Some(code_extension(consent, "consent-safety").to_owned()).filter(|s| !s.is_empty());
    if safety.as_deref().is_some_and(|s| !["show", "masked", "neither"].contains(&s)) {
        reader.refuse(
            ProblemCode::CodeInvalid,
            "Consent.extension",
            "consent-safety: show, masked or neither is wanted",
        );
    }
    let consent = ConsentArtefact {
        kind: header.kind.unwrap_or(ConsentKind::Denial),
        giver: header.giver,
        consent_type: provision.consent_type,
        facilities: provision.facilities,
        practitioners: provision.practitioners,
        categories: provision.categories,
        labels: provision.labels,
        authors: provision.authors,
        data_period: provision.data_period,
        items: provision.items,
        purposes: provision.purposes,
        valid_from,
        valid_until: provision.until,
        method: header.method,
        staff: string_extensions(consent, "consent-staff"),
        terms: policy.map(|p| text(p, "uri").to_owned()).unwrap_or_default(),
        terms_sha256: policy.and_then(|p| string_extensions(p, "terms-sha256").pop()).unwrap_or_default(),
        status: header.status,
        visit,
        safety,
    };
    check(&consent, reader);
    // An ended objection keeps its artefact, whose status tells the state to forget the objection; an ended one denies nothing.
    let keep = objection.is_none() || header.status != ConsentStatus::Active;
    Meaning { consent: keep.then_some(consent), objection: objection.flatten() }
}

fn objection(provision: &Provision, visit: Option<&str>, from: i64, reader: &mut Reader<'_>) -> Option<ObjectionTerms> {
    let only_visit_facility_category = provision.consent_type == ConsentType::Deny
        && provision.practitioners.is_empty()
        && provision.labels.is_empty()
        && provision.authors.is_empty()
        && provision.items.is_empty()
        && provision.data_period.is_none()
        && provision.facilities.len() <= 1;
    if !only_visit_facility_category {
        let message = "an objection denies, and names nothing but a visit, one facility and categories";
        reader.unenforceable("Consent.provision", message);
    }
    let visit = match visit.map(str::parse).transpose() {
        Ok(visit) => visit,
        Err(_) => {
            reader.refuse(ProblemCode::Value, "Consent.extension", "consent-visit: the id of a visit is wanted");
            return None;
        }
    };
    let facility = provision.facilities.first().cloned();
    Some(ObjectionTerms { visit, facility, categories: provision.categories.clone(), from, until: provision.until })
}

/// A permit must say for whom, what and why: no rule reads an empty list as "all".
fn check(consent: &ConsentArtefact, reader: &mut Reader<'_>) {
    let required = ProblemCode::Required;
    if consent.kind == ConsentKind::Denial && consent.consent_type == ConsentType::Permit {
        reader.refuse(ProblemCode::Value, "Consent.provision.type", "a denial does not permit");
    }
    if consent.consent_type == ConsentType::Deny {
        return;
    }
    if consent.facilities.is_empty() && consent.practitioners.is_empty() {
        reader.refuse(required, "Consent.provision.actor", "a permit names its facility or practitioner");
    }
    if consent.categories.is_empty() && consent.items.is_empty() && consent.labels.is_empty() {
        reader.refuse(required, "Consent.provision.code", "a permit names its categories, labels or items");
    }
    if consent.purposes.is_empty() {
        reader.refuse(required, "Consent.provision.purpose", "a permit names its purposes");
    }
}
