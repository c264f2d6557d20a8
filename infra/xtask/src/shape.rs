//! `fhir-shape`: the R4 structure definitions and value sets, pressed into the table of the strict shape check.
//!
//! The format is described at the head of the written file and read by `services/fhir/src/table.rs`.

mod model;
mod valuesets;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use anyhow::Context;

use crate::Derive;
use crate::package::{Definitions, write_or_check};
use model::{Element, StructureDefinition, TypeRef};
use valuesets::ValueSets;

const PATH: &str = "services/fhir/definitions/shape.txt";

const HEAD: &str = "\
# Shape of FHIR R4 4.0.1, derived by `cargo run -p xtask -- fhir-shape` from the definitions of HL7 (CC0, see NOTICE).
# V name system code code ; system code     a closed value set; a lone * for all codes of what the package does not list
# T name kind                               a type; kind: R resource, D data type, B inside another type
# name min max flags type|type #valueset    an element; flags: s in the summary, m modifier, - none; max 1 or *
#   type: a primitive or data type, @Path of a type of kind B, ~ any resource, Reference(Type,Type) with its targets
";

/// Writes or checks the table.
pub(crate) fn run(derive: &Derive) -> anyhow::Result<()> {
    let definitions = Definitions::open_hl7(derive.package.as_deref())?;
    let mut table = Table::default();
    for file in ["profile/profiles-types.xml", "profile/profiles-resources.xml"] {
        table.known.extend(model::structures(&definitions.text(file)?)?);
    }
    for file in ["valueset/valuesets.xml", "valueset/v3-codesystems.xml"] {
        table.sets.read(&definitions.text(file)?)?;
    }
    // All of R4's resource types, not only those accepted: any of them may be contained.
    let concrete = |definition: &StructureDefinition| definition.kind == "resource" && !definition.is_abstract;
    let resources: Vec<String> =
        table.known.iter().filter(|(_, one)| concrete(one)).map(|(name, _)| name.clone()).collect();
    for name in &resources {
        table.add(name)?;
    }
    // What stands beside a primitive as `_name`.
    table.add("Element")?;
    let text = table.finish();
    write_or_check(&derive.root.join(PATH), &text, derive.check)
}

#[derive(Default)]
struct Table {
    known: BTreeMap<String, StructureDefinition>,
    sets: ValueSets,
    done: BTreeSet<String>,
    used_sets: BTreeMap<String, String>,
    types: BTreeMap<String, String>,
}

impl Table {
    fn finish(self) -> String {
        let mut text = HEAD.to_owned();
        for (name, codes) in &self.used_sets {
            let _ = writeln!(text, "V {name} {codes}");
        }
        for lines in self.types.values() {
            text.push_str(lines);
        }
        text
    }

    /// Adds a resource or data type, and the data types that it uses.
    fn add(&mut self, name: &str) -> anyhow::Result<()> {
        if !self.done.insert(name.to_owned()) {
            return Ok(());
        }
        // Taken out: each is needed once.
        let definition = self.known.remove(name).with_context(|| format!("no definition of `{name}`"))?;
        if definition.kind == "primitive-type" {
            return Ok(());
        }
        let kind = if definition.kind == "resource" { 'R' } else { 'D' };
        let elements = &definition.elements;
        // A constraint (SimpleQuantity) has the paths of the type that it constrains.
        let root = elements.first().context("a definition without elements")?.path.clone();
        let _ = self.types.insert(name.to_owned(), format!("T {name} {kind}\n"));
        let mut uses = BTreeSet::new();
        for element in &elements[1..] {
            let (parent, last) = element.path.rsplit_once('.').context("an element without parent")?;
            let line = self.line(element, last, parent == root && kind == 'R', &mut uses)?;
            let owner = if parent == root { name.to_owned() } else { parent.to_owned() };
            let lines = self.types.entry(owner.clone()).or_insert_with(|| format!("T {owner} B\n"));
            lines.push_str(&line);
        }
        for used in uses {
            self.add(&used)?;
        }
        Ok(())
    }

    fn line(
        &mut self,
        element: &Element,
        last: &str,
        top: bool,
        uses: &mut BTreeSet<String>,
    ) -> anyhow::Result<String> {
        if element.max == "0" {
            return Ok(String::new());
        }
        let mut types: Vec<String> = Vec::new();
        for used in &element.types {
            types.push(match (used.code.as_str(), last) {
                // R4 itself names the type of Resource.id a string.
                (code, "id") if code.starts_with("http://hl7.org/fhirpath/") && top => "id".to_owned(),
                (code, _) if code.starts_with("http://hl7.org/fhirpath/") => {
                    used.fhir_type.clone().unwrap_or_else(|| "string".to_owned())
                }
                ("Element" | "BackboneElement", _) => format!("@{}", element.path),
                ("Resource", _) => "~".to_owned(),
                ("Reference", _) => reference(used),
                ("Quantity", _) if used.is_simple_quantity => "SimpleQuantity".to_owned(),
                (code, _) => code.to_owned(),
            });
        }
        if let Some(content) = element.content_reference.as_deref() {
            types.push(format!("@{}", content.trim_start_matches('#')));
        }
        for name in types.iter().filter(|name| !name.starts_with(['@', '~'])) {
            uses.insert(name.split('(').next().unwrap_or(name).to_owned());
        }
        let mut flags = String::new();
        if element.is_summary {
            flags.push('s');
        }
        if element.is_modifier {
            flags.push('m');
        }
        if flags.is_empty() {
            flags.push('-');
        }
        let set = self.binding(element).map(|name| format!(" #{name}")).unwrap_or_default();
        Ok(format!("{last} {} {} {flags} {}{set}\n", element.min, element.max, types.join("|")))
    }

    /// The closed value set that the element must take its code from, if the package lists all of it.
    fn binding(&mut self, element: &Element) -> Option<String> {
        let url = element.required_set.as_deref()?.split('|').next()?;
        let name = url.rsplit('/').next()?.to_owned();
        if !self.used_sets.contains_key(&name) {
            let codes = self.sets.expand(url)?;
            self.used_sets.insert(name.clone(), codes);
        }
        Some(name)
    }
}

fn reference(used: &TypeRef) -> String {
    if used.targets.is_empty() || used.targets.iter().any(|target| target == "Resource") {
        return "Reference".to_owned();
    }
    format!("Reference({})", used.targets.join(","))
}
