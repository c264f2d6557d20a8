//! The Rego sources: every rule of the issue is annotated, and says which attributes it uses.

use std::collections::{BTreeMap, BTreeSet};

use crate::support::root;

const RULES: [&str; 26] = [
    "R01", "R02", "R03", "R04", "R10", "R10a", "R10p", "R11", "R12", "R13", "R14", "R15", "R16", "R19", "R20", "R22",
    "R25", "R27", "R43", "R46", "R47", "R48", "R49", "R50", "R51", "R59",
];

/// One annotated section: its id, the attributes that it declares, those that it uses.
struct Section {
    file: String,
    id: String,
    rule: bool,
    declared: BTreeSet<String>,
    used: BTreeSet<String>,
}

/// `input.a.b`, two names deep: finer paths are the rule's own business.
fn attributes(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for line in text.lines().filter(|l| !l.trim_start().starts_with('#')) {
        for part in line.split("input.").skip(1) {
            let path: String =
                part.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_' || *c == '.').collect();
            found.insert(path.trim_end_matches('.').split('.').take(2).collect::<Vec<_>>().join("."));
        }
    }
    found
}

fn sections() -> Vec<Section> {
    let mut sections = Vec::new();
    for entry in std::fs::read_dir(root().join("rego/kiroku")).expect("sources are there") {
        let path = entry.expect("a folder can be listed").path();
        let file = path.file_name().expect("a name").to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).expect("a source is readable");
        for part in text.split("# METADATA").skip(2) {
            let value = |key: &str| {
                part.lines()
                    .find_map(|l| l.strip_prefix("#   ")?.strip_prefix(key)?.strip_prefix(": "))
                    .map(str::to_owned)
            };
            let rule = value("rule");
            let id =
                rule.clone().or_else(|| value("helper")).unwrap_or_else(|| panic!("{file}: neither rule nor helper"));
            if rule.is_some() {
                assert!(
                    part.contains("# title: ") && value("title_ja").is_some() && value("source").is_some(),
                    "{file}: {id}"
                );
            }
            let listed = value("attributes").unwrap_or_default();
            let declared =
                listed.trim_matches(['[', ']']).split(", ").filter(|a| !a.is_empty()).map(str::to_owned).collect();
            sections.push(Section { file: file.clone(), id, rule: rule.is_some(), declared, used: attributes(part) });
        }
    }
    sections
}

#[test]
fn every_rule_of_the_issue_is_annotated() {
    let found: BTreeSet<String> = sections().into_iter().filter(|s| s.rule).map(|s| s.id).collect();
    // R12 is a limit inside R10, R10a, R19 and R20 and stands with the helper that opens labels.
    let missing: Vec<_> = RULES.iter().filter(|r| !found.contains(**r)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_section_declares_the_attributes_it_uses() {
    let mut wrong = BTreeMap::new();
    for section in sections().into_iter().filter(|s| s.declared != s.used) {
        let wanted = section.used.iter().cloned().collect::<Vec<_>>().join(", ");
        wrong.insert(format!("{} {}", section.file, section.id), format!("attributes: [{wanted}]"));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_term_stands_in_the_sources_as_a_number() {
    for entry in std::fs::read_dir(root().join("rego/kiroku")).expect("sources are there") {
        let path = entry.expect("a folder can be listed").path();
        for line in std::fs::read_to_string(&path).expect("a source is readable").lines() {
            let code = line.split('#').next().unwrap_or_default();
            let large =
                code.split(|c: char| !c.is_ascii_alphanumeric()).any(|w| w.len() > 2 && w.parse::<u64>().is_ok());
            assert!(!large, "{}: {line}", path.display());
        }
    }
}
