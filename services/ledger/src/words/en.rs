//! English sentences.

use schemas::access::{Access, ActorName, WAITING};
use schemas::vocab::{AccessKind, Category, Purpose};

use super::{Deed, Shown, Who, case_of, categories, deed, is_named, is_reading, japan, rests_on_own, shown, who};

pub(super) fn sentence(access: &Access, to_person: bool) -> String {
    let said = match access.kind {
        AccessKind::Automatic => automatic(access, to_person),
        AccessKind::Denied => denied(access, to_person),
        AccessKind::Consent => consent(access, to_person),
        AccessKind::LogRead => log_read(access, to_person),
        AccessKind::Write => write(access, to_person),
        AccessKind::Emergency => {
            format!(
                "Emergency: {} opened {} without asking{}",
                actor(access, to_person),
                things(access, to_person),
                items(access)
            )
        }
        AccessKind::Disaster => {
            format!("Disaster: {} opened {}{}", actor(access, to_person), things(access, to_person), items(access))
        }
        AccessKind::WrongLink => {
            format!("Wrong link: {} was shown records that were filed under the wrong person", actor(access, to_person))
        }
        AccessKind::Read if shown(access) == Shown::Items => looked(access, to_person, "looked at"),
        AccessKind::Read => looked(access, to_person, "asked for"),
        AccessKind::Search => looked(access, to_person, "searched"),
        AccessKind::Export if shown(access) == Shown::Items => looked(access, to_person, "took a copy of"),
        AccessKind::Export => looked(access, to_person, "asked for a copy of"),
    };
    format!("{}. {said}.{}", when(access.released_at), after(access, to_person))
}

fn when(ms: i64) -> String {
    japan(ms).map(|t| t.format("%-d %B %Y %H:%M").to_string()).unwrap_or_default()
}

fn looked(access: &Access, to_person: bool, verb: &str) -> String {
    let purpose = match who(access) {
        Who::Person => String::new(),
        _ => format!(", for {}", purpose(access.purpose)),
    };
    format!("{} {verb} {}{}{purpose}", actor(access, to_person), things(access, to_person), items(access))
}

fn write(access: &Access, to_person: bool) -> String {
    let (who, whose) = (actor(access, to_person), owner(to_person));
    match deed(access) {
        Deed::OpenVisit => format!("{who} opened a visit for {}", whom(to_person)),
        Deed::CloseVisit => format!("{who} closed {whose} visit"),
        Deed::CancelCheck => format!("{who} recorded that a check of {whose} medicines ended without a prescription"),
        _ => {
            let what = list(&categories(access));
            let what = if what.is_empty() { "an entry".to_owned() } else { what };
            format!("{who} wrote to {whose} record: {what}{}", items(access))
        }
    }
}

fn denied(access: &Access, to_person: bool) -> String {
    let is_own = who(access) == Who::Person && to_person;
    let whose = owner(to_person);
    let tried = match deed(access) {
        Deed::Look => format!("read {}", things(access, to_person)),
        Deed::Write => format!("write to {whose} record"),
        Deed::Consent if is_own => "change what you agree to share".to_owned(),
        Deed::Consent => format!("record {whose} consent"),
        Deed::Object if is_own => "have something kept out".to_owned(),
        Deed::Object => format!("record {whose} wish that something be kept out"),
        Deed::OpenVisit => format!("open a visit for {}", whom(to_person)),
        Deed::CloseVisit => format!("close {whose} visit"),
        Deed::CancelCheck => format!("record that a check of {whose} medicines ended without a prescription"),
    };
    let were = if is_own { "were" } else { "was" };
    format!("{} tried to {tried} and {were} refused: {}", actor(access, to_person), reason(&access.reason))
}

fn automatic(access: &Access, to_person: bool) -> String {
    let place = facility(access);
    let what = match access.purpose {
        Purpose::Eligver | Purpose::Hpaymt => format!("checked {} insurance", owner(to_person)),
        _ if access.categories.is_empty() || access.categories.contains(&Category::Med) => {
            "checked for double or clashing medicines; no names were shown".to_owned()
        }
        _ => format!("read {}{}", things(access, to_person), items(access)),
    };
    match who(access) {
        Who::Human => format!("Automatic check: a system of {place} {what}; asked for by {}", actor(access, to_person)),
        _ => format!("Automatic check: a system of {place} {what}"),
    }
}

fn consent(access: &Access, to_person: bool) -> String {
    let is_objection = deed(access) == Deed::Object;
    let wants = if to_person { "you want" } else { "the person wants" };
    let what = match is_objection {
        true => format!("that {wants} something kept out"),
        false => format!("what {wants} to be shared"),
    };
    match who(access) {
        Who::Person if to_person && is_objection => "You said that something is to be kept out".to_owned(),
        Who::Person if to_person => "You changed what you agree to share".to_owned(),
        Who::Person => format!("The person recorded {what}"),
        _ => format!("{} recorded {what}", actor(access, to_person)),
    }
}

fn log_read(access: &Access, to_person: bool) -> String {
    match (who(access), case_of(access)) {
        (_, Some(case)) => {
            format!("{} read this list without medical content, for case {case}", actor(access, to_person))
        }
        (Who::Person, None) => format!("{} looked at this list", actor(access, to_person)),
        (_, None) => format!("{} looked at this list, for {}", actor(access, to_person), purpose(access.purpose)),
    }
}

/// What follows the sentence: what was given out, the basis for it, review.
fn after(access: &Access, to_person: bool) -> String {
    let mut out = String::new();
    if is_reading(access) {
        out.push_str(match shown(access) {
            Shown::Items | Shown::Unsaid => "",
            Shown::Number => " Only their number was told.",
            Shown::Nothing => " Nothing was shown.",
        });
        out.push_str(&basis(access, to_person));
    }
    if access.kind == AccessKind::Denied && rests_on_own(access) {
        out.push_str(OWN);
    }
    if access.subject == WAITING {
        out.push_str(&format!(
            " They learned that a document addressed to them waits for {} consent.",
            owner(to_person)
        ));
    }
    if access.obligations.iter().any(|o| o == "REV") {
        out.push_str(" This will be reviewed.");
    }
    out
}

/// Why a facility that is refused everything else may still be shown something.
const OWN: &str = " They may always read what they wrote themselves.";

/// Why a reading could give something out; where nothing was, there is no basis to tell.
fn basis(access: &Access, to_person: bool) -> String {
    match (shown(access), access.consent) {
        (Shown::Nothing | Shown::Unsaid, _) => String::new(),
        (_, Some((_, _, given_at))) => {
            format!(" {} agreed on {}.", if to_person { "You" } else { "The person" }, when(given_at))
        }
        _ if rests_on_own(access) => OWN.to_owned(),
        _ => String::new(),
    }
}

fn whom(to_person: bool) -> &'static str {
    if to_person { "you" } else { "the person" }
}

fn owner(to_person: bool) -> &'static str {
    if to_person { "your" } else { "the person's" }
}

fn things(access: &Access, to_person: bool) -> String {
    let names = list(&categories(access));
    format!("{} {}", owner(to_person), if names.is_empty() { "records" } else { &names })
}

fn items(access: &Access) -> String {
    match access.count {
        0 => String::new(),
        1 => " (1 item)".to_owned(),
        n => format!(" ({n} items)"),
    }
}

fn list(categories: &[Category]) -> String {
    let names: Vec<&str> = categories.iter().map(|c| category(*c)).collect();
    match names.split_last() {
        None => String::new(),
        Some((last, [])) => (*last).to_owned(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}

fn actor(access: &Access, to_person: bool) -> String {
    let place = facility(access);
    match (who(access), &access.actor) {
        (Who::Person, _) => (if to_person { "You" } else { "The person" }).to_owned(),
        (Who::Human, Some(human)) => {
            let by = access.on_behalf_of.as_ref().filter(|d| is_named(d));
            let by = by.map_or_else(String::new, |d| format!(" for {}", title(d)));
            format!("{} ({}, {place}){by}", title(human), profession(&human.profession))
        }
        _ => format!("A system of {place}"),
    }
}

fn title(actor: &ActorName) -> String {
    let name = if is_named(actor) { &actor.name } else { &actor.id.0 };
    match actor.profession.as_str() {
        "physician" | "dentist" if !name.starts_with("Dr") => format!("Dr {name}"),
        _ => name.clone(),
    }
}

fn facility(access: &Access) -> &str {
    match (&*access.organisation_name, &*access.organisation.0) {
        ("", "") => "an unnamed place",
        ("", id) => id,
        (name, _) => name,
    }
}

fn profession(code: &str) -> &str {
    match code {
        "" => "profession not given",
        other => other,
    }
}

fn category(category: Category) -> &'static str {
    match category {
        Category::Elig => "insurance data",
        Category::Cert => "certificates",
        Category::Cost => "cost data",
        Category::Demo => "name and birth date",
        Category::Address => "address",
        Category::Safety => "allergies and warnings",
        Category::Med => "medicines",
        Category::Checkup => "checkups",
        Category::Claims => "visits and treatments from claims",
        Category::Surg => "operations",
        Category::Ehr => "diagnoses and test results",
        Category::Doc => "letters and summaries",
        Category::Vacc => "vaccinations",
        Category::Note => "notes",
        Category::Consent => "consents",
        Category::Log => "list of who looked",
    }
}

fn purpose(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Treat => "treatment",
        Purpose::Etreat | Purpose::Btg => "an emergency",
        Purpose::Disaster => "disaster care",
        Purpose::Patrqt => "the person's own use",
        Purpose::Famrqt => "a child in their care",
        Purpose::Pwatrny => "the person they act for",
        Purpose::Eligver => "an insurance check",
        Purpose::Hpaymt => "payment",
        Purpose::Pubhlth => "public health",
        Purpose::Hresch => "research",
        Purpose::Donat => "organ donation",
        Purpose::Hlegal => "a court",
        Purpose::Hcompl => "supervision",
        Purpose::Recordmgt => "record keeping",
        Purpose::Hsysadmin => "operation of the system",
    }
}

fn reason(code: &str) -> &str {
    match code {
        "no-consent" => "no consent",
        "blocked" => "blocked by the person",
        "link-state" => "the identity is being checked",
        "being-checked" => "the insurance is being checked",
        "biometrics" => "images and templates of the body are not accepted",
        "quarantine" => "the person was not proven",
        "person-objects" => "the person objects",
        "terms-stale" => "new terms were not seen yet",
        "step-up" => "a fresh proof was needed",
        "probing" => "too many cancelled checks",
        "stale" => "the registry could not be asked",
        "policy-error" => "an error, which always refuses",
        _ => "nothing permits it",
    }
}
