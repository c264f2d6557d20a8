//! The filter of a decision: the only check of an item, on every path.
//!
//! An item passes if a permitting clause matches it and no denying clause of the same or an earlier place in the order of
//! precedence does: what statute grants (place 4) stands above the person's denials (place 5), below a prohibition (place 1).

use std::str::FromStr;

use schemas::header::Header;
use schemas::{Category, ItemKey, Label, LocalId, OrganisationId, PractitionerId, ResourceId, ResourceType};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::sets::{CategorySet, LabelSet};

/// Permitting and denying clauses. The empty filter admits nothing.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    pub permit: Vec<Clause>,
    pub deny: Vec<Clause>,
}

/// One clause. All parts that are given must hold together; an empty list or `None` means "any", except where said.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clause {
    /// The rule that it comes from.
    pub rule: String,
    /// Place in the order of precedence, 1 to 8.
    pub precedence: u8,
    /// Always given; empty matches nothing.
    pub categories: CategorySet,
    /// Permit: the labels that it opens; an item passes only if all its labels but LTS are among them.
    /// Deny: an item with any of them matches; empty matches all.
    pub labels: LabelSet,
    #[serde(default)]
    pub classes: Vec<String>,
    #[serde(default)]
    pub authors: Vec<PractitionerId>,
    #[serde(default)]
    pub author_organisations: Vec<OrganisationId>,
    /// From inclusive to exclusive. Permit: the item's period lies inside; deny: it overlaps or is unknown.
    #[serde(default)]
    pub period: Option<(i64, i64)>,
    /// The item names one of these receivers.
    #[serde(default)]
    pub receivers: Vec<OrganisationId>,
    #[serde(default)]
    pub flags: Vec<Flag>,
    /// Single items; an item that came inside one of them counts as well.
    #[serde(default)]
    pub items: Vec<ItemRef>,
}

/// Properties beyond the header's values.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Flag {
    /// The item came inside a document or collection.
    InDocument,
    /// The item stands by itself.
    TopLevel,
    /// Access entries of visits proven by this very card (R02 while suspect); no item has it.
    OwnCardVisits,
    /// Access entries without what tells of illness (R43); no item has it.
    NoClinicalContent,
}

/// How much of the access log a decision opens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LogScope {
    None,
    All,
    /// Entries of visits proven by the card that the person signed in with.
    OwnCardVisits,
    /// Without categories of items, items and queries; of these organisations only, empty means all.
    NoClinicalContent {
        organisations: Vec<OrganisationId>,
    },
}

impl Filter {
    /// Whether this item may be seen. No allocation.
    pub fn admits(&self, header: &Header) -> bool {
        self.admitting(header).is_some()
    }

    /// The clause that lets the item pass, so that the entry can name the rule that was used.
    pub fn admitting(&self, header: &Header) -> Option<&Clause> {
        let item = Item::of(header);
        self.permit.iter().find(|permit| {
            permit.permits(&item)
                && !self.deny.iter().any(|deny| deny.precedence <= permit.precedence && deny.denies(&item))
        })
    }

    /// Categories of which anything at all could pass; for the entry's words, never instead of [`Filter::admits`].
    pub fn categories(&self) -> CategorySet {
        self.permit.iter().flat_map(|clause| clause.categories.iter()).collect()
    }

    /// What part of the access log is open. The widest permitting clause counts.
    pub fn log_scope(&self) -> LogScope {
        let mut scope = LogScope::None;
        for clause in self.permit.iter().filter(|c| c.categories.contains(Category::Log)) {
            if clause.flags.is_empty() {
                return LogScope::All;
            }
            scope = if clause.flags == [Flag::OwnCardVisits] {
                LogScope::OwnCardVisits
            } else if clause.flags == [Flag::NoClinicalContent] && scope == LogScope::None {
                LogScope::NoClinicalContent { organisations: clause.author_organisations.clone() }
            } else {
                scope
            };
        }
        scope
    }
}

/// The header with its labels as a mask, computed once per item.
struct Item<'a> {
    header: &'a Header,
    labels: LabelSet,
}

impl<'a> Item<'a> {
    fn of(header: &'a Header) -> Self {
        // LTS says how long to keep, nothing about who may read.
        let labels = header.meta.labels.iter().copied().filter(|&l| l != Label::KeepLong).collect();
        Self { header, labels }
    }
}

impl Clause {
    fn permits(&self, item: &Item<'_>) -> bool {
        self.selects(item)
            && item.labels.is_subset_of(self.labels)
            && self.period.is_none_or(|(from, to)| item.header.meta.period.is_some_and(|(f, t)| from <= f && t <= to))
    }

    fn denies(&self, item: &Item<'_>) -> bool {
        self.selects(item)
            && (self.labels.is_empty() || item.labels.intersects(self.labels))
            && self.period.is_none_or(|(from, to)| item.header.meta.period.is_none_or(|(f, t)| f < to && from <= t))
    }

    /// The parts that mean the same in a permit and in a denial.
    fn selects(&self, item: &Item<'_>) -> bool {
        let header = item.header;
        self.categories.contains(header.meta.category)
            && any_or(&self.author_organisations, |o| *o == header.author_organisation)
            && any_or(&self.classes, |c| *c == header.meta.class)
            && any_or(&self.authors, |a| header.author_practitioner.as_ref() == Some(a))
            && any_or(&self.receivers, |r| header.meta.receivers.contains(r))
            && any_or(&self.items, |i| i.0 == header.item || header.meta.part_of == Some(i.0))
            && self.flags.iter().all(|flag| match flag {
                Flag::InDocument => header.meta.part_of.is_some(),
                Flag::TopLevel => header.meta.part_of.is_none(),
                Flag::OwnCardVisits | Flag::NoClinicalContent => false,
            })
    }
}

fn any_or<T>(list: &[T], matches: impl Fn(&T) -> bool) -> bool {
    list.is_empty() || list.iter().any(matches)
}

/// A single item: `Type/<pid>-<local>` as FHIR writes it, or `Type/<local>`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ItemRef(pub ItemKey);

impl FromStr for ItemRef {
    type Err = schemas::ids::IdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (kind, id) = text.split_once('/').ok_or(schemas::ids::IdError("item"))?;
        let resource_type: ResourceType = kind.parse()?;
        let local = match id.parse::<ResourceId>() {
            Ok(id) => id.local,
            Err(_) => id.parse::<LocalId>()?,
        };
        Ok(Self(ItemKey { resource_type, local }))
    }
}

impl Serialize for ItemRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{}/{}", self.0.resource_type, self.0.local))
    }
}

impl<'de> Deserialize<'de> for ItemRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
