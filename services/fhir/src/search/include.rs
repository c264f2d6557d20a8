//! `_include` and `_revinclude`: further resources beside the page.

use std::collections::HashSet;

use schemas::header::Header;
use schemas::search::SearchValue;
use schemas::{ItemKey, ResourceType};

use super::matching::references;
use super::shelf::item_of;
use super::{Fault, Query, Shelf, parse};
use crate::extract::type_of_reference;
use crate::params::Source;

/// One `_include` or `_revinclude`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Include {
    /// The type whose reference it is; `None`: any (`*`).
    source: Option<ResourceType>,
    /// The reference; `None`: all (`*`).
    param: Option<Vec<Source>>,
    target: Option<ResourceType>,
    iterate: bool,
}

impl Include {
    /// `Type:reference`, `Type:reference:TargetType`, `Type:*`; for `_include` also `*`.
    pub(super) fn parse(value: &str, iterate: bool, reverse: bool) -> Result<Self, Fault> {
        let unknown = |_| Fault::unsupported("no type that is kept here");
        let mut parts = value.splitn(3, ':');
        let source = match parts.next() {
            Some("*") if !reverse => None,
            Some(name) => Some(name.parse::<ResourceType>().map_err(unknown)?),
            None => None,
        };
        let param = match (source, parts.next()) {
            (None, None) | (Some(_), Some("*")) => None,
            (Some(source), Some(code)) => Some(parse::reference_param(Some(source), code)?.sources()),
            _ => return Err(Fault::value("Type:reference is wanted")),
        };
        let target = parts.next().map(|name| name.parse().map_err(unknown)).transpose()?;
        Ok(Self { source, param, target, iterate })
    }

    /// Targets of the header's references that this include follows.
    fn targets<'a>(&'a self, header: &'a Header) -> Vec<&'a str> {
        if self.source.is_some_and(|source| source != header.item.resource_type) {
            return Vec::new();
        }
        let followed = |target: &&str| self.target.is_none_or(|t| type_of_reference(target) == Some(t.as_str()));
        match &self.param {
            Some(sources) => references(header, sources).filter(followed).collect(),
            None => all_references(header).filter(followed).collect(),
        }
    }
}

fn all_references(header: &Header) -> impl Iterator<Item = &str> {
    header.search.iter().filter_map(|value| match &value.value {
        SearchValue::Reference { target, .. } if !target.is_empty() => Some(target.as_str()),
        _ => None,
    })
}

impl Query {
    /// What the includes of the query add to a page, in the order in which it is found, each once and never an item of the page.
    /// Only what `shelf` shows is followed.
    pub fn included<'a>(&self, page: &[&'a Header], shelf: &'a dyn Shelf) -> Vec<&'a Header> {
        let mut seen: HashSet<ItemKey> = page.iter().map(|h| h.item).collect();
        let mut added: Vec<&Header> = Vec::new();
        let mut round: Vec<&Header> = page.to_vec();
        let mut first = true;
        while !round.is_empty() {
            let mut next: Vec<&Header> = Vec::new();
            let mut add = |found: &'a Header| {
                if !found.deleted && seen.insert(found.item) {
                    next.push(found);
                }
            };
            for include in self.includes.iter().filter(|i| first || i.iterate) {
                for header in &round {
                    include.targets(header).into_iter().filter_map(|t| shelf.by_reference(t)).for_each(&mut add);
                }
            }
            let here: HashSet<ItemKey> = round.iter().map(|h| h.item).collect();
            for include in self.revincludes.iter().filter(|i| first || i.iterate) {
                let Some(source) = include.source else { continue };
                for header in shelf.of_type(source) {
                    if include.targets(header).into_iter().filter_map(item_of).any(|item| here.contains(&item)) {
                        add(header);
                    }
                }
            }
            added.extend(&next);
            round = next;
            first = false;
        }
        added
    }
}
