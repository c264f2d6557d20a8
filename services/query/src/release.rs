//! The last step: append the entry, get receipt and keys, open exactly those items, build the answer.

use std::sync::Arc;

use bytes::Bytes;
use chassis::entry::draft;
use chassis::http::Refusal;
use chassis::ledger::{Receipt, RowKeys, Wanted};
use chassis::ports::keys::KeysError;
use chassis::ports::store::StoreError;
use chassis::release::open_body;
use chassis::session::Session;
use chassis::shelves::ShelfError;
use schemas::access::{Access, AccessOutcome, WAITING};
use schemas::header::{Header, ItemVersion};
use schemas::vocab::{AccessKind, Label};
use schemas::{Category, Pid, ResourceId};

use crate::Query;
use crate::handlers::notice::Waits;
use crate::view::View;

/// Parts of an entry that the handler knows.
pub(crate) struct Looked<'a> {
    pub(crate) kind: AccessKind,
    /// Path and parameters as asked, without a person's identifiers.
    pub(crate) query: String,
    pub(crate) headers: &'a [Arc<Header>],
    /// For an automatic check the drug asked about; empty elsewhere.
    pub(crate) subject: String,
    /// What the reader is told beside the items.
    pub(crate) waits: Waits,
}

impl<'a> Looked<'a> {
    pub(crate) fn new(kind: AccessKind, query: String, headers: &'a [Arc<Header>]) -> Self {
        Self { kind, query, headers, subject: String::new(), waits: Waits::No }
    }
}

/// Opened items, ready to be written into an answer.
pub(crate) struct Opened {
    pub(crate) receipt: Receipt,
    /// One resource as FHIR JSON for each header, in order; `None` for a deleted version.
    pub(crate) resources: Vec<Option<Vec<u8>>>,
}

impl Query {
    /// Appends the entry that names `looked.headers`, then opens exactly these.
    #[tracing::instrument(name = "release", level = "debug", skip_all)]
    pub(crate) async fn release(&self, session: &Session, view: &View, looked: Looked<'_>) -> Result<Opened, Refusal> {
        let access = self.access(session, view, &looked);
        // Sealed chunks are fetched before the entry is appended: a row that is missing must not cost a false entry.
        let mut sealed = Vec::with_capacity(looked.headers.len());
        for header in looked.headers {
            sealed.push(self.shelves.body_chunks(view.pid, header).await.map_err(|e| self.failed(&e))?);
        }
        let (receipt, keys) = self.commit(access, looked.headers).await?;
        let mut resources = Vec::with_capacity(looked.headers.len());
        for (header, chunks) in looked.headers.iter().zip(&sealed) {
            resources.push(self.open_one(view.pid, header, &keys, chunks)?);
        }
        Ok(Opened { receipt, resources })
    }

    fn open_one(
        &self,
        pid: Pid,
        header: &Header,
        keys: &RowKeys,
        chunks: &[Bytes],
    ) -> Result<Option<Vec<u8>>, Refusal> {
        if header.body.is_none() {
            return Ok(None);
        }
        let body = open_body(keys, &header.item_version(), header, chunks)
            .map_err(|e| self.failed(&ShelfError::row(chassis::ports::store::Table::Body, e)))?;
        let rendered = fhir::render::Rendered {
            resource_type: header.item.resource_type,
            id: ResourceId { pid, local: header.item.local },
            version: header.version,
            last_updated: header.last_updated,
            sent_meta: &header.meta.sent_meta,
            labels: &header.meta.labels,
        };
        Ok(Some(fhir::render::resource(&rendered, &body)))
    }

    /// The entry for a release (or for finding nothing) under a decision.
    fn access(&self, session: &Session, view: &View, looked: &Looked<'_>) -> Access {
        let person = view.known.then_some(view.pid);
        let mut access = draft(&session.asker(), person, looked.kind, AccessOutcome::Success, self.clock.now());
        view.decision.explain(&mut access);
        let open = |h: &&Arc<Header>| !h.has_label(Label::Untold);
        access.items = looked.headers.iter().filter(open).map(|h| h.item_version()).collect();
        access.categories = looked.headers.iter().filter(open).map(|h| h.meta.category).collect::<Vec<Category>>();
        access.categories.sort_unstable();
        access.categories.dedup();
        access.count = u32::try_from(access.items.len()).unwrap_or(u32::MAX);
        // Nothing but own uploads could have been shown, and none that the person knows of was: told as the refusal of the rest,
        // whether or not anything was withheld from the reader or is kept from the person.
        if let Some(rest) = view.decision.rest.as_ref().filter(|_| access.items.is_empty()) {
            access.kind = AccessKind::Denied;
            access.outcome = AccessOutcome::Denied;
            access.rules.push(rest.rule.clone());
            access.reason.clone_from(&rest.reason);
        }
        access.query.clone_from(&looked.query);
        access.subject.clone_from(&looked.subject);
        tell_waiting(&mut access, looked.waits);
        access
    }

    async fn commit(&self, access: Access, headers: &[Arc<Header>]) -> Result<(Receipt, RowKeys), Refusal> {
        let closed: Vec<ItemVersion> =
            headers.iter().filter(|h| h.has_label(Label::Untold)).map(|h| h.item_version()).collect();
        let mut all = self.ledger.append_all(vec![Wanted { access, closed }]).await.map_err(|error| {
            // Nothing is released without its entry.
            Refusal::unavailable(&error, 5)
        })?;
        Ok(all.swap_remove(0))
    }

    /// Appends the entry of a refusal. The answer is `refusal` whether or not the person is known.
    pub(crate) async fn refuse(
        &self,
        session: &Session,
        view: &View,
        (query, waits): (String, Waits),
        refusal: Refusal,
    ) -> Refusal {
        let person = view.known.then_some(view.pid);
        let mut access = draft(&session.asker(), person, AccessKind::Denied, AccessOutcome::Denied, self.clock.now());
        view.decision.explain(&mut access);
        access.query = query;
        tell_waiting(&mut access, waits);
        match self.commit(access, &[]).await {
            Ok((receipt, _)) => refusal.with_receipt(&receipt),
            Err(unavailable) => unavailable,
        }
    }

    /// What a client is told when a row is damaged or a part is down; what happened goes to the log, without values.
    pub(crate) fn failed(&self, error: &ShelfError) -> Refusal {
        match error {
            // Erased while the request was under way.
            ShelfError::Keys(KeysError::NoKey) => Refusal::not_found(),
            ShelfError::Keys(KeysError::NotWritable(_) | KeysError::Io(_))
            | ShelfError::Store(StoreError::NotWritable(_) | StoreError::Io(_)) => Refusal::unavailable(error, 5),
            _ => Refusal::internal(error),
        }
    }
}

/// Names the rule by which the reader learned that a document waits, where the person may know of the document.
fn tell_waiting(access: &mut Access, waits: Waits) {
    if waits == Waits::Told {
        WAITING.clone_into(&mut access.subject);
        access.rules.extend((!access.rules.iter().any(|rule| rule == "R19")).then(|| "R19".to_owned()));
    }
}
