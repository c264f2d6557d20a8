//! Examples of others, each wrapped so that it concerns one registered person.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};

/// Where the names of a wrapped example's entries begin.
const BASE: &str = "http://example.org/fhir";
pub(crate) const COMMONS: [&str; 4] = ["Organization", "Practitioner", "PractitionerRole", "Location"];

/// How an example is sent.
pub(crate) struct Wrapped {
    /// The person's Patient as it is registered before; `None` for commons.
    pub(crate) patient: Option<Value>,
    /// Path below `/fhir`, empty for a transaction.
    pub(crate) path: &'static str,
    pub(crate) body: Value,
}

/// A folder of examples: file names and contents.
pub(crate) struct Folder {
    pub(crate) files: BTreeMap<String, Value>,
}

impl Folder {
    /// Reads every JSON file below a folder.
    pub(crate) fn read(folder: &Path) -> Result<Self> {
        let mut files = BTreeMap::new();
        for path in json_files(folder)? {
            let value = serde_json::from_slice(&std::fs::read(&path)?).with_context(|| path.display().to_string())?;
            files.insert(path.strip_prefix(folder)?.display().to_string(), value);
        }
        Ok(Self { files })
    }

    /// The example as it is sent. A single resource goes with its Patient in a collection, as a facility hands over a stray
    /// record: what it refers to outside stays as it was written.
    pub(crate) fn wrap(&self, example: &Value) -> Wrapped {
        let kind = example["resourceType"].as_str().unwrap_or_default();
        match (kind, example["type"].as_str().unwrap_or_default()) {
            ("Bundle", "transaction" | "batch") => {
                Wrapped { patient: self.patient_of(example), path: "", body: example.clone() }
            }
            ("Bundle", "collection") if of_commons(example) => {
                Wrapped { patient: None, path: "", body: transaction(example) }
            }
            ("Bundle", "collection") if patient_inside(example).is_none() => {
                let patient = self.patient_or_made_up(example);
                Wrapped { path: "Bundle", body: with_patient(example, &patient), patient: Some(patient) }
            }
            ("Bundle", _) => Wrapped { patient: self.patient_of(example), path: "Bundle", body: example.clone() },
            _ if COMMONS.contains(&kind) => Wrapped { patient: None, path: "", body: alone(example) },
            ("Patient", _) => {
                let patient = registrable(example.clone());
                Wrapped { path: "Bundle", body: with_patient(&collection(), &patient), patient: Some(patient) }
            }
            _ => {
                let patient = self.patient_or_made_up(example);
                let mut body = with_patient(&collection(), &patient);
                push(&mut body, entry(example));
                Wrapped { patient: Some(patient), path: "Bundle", body }
            }
        }
    }

    fn patient_of(&self, example: &Value) -> Option<Value> {
        patient_inside(example).cloned().or_else(|| self.referred(example)).map(registrable)
    }

    /// The Patient that goes with an example. Faces are not kept here, and this one's is no part of the example.
    fn patient_or_made_up(&self, example: &Value) -> Value {
        let found = self.patient_of(example);
        let id = first_patient(example).filter(|id| id.len() <= 64 && !id.contains('@'));
        let id = id.unwrap_or_else(|| "example".to_owned());
        let mut patient = found.unwrap_or_else(|| registrable(json!({"resourceType": "Patient", "id": id})));
        if let Some(members) = patient.as_object_mut() {
            members.remove("photo");
        }
        patient
    }

    /// The Patient file of the folder that the example refers to.
    fn referred(&self, example: &Value) -> Option<Value> {
        let id = first_patient(example)?;
        self.files.values().find(|file| file["resourceType"] == "Patient" && file["id"] == id.as_str()).cloned()
    }
}

/// A Patient with what a registration needs: an identifier and a birth date.
fn registrable(mut patient: Value) -> Value {
    if !has_identifier(&patient) {
        let id = patient["id"].as_str().unwrap_or("none").to_owned();
        patient["identifier"] = json!([{"system": "http://example.org/real-input", "value": id}]);
    }
    if !patient["birthDate"].is_string() {
        patient["birthDate"] = json!("1970-01-01");
    }
    patient
}

/// Whether a Patient can be told by a whole identifier.
pub(crate) fn has_identifier(patient: &Value) -> bool {
    let whole = |i: &Value| i["system"].is_string() && i["value"].is_string();
    patient["identifier"].as_array().is_some_and(|all| all.iter().any(whole))
}

fn collection() -> Value {
    json!({"resourceType": "Bundle", "type": "collection", "entry": []})
}

fn entry(resource: &Value) -> Value {
    let id = resource["id"].as_str().unwrap_or("none");
    json!({"fullUrl": format!("{BASE}/{}/{id}", resource["resourceType"].as_str().unwrap_or_default()), "resource": resource})
}

fn push(bundle: &mut Value, entry: Value) {
    if let Some(entries) = bundle["entry"].as_array_mut() {
        entries.push(entry);
    }
}

fn with_patient(bundle: &Value, patient: &Value) -> Value {
    let mut bundle = bundle.clone();
    if let Some(entries) = bundle["entry"].as_array_mut() {
        entries.insert(0, entry(patient));
    }
    bundle
}

/// The resources inside a Bundle.
pub(crate) fn resources(bundle: &Value) -> impl Iterator<Item = &Value> {
    bundle["entry"].as_array().into_iter().flatten().map(|entry| &entry["resource"])
}

/// The first Patient inside a Bundle.
pub(crate) fn patient_inside(bundle: &Value) -> Option<&Value> {
    resources(bundle).find(|resource| resource["resourceType"] == "Patient")
}

fn of_commons(bundle: &Value) -> bool {
    resources(bundle).all(|resource| resource["resourceType"].as_str().is_some_and(|kind| COMMONS.contains(&kind)))
}

/// Creates of all that a collection holds.
fn transaction(bundle: &Value) -> Value {
    let mut sent = json!({"resourceType": "Bundle", "type": "transaction", "entry": []});
    for resource in resources(bundle) {
        let mut entry = entry(resource);
        entry["request"] = json!({"method": "POST", "url": resource["resourceType"]});
        push(&mut sent, entry);
    }
    sent
}

fn alone(resource: &Value) -> Value {
    transaction(&json!({"entry": [{"resource": resource}]}))
}

/// Id of the first Patient that is referred to, in the order of the text.
fn first_patient(value: &Value) -> Option<String> {
    match value {
        Value::Object(members) => {
            let own = members.get("reference").and_then(Value::as_str);
            let own = own.and_then(|text| text.rsplit_once("Patient/")).map(|(_, id)| id.to_owned());
            own.or_else(|| members.values().find_map(first_patient))
        }
        Value::Array(items) => items.iter().find_map(first_patient),
        _ => None,
    }
}

fn json_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "json") {
                found.push(path);
            }
        }
    }
    Ok(found)
}
