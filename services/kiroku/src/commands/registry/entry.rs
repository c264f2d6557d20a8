//! What organisations, professionals and clients share: they are added, given a status, listed and shown.

use std::sync::Arc;

use anyhow::{Context, Result};
use clap::Subcommand;
use schemas::authority::{AuthorityEvent, Case, Client, Organisation, Professional, Status};
use schemas::{ClientId, OrganisationId, PractitionerId};
use serde::Serialize;

use super::{State, Step};

/// A kind of entry of the registry.
pub(super) trait Entry: Clone + Serialize + 'static {
    const KIND: &'static str;
    fn find<'a>(state: &'a State, id: &str) -> Option<&'a Arc<Self>>;
    fn all(state: &State) -> impl Iterator<Item = &Arc<Self>>;
    fn with_status(self, status: Status) -> Self;
    fn event(self) -> AuthorityEvent;
}

/// Implements [`Entry`] for a type with an id and a status.
macro_rules! entry {
    ($entry:ident, $kind:literal, $find:ident, $all:ident, $id:ty) => {
        impl Entry for $entry {
            const KIND: &'static str = $kind;
            fn find<'a>(state: &'a State, id: &str) -> Option<&'a Arc<Self>> {
                state.$find(&<$id>::from(id))
            }
            fn all(state: &State) -> impl Iterator<Item = &Arc<Self>> {
                state.$all()
            }
            fn with_status(self, status: Status) -> Self {
                Self { status, ..self }
            }
            fn event(self) -> AuthorityEvent {
                AuthorityEvent::$entry(self)
            }
        }
    };
}

entry!(Organisation, "organisation", organisation, organisations, OrganisationId);
entry!(Professional, "professional", professional, professionals, PractitionerId);
entry!(Client, "client", client, clients, ClientId);
entry!(Case, "case", case, cases, String);

/// The flags of `add`, which make an entry.
pub(super) trait Add: clap::Args {
    type Entry: Entry;
    fn entry(self) -> Result<Self::Entry>;
}

/// What can be done to one kind of entry.
#[derive(Subcommand)]
pub(super) enum Verb<A: Add> {
    /// Register an entry, or replace the one of the same id as a whole.
    Add(A),
    /// Change only the status: active, suspended, revoked, closed.
    Status {
        id: String,
        #[arg(value_parser = parse_status)]
        status: Status,
    },
    /// All entries, one a line: id, status, kind, name.
    List,
    /// One entry with all that it holds.
    Show { id: String },
}

impl<A: Add> Verb<A> {
    pub(super) fn reads_only(&self) -> bool {
        matches!(self, Self::List | Self::Show { .. })
    }

    pub(super) fn step(self, state: &State) -> Result<Step> {
        match self {
            Self::Add(add) => append(add.entry()?),
            Self::Status { id, status } => append(found::<A::Entry>(state, &id)?.with_status(status)),
            Self::List => list::<A::Entry>(state),
            Self::Show { id } => show::<A::Entry>(state, &id),
        }
    }
}

pub(super) fn append(entry: impl Entry) -> Result<Step> {
    Ok(Step::Append(vec![entry.event()]))
}

pub(super) fn list<E: Entry>(state: &State) -> Result<Step> {
    let mut values = E::all(state).map(|entry| serde_json::to_value(&**entry)).collect::<Result<Vec<_>, _>>()?;
    values.sort_by_key(|value| value["id"].as_str().unwrap_or_default().to_owned());
    Ok(Step::Answer(values.into()))
}

pub(super) fn show<E: Entry>(state: &State, id: &str) -> Result<Step> {
    Ok(Step::Answer(serde_json::to_value(found::<E>(state, id)?)?))
}

pub(super) fn found<E: Entry>(state: &State, id: &str) -> Result<E> {
    let entry = E::find(state, id).with_context(|| format!("the registry holds no {} `{id}`", E::KIND))?;
    Ok(E::clone(entry))
}

/// A status as an argument gives it.
fn parse_status(text: &str) -> Result<Status, String> {
    let all: Vec<_> = Status::ALL.iter().map(|s| s.as_str()).collect();
    text.parse().map_err(|_| format!("must be one of {}", all.join(", ")))
}
