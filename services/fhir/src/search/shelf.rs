//! What a search may see beside the header at hand: the same, already filtered headers of the person.

use std::collections::{BTreeMap, HashMap};

use schemas::header::Header;
use schemas::{ItemKey, ResourceId, ResourceType};

/// The filtered view of one person's headers (and of the commons they refer to). What is withheld is not in it, so chaining,
/// `_has` and includes cannot tell it from what does not exist.
pub trait Shelf {
    /// The newest, not deleted version of the resource at `Type/id`.
    fn by_reference(&self, target: &str) -> Option<&Header>;

    /// All of one type.
    fn of_type(&self, resource_type: ResourceType) -> Box<dyn Iterator<Item = &Header> + '_>;

    /// Whether two `Patient/<id>` mean the same person; linked shelves may say yes to more.
    fn same_person(&self, one: &str, other: &str) -> bool {
        person_of(one).is_some_and(|pid| person_of(other) == Some(pid))
    }
}

fn person_of(target: &str) -> Option<&str> {
    let (pid, _) = target.strip_prefix("Patient/")?.split_once('-')?;
    (pid.len() == 26).then_some(pid)
}

/// The item that a reference of ours names; `None` for URLs, urns and foreign ids.
pub(crate) fn item_of(target: &str) -> Option<ItemKey> {
    let (kind, id) = target.split_once('/')?;
    Some(ItemKey { resource_type: kind.parse().ok()?, local: id.parse::<ResourceId>().ok()?.local })
}

/// A shelf over borrowed headers, for the query role and for tests.
#[derive(Default)]
pub struct HeaderShelf<'a> {
    by_item: HashMap<ItemKey, &'a Header>,
    by_type: BTreeMap<ResourceType, Vec<&'a Header>>,
}

impl<'a> FromIterator<&'a Header> for HeaderShelf<'a> {
    fn from_iter<I: IntoIterator<Item = &'a Header>>(headers: I) -> Self {
        let mut shelf = Self::default();
        for header in headers {
            shelf.by_item.insert(header.item, header);
            shelf.by_type.entry(header.item.resource_type).or_default().push(header);
        }
        shelf
    }
}

impl Shelf for HeaderShelf<'_> {
    fn by_reference(&self, target: &str) -> Option<&Header> {
        self.by_item.get(&item_of(target)?).copied()
    }

    fn of_type(&self, resource_type: ResourceType) -> Box<dyn Iterator<Item = &Header> + '_> {
        Box::new(self.by_type.get(&resource_type).into_iter().flatten().copied())
    }
}
