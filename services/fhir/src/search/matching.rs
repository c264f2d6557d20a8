//! Matching a compiled query on headers.

use std::cell::OnceCell;
use std::collections::HashSet;

use schemas::header::Header;
use schemas::search::SearchValue;
use schemas::{ItemKey, ResourceType};

use super::clause::{Clause, Composite, Place};
use super::shelf::item_of;
use super::value::Test;
use super::{Query, Shelf, meta};
use crate::extract::refers_to;
use crate::params::Source;

/// A query on one shelf. What `_has` finds is looked for once, however many headers are matched.
pub struct Matcher<'a> {
    query: &'a Query,
    shelf: &'a dyn Shelf,
    found: Vec<OnceCell<HashSet<ItemKey>>>,
}

impl Query {
    /// Prepares matching on the headers of `shelf`.
    pub fn on<'a>(&'a self, shelf: &'a dyn Shelf) -> Matcher<'a> {
        Matcher { query: self, shelf, found: vec![OnceCell::new(); self.slots] }
    }

    /// Whether one header is found; for many headers use [`Query::on`].
    pub fn matches(&self, header: &Header, shelf: &dyn Shelf) -> bool {
        self.on(shelf).matches(header)
    }
}

impl Matcher<'_> {
    /// Whether `header` is found. Deleted versions never are.
    pub fn matches(&self, header: &Header) -> bool {
        !header.deleted
            && self.query.covers(header.item.resource_type)
            && self.query.clauses.iter().all(|clause| self.holds(clause, header))
    }

    fn holds(&self, clause: &Clause, header: &Header) -> bool {
        match clause {
            Clause::Any { place, tests, negate } => self.any(place, header, tests) != *negate,
            Clause::Missing { place, missing } => exists(place, header) != *missing,
            Clause::Composite(composite) => self.composite(composite, header),
            Clause::CompositeMissing { composite, missing } => {
                let split = composite.split.as_ref().is_some_and(|places| places.iter().all(|p| exists(p, header)));
                (split || values(header, &composite.stored).next().is_some()) != *missing
            }
            Clause::Chain { sources, branches } => references(header, sources).any(|target| {
                let Some(found) = self.shelf.by_reference(target).filter(|found| !found.deleted) else { return false };
                branches.iter().any(|(resource_type, clauses)| {
                    found.item.resource_type == *resource_type && clauses.iter().all(|c| self.holds(c, found))
                })
            }),
            Clause::Has { slot, resource_type, sources, clause } => {
                let found = self.found[*slot].get_or_init(|| self.referred(*resource_type, sources, clause));
                found.contains(&header.item)
            }
        }
    }

    /// The items that resources of a type refer to, if they satisfy the condition.
    fn referred(&self, resource_type: ResourceType, sources: &[Source], clause: &Clause) -> HashSet<ItemKey> {
        let holding = self.shelf.of_type(resource_type).filter(|h| !h.deleted && self.holds(clause, h));
        holding.flat_map(|h| references(h, sources).filter_map(item_of).collect::<Vec<_>>()).collect()
    }

    fn any(&self, place: &Place, header: &Header, tests: &[Test]) -> bool {
        let hit = |value: &SearchValue| tests.iter().any(|test| test.matches(value, self.shelf));
        match place {
            Place::Stored(sources) => values(header, sources).any(hit),
            Place::Meta(field) => meta::values(header, *field).iter().any(hit),
        }
    }

    fn composite(&self, composite: &Composite, header: &Header) -> bool {
        composite.tests.iter().any(|tests| {
            let split = composite.split.as_ref().is_some_and(|places| {
                places.iter().zip(tests).all(|(place, test)| self.any(place, header, std::slice::from_ref(test)))
            });
            split
                || values(header, &composite.stored).any(|value| match value {
                    SearchValue::Composite(parts) => {
                        parts.len() == tests.len() && parts.iter().zip(tests).all(|(p, t)| t.matches(p, self.shelf))
                    }
                    _ => false,
                })
        })
    }
}

fn exists(place: &Place, header: &Header) -> bool {
    match place {
        Place::Stored(sources) => values(header, sources).next().is_some(),
        Place::Meta(field) => !meta::values(header, *field).is_empty(),
    }
}

/// The stored values of a parameter. They lie sorted by its number (`extract`).
pub(super) fn values<'a>(header: &'a Header, sources: &'a [Source]) -> impl Iterator<Item = &'a SearchValue> {
    let wanted = |value: &SearchValue, only: Option<ResourceType>| match (only, value) {
        (Some(only), SearchValue::Reference { target, .. }) => target.is_empty() || refers_to(target, only.as_str()),
        _ => true,
    };
    // Read in order, not bisected: the values of a few hundred headers are in no cache, and what lies in a row is fetched ahead.
    let of = |n: u16| header.search.iter().skip_while(move |v| v.param < n).take_while(move |v| v.param == n);
    let first = |at: usize| sources[..at].iter().all(|earlier| earlier.n != sources[at].n);
    (0..sources.len())
        .filter(move |at| first(*at))
        .flat_map(move |at| of(sources[at].n))
        .filter(move |v| sources.iter().any(|s| s.n == v.param && wanted(&v.value, s.only)))
        .map(|v| &v.value)
}

/// The targets of the stored references of a parameter.
pub(super) fn references<'a>(header: &'a Header, sources: &'a [Source]) -> impl Iterator<Item = &'a str> {
    values(header, sources).filter_map(|value| match value {
        SearchValue::Reference { target, .. } if !target.is_empty() => Some(target.as_str()),
        _ => None,
    })
}
