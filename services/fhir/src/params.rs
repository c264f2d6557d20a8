//! The committed table of search parameters (`definitions/search-params.json`), read once.

use std::sync::LazyLock;

use schemas::ResourceType;
use serde::Deserialize;

/// The types of search parameters.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    String,
    Token,
    Date,
    Number,
    Quantity,
    Reference,
    Uri,
    Composite,
    /// `Location.near` and retired parameters: known, and not supported.
    Special,
}

impl Kind {
    /// The code of `CapabilityStatement.rest.resource.searchParam.type`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Token => "token",
            Self::Date => "date",
            Self::Number => "number",
            Self::Quantity => "quantity",
            Self::Reference => "reference",
            Self::Uri => "uri",
            Self::Composite => "composite",
            Self::Special => "special",
        }
    }
}

/// One parameter of one type.
#[derive(Debug, Deserialize)]
pub struct Param {
    /// Its number in stored headers, for ever.
    pub n: u16,
    pub code: String,
    pub kind: Kind,
    #[serde(default)]
    pub(crate) paths: Vec<Path>,
    #[serde(default)]
    pub(crate) from: Vec<Source>,
    #[serde(default)]
    pub targets: Vec<ResourceType>,
    #[serde(default)]
    pub(crate) components: Vec<Component>,
    #[serde(default)]
    pub(crate) split: Vec<u16>,
    #[serde(default)]
    pub retired: bool,
}

impl Param {
    /// The numbers under which its values are stored: its own, or those of the parameters that it is made of.
    pub fn sources(&self) -> Vec<Source> {
        let own = (!self.paths.is_empty()).then_some(Source { n: self.n, only: None });
        own.into_iter().chain(self.from.iter().copied()).collect()
    }

    /// The code system that a required binding implies for its `code` elements.
    pub(crate) fn implied_system(&self) -> Option<&str> {
        self.paths.iter().find_map(|p| p.system.as_deref())
    }
}

/// Values stored under `n`; with `only`, references to that type alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
pub struct Source {
    pub n: u16,
    #[serde(default)]
    pub only: Option<ResourceType>,
}

/// Where values stand in a resource.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Path {
    pub at: String,
    #[serde(rename = "type")]
    pub data_type: DataType,
    #[serde(rename = "where", default)]
    pub filter: Option<(String, String)>,
    #[serde(default)]
    pub only: Option<String>,
    #[serde(default)]
    pub system: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Component {
    pub kind: Kind,
    pub paths: Vec<Path>,
}

/// The data types that search values are taken from; `Exists` and `Composite` are our own.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
pub(crate) enum DataType {
    CodeableConcept,
    Coding,
    Identifier,
    ContactPoint,
    HumanName,
    Address,
    Reference,
    Quantity,
    Age,
    Duration,
    Money,
    Range,
    Period,
    Timing,
    Resource,
    #[serde(rename = "code", alias = "string", alias = "markdown", alias = "id", alias = "boolean")]
    Simple,
    #[serde(rename = "uri", alias = "url", alias = "oid")]
    Uri,
    #[serde(rename = "canonical")]
    Canonical,
    #[serde(rename = "date", alias = "dateTime", alias = "instant")]
    DateTime,
    #[serde(rename = "exists")]
    Exists,
    #[serde(rename = "composite")]
    Composite,
}

/// The parameters of one type, and the tree of members by which their values are found in one walk.
#[derive(Debug)]
pub struct TypeTable {
    pub params: Vec<Param>,
    pub(crate) tree: Branch,
    /// Parameters that ask whether an element of the resource exists (`Patient.deceased`).
    pub(crate) exists: Vec<(u16, String)>,
}

/// A place in a resource; its children by member name.
#[derive(Debug, Default)]
pub(crate) struct Branch {
    pub children: Vec<(String, Branch)>,
    pub leaves: Vec<Leaf>,
    /// Only the first element of an array counts (`Bundle.entry[0]`).
    pub first_only: bool,
}

/// What to take at a place, and for which parameter.
#[derive(Debug)]
pub(crate) struct Leaf {
    pub param: u16,
    pub kind: Kind,
    pub path: Path,
    /// For a composite: per component its paths, split at the dots.
    pub components: Vec<Vec<(Vec<String>, Kind, Path)>>,
}

#[derive(Deserialize)]
struct File {
    common: std::collections::BTreeMap<String, Kind>,
    types: std::collections::HashMap<ResourceType, Vec<Param>>,
}

/// Parameters of every resource, answered from the header: `_id`, `_lastUpdated`, `_tag`, `_profile`, `_security`, `_source`.
pub const COMMON: [(&str, Kind); 6] = [
    ("_id", Kind::Token),
    ("_lastUpdated", Kind::Date),
    ("_profile", Kind::Uri),
    ("_security", Kind::Token),
    ("_source", Kind::Uri),
    ("_tag", Kind::Token),
];

/// Parameters of R4 for every resource that are known and not supported.
pub const UNSUPPORTED: [&str; 6] = ["_text", "_content", "_query", "_list", "_filter", "_containedType"];

static TABLES: LazyLock<Vec<TypeTable>> = LazyLock::new(|| {
    let mut file: File = serde_json::from_str(include_str!("../definitions/search-params.json"))
        .expect("the committed table of search parameters is well formed");
    debug_assert!(COMMON.iter().all(|(code, kind)| file.common.get(*code) == Some(kind)));
    ResourceType::ALL.iter().map(|t| TypeTable::new(file.types.remove(t).unwrap_or_default())).collect()
});

/// The parameters of a type.
pub fn table(resource_type: ResourceType) -> &'static TypeTable {
    &TABLES[resource_type as usize]
}

impl TypeTable {
    fn new(params: Vec<Param>) -> Self {
        let (mut tree, mut exists) = (Branch::default(), Vec::new());
        for param in &params {
            for path in &param.paths {
                if path.data_type == DataType::Exists {
                    exists.push((param.n, path.at.clone()));
                    continue;
                }
                let part = |c: &Component| {
                    let split = |p: &Path| (p.at.split('.').map(str::to_owned).collect(), c.kind, p.clone());
                    c.paths.iter().map(split).collect()
                };
                let components = param.components.iter().map(part).collect();
                tree.at(&path.at).leaves.push(Leaf {
                    param: param.n,
                    kind: param.kind,
                    path: path.clone(),
                    components,
                });
            }
        }
        Self { params, tree, exists }
    }

    /// The parameter with this code, unless it is retired.
    pub fn by_code(&self, code: &str) -> Option<&Param> {
        self.params.iter().find(|p| p.code == code && !p.retired)
    }

    pub(crate) fn by_number(&self, n: u16) -> Option<&Param> {
        self.params.iter().find(|p| p.n == n)
    }
}

impl Branch {
    /// The branch at `path` (names joined by dots), grown where it is not there yet.
    fn at(&mut self, path: &str) -> &mut Self {
        let mut branch = self;
        for step in path.split('.').filter(|s| !s.is_empty()) {
            let (name, first_only) = step.strip_suffix("[0]").map_or((step, false), |name| (name, true));
            let index = branch.children.iter().position(|(n, _)| n == name).unwrap_or_else(|| {
                branch.children.push((name.to_owned(), Self { first_only, ..Self::default() }));
                branch.children.len() - 1
            });
            branch = &mut branch.children[index].1;
        }
        branch
    }

    pub(crate) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|(n, _)| n == name).map(|(_, branch)| branch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_has_its_parameters_and_every_number_is_used_once() {
        for resource_type in ResourceType::ALL {
            let table = table(*resource_type);
            let mut numbers: Vec<u16> = table.params.iter().map(|p| p.n).collect();
            numbers.dedup();
            assert_eq!(numbers, (0..table.params.len() as u16).collect::<Vec<_>>(), "{resource_type}");
            for param in &table.params {
                let known = !param.sources().is_empty() || !param.split.is_empty();
                assert!(known || param.kind == Kind::Special, "{resource_type}.{}", param.code);
            }
        }
        assert!(table(ResourceType::Binary).params.is_empty(), "R4 has no parameter for Binary");
        assert!(table(ResourceType::Observation).by_code("value-quantity").is_some());
    }
}
