//! Transaction Bundles.

use serde_json::{Value, json};

use super::{Kind, Subject, patient};
use crate::population::Population;
use crate::population::dice::{Dice, Domain};
use crate::population::person::{MEMBER_ID_SYSTEM, Person};

impl Population {
    /// A transaction of the person's nearest hospital: the Patient (created only if the hospital has none with this
    /// member id), then `n` resources in the mix of a history, which refer to it by `urn:uuid`.
    pub fn transaction(&self, person: &Person, n: u64) -> Value {
        let mut dice = Dice::open(self.seed(), Domain::Transaction, person.index, n);
        let facility = self.facility_near(person, 0);
        let patient_url = format!("urn:uuid:{}", dice.uuid());
        let condition = identifier_query(MEMBER_ID_SYSTEM, &person.member_id());
        let mut entries = vec![json!({
            "fullUrl": patient_url,
            "resource": patient(person, &facility, self.today()),
            "request": {"method": "POST", "url": "Patient", "ifNoneExist": condition},
        })];
        let subject = Subject::Reference(patient_url);
        for k in 0..n {
            let kind = Kind::thrown(&mut dice);
            let resource = self.item(kind, person, &subject, k);
            let url = resource["resourceType"].clone();
            entries.push(json!({
                "fullUrl": format!("urn:uuid:{}", dice.uuid()),
                "resource": resource,
                "request": {"method": "POST", "url": url},
            }));
        }
        json!({"resourceType": "Bundle", "type": "transaction", "entry": entries})
    }
}

/// The search `identifier=system|value` as `ifNoneExist` and URLs want it, percent-encoded.
pub fn identifier_query(system: &str, value: &str) -> String {
    format!("identifier={}", percent_encoded(&format!("{system}|{value}")))
}

/// Percent-encodes everything but unreserved characters (RFC 3986).
fn percent_encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}
