//! Port `ledger`: nothing about a person is opened for release before its access entry is durable.
//!
//! [`Ledger::append`] commits the entry and answers with the [`Receipt`] and the keys of exactly the items that the entry
//! names. INVARIANT: this module is the only place that makes a [`Receipt`] or [`RowKeys`].

use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine;
use bytes::Bytes;
use openssl::sha::Sha256;
use schemas::access::{Access, AccessList, AccessRecord, Commitment, ReceiptBytes};
use schemas::codec;
use schemas::header::ItemVersion;
use schemas::submission::Outcome;
use schemas::vocab::Topic;
use schemas::{Pid, ids};
use tokio::sync::oneshot;

use crate::clock::year_of;
use crate::crypto;
use crate::ports::keys::{Keys, KeysError, PlatformKey, Secret};
use crate::ports::log::{Append, Appended, Log, LogError};
use crate::telemetry::metrics;

#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    #[error("the access entry could not be made durable: {0}")]
    Log(#[from] LogError),
    #[error("no key for an access entry or an item: {0}")]
    Keys(#[from] KeysError),
}

/// An access to append, and the items to open with it that the person may not know of yet (UNTOLD): they stand in the
/// entry's closed commitment only.
#[derive(Debug, Clone)]
pub struct Wanted {
    pub access: Access,
    pub closed: Vec<ItemVersion>,
}

/// An entry as it goes to the log. Not durable yet, so there is no receipt yet.
pub struct SealedEntry {
    wanted: Wanted,
    record: Append,
    commitment: Commitment,
    mac_key: Arc<Secret>,
}

/// The entry of a write, which is made when the outcome is known and becomes durable with it. Its receipt goes to who waits for it.
pub struct PendingEntry {
    pub access: Box<dyn FnOnce(&Outcome) -> Access + Send + Sync>,
    pub ledger: Arc<dyn Ledger>,
    pub receipt: oneshot::Sender<Receipt>,
}

impl PendingEntry {
    /// The entry of `outcome`, and who waits for its receipt; `None` where there is no key for it: then its writer appends one and
    /// is told why that fails.
    #[tracing::instrument(name = "ledger.seal", level = "debug", skip_all)]
    pub async fn seal(self, outcome: &Outcome) -> Option<(SealedEntry, oneshot::Sender<Receipt>)> {
        let wanted = Wanted { access: (self.access)(outcome), closed: Vec::new() };
        Some((self.ledger.seal(wanted).await.ok()?, self.receipt))
    }
}

/// Appends `records` and entries in one call, and gives the places of the records and the receipts of the entries.
pub async fn append_with(
    log: &dyn Log,
    records: Vec<Append>,
    entries: Vec<SealedEntry>,
) -> Result<(Vec<Appended>, Vec<Receipt>), LogError> {
    let (places, durable) = commit(log, records, entries).await?;
    Ok((places, durable.iter().map(|(entry, time)| entry.receipt(*time)).collect()))
}

/// Appends all; the entries come back, each with its time in the log.
async fn commit(
    log: &dyn Log,
    mut records: Vec<Append>,
    entries: Vec<SealedEntry>,
) -> Result<(Vec<Appended>, Vec<(SealedEntry, i64)>), LogError> {
    let count = records.len();
    records.extend(entries.iter().map(|entry| entry.record.clone()));
    let started = std::time::Instant::now();
    let mut places = log.append_all(records).await?;
    let seconds = started.elapsed().as_secs_f64();
    entries.iter().for_each(|entry| metrics::ledger_append(entry.wanted.access.kind.as_str(), seconds));
    let times = places.split_off(count).into_iter().map(|place| place.time);
    Ok((places, entries.into_iter().zip(times).collect()))
}

/// Proof that an access is durable. No public constructor.
#[derive(Debug, Clone)]
pub struct Receipt {
    bytes: ReceiptBytes,
    person: Option<Pid>,
}

impl Receipt {
    pub fn entry(&self) -> schemas::EntryId {
        self.bytes.entry
    }
    pub fn person(&self) -> Option<Pid> {
        self.person
    }
    /// Log time of the entry, milliseconds since 1970.
    pub fn time(&self) -> i64 {
        self.bytes.time
    }
    /// Value of the header `Kiroku-Receipt`: base64url of the CBOR of [`ReceiptBytes`].
    pub fn header_value(&self) -> String {
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(codec::encode(&self.bytes))
    }
}

/// The keys of the rows that one receipt names, in its order. No public constructor.
pub struct RowKeys(Vec<(ItemVersion, Secret)>);

impl RowKeys {
    /// The key of one version; `None` if the receipt does not name it.
    pub(crate) fn of(&self, version: &ItemVersion) -> Option<&Secret> {
        self.0.iter().find(|(v, _)| v == version).map(|(_, key)| key)
    }
}

/// The ledger as readers and doors see it.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Commits all entries (one wait), then gives receipt and row keys of each, in order. On an error nothing may be released.
    async fn append_all(&self, wanted: Vec<Wanted>) -> Result<Vec<(Receipt, RowKeys)>, LedgerError>;

    /// An entry that opens nothing, for [`append_with`].
    async fn seal(&self, wanted: Wanted) -> Result<SealedEntry, LedgerError>;

    async fn append(&self, access: Access) -> Result<(Receipt, RowKeys), LedgerError> {
        let mut all = self.append_all(vec![Wanted { access, closed: Vec::new() }]).await?;
        Ok(all.swap_remove(0))
    }
}

/// The ledger in this process: commits to topic `access`.
pub struct LocalLedger {
    log: Arc<dyn Log>,
    keys: Arc<dyn Keys>,
    mac_key: Arc<Secret>,
}

impl LocalLedger {
    pub async fn new(log: Arc<dyn Log>, keys: Arc<dyn Keys>) -> Result<Self, KeysError> {
        let mac_key = Arc::new(keys.platform_key(PlatformKey::Receipt).await?);
        Ok(Self { log, keys, mac_key })
    }

    async fn seal_entry(&self, access: &Access) -> Result<(Append, Commitment), KeysError> {
        let (list, shard) = match access.person {
            Some(pid) => (AccessList::Person(pid), pid.shard()),
            None => (AccessList::Facility(access.organisation.clone()), facility_shard(&access.organisation)),
        };
        let year = year_of(access.released_at);
        let key = self.keys.log_key(&list, year).await?;
        let body = codec::encode(access);
        let commitment = Commitment(crypto::hmac(&key.entry_opening(&access.id), &[&body]));
        let sealed = crypto::seal(&key.entry_key(&access.id), &access.id.0, &body);
        let record = AccessRecord { id: access.id, list, year, commitment, sealed };
        Ok((Append { topic: Topic::Access, shard, value: Bytes::from(codec::encode(&record)) }, commitment))
    }

    async fn row_keys(&self, wanted: &Wanted) -> Result<RowKeys, KeysError> {
        let Some(pid) = wanted.access.person else { return Ok(RowKeys(Vec::new())) };
        let mut keys = Vec::with_capacity(wanted.access.items.len() + wanted.closed.len());
        let mut last: Option<(schemas::header::Bucket, Arc<crate::ports::keys::RecordKey>)> = None;
        for version in wanted.access.items.iter().chain(&wanted.closed) {
            let Some(bucket) = version.bucket else { continue };
            if last.as_ref().is_none_or(|(b, _)| *b != bucket) {
                last = Some((bucket, self.keys.record_key(pid, bucket).await?));
            }
            let (_, record_key) = last.as_ref().expect("set just above");
            keys.push((*version, record_key.row(version)));
        }
        Ok(RowKeys(keys))
    }
}

impl SealedEntry {
    fn receipt(&self, time: i64) -> Receipt {
        let (access, commitment) = (&self.wanted.access, self.commitment);
        let mut items = Sha256::new();
        access.items.iter().chain(&self.wanted.closed).for_each(|v| items.update(&crypto::item_bytes(v)));
        let items = items.finish();
        let entry = access.id;
        let mac = crypto::hmac(&self.mac_key, &[&entry.0, &commitment.0, &items, &time.to_be_bytes()]);
        Receipt { bytes: ReceiptBytes { entry, commitment, items, time, mac }, person: access.person }
    }
}

/// Shard of a facility's list.
pub fn facility_shard(organisation: &schemas::OrganisationId) -> u16 {
    let hash = openssl::sha::sha256(organisation.0.as_bytes());
    u16::from_be_bytes([hash[0], hash[1]]) % ids::SHARDS
}

#[async_trait]
impl Ledger for LocalLedger {
    #[tracing::instrument(name = "ledger.append", level = "debug", skip_all)]
    async fn append_all(&self, wanted: Vec<Wanted>) -> Result<Vec<(Receipt, RowKeys)>, LedgerError> {
        let mut entries = Vec::with_capacity(wanted.len());
        for one in wanted {
            entries.push(self.seal(one).await?);
        }
        let (_, durable) = commit(&*self.log, Vec::new(), entries).await?;
        let mut out = Vec::with_capacity(durable.len());
        for (entry, time) in &durable {
            out.push((entry.receipt(*time), self.row_keys(&entry.wanted).await?));
        }
        Ok(out)
    }

    async fn seal(&self, wanted: Wanted) -> Result<SealedEntry, LedgerError> {
        let (record, commitment) = self.seal_entry(&wanted.access).await?;
        Ok(SealedEntry { wanted, record, commitment, mac_key: self.mac_key.clone() })
    }
}
