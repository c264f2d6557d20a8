//! `kiroku registry client`: systems and their keys.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use chassis::auth::Alg;
use chassis::auth::client::generate_key;
use clap::Subcommand;
use schemas::authority::{Client, Status};
use serde_json::{Value, json};

use crate::api::ClientKey;

#[derive(Subcommand)]
pub(super) enum Verb {
    #[command(flatten)]
    Entry(super::Verb<Add>),
    /// Make a key (ES384) for a client: a file for `kiroku load --client`, and the key set for `client add --jwks-file`.
    NewKey(NewKey),
}

#[derive(clap::Args)]
pub(super) struct Add {
    /// Unique; what its assertions name as issuer.
    id: String,
    /// Default: the id.
    #[arg(long)]
    name: Option<String>,
    /// Whose system it is: a registered organisation.
    #[arg(long)]
    organisation: String,
    /// JSON Web Key Set with public keys only; while a key is replaced, with the old one and the new one.
    #[arg(long, required_unless_present = "jwks_url", conflicts_with = "jwks_url")]
    jwks_file: Option<PathBuf>,
    /// Where the client publishes its key set; fetched again when a key is not known.
    #[arg(long)]
    jwks_url: Option<String>,
    /// records.write, records.read, persons.register, visits, ...; may be repeated.
    #[arg(long = "right")]
    rights: Vec<String>,
    /// SMART v2 scope that it may ask for; may be repeated.
    #[arg(long = "scope", default_values_t = ["system/*.cruds".to_owned(), "user/*.cruds".to_owned(), "patient/*.cruds".to_owned()])]
    scopes: Vec<String>,
    /// SHA-256 thumbprint (hex) of the client certificate that it must present.
    #[arg(long, default_value = "", hide_default_value = true)]
    certificate_sha256: String,
    /// The professional who answers for its automatic work.
    #[arg(long, default_value = "", hide_default_value = true)]
    responsible: String,
    /// Organisation for which it may write as an agent (R46); may be repeated.
    #[arg(long = "agent-of")]
    agent_of: Vec<String>,
}

#[derive(clap::Args)]
pub(super) struct NewKey {
    /// Id of the client.
    id: String,
    /// Its organisation.
    #[arg(long)]
    organisation: String,
    /// File for the private key (mode 0600, never replaced); the public key set is written beside it as FILE.jwks.
    #[arg(long)]
    out: PathBuf,
}

impl super::Add for Add {
    type Entry = Client;

    fn entry(self) -> Result<Client> {
        let jwks = match &self.jwks_file {
            Some(path) => std::fs::read_to_string(path).with_context(|| format!("reading `{}`", path.display()))?,
            None => String::new(),
        };
        Ok(Client {
            name: self.name.unwrap_or_else(|| self.id.clone()),
            id: self.id.as_str().into(),
            organisation: self.organisation.as_str().into(),
            jwks,
            jwks_url: self.jwks_url.unwrap_or_default(),
            rights: self.rights,
            scopes: self.scopes,
            status: Status::Active,
            certificate_sha256: self.certificate_sha256,
            responsible: self.responsible.as_str().into(),
            agent_of: self.agent_of.iter().map(|id| id.as_str().into()).collect(),
        })
    }
}

impl NewKey {
    pub(super) fn run(&self) -> Result<Value> {
        let (private_key, jwks) = generate_key(Alg::Es384)?;
        let key = ClientKey { client_id: self.id.clone(), organisation: self.organisation.clone(), private_key };
        let mut public = self.out.clone().into_os_string();
        public.push(".jwks");
        let public = PathBuf::from(public);
        write_new(&self.out, &serde_json::to_string_pretty(&key)?, 0o600)?;
        write_new(&public, &jwks, 0o644)?;
        let jwks: Value = serde_json::from_str(&jwks)?;
        Ok(json!({"private_key_file": self.out, "jwks_file": public, "jwks": jwks}))
    }
}

fn write_new(path: &Path, text: &str, mode: u32) -> Result<()> {
    let opened = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    let mut file = match opened {
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
            bail!("`{}` exists; a key is never replaced", path.display())
        }
        other => other.with_context(|| format!("writing `{}`", path.display()))?,
    };
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .with_context(|| format!("writing `{}`", path.display()))
}
