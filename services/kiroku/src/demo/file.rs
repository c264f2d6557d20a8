//! `demo.json`: who can ask, and how to become them. Holds private keys that were made for this demo: only the owner reads it.

use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::world::{Citizen, Who, World};
use crate::api::{Api, ClientKey};

pub(super) const NAME: &str = "demo.json";
pub(super) const DATA: &str = "data";
pub(super) const REQUESTS: &str = "requests";

/// A person, for whoever tries things out.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Person {
    pub(super) name: String,
    pub(super) called: String,
    pub(super) pid: String,
    pub(super) patient: String,
}

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct DemoFile {
    pub(super) url: String,
    pub(super) token_endpoint: String,
    pub(super) how_to_get_a_token: String,
    pub(super) persons: Vec<Person>,
    /// The regulator's case; empty until it is open.
    pub(super) case: String,
    pub(super) everybody: Vec<Who>,
    /// The clients by themselves, as `kiroku load --demo` reads them.
    pub(super) clients: Vec<ClientKey>,
}

impl DemoFile {
    pub(super) fn of(world: &World, url: &str) -> Self {
        let person = |citizen: &Citizen| Person {
            name: citizen.name.clone(),
            called: citizen.said.clone(),
            pid: citizen.pid.to_string(),
            patient: citizen.patient.clone(),
        };
        let everybody = world.everybody();
        let mut clients = vec![world.loader.clone()];
        for key in everybody.iter().filter_map(Who::client_key) {
            if clients.iter().all(|known| known.client_id != key.client_id) {
                clients.push(key.clone());
            }
        }
        Self {
            url: url.to_owned(),
            token_endpoint: format!("{url}/auth/token"),
            how_to_get_a_token: "kiroku demo --data DIR --token NAME prints one (NAME as in `everybody`, good for 300 s). By hand: a JWT \
                signed with the private key (ES384), as SMART Backend Services has it, to the token endpoint; for a person: POST \
                /auth/person/challenge, sign the nonce with the card, POST /auth/person/token"
                .to_owned(),
            persons: world.citizens.iter().map(person).collect(),
            case: String::new(),
            everybody,
            clients,
        }
    }

    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        write_private(&folder.join(NAME), serde_json::to_string_pretty(self)?.as_bytes())
    }

    pub(super) fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(NAME);
        let bytes = std::fs::read(&path).with_context(|| format!("reading `{}`", path.display()))?;
        serde_json::from_slice(&bytes).with_context(|| format!("`{}` was not written by this version", path.display()))
    }

    pub(super) async fn token(&self, name: &str) -> Result<String> {
        self.find(name)?.token(&Api::new(&self.url)).await
    }

    pub(super) async fn card_proof(&self, name: &str) -> Result<String> {
        self.find(name)?.card_proof(&Api::new(&self.url)).await
    }

    fn find(&self, name: &str) -> Result<&Who> {
        self.everybody.iter().find(|who| who.name == name).with_context(|| {
            let names: Vec<&str> = self.everybody.iter().map(|who| who.name.as_str()).collect();
            format!("nobody here is called `{name}`; there are {}", names.join(", "))
        })
    }
}

/// Writes a file that only its owner reads.
pub(super) fn write_private(path: &Path, bytes: &[u8]) -> Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes).with_context(|| format!("writing `{}`", path.display()))
}
