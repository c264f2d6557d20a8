//! Registering the persons that a load meets, each once.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result};
use bytes::Bytes;
use openssl::sha::sha256;
use serde_json::Value;
use tokio::sync::{Mutex, OnceCell};

use super::document::Document;
use super::report::Refused;
use super::send::Sender;

/// Registered, or refused with a reason; empty while under way.
type Met = Arc<OnceCell<Option<Refused>>>;

/// By the identifiers of the person; the cell makes others who meet the same person wait.
#[derive(Default)]
pub(super) struct Persons {
    met: Mutex<HashMap<[u8; 32], Met>>,
    registered: AtomicU64,
}

impl Persons {
    pub(super) fn registered(&self) -> u64 {
        self.registered.load(Ordering::Relaxed)
    }

    /// Registers whoever is in the document and was not met before; a refusal where the server does not take one.
    pub(super) async fn register(&self, sender: &Sender, document: &Document) -> Result<Option<Refused>> {
        for patient in document.patients() {
            let cell = self.met.lock().await.entry(key_of(patient)).or_default().clone();
            let refused = cell.get_or_try_init(|| self.send(sender, document, patient)).await?;
            if let Some(refused) = refused {
                return Ok(Some(Refused { file: document.name.clone(), ..refused.clone() }));
            }
        }
        Ok(None)
    }

    async fn send(&self, sender: &Sender, document: &Document, patient: &Value) -> Result<Option<Refused>> {
        // A lone Patient is sent as it is; of one inside a Bundle only what identifies the person, for the rest may refer
        // to other entries.
        let body = match document.resource_type() {
            "Patient" => document.bytes.clone(),
            _ => Bytes::from(patient.to_string()),
        };
        let mut hash = openssl::sha::Sha256::new();
        [sender.again().as_bytes(), b"\0", &body].iter().for_each(|part| hash.update(part));
        let key: String = hash.finish().iter().map(|b| format!("{b:02x}")).collect();
        let answer = sender.post("/fhir/Patient", &body, &format!("person-{key}")).await;
        let answer = answer.with_context(|| format!("registering the person of `{}`", document.name))?;
        match answer.status {
            200 | 201 => {
                self.registered.fetch_add(1, Ordering::Relaxed);
                Ok(None)
            }
            202 => Ok(Some(Refused {
                file: document.name.clone(),
                status: 202,
                path: "Patient".to_owned(),
                rule: "persons.register".to_owned(),
                message: "the person was not registered: the client needs the right persons.register".to_owned(),
            })),
            status => Ok(Some(Refused::of(&document.name, status, &answer.body))),
        }
    }
}

fn key_of(patient: &Value) -> [u8; 32] {
    let mut all: Vec<String> = Vec::new();
    for identifier in patient["identifier"].as_array().into_iter().flatten() {
        all.push(serde_json::json!([identifier["system"], identifier["value"]]).to_string());
    }
    all.sort_unstable();
    sha256(all.join("\n").as_bytes())
}
