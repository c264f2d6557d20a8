//! What the derivation needs of the R4 definitions: elements with their types, implied code systems, search parameters.

use std::collections::HashMap;

use anyhow::Context;
use serde::Deserialize;

use crate::package;

#[derive(Deserialize)]
struct Bundle<T> {
    entry: Vec<Entry<T>>,
}

#[derive(Deserialize)]
struct Entry<T> {
    resource: T,
}

/// The parts of a R4 `SearchParameter` that matter here.
#[derive(Deserialize, Debug)]
pub(super) struct SearchParameter {
    pub url: String,
    pub code: String,
    pub base: Vec<String>,
    #[serde(rename = "type")]
    pub kind: String,
    pub expression: Option<String>,
    #[serde(default)]
    pub target: Vec<String>,
    #[serde(default)]
    pub component: Vec<Component>,
}

#[derive(Deserialize, Debug)]
pub(super) struct Component {
    pub definition: String,
    pub expression: String,
}

#[derive(Deserialize)]
struct Profile {
    #[serde(rename = "resourceType")]
    resource_type: String,
    #[serde(default)]
    snapshot: Snapshot,
}

#[derive(Deserialize, Default)]
struct Snapshot {
    element: Vec<ElementDefinition>,
}

#[derive(Deserialize)]
struct ElementDefinition {
    path: String,
    #[serde(rename = "type", default)]
    types: Vec<ElementType>,
    binding: Option<Binding>,
}

#[derive(Deserialize)]
struct ElementType {
    code: String,
}

#[derive(Deserialize)]
struct Binding {
    strength: String,
    #[serde(rename = "valueSet")]
    value_set: Option<String>,
}

#[derive(Deserialize)]
struct ValueSet {
    url: Option<String>,
    compose: Option<Compose>,
}

#[derive(Deserialize)]
struct Compose {
    #[serde(default)]
    include: Vec<Include>,
}

#[derive(Deserialize)]
struct Include {
    system: Option<String>,
}

/// One element: its types, and the code system that a required binding implies for a `code`.
#[derive(Debug, Default, Clone)]
pub(super) struct Element {
    pub types: Vec<String>,
    pub system: Option<String>,
}

/// The definitions, by path: `Observation.value[x]`, `HumanName.family`.
pub(super) struct Definitions {
    pub elements: HashMap<String, Element>,
    pub parameters: Vec<SearchParameter>,
}

impl Definitions {
    pub(super) fn load(package: &package::Definitions, hl7: &package::Definitions) -> anyhow::Result<Self> {
        let systems = systems_of_value_sets(package)?;
        let mut elements = HashMap::new();
        for file in ["profiles-types.json", "profiles-resources.json"] {
            let bundle: Bundle<serde_json::Value> = package.read(file)?;
            for entry in bundle.entry {
                if entry.resource["resourceType"] != "StructureDefinition" {
                    continue;
                }
                let profile: Profile = serde_json::from_value(entry.resource).context("a StructureDefinition")?;
                debug_assert_eq!(profile.resource_type, "StructureDefinition");
                for definition in profile.snapshot.element {
                    elements.entry(definition.path.clone()).or_insert_with(|| element(definition, &systems));
                }
            }
        }
        let bundle: Bundle<SearchParameter> = hl7.read("sp/search-parameters.json")?;
        Ok(Self { elements, parameters: bundle.entry.into_iter().map(|e| e.resource).collect() })
    }
}

fn element(definition: ElementDefinition, systems: &HashMap<String, String>) -> Element {
    let system = definition
        .binding
        .filter(|b| b.strength == "required")
        .and_then(|b| b.value_set)
        .and_then(|url| systems.get(url.split('|').next().unwrap_or_default()).cloned());
    // The ids of FHIRPath system types stand for plain strings.
    let types = definition.types.into_iter().map(|t| t.code.replace("http://hl7.org/fhirpath/System.String", "string"));
    Element { types: types.collect(), system }
}

/// Value sets that draw on exactly one code system: its URL.
fn systems_of_value_sets(package: &package::Definitions) -> anyhow::Result<HashMap<String, String>> {
    let bundle: Bundle<serde_json::Value> = package.read("valuesets.json")?;
    let mut systems = HashMap::new();
    for entry in bundle.entry {
        if entry.resource["resourceType"] != "ValueSet" {
            continue;
        }
        let value_set: ValueSet = serde_json::from_value(entry.resource).context("a ValueSet")?;
        if let (Some(url), Some(compose)) = (value_set.url, value_set.compose)
            && let [Include { system: Some(system) }] = compose.include.as_slice()
        {
            systems.insert(url, system.clone());
        }
    }
    Ok(systems)
}
