//! `kiroku registry apply`: many entries from one file.

use std::path::Path;

use anyhow::{Context, Result};
use schemas::Pid;
use schemas::authority::{AuthorityEvent, Case, Client, Organisation, Professional};
use serde::Deserialize;
use serde_json::Value;

pub(super) const HELP: &str =
    "Append all that a JSON or TOML file holds: organisations, professionals, clients, cards, cases, \
in this order; all or none. An entry replaces the one of the same id. `status` may be left out and is then active.

Example (TOML):
  [[organisations]]
  id = \"1310000001\"
  name = \"Example Hospital\"
  type = \"hospital\"

  [[professionals]]
  id = \"physician-1\"
  name = \"Dr Example\"
  profession = \"physician\"
  roles = [[\"1310000001\", \"physician\"]]

  [[clients]]
  id = \"hospital-system\"
  name = \"Hospital system\"
  organisation = \"1310000001\"
  jwks = '{\"keys\": [...]}'
  rights = [\"records.write\", \"records.read\"]
  scopes = [\"system/*.cruds\"]";

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct Entries {
    organisations: Vec<Organisation>,
    professionals: Vec<Professional>,
    clients: Vec<Client>,
    cards: Vec<CardEntry>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CardEntry {
    pid: Pid,
    public_key: String,
}

/// Reads the events of a file; `.toml` is TOML, all else JSON.
///
/// # Errors
/// Where the file cannot be read or an entry lacks something; with the place.
pub fn events_of_file(path: &Path) -> Result<Vec<AuthorityEvent>> {
    let name = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("reading `{name}`"))?;
    let toml = path.extension().is_some_and(|extension| extension == "toml");
    let mut value: Value = match toml {
        true => toml::from_str(&text).with_context(|| format!("`{name}` is no TOML"))?,
        false => serde_json::from_str(&text).with_context(|| format!("`{name}` is no JSON"))?,
    };
    fill_in_status(&mut value);
    let entries: Entries = serde_json::from_value(value).with_context(|| format!("an entry of `{name}`"))?;
    let mut events: Vec<_> = entries.organisations.into_iter().map(AuthorityEvent::Organisation).collect();
    events.extend(entries.professionals.into_iter().map(AuthorityEvent::Professional));
    events.extend(entries.clients.into_iter().map(AuthorityEvent::Client));
    events.extend(
        entries.cards.into_iter().map(|card| AuthorityEvent::Card { pid: card.pid, public_key: card.public_key }),
    );
    events.extend(entries.cases.into_iter().map(AuthorityEvent::Case));
    Ok(events)
}

fn fill_in_status(value: &mut Value) {
    for list in ["organisations", "professionals", "clients", "cases"] {
        for entry in value.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(entry) = entry.as_object_mut() {
                entry.entry("status").or_insert_with(|| "active".into());
            }
        }
    }
}
