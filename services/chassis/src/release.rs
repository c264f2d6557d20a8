//! Bytes that leave. An [`Answer`] about a person can be built only from a [`Receipt`].

use bytes::Bytes;
use schemas::header::{Header, ItemVersion};

use crate::crypto::CryptoError;
use crate::ledger::{Receipt, RowKeys};
use crate::shelf;

/// What leaves about a person, with the receipt of its access entry.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// Header names in lower case.
    pub headers: Vec<(&'static str, String)>,
    pub body: Bytes,
    receipt: Receipt,
}

/// Said with every clinical answer, the same whether or not anything was withheld.
pub const NOTICE: &str = "may be incomplete; no entry does not mean none";

impl Answer {
    pub fn about_person(receipt: Receipt, status: u16, body: impl Into<Bytes>) -> Self {
        Self { status, headers: Vec::new(), body: body.into(), receipt }
    }

    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub fn receipt(&self) -> &Receipt {
        &self.receipt
    }
}

/// Opens one body for release: only with the keys that came with its receipt.
pub fn open_body(
    keys: &RowKeys,
    version: &ItemVersion,
    header: &Header,
    chunks: &[Bytes],
) -> Result<Vec<u8>, CryptoError> {
    let key = keys.of(version).ok_or(CryptoError)?;
    shelf::open_body_with(key, version, header, chunks)
}
