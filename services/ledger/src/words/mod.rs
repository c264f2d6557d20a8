//! An entry as a plain sentence, in Japanese and in English. The person reads these; nothing else explains an entry to them.

mod en;
mod ja;

use chrono::{DateTime, FixedOffset};
use schemas::access::{Access, ActorName};
use schemas::vocab::{AccessKind, Action};
use schemas::{Category, Purpose, ResourceType};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Lang {
    Ja,
    En,
}

impl Lang {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "ja" => Some(Self::Ja),
            "en" => Some(Self::En),
            _ => None,
        }
    }

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Ja => "ja",
            Self::En => "en",
        }
    }
}

/// Language, and whether the sentence speaks to the person or about them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Voice {
    pub(crate) lang: Lang,
    pub(crate) to_person: bool,
}

/// One sentence, or a few, on one line.
pub(crate) fn sentence(access: &Access, voice: Voice) -> String {
    let text = match voice.lang {
        Lang::En => en::sentence(access, voice.to_person),
        Lang::Ja => ja::sentence(access, voice.to_person),
    };
    // Names come from the registry; a line break in one must not make a second line of an entry.
    text.replace(['\n', '\r'], " ")
}

/// What is said of an entry whose key was destroyed.
pub(crate) fn lost(voice: Voice) -> &'static str {
    match voice.lang {
        Lang::En => "The key of this entry was destroyed; its words cannot be read any more.",
        Lang::Ja => "この記録の鍵は破棄されたため、内容は読めません。",
    }
}

/// What is said where the list does not reach to this moment.
pub(crate) fn behind(voice: Voice) -> &'static str {
    match voice.lang {
        Lang::En => "Entries of the last moments are not in this list yet; look again in a minute.",
        Lang::Ja => "直近の記録はまだこの一覧に入っていません。1分ほどしてからもう一度ご覧ください。",
    }
}

/// Who stands behind an entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Who {
    /// The person themself.
    Person,
    Human,
    /// A system acting alone.
    Machine,
}

pub(crate) fn who(access: &Access) -> Who {
    match &access.actor {
        Some(actor) if actor.profession == "person" => Who::Person,
        Some(actor) if actor.profession != "automatic" => Who::Human,
        _ => Who::Machine,
    }
}

/// Local time in Japan.
fn japan(ms: i64) -> Option<DateTime<FixedOffset>> {
    let zone = FixedOffset::east_opt(9 * 3600)?;
    Some(DateTime::from_timestamp_millis(ms)?.with_timezone(&zone))
}

/// Calendar day in Japan, `yyyy-mm-dd`.
pub(crate) fn day(ms: i64) -> String {
    japan(ms).map(|t| t.format("%Y-%m-%d").to_string()).unwrap_or_default()
}

/// The id of the case that a regulator's reading rests on.
fn case_of(access: &Access) -> Option<&str> {
    access.subject.strip_prefix("case/").filter(|id| !id.is_empty())
}

/// What was done, or tried.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Deed {
    Look,
    Write,
    /// What the person agrees to.
    Consent,
    /// What the person wants kept out.
    Object,
    OpenVisit,
    CloseVisit,
    /// A safety check that no order followed.
    CancelCheck,
}

/// The action of a writing or a refusal, as far as the entry says it: a door that writes names it in `subject`, and whoever asks
/// a question leaves the question.
pub(crate) fn action(access: &Access) -> Option<Action> {
    let named = match access.kind {
        AccessKind::Write | AccessKind::Denied | AccessKind::Consent => access.subject.parse().ok(),
        _ => None,
    };
    named.or((access.kind == AccessKind::Denied && !access.query.is_empty()).then_some(Action::Read))
}

/// What an entry tells of. Where it names no action, its kind and purpose say enough: for a person's own purpose only consents
/// and objections are written.
fn deed(access: &Access) -> Deed {
    if let Some(action) = action(access) {
        return match action {
            Action::Create | Action::Update | Action::Delete => Deed::Write,
            Action::GiveConsent | Action::WithdrawConsent => Deed::Consent,
            Action::Object => Deed::Object,
            Action::OpenVisit => Deed::OpenVisit,
            Action::CloseVisit => Deed::CloseVisit,
            Action::CancelCheck => Deed::CancelCheck,
            Action::Read | Action::Search | Action::Export | Action::Check | Action::ReadLog => Deed::Look,
        };
    }
    match (access.kind, access.purpose) {
        (AccessKind::Consent, _) if access.rules.iter().any(|r| r == "R59") => Deed::Object,
        (AccessKind::Consent, _) => Deed::Consent,
        (AccessKind::Write, _) | (_, Purpose::Recordmgt) => Deed::Write,
        (_, Purpose::Patrqt) => Deed::Consent,
        _ => Deed::Look,
    }
}

/// What a reading gave out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Shown {
    Items,
    /// How many there are, and none of them.
    Number,
    Nothing,
    /// No item; the query, which says the rest, is kept from this reader.
    Unsaid,
}

/// What a reading gave out of what the person may know of.
fn shown(access: &Access) -> Shown {
    let parameters = access.query.split_once('?').map_or("", |(_, parameters)| parameters);
    match access.count {
        0 if access.query.is_empty() => Shown::Unsaid,
        0 if parameters.split('&').any(|p| matches!(p, "_summary=count" | "_count=0")) => Shown::Number,
        0 => Shown::Nothing,
        _ => Shown::Items,
    }
}

/// Whether the author's right to its own records is what was permitted.
fn rests_on_own(access: &Access) -> bool {
    access.rules.iter().any(|r| r == "R16")
}

fn is_reading(access: &Access) -> bool {
    matches!(access.kind, AccessKind::Read | AccessKind::Search | AccessKind::Export)
}

/// The categories of an entry; where it names no item, the one that the query's type stands for.
fn categories(access: &Access) -> Vec<Category> {
    if !access.categories.is_empty() {
        return access.categories.clone();
    }
    let end = access.query.find(['/', '?']).unwrap_or(access.query.len());
    if access.query.starts_with("AuditEvent") {
        return vec![Category::Log];
    }
    access.query[..end].parse::<ResourceType>().ok().and_then(usual_category).into_iter().collect()
}

/// What a type is for most people; `None` where its items are of many kinds.
fn usual_category(resource_type: ResourceType) -> Option<Category> {
    use ResourceType as T;
    Some(match resource_type {
        T::MedicationRequest
        | T::MedicationDispense
        | T::MedicationAdministration
        | T::MedicationStatement
        | T::Medication => Category::Med,
        T::Immunization => Category::Vacc,
        T::Patient | T::RelatedPerson => Category::Demo,
        T::Coverage => Category::Elig,
        T::Claim | T::ClaimResponse | T::ExplanationOfBenefit => Category::Claims,
        T::DocumentReference | T::Composition | T::Bundle | T::Binary => Category::Doc,
        T::Condition | T::DiagnosticReport => Category::Ehr,
        T::Consent => Category::Consent,
        _ => return None,
    })
}

/// Whether `name` is a human's that can be shown.
fn is_named(actor: &ActorName) -> bool {
    !actor.name.is_empty()
}
