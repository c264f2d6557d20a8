//! A total order of what is found, so that pages are stable.

use std::cmp::{Ordering, Reverse};

use rust_decimal::prelude::ToPrimitive;
use schemas::header::Header;
use schemas::search::SearchValue;
use schemas::{LocalId, ResourceType};
use serde::{Deserialize, Serialize};

use super::clause::Place;
use super::matching::values;
use super::meta::{self, MetaField};
use super::{Fault, Query, number, parse};
use crate::fold;
use crate::params::Kind;

/// One key of `_sort`.
#[derive(Clone, Debug)]
pub(super) struct SortBy {
    place: Place,
    descending: bool,
}

/// Where a header stands in the order: the keys of `_sort`, then the newest first, then the item. Two headers of one shelf never
/// have the same key. Serializable, for page tokens; it holds values of the person, so a token must be sealed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct SortKey {
    fields: Vec<Field>,
    newest: Reverse<i64>,
    resource_type: ResourceType,
    local: LocalId,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Field {
    descending: bool,
    value: Option<FieldValue>,
}

/// What is compared: times as they are, decimals as ordered bits of a double, all else folded.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
enum FieldValue {
    Ordered(i64),
    Text(String),
}

impl PartialOrd for Field {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Field {
    /// What has no value comes last in either direction.
    fn cmp(&self, other: &Self) -> Ordering {
        match (&self.value, &other.value) {
            (Some(one), Some(two)) if self.descending => two.cmp(one),
            (Some(one), Some(two)) => one.cmp(two),
            (one, two) => one.is_none().cmp(&two.is_none()),
        }
    }
}

impl SortBy {
    pub(super) fn parse(resource_type: Option<ResourceType>, key: &str) -> Result<Self, Fault> {
        let (code, descending) = key.strip_prefix('-').map_or((key, false), |code| (code, true));
        if let Some(field) = MetaField::parse(code) {
            return Ok(Self { place: Place::Meta(field), descending });
        }
        let param = parse::find(resource_type, code)?;
        match param.kind {
            Kind::Composite => Err(Fault::unsupported("composite parameters do not sort")),
            _ => Ok(Self { place: Place::Stored(param.sources()), descending }),
        }
    }

    /// Of several values the smallest counts when ascending, the largest when descending.
    fn field(&self, header: &Header) -> Field {
        let descending = self.descending;
        let key = |value: &SearchValue| field_value(value, descending);
        let pick = |found: &mut dyn Iterator<Item = FieldValue>| if descending { found.max() } else { found.min() };
        let value = match &self.place {
            Place::Stored(sources) => pick(&mut values(header, sources).filter_map(key)),
            Place::Meta(field) => pick(&mut meta::values(header, *field).iter().filter_map(key)),
        };
        Field { descending, value }
    }
}

fn field_value(value: &SearchValue, descending: bool) -> Option<FieldValue> {
    Some(match value {
        SearchValue::Date { from, to } => FieldValue::Ordered(if descending { *to } else { *from }),
        SearchValue::Number(text) | SearchValue::Quantity { value: text, .. } => {
            FieldValue::Ordered(ordered_bits(number::parse(text)?.to_f64()?))
        }
        SearchValue::Token { code, text, .. } => {
            FieldValue::Text(fold::fold(if code.is_empty() { text } else { code }))
        }
        SearchValue::Text(text) | SearchValue::Uri(text) => FieldValue::Text(fold::fold(text)),
        SearchValue::Reference { target, identifier_value, .. } => {
            FieldValue::Text(if target.is_empty() { identifier_value } else { target }.to_string())
        }
        SearchValue::Composite(_) => return None,
    })
}

/// Integers in the order of the doubles.
fn ordered_bits(number: f64) -> i64 {
    let bits = (number + 0.0).to_bits().cast_signed();
    if bits < 0 { i64::MIN.wrapping_sub(bits) } else { bits }
}

impl Query {
    /// Where a header stands in the order of this query; a page goes on behind the last key of the page before.
    pub fn sort_key(&self, header: &Header) -> SortKey {
        SortKey {
            fields: self.sort.iter().map(|by| by.field(header)).collect(),
            newest: Reverse(header.last_updated),
            resource_type: header.item.resource_type,
            local: header.item.local,
        }
    }

    /// Compares two headers in the order of this query; to sort many, take the keys once (`sort_by_cached_key`).
    pub fn compare(&self, one: &Header, other: &Header) -> Ordering {
        self.sort_key(one).cmp(&self.sort_key(other))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_order_of_bits_is_the_order_of_numbers(a in -1e12f64..1e12, b in -1e12f64..1e12) {
            prop_assert_eq!(ordered_bits(a).cmp(&ordered_bits(b)), a.partial_cmp(&b).unwrap());
        }
    }
}
