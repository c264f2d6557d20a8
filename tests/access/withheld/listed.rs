//! The person's list of who looked, without what differs between any two entries.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tests::Citizen;

use super::Side;

/// Times, numbers, ids and proofs.
const FLEETING: [&str; 6] = ["no", "at", "logged_at", "proof", "request_id", "group"];

impl Side {
    /// Entries of reading, newest first, after the author has looked at all that it wrote: also at what the person was not told.
    pub(super) async fn listed(&self, own: &str, citizen: &Citizen) -> Result<Vec<Value>> {
        let hospital = &self.harness.hospital;
        let doctor = self.harness.token(hospital, &hospital.care()).await?;
        let looked = self.line.get(&doctor, &format!("/fhir/Observation?patient={}", citizen.patient)).await?;
        ensure!(looked.status == 200, "{}", looked.text);
        let list = self.line.get(own, "/me/accesses?kind=read,search&_count=500").await?;
        ensure!(list.status == 200, "{}", list.text);
        let plain = list.text.replace(&citizen.pid.to_string(), "PID").replace(&self.line.url, "BASE");
        let plain: Value = serde_json::from_str(&plain)?;
        let entries = plain["entries"].as_array().context("a list has entries")?;
        Ok(entries.iter().cloned().map(lasting).collect())
    }
}

fn lasting(mut entry: Value) -> Value {
    if let Some(fields) = entry.as_object_mut() {
        FLEETING.iter().for_each(|name| drop(fields.remove(*name)));
        if let Some(Value::String(sentence)) = fields.get_mut("sentence") {
            sentence.retain(|c| !c.is_ascii_digit());
        }
    }
    entry
}
