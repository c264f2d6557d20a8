//! The shelves touched by one batch of submissions: read once, changed in memory, written together.

use std::collections::HashMap;
use std::sync::Arc;

use chassis::shelves::{ShelfError, Shelves};
use schemas::header::Header;
use schemas::shelf::PersonState;
use schemas::{ItemKey, OrganisationId, Pid, ResourceType};

/// States of persons; `None`: nobody has this pid.
pub(crate) type States = HashMap<Pid, Option<Arc<PersonState>>>;

/// States kept from batch to batch; beyond that all are forgotten and read again.
const STATES: usize = 10_000;

/// State and headers as they stand after the batch so far.
pub(crate) struct Work<'a> {
    shelves: &'a Shelves,
    states: States,
    headers: HashMap<(Pid, ItemKey), Option<Header>>,
}

impl<'a> Work<'a> {
    /// `states`: as they stand before the batch, if they are known.
    pub(crate) fn new(shelves: &'a Shelves, states: States) -> Self {
        Self { shelves, states, headers: HashMap::new() }
    }

    /// The states after the batch.
    pub(crate) fn into_states(self) -> States {
        if self.states.len() > STATES { States::default() } else { self.states }
    }

    pub(crate) async fn state(&mut self, pid: Pid) -> Result<Option<Arc<PersonState>>, ShelfError> {
        if let Some(state) = self.states.get(&pid) {
            return Ok(state.clone());
        }
        let state = self.shelves.state(pid).await?.map(Arc::new);
        self.states.insert(pid, state.clone());
        Ok(state)
    }

    pub(crate) async fn header(&mut self, pid: Pid, item: ItemKey) -> Result<Option<Header>, ShelfError> {
        if let Some(header) = self.headers.get(&(pid, item)) {
            return Ok(header.clone());
        }
        let header = self.shelves.header(pid, &item).await?;
        self.headers.insert((pid, item), header.clone());
        Ok(header)
    }

    /// The newest live headers of a type that `organisation` wrote (of the commons: that anyone wrote), for write conditions.
    pub(crate) async fn own_headers(
        &mut self,
        pid: Pid,
        resource_type: ResourceType,
        organisation: &OrganisationId,
    ) -> Result<Vec<Header>, ShelfError> {
        let mut by_item: HashMap<ItemKey, Header> =
            self.shelves.headers_of_type(pid, resource_type).await?.into_iter().map(|h| (h.item, h)).collect();
        for ((owner, item), header) in &self.headers {
            if let Some(header) = header.as_ref().filter(|_| *owner == pid && item.resource_type == resource_type) {
                by_item.insert(*item, header.clone());
            }
        }
        let own = |h: &Header| !h.deleted && (pid == Pid::COMMONS || h.author_organisation == *organisation);
        let mut headers: Vec<Header> = by_item.into_values().filter(own).collect();
        headers.sort_by_key(|h| h.item);
        Ok(headers)
    }

    pub(crate) fn set_state(&mut self, state: PersonState) {
        self.states.insert(state.pid, Some(Arc::new(state)));
    }

    pub(crate) fn set_header(&mut self, pid: Pid, header: Header) {
        self.headers.insert((pid, header.item), Some(header));
    }
}
