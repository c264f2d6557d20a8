//! What a search may see beside the header at hand: the same, already filtered headers of the person.

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

/// A shelf over borrowed headers, for the query role and for tests. Sorted by item, which headers of a shelf mostly are already.
#[derive(Default)]
pub struct HeaderShelf<'a>(Vec<&'a Header>);

impl HeaderShelf<'_> {
    /// The header of an item.
    pub fn by_item(&self, item: &ItemKey) -> Option<&Header> {
        self.0.binary_search_by_key(item, |h| h.item).ok().map(|at| self.0[at])
    }
}

impl<'a> FromIterator<&'a Header> for HeaderShelf<'a> {
    fn from_iter<I: IntoIterator<Item = &'a Header>>(headers: I) -> Self {
        let mut all: Vec<&Header> = headers.into_iter().collect();
        all.sort_by_key(|h| h.item);
        Self(all)
    }
}

impl Shelf for HeaderShelf<'_> {
    fn by_reference(&self, target: &str) -> Option<&Header> {
        self.by_item(&item_of(target)?)
    }

    fn of_type(&self, resource_type: ResourceType) -> Box<dyn Iterator<Item = &Header> + '_> {
        let from = self.0.partition_point(|h| h.item.resource_type < resource_type);
        Box::new(self.0[from..].iter().copied().take_while(move |h| h.item.resource_type == resource_type))
    }
}
