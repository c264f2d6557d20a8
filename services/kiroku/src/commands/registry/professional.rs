//! `kiroku registry professional`.

use anyhow::Result;
use clap::Subcommand;
use schemas::authority::{AuthorityEvent, Professional, Status};
use schemas::{OrganisationId, Pid, PractitionerId};

use super::{State, Step, found, list, parse_status, show};

#[derive(Subcommand)]
pub(super) enum Verb {
    /// Register a professional, or replace the entry of the same id.
    Add(Add),
    /// Change only the status: active, suspended, revoked (a licence that was withdrawn), closed.
    Status {
        id: String,
        #[arg(value_parser = parse_status)]
        status: Status,
    },
    /// All professionals.
    List,
    /// One professional.
    Show { id: String },
}

#[derive(clap::Args)]
pub(super) struct Add {
    id: String,
    #[arg(long)]
    name: String,
    /// physician, dentist, pharmacist, nurse, clerk, receptionist, official, ...
    #[arg(long)]
    profession: String,
    /// Licence number.
    #[arg(long, default_value = "")]
    licence: String,
    /// Where the professional works, as what; may be repeated: --role 1310000001=physician
    #[arg(long = "role", value_name = "ORGANISATION=ROLE", value_parser = parse_role)]
    roles: Vec<(OrganisationId, String)>,
    /// May be repeated.
    #[arg(long = "qualification")]
    qualifications: Vec<String>,
    /// The professional as a person of this record (R57).
    #[arg(long)]
    person: Option<Pid>,
}

fn parse_role(text: &str) -> Result<(OrganisationId, String), String> {
    match text.split_once('=') {
        Some((organisation, role)) if !organisation.is_empty() && !role.is_empty() => {
            Ok((organisation.into(), role.to_owned()))
        }
        _ => Err("must be ORGANISATION=ROLE".to_owned()),
    }
}

impl Verb {
    pub(super) fn reads_only(&self) -> bool {
        matches!(self, Self::List | Self::Show { .. })
    }

    pub(super) fn step(self, state: &State) -> Result<Step> {
        let get = |id: &str| state.professional(&PractitionerId::from(id));
        Ok(match self {
            Self::List => return list(state.professionals().map(|p| &**p)),
            Self::Show { id } => return show("professional", &id, get(&id)),
            Self::Status { id, status } => {
                let professional =
                    Professional { status, ..Professional::clone(found("professional", &id, get(&id))?) };
                Step::Append(vec![AuthorityEvent::Professional(professional)])
            }
            Self::Add(add) => Step::Append(vec![AuthorityEvent::Professional(Professional {
                id: add.id.as_str().into(),
                name: add.name,
                profession: add.profession,
                licence: add.licence,
                roles: add.roles,
                qualifications: add.qualifications,
                status: Status::Active,
                pid: add.person,
            })]),
        })
    }
}
