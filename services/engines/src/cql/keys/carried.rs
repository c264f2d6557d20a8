//! Keys on their way from one keyring to another.

use std::collections::BTreeMap;

use bytes::Bytes;
use chassis::ports::keys::{KeysError, Secret};
use futures_util::stream::{self, StreamExt, TryStreamExt};

use super::ring::{Change, LIVE, Step};
use super::{CqlKeys, unwrap, wrap};
use crate::carry::{CarriedKey, KeyName};
use crate::cql::client::Use;
use crate::cql::error::keys_read_error;
use crate::cql::statements::keys;
use crate::embedded::keys::{Kind, Name, check_name};

/// Subjects that are written at once: each is a decision by Paxos.
const AT_ONCE: usize = 32;

type Stored = (Bytes, Option<i8>, Option<i16>, Option<Bytes>);

impl CqlKeys {
    /// See [`crate::carry::Carrier::keys`]: whole subjects, those of the next page after the token of the last.
    pub(in crate::cql) async fn carried(
        &self,
        after: Option<KeyName>,
        limit: usize,
    ) -> Result<Vec<CarriedKey>, KeysError> {
        let most = i32::try_from(limit).unwrap_or(i32::MAX);
        let mut after = after.map(|name| Bytes::copy_from_slice(&name.0.subject));
        loop {
            let mut rows = self.page_of_keys(after.as_ref(), most).await?;
            let Some((last, ..)) = rows.last().cloned() else { return Ok(Vec::new()) };
            // The last subject may be cut off: it comes again with the next page.
            if rows.len() >= limit && rows.iter().any(|(subject, ..)| *subject != last) {
                rows.retain(|(subject, ..)| *subject != last);
            }
            let end = rows.last().map(|(subject, ..)| subject.clone());
            let found: Vec<CarriedKey> =
                rows.iter().filter_map(|row| self.carried_key(row).transpose()).collect::<Result<_, _>>()?;
            // A page of erased persons holds no key and is not the end.
            if !found.is_empty() {
                return Ok(found);
            }
            after = end;
        }
    }

    async fn page_of_keys(&self, after: Option<&Bytes>, most: i32) -> Result<Vec<Stored>, KeysError> {
        let client = self.ring.client();
        let text = if after.is_some() { keys::ALL_AFTER } else { keys::ALL };
        let statement = client.prepare(text, "", Use::Read).await.map_err(keys_read_error)?;
        let rows = match after {
            Some(subject) => client.rows::<Stored>(&statement, (subject, most)).await,
            None => client.rows::<Stored>(&statement, (most,)).await,
        };
        rows.map_err(keys_read_error)
    }

    fn carried_key(&self, (subject, kind, year, wrapped): &Stored) -> Result<Option<CarriedKey>, KeysError> {
        let (Some(kind), Some(year), Some(wrapped)) = (kind, year, wrapped) else { return Ok(None) };
        let damaged = || KeysError::Damaged("the name of a key does not read".to_owned());
        let name = Name {
            subject: subject[..].try_into().map_err(|_| damaged())?,
            kind: u8::try_from(*kind).ok().and_then(Kind::from_byte).ok_or_else(damaged)?,
            year: u16::try_from(*year).map_err(|_| damaged())?,
        };
        // Belongs to this keyring alone.
        if name == check_name() {
            return Ok(None);
        }
        Ok(Some(CarriedKey { name: KeyName(name), secret: unwrap(&self.secret, &name, wrapped)? }))
    }

    /// See [`crate::carry::Carrier::take_keys`].
    pub(in crate::cql) async fn take_in(&self, keys: Vec<CarriedKey>) -> Result<(), KeysError> {
        let mut subjects: BTreeMap<[u8; 16], Vec<(Name, Secret)>> = BTreeMap::new();
        for CarriedKey { name, secret } in keys {
            subjects.entry(name.0.subject).or_default().push((name.0, secret));
        }
        let taken = subjects.into_iter().map(|(subject, keys)| async move { self.take_subject(&subject, &keys).await });
        stream::iter(taken).buffer_unordered(AT_ONCE).try_collect::<()>().await
    }

    async fn take_subject(&self, subject: &[u8; 16], keys: &[(Name, Secret)]) -> Result<(), KeysError> {
        self.ring
            .decide(subject, |kept| {
                if kept.is_erased() {
                    return Err(KeysError::NoKey);
                }
                let missing = keys.iter().filter(|(name, _)| kept.get(name).is_none());
                let mut changes: Vec<Change> =
                    missing.map(|(name, key)| Change::Add(*name, wrap(&self.secret, name, key).to_vec())).collect();
                if changes.is_empty() {
                    return Ok(Step::Done(()));
                }
                changes.push(Change::Status(kept.is_live().then_some(LIVE), LIVE));
                Ok(Step::Write(changes))
            })
            .await
    }
}
