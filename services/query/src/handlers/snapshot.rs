//! Headers of a shelf as they were at a position: what is written while somebody pages is not seen on the later pages.

use std::sync::Arc;

use chassis::shelves::ShelfError;
use schemas::header::Header;
use schemas::{Pid, ResourceType};

use crate::Query;
use crate::cache::TypeHeaders;
use crate::view::View;

impl Query {
    /// The headers of `types`, live at `sequence`, that the filter admits today. For what was written or deleted since, the
    /// version of then stands in, if the filter admits that too; what the newest version withholds is gone.
    pub(crate) async fn admitted_as_of(
        &self,
        view: &View,
        sequence: u64,
        types: impl Iterator<Item = ResourceType>,
    ) -> Result<Vec<Arc<Header>>, ShelfError> {
        let admits = |header: &Header| view.decision.filter.admits(header);
        let mut all = Vec::new();
        for resource_type in types.filter(|t| !t.is_commons()) {
            let newest = self.newest_of_type(view.pid, resource_type, view.state.position).await?;
            self.add_as_of(view.pid, &newest, (sequence, &admits), &mut all).await?;
        }
        Ok(all)
    }

    /// The commons of `types` as they were at `sequence`; `position` is that of the commons now.
    pub(crate) async fn commons_as_of(
        &self,
        (position, sequence): (u64, u64),
        types: impl Iterator<Item = ResourceType>,
    ) -> Result<Vec<Arc<Header>>, ShelfError> {
        let mut all = Vec::new();
        for resource_type in types.filter(|t| t.is_commons()) {
            let newest = self.newest_of_type(Pid::COMMONS, resource_type, position).await?;
            self.add_as_of(Pid::COMMONS, &newest, (sequence, &|_: &Header| true), &mut all).await?;
        }
        Ok(all)
    }

    async fn add_as_of(
        &self,
        pid: Pid,
        newest: &TypeHeaders,
        (sequence, admits): (u64, &(impl Fn(&Header) -> bool + Sync)),
        all: &mut Vec<Arc<Header>>,
    ) -> Result<(), ShelfError> {
        for header in newest.headers.iter().filter(|h| admits(h)) {
            if header.position <= sequence {
                all.extend((!header.deleted).then(|| header.clone()));
                continue;
            }
            let old = self.shelves.old_versions(pid, &header.item).await?;
            let then = old.into_iter().rev().find(|h| h.position <= sequence);
            all.extend(then.filter(|h| !h.deleted && admits(h)).map(Arc::new));
        }
        Ok(())
    }

    /// The newest headers of a type, deleted and withheld ones too: never to be shown without the filter.
    pub(super) async fn newest_of_type(
        &self,
        pid: Pid,
        resource_type: ResourceType,
        position: u64,
    ) -> Result<Arc<TypeHeaders>, ShelfError> {
        if let Some(entry) = self.cache.headers(pid, resource_type, position) {
            return Ok(entry);
        }
        let headers = self.shelves.headers_of_type(pid, resource_type).await?;
        Ok(self.cache.keep_headers(pid, resource_type, position, headers))
    }
}
