//! The flags of `kiroku registry organisation add`.

use anyhow::Result;
use schemas::authority::{Organisation, Status};

#[derive(clap::Args)]
pub(super) struct Add {
    /// Institution code, insurer number or another id that is unique in the country.
    id: String,
    /// As people know it; it stands in the lists of who looked.
    #[arg(long)]
    name: String,
    /// hospital, clinic, pharmacy, laboratory, insurer, municipality, regulator, employer, school, police, research, ...
    #[arg(long = "type")]
    organisation_type: String,
    /// Group of facilities that it belongs to.
    #[arg(long, default_value = "", hide_default_value = true)]
    group: String,
    /// Code of its municipality (5 digits).
    #[arg(long, default_value = "", hide_default_value = true)]
    municipality: String,
    /// What it is recognised as, by code; may be repeated.
    #[arg(long = "qualification")]
    qualifications: Vec<String>,
    /// Designated for emergencies.
    #[arg(long)]
    emergency_designated: bool,
    /// Facility whose records it keeps after that closed; may be repeated.
    #[arg(long = "custodian-of")]
    custodian_of: Vec<String>,
    /// How many work there; 0 where nobody knows.
    #[arg(long, default_value_t = 0)]
    staff_count: u32,
}

impl super::Add for Add {
    type Entry = Organisation;

    fn entry(self) -> Result<Organisation> {
        Ok(Organisation {
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
        })
    }
}
