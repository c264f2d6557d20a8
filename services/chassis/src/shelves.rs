//! Reading shelves inside the process: state and headers, opened with a ticket. Bodies are opened elsewhere
//! ([`crate::release::open_body`] for release; the projector and the safety check with their own tickets).

use std::sync::Arc;

use bytes::Bytes;
use schemas::header::{Bucket, Header, ItemVersion};
use schemas::shelf::PersonState;
use schemas::{ItemKey, LocalId, Pid, ResourceType};

use crate::crypto::CryptoError;
use crate::ports::keys::{Keys, KeysError, Secret, Ticket};
use crate::ports::store::{Store, StoreError, Table};
use crate::shelf::{self, RowError};

#[derive(Debug, thiserror::Error)]
pub enum ShelfError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// Damage in a row that was needed: said, never skipped.
    #[error("a row of table `{table}` is damaged: {source}")]
    Row {
        table: &'static str,
        #[source]
        source: RowError,
    },
}

impl ShelfError {
    pub fn row(table: Table, source: impl Into<RowError>) -> Self {
        Self::Row { table: table.name(), source: source.into() }
    }
}

/// How many header rows are read at once.
const PAGE: usize = 1024;

/// Opens state and headers of one generation of the tables.
#[derive(Clone)]
pub struct Shelves {
    pub store: Arc<dyn Store>,
    pub keys: Arc<dyn Keys>,
    ticket: Ticket,
}

impl Shelves {
    pub fn new(store: Arc<dyn Store>, keys: Arc<dyn Keys>, ticket: Ticket) -> Self {
        Self { store, keys, ticket }
    }

    pub async fn header_secret(&self, pid: Pid, bucket: Bucket) -> Result<Secret, KeysError> {
        Ok(self.keys.record_key(pid, bucket).await?.header_key(&self.ticket))
    }

    /// The state row as it lies in the table: [`shelf::state_position`] reads its position without a key.
    pub async fn state_row(&self, pid: Pid) -> Result<Option<Bytes>, ShelfError> {
        Ok(self.store.get(Table::State, &pid.0, b"").await?)
    }

    pub async fn open_state(&self, pid: Pid, row: &[u8]) -> Result<PersonState, ShelfError> {
        let key = self.header_secret(pid, Bucket::Long).await?;
        shelf::open_state(&key, pid, row).map_err(|e| ShelfError::row(Table::State, e))
    }

    pub async fn state(&self, pid: Pid) -> Result<Option<PersonState>, ShelfError> {
        match self.state_row(pid).await? {
            Some(row) => Ok(Some(self.open_state(pid, &row).await?)),
            None => Ok(None),
        }
    }

    /// The newest header of an item.
    pub async fn header(&self, pid: Pid, item: &ItemKey) -> Result<Option<Header>, ShelfError> {
        match self.store.get(Table::Header, &pid.0, &shelf::item_row_key(item)).await? {
            Some(row) => Ok(Some(self.open_header(pid, item, &row, Table::Header).await?)),
            None => Ok(None),
        }
    }

    async fn open_header(&self, pid: Pid, item: &ItemKey, row: &[u8], table: Table) -> Result<Header, ShelfError> {
        let bucket = shelf::header_bucket(row).map_err(|e| ShelfError::row(table, e))?;
        let key = self.header_secret(pid, bucket).await?;
        shelf::open_header(&key, item, row).map_err(|e| ShelfError::row(table, e))
    }

    /// The newest headers of one type (deleted ones too), in the order of their ids.
    pub async fn headers_of_type(&self, pid: Pid, resource_type: ResourceType) -> Result<Vec<Header>, ShelfError> {
        let (from, to) = shelf::type_range(resource_type);
        self.headers_between(pid, Bytes::copy_from_slice(&from), &to).await
    }

    /// The newest headers of the whole shelf.
    pub async fn all_headers(&self, pid: Pid) -> Result<Vec<Header>, ShelfError> {
        self.headers_between(pid, Bytes::new(), &[]).await
    }

    async fn headers_between(&self, pid: Pid, mut from: Bytes, to: &[u8]) -> Result<Vec<Header>, ShelfError> {
        let mut headers = Vec::new();
        let mut secret: Option<(Bucket, Secret)> = None;
        loop {
            let page = self.store.range(Table::Header, &pid.0, &from, to, PAGE).await?;
            for (key, row) in &page.rows {
                let item = item_of_key(key).ok_or_else(|| ShelfError::row(Table::Header, RowError::Form))?;
                let bucket = shelf::header_bucket(row).map_err(|e| ShelfError::row(Table::Header, e))?;
                if secret.as_ref().is_none_or(|(b, _)| *b != bucket) {
                    secret = Some((bucket, self.header_secret(pid, bucket).await?));
                }
                let (_, key) = secret.as_ref().expect("set just above");
                headers.push(shelf::open_header(key, &item, row).map_err(|e| ShelfError::row(Table::Header, e))?);
            }
            match page.rows.last() {
                Some((last, _)) if page.more => from = [last.as_ref(), &[0]].concat().into(),
                _ => return Ok(headers),
            }
        }
    }

    /// The versions of an item before the newest, oldest first.
    pub async fn old_versions(&self, pid: Pid, item: &ItemKey) -> Result<Vec<Header>, ShelfError> {
        let (from, to) = (shelf::version_row_key(item, 0), shelf::version_row_key(item, u32::MAX));
        let page = self.store.range(Table::Version, &pid.0, &from, &to, usize::MAX).await?;
        let mut headers = Vec::with_capacity(page.rows.len());
        for (_, row) in &page.rows {
            headers.push(self.open_header(pid, item, row, Table::Version).await?);
        }
        Ok(headers)
    }

    /// The stored parts of a body, still sealed.
    pub async fn body_chunks(&self, pid: Pid, header: &Header) -> Result<Vec<Bytes>, ShelfError> {
        let Some(body) = header.body else { return Ok(Vec::new()) };
        let partition = shelf::body_partition(pid, body.bucket);
        let mut chunks = Vec::with_capacity(usize::from(body.chunks));
        for chunk in 0..body.chunks {
            let key = shelf::body_row_key(&header.item, header.version, chunk);
            let row = self.store.get(Table::Body, &partition, &key).await?;
            chunks.push(row.ok_or_else(|| ShelfError::row(Table::Body, RowError::Form))?);
        }
        Ok(chunks)
    }

    /// Opens a body for work inside (safety check, rebuild, `check`); what leaves is opened with a receipt's keys instead.
    pub async fn body_inside(&self, pid: Pid, header: &Header) -> Result<Vec<u8>, ShelfError> {
        let chunks = self.body_chunks(pid, header).await?;
        let version: ItemVersion = header.item_version();
        let bucket = version.bucket.ok_or_else(|| ShelfError::row(Table::Body, CryptoError))?;
        let key = self.keys.record_key(pid, bucket).await?.row_key(&self.ticket, &version);
        shelf::open_body_with(&key, &version, header, &chunks).map_err(|e| ShelfError::row(Table::Body, e))
    }
}

/// The item that a header row's key names.
pub fn item_of_key(key: &[u8]) -> Option<ItemKey> {
    let (&number, local) = key.split_first()?;
    let resource_type = *ResourceType::ALL.get(usize::from(number))?;
    Some(ItemKey { resource_type, local: LocalId(local.get(..10)?.try_into().ok()?) })
}
