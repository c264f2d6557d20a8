//! `kiroku registry card`: public keys of persons' cards.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Subcommand;
use schemas::Pid;
use schemas::authority::AuthorityEvent;

use super::{State, Step};

#[derive(Subcommand)]
pub(super) enum Verb {
    /// Register the card of a person; it replaces the card that she had.
    Add {
        pid: Pid,
        /// Public key of the card: SubjectPublicKeyInfo in PEM.
        #[arg(long)]
        public_key_file: PathBuf,
    },
    /// Take the card of a person away (lost, stolen, expired).
    Remove { pid: Pid },
    /// The card of a person.
    Show { pid: Pid },
}

impl Verb {
    pub(super) fn reads_only(&self) -> bool {
        matches!(self, Self::Show { .. })
    }

    pub(super) fn step(self, state: &State) -> Result<Step> {
        Ok(match self {
            Self::Add { pid, public_key_file } => {
                let path = public_key_file.display();
                let public_key =
                    std::fs::read_to_string(&public_key_file).with_context(|| format!("reading `{path}`"))?;
                Step::Append(vec![AuthorityEvent::Card { pid, public_key }])
            }
            Self::Remove { pid } => {
                state.card(pid).context("the registry holds no card of this person")?;
                Step::Append(vec![AuthorityEvent::Card { pid, public_key: String::new() }])
            }
            Self::Show { pid } => {
                let card = state.card(pid).context("the registry holds no card of this person")?;
                Step::Answer(serde_json::json!({"pid": pid, "id": card.id, "public_key": card.public_key}))
            }
        })
    }
}
