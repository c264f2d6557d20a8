//! `kiroku registry organisation`.

use anyhow::Result;
use clap::Subcommand;
use schemas::OrganisationId;
use schemas::authority::{AuthorityEvent, Organisation, Status};

use super::{State, Step, found, list, parse_status, show};

#[derive(Subcommand)]
pub(super) enum Verb {
    /// Register an organisation, or replace the entry of the same id.
    Add(Add),
    /// Change only the status: active, suspended, revoked, closed. In force at the next request.
    Status {
        id: String,
        #[arg(value_parser = parse_status)]
        status: Status,
    },
    /// All organisations.
    List,
    /// One organisation.
    Show { id: String },
}

#[derive(clap::Args)]
pub(super) struct Add {
    /// Institution code, insurer number or another id that is unique in the country.
    id: String,
    #[arg(long)]
    name: String,
    /// hospital, clinic, pharmacy, laboratory, insurer, municipality, regulator, employer, school, police, research, ...
    #[arg(long = "type")]
    organisation_type: String,
    /// Group of facilities that it belongs to.
    #[arg(long, default_value = "")]
    group: String,
    /// Code of its municipality (5 digits).
    #[arg(long, default_value = "")]
    municipality: String,
    /// May be repeated.
    #[arg(long = "qualification")]
    qualifications: Vec<String>,
    /// Designated for emergencies.
    #[arg(long)]
    emergency_designated: bool,
    /// Facility whose records it keeps after that closed; may be repeated.
    #[arg(long = "custodian-of")]
    custodian_of: Vec<String>,
    #[arg(long, default_value_t = 0)]
    staff_count: u32,
}

impl Verb {
    pub(super) fn reads_only(&self) -> bool {
        matches!(self, Self::List | Self::Show { .. })
    }

    pub(super) fn step(self, state: &State) -> Result<Step> {
        let get = |id: &str| state.organisation(&OrganisationId::from(id));
        Ok(match self {
            Self::List => return list(state.organisations().map(|o| &**o)),
            Self::Show { id } => return show("organisation", &id, get(&id)),
            Self::Status { id, status } => {
                let organisation =
                    Organisation { status, ..Organisation::clone(found("organisation", &id, get(&id))?) };
                Step::Append(vec![AuthorityEvent::Organisation(organisation)])
            }
            Self::Add(add) => Step::Append(vec![AuthorityEvent::Organisation(add.organisation())]),
        })
    }
}

impl Add {
    fn organisation(self) -> Organisation {
        Organisation {
            id: self.id.as_str().into(),
            name: self.name,
            organisation_type: self.organisation_type,
            group: self.group,
            municipality: self.municipality,
            qualifications: self.qualifications,
            emergency_designated: self.emergency_designated,
            status: Status::Active,
            custodian_of: self.custodian_of.iter().map(|id| id.as_str().into()).collect(),
            staff_count: self.staff_count,
        }
    }
}
