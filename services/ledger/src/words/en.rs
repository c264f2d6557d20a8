//! English sentences.

use schemas::access::{Access, ActorName};
use schemas::vocab::{AccessKind, Category, Purpose};

use super::{Who, case_of, categories, is_about_writing, is_named, japan, who};

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
        AccessKind::Read => looked(access, to_person, "looked at"),
        AccessKind::Search => looked(access, to_person, "searched"),
        AccessKind::Export => looked(access, to_person, "took a copy of"),
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
    let file = if to_person { "your record" } else { "the person's record" };
    let what = list(&categories(access));
    let what = if what.is_empty() { "an entry".to_owned() } else { what };
    format!("{} wrote to {file}: {what}{}", actor(access, to_person), items(access))
}

fn denied(access: &Access, to_person: bool) -> String {
    let (verb, object) = match is_about_writing(access) {
        true => ("write to", if to_person { "your record".to_owned() } else { "the person's record".to_owned() }),
        false => ("read", things(access, to_person)),
    };
    let were = if who(access) == Who::Person && to_person { "were" } else { "was" };
    format!("{} tried to {verb} {object} and {were} refused: {}", actor(access, to_person), reason(&access.reason))
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
    let whom = if to_person { "you want" } else { "the person wants" };
    let what = match access.rules.iter().any(|r| r == "R59") {
        true => format!("that {whom} something kept out"),
        false => format!("what {whom} to be shared"),
    };
    match who(access) {
        Who::Person if to_person => what_you_said(access),
        Who::Person => format!("The person recorded {what}"),
        _ => format!("{} recorded {what}", actor(access, to_person)),
    }
}

fn what_you_said(access: &Access) -> String {
    match access.rules.iter().any(|r| r == "R59") {
        true => "You said that something is to be kept out".to_owned(),
        false => "You changed what you agree to share".to_owned(),
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

/// What follows the sentence: consent, review.
fn after(access: &Access, to_person: bool) -> String {
    let mut out = String::new();
    let is_reading = matches!(access.kind, AccessKind::Read | AccessKind::Search | AccessKind::Export);
    if let Some((_, _, given_at)) = access.consent.filter(|_| is_reading) {
        let giver = if to_person { "You" } else { "The person" };
        out.push_str(&format!(" {giver} agreed on {}.", when(given_at)));
    }
    if is_reading && access.rules.iter().any(|r| r == "R16") && access.consent.is_none() {
        out.push_str(" They may always read what they wrote themselves.");
    }
    if access.obligations.iter().any(|o| o == "REV") {
        out.push_str(" This will be reviewed.");
    }
    out
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
