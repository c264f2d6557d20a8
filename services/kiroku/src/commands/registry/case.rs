//! `kiroku registry case`: what a regulator needs before it may read entries of the access list (R43).

use anyhow::{Context, Result};
use chassis::clock::{Clock, SystemClock};
use clap::Subcommand;
use schemas::Pid;
use schemas::authority::{Case, Status};

use super::entry::{Entry, append, found, list, show};
use super::{State, Step};

#[derive(Subcommand)]
pub(super) enum Verb {
    /// Open a case: two officials, persons or organisations it is about, at most 30 days.
    #[command(visible_alias = "add")]
    Open(Open),
    /// Close a case before its time.
    Close { id: String },
    /// All cases.
    List,
    /// One case.
    Show { id: String },
}

#[derive(clap::Args)]
pub(super) struct Open {
    /// Id of the case; a random one if absent.
    #[arg(long)]
    id: Option<String>,
    /// What it is for: audit, complaint, ...
    #[arg(long, default_value = "audit")]
    kind: String,
    /// The two officials: give it twice. Both must be registered officials, active and different.
    #[arg(long = "official", required = true)]
    officials: Vec<String>,
    /// Person it is about (pid); may be repeated.
    #[arg(long = "person")]
    persons: Vec<Pid>,
    /// Organisation it is about; may be repeated.
    #[arg(long = "organisation", required_unless_present = "persons")]
    organisations: Vec<String>,
    /// Last day (2026-12-01) or instant (2026-12-01T12:00:00+09:00), at most 30 days from now.
    #[arg(long)]
    until: String,
}

impl Verb {
    pub(super) fn reads_only(&self) -> bool {
        matches!(self, Self::List | Self::Show { .. })
    }

    pub(super) fn step(self, state: &State) -> Result<Step> {
        match self {
            Self::List => list::<Case>(state),
            Self::Show { id } => show::<Case>(state, &id),
            Self::Close { id } => append(found::<Case>(state, &id)?.with_status(Status::Closed)),
            Self::Open(open) => append(open.case()?),
        }
    }
}

impl Open {
    fn case(self) -> Result<Case> {
        let officials: [String; 2] = self
            .officials
            .try_into()
            .map_err(|_| anyhow::anyhow!("a case needs exactly two officials: give --official twice"))?;
        let (_, until) =
            fhir::dates::interval(&self.until).context("--until must be a date or an instant with time zone")?;
        Ok(Case {
            id: self.id.unwrap_or_else(|| format!("case-{}", Pid::random())),
            kind: self.kind,
            officials: officials.map(|id| id.as_str().into()),
            persons: self.persons,
            organisations: self.organisations.iter().map(|id| id.as_str().into()).collect(),
            opened_at: SystemClock.now(),
            until,
            status: Status::Active,
        })
    }
}
