//! The strict shape check: is this exactly a resource of FHIR R4 4.0.1? Names, cardinality, forms of primitives, required
//! codes, references, narrative, contained resources. Profiles are checked elsewhere ([`crate::jp`]).

mod contained;
mod datatypes;

use schemas::{Problem, ProblemCode, ResourceType, Text};

use crate::json::Node;
use crate::path::Path;
use crate::table::{Field, Kind, Type, TypeId, table};

/// After so many errors the check stops, after so many warnings it says no more of them: nobody reads more, and a hostile
/// input has a million. INVARIANT: they are counted apart, so that warnings never crowd out an error.
const PROBLEMS_MAX: usize = 100;

/// Checks one resource. Errors refuse it; warnings are said and the resource is accepted.
///
/// Paths begin with the type: `Bundle.entry[3].resource.valueQuantity.value`.
pub fn check(resource_type: ResourceType, node: &Node) -> Vec<Problem> {
    check_at(resource_type, node, resource_type.as_str())
}

/// The same for a resource that stands at `path` in something larger.
pub fn check_at(resource_type: ResourceType, node: &Node, path: &str) -> Vec<Problem> {
    let mut checker = Checker::default();
    let root = Path::Root(path);
    match node.text("resourceType") {
        Some(named) if named == resource_type.as_str() => checker.resource(node, &root, Place::Top),
        _ => checker.error(ProblemCode::Structure, &root.name("resourceType"), "must name the type of this endpoint"),
    }
    checker.problems
}

/// Names of the elements of a type that `_summary=true` keeps, and those that are mandatory.
pub fn summary_elements(resource_type: ResourceType) -> impl Iterator<Item = &'static str> {
    resource(resource_type).summary_fields()
}

/// Names of the mandatory elements of a type (`_elements` and `_summary` keep them); a choice without its type (`medication`).
pub fn mandatory_elements(resource_type: ResourceType) -> impl Iterator<Item = &'static str> {
    let one = resource(resource_type);
    one.slots.iter().enumerate().filter(|(slot, _)| one.required & (1 << slot) != 0).map(|(_, name)| *name)
}

/// Whether `name` may stand directly in a resource of this type.
pub fn is_element(resource_type: ResourceType, name: &str) -> bool {
    resource(resource_type).field(name).is_some()
}

fn resource(resource_type: ResourceType) -> &'static Type {
    let id = table().find(resource_type.as_str()).expect("the table has every accepted type");
    table().get(id)
}

/// Where a resource stands decides which types may stand there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Top,
    Entry,
    Contained,
    /// The outcome of an entry's response.
    Other,
}

#[derive(Default)]
struct Checker<'a> {
    problems: Vec<Problem>,
    errors: usize,
    warnings: usize,
    /// References to `#id` in the resource being checked, and who makes them.
    locals: Vec<contained::Local<'a>>,
    /// The contained resource being checked, by its index.
    inside: Option<usize>,
}

impl<'a> Checker<'a> {
    fn is_full(&self) -> bool {
        self.errors >= PROBLEMS_MAX
    }

    fn error(&mut self, code: ProblemCode, path: &Path<'_>, message: &str) {
        if !self.is_full() {
            self.errors += 1;
            self.problems.push(Problem::new(code, path.write(), message));
        }
    }

    fn warn(&mut self, code: ProblemCode, path: &Path<'_>, message: &str) {
        if self.warnings < PROBLEMS_MAX {
            self.warnings += 1;
            self.problems.push(Problem::warning(code, path.write(), message));
        }
    }

    fn resource(&mut self, node: &'a Node, path: &Path<'_>, place: Place) {
        let Node::Object(members) = node else {
            return self.error(ProblemCode::Structure, path, "must be an object");
        };
        let Some(named) = node.text("resourceType") else {
            return self.error(
                ProblemCode::Required,
                &path.name("resourceType"),
                "is missing: a resource names its type",
            );
        };
        let Some(id) = table().find_resource(named) else {
            return self.error(
                ProblemCode::NotSupported,
                &path.name("resourceType"),
                "is not a resource type of FHIR R4",
            );
        };
        if matches!(place, Place::Top | Place::Entry) && named.parse::<ResourceType>().is_err() {
            return self.error(ProblemCode::NotSupported, &path.name("resourceType"), &not_accepted());
        }
        if place == Place::Contained {
            return self.members(id, members, path);
        }
        let outer = (std::mem::take(&mut self.locals), self.inside.take());
        self.members(id, members, path);
        self.check_contained(node, path);
        (self.locals, self.inside) = outer;
    }

    /// The members of one object of type `id`.
    fn members(&mut self, id: TypeId, members: &'a [(Text, Node)], path: &Path<'_>) {
        let one = table().get(id);
        let mut seen = 0u128;
        // Which name fills a choice: `_valueString` may stand beside `valueString`, not beside `valueCode`.
        let mut chosen: Vec<(u8, &str)> = Vec::new();
        let mut has_content = one.is_resource;
        for (name, value) in members {
            if self.is_full() {
                return;
            }
            if one.is_resource && name == "resourceType" {
                continue;
            }
            has_content |= name != "id" && name != "_id";
            let bare = name.strip_prefix('_').unwrap_or(name);
            let field = one.field(bare);
            let Some(field) =
                field.filter(|field| bare.len() == name.len() || matches!(field.kind, Kind::Primitive(_)))
            else {
                self.error(ProblemCode::Structure, &path.name(name), "is not an element of FHIR R4 at this place");
                continue;
            };
            seen |= 1 << field.slot;
            if field.is_choice {
                if chosen.iter().any(|(slot, other)| *slot == field.slot && *other != bare) {
                    self.error(ProblemCode::Structure, &path.name(name), "is a second value of one choice");
                }
                chosen.push((field.slot, bare));
            }
            let beside = (bare.len() == name.len()).then_some(members);
            self.element(field, name, value, beside, path);
        }
        let mut missing = one.required & !seen;
        while missing != 0 {
            let slot = missing.trailing_zeros() as usize;
            self.error(ProblemCode::Required, &path.name(one.slots[slot]), "is missing");
            missing &= missing - 1;
        }
        if !has_content {
            self.error(ProblemCode::Structure, path, "must not be empty");
        }
    }

    /// One member, single or repeated. `beside` are the members around a value, where its `_name` may stand; `None` for the
    /// `_name` itself.
    fn element(
        &mut self,
        field: &'static Field,
        name: &'a str,
        value: &'a Node,
        beside: Option<&'a [(Text, Node)]>,
        path: &Path<'_>,
    ) {
        let here = path.name(name);
        match (field.is_many, value) {
            (false, Node::Array(_)) => self.error(ProblemCode::Structure, &here, "must not be an array"),
            (true, Node::Array(items)) if items.is_empty() => {
                self.error(ProblemCode::Structure, &here, "must not be an empty array");
            }
            (true, Node::Array(items)) => {
                if let Kind::Primitive(_) = field.kind {
                    self.check_parallel(name, items, beside, &here);
                }
                for (at, item) in items.iter().enumerate() {
                    let is_gap = *item == Node::Null && matches!(field.kind, Kind::Primitive(_));
                    if !is_gap {
                        self.value(field, item, beside.is_none(), &here.index(at), at);
                    }
                }
            }
            (true, _) => self.error(ProblemCode::Structure, &here, "must be an array"),
            (false, _) => self.value(field, value, beside.is_none(), &here, 0),
        }
    }

    /// A null in a repeated primitive stands for a value that only has extensions: the other array must have it.
    fn check_parallel(&mut self, name: &str, items: &[Node], beside: Option<&'a [(Text, Node)]>, here: &Path<'_>) {
        // Seen from `_name`: the values are checked when their own name is met, if it is there at all.
        let Some(members) = beside else {
            if items.iter().all(|item| *item == Node::Null) {
                self.error(ProblemCode::Structure, here, "must not be made of nulls alone");
            }
            return;
        };
        let other = members.iter().find(|(key, _)| key.strip_prefix('_') == Some(name)).map(|(_, value)| value.items());
        if other.is_some_and(|other| other.len() != items.len()) {
            self.error(ProblemCode::Structure, here, "must be as long as the array of its extensions");
        }
        for (at, item) in items.iter().enumerate().filter(|(_, item)| **item == Node::Null) {
            if other.and_then(|other| other.get(at)).is_none_or(|extensions| extensions == item) {
                self.error(ProblemCode::Structure, &here.index(at), "must not be null without an extension");
            }
        }
    }

    fn value(&mut self, field: &'static Field, value: &'a Node, is_extension: bool, path: &Path<'_>, at: usize) {
        match field.kind {
            Kind::Primitive(_) if is_extension => {
                let element = table().find("Element").expect("the table has the type of primitive extensions");
                match value {
                    Node::Object(members) => self.members(element, members, path),
                    _ => self.error(ProblemCode::Structure, path, "must be an object with id or extension"),
                }
            }
            Kind::Primitive(primitive) => self.primitive(primitive, field, value, path),
            Kind::Complex(id) => match value {
                Node::Object(members) => {
                    self.members(id, members, path);
                    self.data_type(field, id, value, path);
                }
                _ => self.error(ProblemCode::Structure, path, "must be an object"),
            },
            Kind::Resource => self.nested(value, path, at),
        }
    }

    fn nested(&mut self, value: &'a Node, path: &Path<'_>, at: usize) {
        let place = match path {
            Path::Index(Path::Name(_, "contained"), _) => Place::Contained,
            Path::Name(Path::Index(Path::Name(_, "entry"), _), "resource") => Place::Entry,
            _ => Place::Other,
        };
        if place != Place::Contained {
            return self.resource(value, path, place);
        }
        if self.inside.is_some() {
            return self.error(ProblemCode::Structure, path, "must not be contained in a contained resource");
        }
        self.inside = Some(at);
        self.resource(value, path, place);
        self.inside = None;
    }
}

/// The list of what is accepted, for the refusal of what is not.
pub fn not_accepted() -> String {
    let accepted: Vec<&str> = ResourceType::ALL.iter().map(|known| known.as_str()).collect();
    format!("is not a type that is accepted here; accepted are {}", accepted.join(", "))
}
