//! The committed table of FHIR R4's types (`definitions/shape.txt`, made by `xtask fhir-shape`) in a form for fast lookup.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::primitive::Primitive;

/// Index of a type in [`Table::types`].
pub(crate) type TypeId = u16;

pub(crate) struct Table {
    pub(crate) types: Vec<Type>,
    pub(crate) sets: Vec<Set>,
    names: HashMap<&'static str, TypeId>,
}

pub(crate) struct Type {
    pub(crate) name: &'static str,
    pub(crate) is_resource: bool,
    /// By name; `value[x]` stands once for each of its types.
    fields: Vec<(&'static str, Field)>,
    /// The elements as defined, each with one bit in the masks.
    pub(crate) slots: Vec<&'static str>,
    pub(crate) required: u128,
    summary: u128,
}

#[derive(Clone)]
pub(crate) struct Field {
    pub(crate) slot: u8,
    pub(crate) is_many: bool,
    /// One type of a `value[x]`.
    pub(crate) is_choice: bool,
    pub(crate) kind: Kind,
    /// Required value set, index in [`Table::sets`].
    pub(crate) set: Option<u16>,
    /// Allowed targets of a reference; empty for any.
    pub(crate) targets: Vec<&'static str>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Primitive(Primitive),
    Complex(TypeId),
    /// Any resource: `contained`, `Bundle.entry.resource`.
    Resource,
}

/// A closed value set.
#[derive(Default)]
pub(crate) struct Set {
    codes: Vec<&'static str>,
    pairs: Vec<(&'static str, &'static str)>,
}

impl Set {
    /// For elements of type `code`, whose system is implied.
    pub(crate) fn has_code(&self, code: &str) -> bool {
        self.codes.binary_search(&code).is_ok()
    }

    pub(crate) fn has(&self, system: &str, code: &str) -> bool {
        self.pairs.binary_search(&(system, code)).is_ok()
    }
}

static TABLE: LazyLock<Table> = LazyLock::new(|| Table::read(include_str!("../definitions/shape.txt")));

/// The table; read at the first use, some milliseconds.
pub(crate) fn table() -> &'static Table {
    &TABLE
}

impl Table {
    pub(crate) fn find(&self, name: &str) -> Option<TypeId> {
        self.names.get(name).copied()
    }

    pub(crate) fn get(&self, id: TypeId) -> &Type {
        &self.types[usize::from(id)]
    }

    /// A resource type of R4, accepted or not.
    pub(crate) fn find_resource(&self, name: &str) -> Option<TypeId> {
        self.find(name).filter(|id| self.get(*id).is_resource)
    }

    /// INVARIANT: the text is the committed table, so what it lacks is a fault of the build, found by every test.
    fn read(text: &'static str) -> Self {
        let mut reader =
            Reader { table: Self { types: Vec::new(), sets: Vec::new(), names: HashMap::new() }, sets: HashMap::new() };
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("T ") {
                reader.add_type(rest);
            } else if let Some(rest) = line.strip_prefix("V ") {
                reader.add_set(rest);
            }
        }
        let mut current = None;
        for line in text.lines().filter(|line| !line.starts_with('#') && !line.starts_with("V ")) {
            match line.strip_prefix("T ") {
                Some(rest) => current = reader.table.find(first(rest)),
                None => reader.add_element(current.expect("an element follows its type"), line),
            }
        }
        for one in &mut reader.table.types {
            one.fields.sort_unstable_by_key(|(name, _)| *name);
        }
        reader.table
    }
}

impl Type {
    pub(crate) fn field(&self, name: &str) -> Option<&Field> {
        let at = self.fields.binary_search_by(|(known, _)| (*known).cmp(name)).ok()?;
        Some(&self.fields[at].1)
    }

    /// Names of the elements that `_summary=true` keeps.
    pub(crate) fn summary_fields(&self) -> impl Iterator<Item = &'static str> {
        let kept = self.fields.iter().filter(|(_, field)| self.summary & (1 << field.slot) != 0);
        kept.map(|(name, _)| *name)
    }
}

fn first(text: &str) -> &str {
    text.split(' ').next().unwrap_or(text)
}

struct Reader {
    table: Table,
    sets: HashMap<&'static str, u16>,
}

impl Reader {
    fn add_type(&mut self, rest: &'static str) {
        let name = first(rest);
        let id = TypeId::try_from(self.table.types.len()).expect("fewer types than 65,536");
        self.table.names.insert(name, id);
        let is_resource = rest.ends_with(" R");
        self.table.types.push(Type { name, is_resource, fields: vec![], slots: vec![], required: 0, summary: 0 });
    }

    fn add_set(&mut self, rest: &'static str) {
        let (name, parts) = rest.split_once(' ').expect("a value set has codes");
        let mut set = Set::default();
        for part in parts.split(" ; ") {
            let mut words = part.split(' ');
            let system = words.next().unwrap_or_default();
            set.pairs.extend(words.map(|code| (system, code)));
        }
        set.pairs.sort_unstable();
        set.codes = set.pairs.iter().map(|(_, code)| *code).collect();
        set.codes.sort_unstable();
        self.sets.insert(name, u16::try_from(self.table.sets.len()).expect("fewer sets than 65,536"));
        self.table.sets.push(set);
    }

    fn add_element(&mut self, owner: TypeId, line: &'static str) {
        let words: Vec<&'static str> = line.split(' ').collect();
        let [name, min, max, flags, types, rest @ ..] = words.as_slice() else { panic!("an element has five words") };
        let set = rest.first().map(|name| self.sets[&name[1..]]);
        let choices = split_types(types);
        let is_choice = name.ends_with("[x]");
        let expanded: Vec<(&'static str, Field)> = choices
            .iter()
            .map(|choice| {
                let (kind, targets) = self.kind(choice);
                let full = match name.strip_suffix("[x]") {
                    Some(stem) => leak(stem, choice),
                    None => name,
                };
                (full, Field { slot: 0, is_many: *max == "*", is_choice, kind, set, targets })
            })
            .collect();
        let owner = &mut self.table.types[usize::from(owner)];
        let slot = u8::try_from(owner.slots.len()).expect("a type has fewer than 128 elements");
        assert!(slot < 128, "a type has fewer than 128 elements");
        owner.slots.push(name.strip_suffix("[x]").unwrap_or(name));
        if *min != "0" {
            owner.required |= 1 << slot;
        }
        if flags.contains('s') {
            owner.summary |= 1 << slot;
        }
        owner.fields.extend(expanded.into_iter().map(|(name, field)| (name, Field { slot, ..field })));
    }

    fn kind(&self, choice: &'static str) -> (Kind, Vec<&'static str>) {
        let (name, targets) = match choice.split_once('(') {
            Some((name, rest)) => (name, rest.trim_end_matches(')').split(',').collect()),
            None => (choice, Vec::new()),
        };
        if name == "~" {
            return (Kind::Resource, targets);
        }
        if let Some(primitive) = Primitive::named(name) {
            return (Kind::Primitive(primitive), targets);
        }
        let id = self.table.find(name.trim_start_matches('@')).expect("the table has every type that it names");
        (Kind::Complex(id), targets)
    }
}

/// `Reference(A,B)|string` has two types: no bar stands inside the parentheses.
fn split_types(types: &'static str) -> Vec<&'static str> {
    types.split('|').collect()
}

/// `value` and `Quantity` give `valueQuantity`. Kept for the life of the process, once per choice of the table.
fn leak(stem: &str, choice: &str) -> &'static str {
    let name = choice.split('(').next().unwrap_or(choice);
    let name = if name == "SimpleQuantity" { "Quantity" } else { name };
    let mut full = stem.to_owned();
    let mut letters = name.chars();
    full.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
    full.push_str(letters.as_str());
    full.leak()
}
