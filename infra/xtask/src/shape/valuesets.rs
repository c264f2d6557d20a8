//! Value sets that the package lists completely, spread out to their codes.

use std::collections::BTreeMap;

use roxmltree::{Document, Node};

use super::model::{child, children, resources, value};

/// A set with more codes than this is checked elsewhere or not at all.
const CODES_MAX: usize = 250;

/// Codes by system.
type Codes = BTreeMap<String, Vec<String>>;

#[derive(Default)]
pub(super) struct ValueSets {
    sets: BTreeMap<String, Vec<Include>>,
    systems: BTreeMap<String, Vec<String>>,
}

struct Include {
    system: Option<String>,
    codes: Vec<String>,
    imports: Vec<String>,
    /// Chosen by a filter, or an exclusion: not spread out.
    is_computed: bool,
}

impl ValueSets {
    /// Adds the sets and systems of one file.
    pub(super) fn read(&mut self, text: &str) -> anyhow::Result<()> {
        let document = Document::parse(text)?;
        for node in resources(&document, "CodeSystem") {
            if let (Some(url), Some("complete")) = (value(node, "url"), value(node, "content").as_deref()) {
                self.systems.insert(url, concepts(node));
            }
        }
        for node in resources(&document, "ValueSet") {
            if let (Some(url), Some(compose)) = (value(node, "url"), child(node, "compose")) {
                let mut includes: Vec<Include> = children(compose, "include").map(include).collect();
                includes.extend(children(compose, "exclude").map(|_| Include {
                    system: None,
                    codes: Vec::new(),
                    imports: Vec::new(),
                    is_computed: true,
                }));
                self.sets.insert(url, includes);
            }
        }
        Ok(())
    }

    /// `system code code ; system code`, or nothing where the set is open, large or not listed here.
    pub(super) fn expand(&self, url: &str) -> Option<String> {
        let mut codes = Codes::new();
        self.collect(url, &mut codes)?;
        let count: usize = codes.values().map(Vec::len).sum();
        if count == 0 || count > CODES_MAX || codes.values().flatten().any(|code| code.contains([' ', ';'])) {
            return None;
        }
        let parts: Vec<String> = codes.iter().map(|(system, codes)| format!("{system} {}", codes.join(" "))).collect();
        Some(parts.join(" ; "))
    }

    fn collect(&self, url: &str, into: &mut Codes) -> Option<()> {
        for include in self.sets.get(url)? {
            if include.is_computed {
                return None;
            }
            for imported in &include.imports {
                self.collect(imported.split('|').next()?, into)?;
            }
            let Some(system) = include.system.clone() else { continue };
            let codes = if include.codes.is_empty() { self.systems.get(&system)? } else { &include.codes };
            let known = into.entry(system).or_default();
            known.extend(codes.iter().cloned());
        }
        Some(())
    }
}

fn include(node: Node<'_, '_>) -> Include {
    Include {
        system: value(node, "system"),
        codes: concepts(node),
        imports: children(node, "valueSet").filter_map(|found| found.attribute("value")).map(str::to_owned).collect(),
        is_computed: child(node, "filter").is_some(),
    }
}

/// Codes of the concepts below `node`, also of those inside others.
fn concepts(node: Node<'_, '_>) -> Vec<String> {
    let mut codes = Vec::new();
    for concept in children(node, "concept") {
        codes.extend(value(concept, "code"));
        codes.extend(concepts(concept));
    }
    codes
}
