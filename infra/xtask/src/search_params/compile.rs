//! The subset of FHIRPath that R4 search parameters use, compiled to JSON member paths.

use anyhow::{Context, bail};
use serde::Serialize;

use super::model::{Definitions, Element};

/// Where values stand: `at` are JSON member names joined by dots (arrays are walked), `type` the data type found there.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(super) struct Path {
    pub at: String,
    #[serde(rename = "type")]
    pub data_type: String,
    /// Only elements whose member has this value (`system` = `phone`).
    #[serde(rename = "where", skip_serializing_if = "Option::is_none")]
    pub filter: Option<(String, String)>,
    /// Only references to this type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub only: Option<String>,
    /// The code system that a required binding implies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
}

/// The types from which a parameter of this kind takes values; others of a choice give none (a `string` has no date).
fn kinds_types(kind: &str) -> &'static [&'static str] {
    match kind {
        "date" => &["date", "dateTime", "instant", "Period", "Timing"],
        "token" => &[
            "code",
            "Coding",
            "CodeableConcept",
            "Identifier",
            "ContactPoint",
            "boolean",
            "string",
            "id",
            "uri",
            "exists",
        ],
        "string" => &["string", "markdown", "HumanName", "Address"],
        "reference" => &["Reference", "canonical", "Resource"],
        "quantity" => &["Quantity", "Age", "Duration", "Money", "Range"],
        "uri" => &["uri", "url", "canonical", "oid"],
        _ => &[],
    }
}

/// Compiles the alternatives of `expression` that start at `root` (a type, or a path within one).
pub(super) fn compile(
    definitions: &Definitions,
    root: &str,
    kind: &str,
    expression: &str,
) -> anyhow::Result<Vec<Path>> {
    let mut paths = Vec::new();
    for alternative in expression.split(" | ") {
        let alternative = as_function(alternative.trim());
        let alternative = alternative.as_str();
        if let Some(steps) = strip_root(alternative, root) {
            let found = walk(definitions, root, &steps).with_context(|| format!("`{alternative}`"))?;
            paths.extend(found.into_iter().filter(|p| kinds_types(kind).contains(&p.data_type.as_str())));
        }
    }
    Ok(paths)
}

/// `(Observation.value as Quantity)` is `(Observation.value.as(Quantity))`.
fn as_function(alternative: &str) -> String {
    match alternative.split_once(" as ").and_then(|(path, rest)| Some((path, rest.split_once(')')?))) {
        Some((path, (data_type, rest))) => format!("{path}.as({data_type})){rest}"),
        None => alternative.to_owned(),
    }
}

/// The expression without parentheses and without its root; `None` if it starts at another type.
fn strip_root(alternative: &str, root: &str) -> Option<String> {
    if alternative == format!("{root}.deceased.exists() and {root}.deceased != false") {
        return Some("deceased.exists()".to_owned());
    }
    let inner = match alternative.strip_prefix('(') {
        Some(rest) => rest.replacen("))", ")", 1),
        None => alternative.to_owned(),
    };
    inner.strip_prefix(root)?.strip_prefix('.').map(str::to_owned)
}

/// Compiles a component's expression, which is relative to its composite's root.
pub(super) fn compile_relative(
    definitions: &Definitions,
    root: &str,
    kind: &str,
    expression: &str,
) -> anyhow::Result<Vec<Path>> {
    let mut paths = Vec::new();
    for alternative in expression.split(" | ") {
        // R4 writes `ofType(DateTime)` once, which is no type.
        let steps = alternative.trim().replace("as(DateTime)", "as(dateTime)");
        let found = walk(definitions, root, &steps).with_context(|| format!("`{alternative}`"))?;
        paths.extend(found.into_iter().filter(|p| kinds_types(kind).contains(&p.data_type.as_str())));
    }
    Ok(paths)
}

/// A place within the type: the definition's path, the JSON members so far, and the candidate types.
struct Place {
    definition: String,
    members: Vec<String>,
    choice: bool,
    element: Element,
}

fn walk(definitions: &Definitions, root: &str, steps: &str) -> anyhow::Result<Vec<Path>> {
    let mut place =
        Place { definition: root.to_owned(), members: Vec::new(), choice: false, element: Element::default() };
    let mut filter = None;
    let mut only = None;
    let mut exists = false;
    for step in split_steps(steps) {
        if let Some(name) = argument(&step, "ofType").or_else(|| argument(&step, "as")) {
            place.narrow(name);
        } else if let Some(condition) = argument(&step, "where") {
            match condition.strip_prefix("resolve() is ") {
                Some(target) => only = Some(target.to_owned()),
                None => filter = Some(equality(condition)?),
            }
        } else if step == "exists()" {
            exists = true;
        } else {
            place.enter(definitions, &step)?;
        }
    }
    let at = place.members.join(".");
    if exists {
        return Ok(vec![Path { at, data_type: "exists".into(), filter, only, system: None }]);
    }
    let types = place.element.types.clone();
    Ok(types
        .into_iter()
        .map(|data_type| Path {
            at: if place.choice { format!("{at}{}", capitalised(&data_type)) } else { at.clone() },
            system: place.element.system.clone().filter(|_| data_type == "code"),
            data_type,
            filter: filter.clone(),
            only: only.clone(),
        })
        .collect())
}

impl Place {
    /// Steps into `step`; `entry[0]` keeps its index, which the reader of the table understands.
    fn enter(&mut self, definitions: &Definitions, step: &str) -> anyhow::Result<()> {
        let member = step.trim_end_matches("[0]");
        if self.choice {
            let data_type = self.element.types.first().context("a choice without types")?.clone();
            let last = self.members.pop().context("a choice has a member")?;
            self.members.push(format!("{last}{}", capitalised(&data_type)));
            self.choice = false;
            self.definition = data_type;
        }
        let plain = format!("{}.{member}", self.definition);
        let choice = format!("{plain}[x]");
        let (definition, element, is_choice) = if let Some(element) = definitions.elements.get(&plain) {
            (plain, element, false)
        } else if let Some(element) = definitions.elements.get(&choice) {
            (choice, element, true)
        } else {
            bail!("no element `{plain}`");
        };
        let inline = matches!(element.types.first().map(String::as_str), None | Some("BackboneElement" | "Element"));
        self.definition = match element.types.as_slice() {
            [one] if !inline => one.clone(),
            _ => definition,
        };
        self.members.push(step.to_owned());
        self.choice = is_choice;
        self.element = element.clone();
        Ok(())
    }

    fn narrow(&mut self, data_type: &str) {
        self.element.types = vec![data_type.to_owned()];
    }
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|c| c.to_ascii_uppercase().to_string() + chars.as_str()).unwrap_or_default()
}

/// Splits at dots outside parentheses.
fn split_steps(text: &str) -> Vec<String> {
    let mut steps = vec![String::new()];
    let mut depth = 0;
    for c in text.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            '.' if depth == 0 => {
                steps.push(String::new());
                continue;
            }
            _ => {}
        }
        steps.last_mut().expect("starts with one step").push(c);
    }
    steps
}

fn argument<'a>(step: &'a str, function: &str) -> Option<&'a str> {
    step.strip_prefix(function)?.strip_prefix('(')?.strip_suffix(')')
}

fn equality(condition: &str) -> anyhow::Result<(String, String)> {
    let (member, value) = condition.split_once('=').with_context(|| format!("condition `{condition}`"))?;
    Ok((member.trim().to_owned(), value.trim().trim_matches('\'').to_owned()))
}
