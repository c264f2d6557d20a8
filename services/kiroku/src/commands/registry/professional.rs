//! The flags of `kiroku registry professional add`.

use anyhow::Result;
use schemas::authority::{Professional, Status};
use schemas::{OrganisationId, Pid};

#[derive(clap::Args)]
pub(super) struct Add {
    /// Unique in the country; what tokens and entries name.
    id: String,
    /// As people read it in the lists of who looked.
    #[arg(long)]
    name: String,
    /// physician, dentist, pharmacist, nurse, clerk, receptionist, official, ...
    #[arg(long)]
    profession: String,
    /// Licence number.
    #[arg(long, default_value = "", hide_default_value = true)]
    licence: String,
    /// Where the professional works, as what; may be repeated: --role 1310000001=physician
    #[arg(long = "role", value_name = "ORGANISATION=ROLE", value_parser = parse_role)]
    roles: Vec<(OrganisationId, String)>,
    /// Qualification beyond the profession, by code; may be repeated.
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

impl super::Add for Add {
    type Entry = Professional;

    fn entry(self) -> Result<Professional> {
        Ok(Professional {
            id: self.id.as_str().into(),
            name: self.name,
            profession: self.profession,
            licence: self.licence,
            roles: self.roles,
            qualifications: self.qualifications,
            status: Status::Active,
            pid: self.person,
        })
    }
}
