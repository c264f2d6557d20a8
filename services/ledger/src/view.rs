//! A page as JSON or as text.

use chassis::registry::RegistryState;
use schemas::access::{Access, AccessRow};
use schemas::vocab::AccessKind;
use schemas::{Pid, ResourceId};
use serde_json::{Value, json};

use crate::page::Page;
use crate::reader::Entry;
use crate::words::{Voice, Who, behind, day, lost, sentence, who};

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// One sentence per line, newest first.
pub(crate) fn text(page: &Page, voice: Voice) -> Vec<u8> {
    let line = |entry: &Entry| match &entry.access {
        Some(access) => sentence(access, voice) + "\n",
        None => lost(voice).to_owned() + "\n",
    };
    let behind = page.is_behind.then(|| behind(voice).to_owned() + "\n");
    behind.into_iter().chain(page.entries.iter().map(line)).collect::<String>().into_bytes()
}

/// The page with everything that an entry holds. `registry` names the humans who answer for automatic work today.
pub(crate) fn json(page: &Page, voice: Voice, registry: &RegistryState, next: Option<String>) -> Value {
    let entries: Vec<Value> = page.entries.iter().map(|entry| entry_json(entry, voice, registry)).collect();
    let mut out = json!({
        "count": page.count,
        "lang": voice.lang.as_str(),
        "entries": entries,
        "notice": match voice.lang {
            crate::words::Lang::En => "This list covers what passed through Kiroku, not copies in a facility's own records.",
            crate::words::Lang::Ja => "この一覧は Kiroku を通じた閲覧の記録です。各施設の診療録にある写しは含みません。",
        },
    });
    if page.is_behind {
        out["behind"] = json!(behind(voice));
    }
    if let Some(next) = next {
        out["next"] = json!(next);
    }
    out
}

fn entry_json(entry: &Entry, voice: Voice, registry: &RegistryState) -> Value {
    let row = &entry.row;
    let Some(access) = &entry.access else {
        return json!({
            "no": row.person_seq, "at": fhir::dates::instant(row.logged_at), "logged_at": fhir::dates::instant(row.logged_at),
            "sentence": lost(voice), "kind": "lost", "proof": proof(row),
        });
    };
    json!({
        "no": row.person_seq,
        "at": fhir::dates::instant(access.released_at),
        "logged_at": fhir::dates::instant(row.logged_at),
        "sentence": sentence(access, voice),
        "kind": access.kind.as_str(),
        "outcome": access.outcome.as_str(),
        "who": who_json(access, registry),
        "facility": {
            "id": access.organisation.0, "name": access.organisation_name, "type": access.organisation_type,
            "group": access.organisation_group,
        },
        "through": {"id": access.processor.0, "name": access.processor_name},
        "why": why(access),
        "categories": access.categories.iter().map(|c| c.as_str()).collect::<Vec<_>>(),
        "items": items(access),
        "count": access.count,
        "query": access.query,
        "subject": access.subject,
        // Machines stand behind the human who looked: a page shows them folded, and a visit's entries together.
        "folded": access.kind == AccessKind::Automatic || who(access) == Who::Machine,
        "group": group(access),
        "request_id": access.request_id,
        "proof": proof(row),
    })
}

fn who_json(access: &Access, registry: &RegistryState) -> Value {
    let kind = match who(access) {
        Who::Person => "person",
        Who::Human => "human",
        Who::Machine => "automatic",
    };
    let mut out = json!({"kind": kind, "assurance": access.assurance});
    match (&access.actor, who(access)) {
        (Some(actor), Who::Human) => {
            out["id"] = json!(actor.id.0);
            out["name"] = json!(actor.name);
            out["profession"] = json!(actor.profession);
            out["licence"] = json!(actor.licence);
        }
        (Some(actor), Who::Machine) => {
            let name = registry.professional(&actor.id).map(|p| p.name.clone());
            out["responsible"] = json!({"id": actor.id.0, "name": name});
        }
        _ => {}
    }
    if let Some(delegator) = &access.on_behalf_of {
        out["on_behalf_of"] = json!({"id": delegator.id.0, "name": delegator.name, "profession": delegator.profession});
    }
    out
}

fn why(access: &Access) -> Value {
    let mut out = json!({"purpose": access.purpose.as_str(), "rules": access.rules, "obligations": access.obligations});
    if let Some((item, version, given_at)) = access.consent {
        out["consent"] = json!({
            "reference": access.person.map(|pid| reference(pid, item.resource_type.as_str(), item.local)),
            "version": version, "given_at": fhir::dates::instant(given_at),
        });
    }
    if !access.reason.is_empty() {
        out["reason"] = json!(access.reason);
    }
    out
}

fn items(access: &Access) -> Vec<Value> {
    let Some(pid) = access.person else { return Vec::new() };
    let item = |v: &schemas::header::ItemVersion| json!({"reference": reference(pid, v.item.resource_type.as_str(), v.item.local), "version": v.version});
    access.items.iter().map(item).collect()
}

/// `Type/id` as FHIR writes it.
pub(crate) fn reference(pid: Pid, resource_type: &str, local: schemas::LocalId) -> String {
    format!("{resource_type}/{}", ResourceId { pid, local })
}

/// Entries of one bulk answer, else of one facility on one day, belong together.
fn group(access: &Access) -> String {
    match access.batch {
        Some(batch) => batch.to_string(),
        None => format!("{}/{}", access.organisation.0, day(access.released_at)),
    }
}

fn proof(row: &AccessRow) -> Value {
    json!({
        "entry": row.record.id.to_string(),
        "commitment": hex(&row.record.commitment.0),
        "person_seq": row.person_seq,
        "chain": hex(&row.chain),
    })
}
