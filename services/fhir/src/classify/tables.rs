//! The two committed tables, read once.

use std::collections::{BTreeMap, HashMap};

use schemas::ResourceType;
use schemas::vocab::{Category, Label};
use serde::Deserialize;

use crate::json::Node;
use crate::systems;

pub(super) const CATEGORIES: &str = include_str!("../../definitions/categories.toml");
pub(super) const SENSITIVE: &str = include_str!("../../definitions/sensitive.toml");

#[derive(Deserialize)]
struct CategoryFile {
    rule: Vec<Rule>,
}

#[derive(Deserialize)]
struct Rule {
    #[serde(rename = "type")]
    resource_type: ResourceType,
    category: Category,
    #[serde(default)]
    class: String,
    #[serde(default)]
    when: Vec<Condition>,
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Condition {
    at: String,
    is: Vec<String>,
    systems: Vec<String>,
    codes: Vec<String>,
    prefixes: Vec<String>,
}

/// `categories.toml`, by type.
pub(super) struct CategoryTable {
    rules: HashMap<ResourceType, Vec<Rule>>,
}

impl CategoryTable {
    pub(super) fn read(text: &str) -> Self {
        let file: CategoryFile = toml::from_str(text).expect("the committed table of categories is well formed");
        let mut rules: HashMap<ResourceType, Vec<Rule>> = HashMap::new();
        for rule in file.rule {
            rules.entry(rule.resource_type).or_default().push(rule);
        }
        Self { rules }
    }

    pub(super) fn find(&self, resource_type: ResourceType, resource: &Node) -> Option<(Category, &str)> {
        let rules = self.rules.get(&resource_type)?;
        let rule = rules.iter().find(|rule| rule.when.iter().all(|condition| condition.holds(resource)))?;
        Some((rule.category, &rule.class))
    }
}

impl Condition {
    fn holds(&self, resource: &Node) -> bool {
        let mut held = false;
        descend(resource, &self.at, &mut |node| held = held || self.fits(node));
        held
    }

    fn fits(&self, node: &Node) -> bool {
        match node {
            Node::String(text) => {
                self.is.iter().any(|is| is == text) || self.prefixes.iter().any(|p| text.starts_with(p.as_str()))
            }
            Node::Object(_) => match node.get("coding") {
                Some(codings) => codings.items().iter().any(|coding| self.fits_coding(coding)),
                None => self.fits_coding(node),
            },
            _ => false,
        }
    }

    fn fits_coding(&self, coding: &Node) -> bool {
        let text = |name| coding.get(name).and_then(Node::as_str).unwrap_or_default();
        let system = systems::canonical(text("system"));
        let right_system = self.systems.is_empty() || self.systems.iter().any(|s| s == system);
        let code = text("code");
        let any_code = self.codes.is_empty() && self.prefixes.is_empty();
        right_system
            && (any_code
                || self.codes.iter().any(|c| c == code)
                || self.prefixes.iter().any(|p| code.starts_with(p.as_str())))
    }
}

/// Calls `found` with each element at `path` (names joined by dots), arrays walked.
pub(super) fn descend<'a>(node: &'a Node, path: &str, found: &mut dyn FnMut(&'a Node)) {
    if let Node::Array(items) = node {
        items.iter().for_each(|item| descend(item, path, found));
    } else if path.is_empty() {
        found(node);
    } else {
        let (step, rest) = path.split_once('.').unwrap_or((path, ""));
        if let Some(child) = node.get(step) {
            descend(child, rest, found);
        }
    }
}

#[derive(Deserialize)]
struct SensitiveFile {
    value_set: Vec<ValueSet>,
    sent: Vec<Sent>,
    group: Vec<Group>,
}

#[derive(Deserialize)]
struct ValueSet {
    label: Label,
    systems: Vec<String>,
    #[serde(default)]
    codes: Vec<String>,
    #[serde(default)]
    prefixes: Vec<String>,
}

#[derive(Deserialize)]
struct Sent {
    system: String,
    labels: BTreeMap<String, Label>,
}

#[derive(Deserialize)]
struct Group {
    name: String,
    systems: Vec<String>,
}

/// `sensitive.toml`, by code system.
pub(super) struct SensitiveTable {
    by_system: HashMap<String, SystemCodes>,
    sent: HashMap<String, BTreeMap<String, Label>>,
}

#[derive(Default)]
struct SystemCodes {
    codes: HashMap<String, Label>,
    prefixes: Vec<(String, Label)>,
}

impl SensitiveTable {
    pub(super) fn read(text: &str) -> Self {
        let file: SensitiveFile = toml::from_str(text).expect("the committed table of sensitive codes is well formed");
        let mut by_system: HashMap<String, SystemCodes> = HashMap::new();
        for set in &file.value_set {
            let spelt = set.systems.iter().flat_map(|name| match file.group.iter().find(|g| g.name == *name) {
                Some(group) => group.systems.clone(),
                None => vec![name.clone()],
            });
            for system in spelt {
                let codes = by_system.entry(system).or_default();
                codes.codes.extend(set.codes.iter().map(|code| (code.clone(), set.label)));
                codes.prefixes.extend(set.prefixes.iter().map(|prefix| (prefix.clone(), set.label)));
            }
        }
        Self { by_system, sent: file.sent.into_iter().map(|sent| (sent.system, sent.labels)).collect() }
    }

    pub(super) fn sent(&self, system: &str, code: &str) -> Option<Label> {
        self.sent.get(system)?.get(code).copied()
    }

    /// Labels of every coding in `node` and below it: by value set, and as sent in `meta`.
    pub(super) fn collect(&self, node: &Node, labels: &mut Vec<Label>) {
        match node {
            Node::Array(items) => items.iter().for_each(|item| self.collect(item, labels)),
            Node::Object(members) => {
                if let (Some(Node::String(system)), Some(Node::String(code))) = (node.get("system"), node.get("code")) {
                    self.collect_coding(system, code, labels);
                }
                for (name, value) in members {
                    match name.as_str() {
                        "meta" => self.collect_meta(value, labels),
                        _ => self.collect(value, labels),
                    }
                }
            }
            _ => {}
        }
    }

    fn collect_coding(&self, system: &str, code: &str, labels: &mut Vec<Label>) {
        let Some(codes) = self.by_system.get(systems::canonical(system)) else { return };
        let plain: String;
        let code = match code.contains('.') {
            true => {
                plain = code.replace('.', "");
                &plain
            }
            false => code,
        };
        labels.extend(codes.codes.get(code));
        labels.extend(
            codes.prefixes.iter().filter(|(prefix, _)| code.starts_with(prefix.as_str())).map(|(_, label)| label),
        );
    }

    fn collect_meta(&self, meta: &Node, labels: &mut Vec<Label>) {
        for list in ["security", "tag"] {
            for coding in meta.get(list).map(Node::items).unwrap_or_default() {
                let text = |name| coding.get(name).and_then(Node::as_str).unwrap_or_default();
                labels.extend(self.sent(text("system"), text("code")));
            }
        }
    }
}
