//! The committed table: numbers, aliases, composites, and its text.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use anyhow::Context;
use schemas::ResourceType;
use serde::{Deserialize, Serialize};

use super::compile::{Path, compile, compile_relative};
use super::model::{Definitions, SearchParameter};

/// Number of each parameter, by type and code; never changes once committed.
pub(super) type Numbers = BTreeMap<String, BTreeMap<String, u16>>;

/// One line of the table. `services/fhir/src/params.rs` reads it.
#[derive(Serialize, Debug, Default)]
struct Line {
    n: u16,
    code: String,
    kind: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    paths: Vec<Path>,
    /// Values stand under these parameters; nothing is stored under this one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    from: Vec<From>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    targets: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    components: Vec<ComponentLine>,
    /// A composite over the resource itself: one parameter per component, both on the same resource.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    split: Vec<u16>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    retired: bool,
}

#[derive(Serialize, Debug, Clone, PartialEq, Eq)]
struct From {
    n: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    only: Option<String>,
}

#[derive(Serialize, Debug, Clone, PartialEq, Eq)]
struct ComponentLine {
    kind: String,
    paths: Vec<Path>,
}

#[derive(Deserialize)]
struct Committed {
    types: BTreeMap<String, Vec<CommittedLine>>,
}

#[derive(Deserialize)]
struct CommittedLine {
    n: u16,
    code: String,
}

/// The numbers of the committed table; none if there is no table yet.
pub(super) fn numbers_of(committed: Option<&str>) -> anyhow::Result<Numbers> {
    let Some(text) = committed else { return Ok(Numbers::new()) };
    let table: Committed = serde_json::from_str(text).context("the committed table")?;
    let lines_of = |lines: Vec<CommittedLine>| lines.into_iter().map(|l| (l.code, l.n)).collect();
    Ok(table.types.into_iter().map(|(name, lines)| (name, lines_of(lines))).collect())
}

/// The text of the table: one line per parameter, so that a difference is readable.
pub(super) fn render(definitions: &Definitions, numbers: &Numbers) -> anyhow::Result<String> {
    let mut out = String::from(
        "{\n\"source\": \"HL7 FHIR R4 4.0.1 search-parameters.json (CC0), derived by `xtask fhir-search-params`\",\n\
         \"common\": {\n",
    );
    let common: Vec<_> = definitions
        .parameters
        .iter()
        .filter(|p| p.base.iter().any(|b| b == "Resource" || b == "DomainResource"))
        .map(|p| format!("{:?}: {:?}", p.code, p.kind))
        .collect();
    out.push_str(&common.join(",\n"));
    out.push_str("\n},\n\"types\": {\n");
    for (index, resource_type) in ResourceType::ALL.iter().enumerate() {
        let name = resource_type.as_str();
        let lines = lines_of_type(definitions, name, numbers.get(name)).with_context(|| name.to_owned())?;
        writeln!(out, "\"{name}\": [")?;
        let texts: Result<Vec<_>, _> = lines.iter().map(serde_json::to_string).collect();
        out.push_str(&texts?.join(",\n"));
        out.push_str(if index + 1 == ResourceType::ALL.len() { "\n]\n" } else { "\n],\n" });
    }
    out.push_str("}\n}\n");
    Ok(out)
}

fn lines_of_type(
    definitions: &Definitions,
    name: &str,
    committed: Option<&BTreeMap<String, u16>>,
) -> anyhow::Result<Vec<Line>> {
    let mut parameters: Vec<&SearchParameter> =
        definitions.parameters.iter().filter(|p| p.base.iter().any(|b| b == name)).collect();
    parameters.sort_by(|a, b| a.code.cmp(&b.code));
    let mut next = committed.and_then(|c| c.values().max()).map_or(0, |n| n + 1);
    let mut lines = Vec::new();
    for parameter in &parameters {
        let n = committed.and_then(|c| c.get(&parameter.code)).copied().unwrap_or_else(|| {
            next += 1;
            next - 1
        });
        let expression = parameter.expression.as_deref().unwrap_or_default();
        let mut paths = compile(definitions, name, &parameter.kind, expression)
            .with_context(|| format!("parameter `{}`", parameter.code))?;
        for path in paths.iter_mut().filter(|p| p.data_type == "Resource") {
            path.only = parameter.target.first().cloned();
        }
        let targets = parameter.target.iter().filter(|t| t.parse::<ResourceType>().is_ok()).cloned().collect();
        let (code, kind) = (parameter.code.clone(), parameter.kind.clone());
        lines.push(Line { n, code, kind, paths, targets, ..Line::default() });
    }
    for (code, &n) in committed.into_iter().flatten() {
        if !lines.iter().any(|l| l.code == *code) {
            lines.push(Line { n, code: code.clone(), kind: "special".into(), retired: true, ..Line::default() });
        }
    }
    alias(&mut lines);
    for parameter in parameters.iter().filter(|p| p.kind == "composite") {
        compose(definitions, name, parameter, &mut lines).with_context(|| format!("composite `{}`", parameter.code))?;
    }
    lines.sort_by_key(|l| l.n);
    Ok(lines)
}

/// A parameter whose places are those of others needs no values of its own: headers stay small.
fn alias(lines: &mut [Line]) {
    let mut order: Vec<usize> = (0..lines.len()).filter(|&i| !lines[i].paths.is_empty()).collect();
    order.sort_by_key(|&i| (lines[i].paths.iter().any(|p| p.only.is_some()), lines[i].paths.len(), lines[i].n));
    for (at, &index) in order.iter().enumerate() {
        let line = &lines[index];
        let only = line.paths[0].only.clone();
        let wanted: Vec<Path> = line.paths.iter().map(|p| Path { only: None, ..p.clone() }).collect();
        let mut from = Vec::new();
        let mut covered: Vec<&Path> = Vec::new();
        for &other in &order[..at] {
            let primary = &lines[other];
            let fits = primary.kind == line.kind
                && primary.from.is_empty()
                && primary.paths.iter().all(|p| wanted.contains(p));
            if fits && !primary.paths.iter().all(|p| covered.contains(&p)) {
                from.push(From { n: primary.n, only: only.clone() });
                covered.extend(&primary.paths);
            }
        }
        if wanted.iter().all(|p| covered.contains(&p)) {
            lines[index].from = from;
        }
    }
    for line in lines.iter_mut().filter(|l| !l.from.is_empty()) {
        line.paths.clear();
    }
}

fn compose(
    definitions: &Definitions,
    name: &str,
    parameter: &SearchParameter,
    lines: &mut [Line],
) -> anyhow::Result<()> {
    let by_url: HashMap<&str, &SearchParameter> = definitions.parameters.iter().map(|p| (p.url.as_str(), p)).collect();
    let mut this = Line::default();
    for root in parameter.expression.as_deref().unwrap_or_default().split(" | ") {
        let mut components = Vec::new();
        for component in &parameter.component {
            let part = *by_url.get(component.definition.as_str()).context("a component that is no parameter")?;
            let mut paths = compile_relative(definitions, root, &part.kind, &component.expression)?;
            if paths.is_empty() {
                // `DocumentReference.relationship` in R4 has its two expressions swapped: the part's own expression decides.
                paths = compile(definitions, root, &part.kind, part.expression.as_deref().unwrap_or_default())?;
            }
            components.push(ComponentLine { kind: part.kind.clone(), paths });
        }
        let split: Option<Vec<u16>> = components
            .iter()
            .map(|c| lines.iter().find(|l| l.paths == c.paths && !c.paths.is_empty()).map(|l| l.n))
            .collect();
        match split {
            Some(split) if root == name => this.split = split,
            _ => store(&mut this, name, root, &components, lines),
        }
        this.components = components;
    }
    let line = lines.iter_mut().find(|l| l.code == parameter.code).context("a composite has its line")?;
    (line.paths, line.from, line.split, line.components) = (this.paths, this.from, this.split, this.components);
    Ok(())
}

/// Values of this root are stored, once: a second composite over the same root and components reads those of the first.
fn store(this: &mut Line, name: &str, root: &str, components: &[ComponentLine], lines: &[Line]) {
    let at = root.strip_prefix(name).unwrap_or_default().trim_start_matches('.').to_owned();
    let path = Path { at, data_type: "composite".into(), filter: None, only: None, system: None };
    let same = lines.iter().find(|l| l.paths.first() == Some(&path) && l.components == components);
    match same {
        Some(line) => this.from.push(From { n: line.n, only: None }),
        None => this.paths.push(path),
    }
}

#[cfg(test)]
mod tests {
    use super::super::model::Element;
    use super::*;

    fn definitions(codes: &[(&str, &str, &str)]) -> Definitions {
        let parameter = |(code, kind, expression): &(&str, &str, &str)| SearchParameter {
            url: format!("http://test/{code}"),
            code: (*code).to_owned(),
            base: vec!["Observation".into()],
            kind: (*kind).to_owned(),
            expression: Some((*expression).to_owned()),
            target: vec!["Patient".into(), "Group".into()],
            component: vec![],
        };
        let element = |types: &[&str]| Element { types: types.iter().map(|t| (*t).to_owned()).collect(), system: None };
        let elements = [
            ("Observation.subject", element(&["Reference"])),
            ("Observation.value[x]", element(&["Quantity", "string"])),
        ];
        let elements = elements.into_iter().map(|(path, element)| (path.to_owned(), element)).collect();
        Definitions { elements, parameters: codes.iter().map(parameter).collect() }
    }

    const SUBJECT: (&str, &str, &str) = ("subject", "reference", "Observation.subject");
    const PATIENT: (&str, &str, &str) = ("patient", "reference", "Observation.subject.where(resolve() is Patient)");

    #[test]
    fn a_number_is_kept_when_parameters_come_and_go() {
        let first = render(&definitions(&[SUBJECT, PATIENT]), &Numbers::new()).unwrap();
        let numbers = numbers_of(Some(&first)).unwrap();
        assert_eq!((numbers["Observation"]["patient"], numbers["Observation"]["subject"]), (0, 1));
        let value = ("a-value", "quantity", "(Observation.value as Quantity)");
        let next = render(&definitions(&[value, SUBJECT]), &numbers).unwrap();
        let later = numbers_of(Some(&next)).unwrap();
        assert_eq!((later["Observation"]["subject"], later["Observation"]["a-value"]), (1, 2));
        assert!(next.contains(r#"{"n":0,"code":"patient","kind":"special","retired":true}"#), "{next}");
        assert!(next.contains(r#"{"at":"valueQuantity","type":"Quantity"}"#), "{next}");
    }

    #[test]
    fn a_parameter_over_the_places_of_another_stores_nothing_of_its_own() {
        let table = render(&definitions(&[SUBJECT, PATIENT]), &Numbers::new()).unwrap();
        assert!(table.contains(
            r#"{"n":0,"code":"patient","kind":"reference","from":[{"n":1,"only":"Patient"}],"targets":["Patient"]}"#
        ));
    }
}
