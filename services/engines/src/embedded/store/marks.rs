//! What the store knows about its own completeness.
//!
//! The engine below drops the end of its journal, or the middle of an older one, when a byte of it is damaged, and says nothing.
//! So each write batch has a number and leaves a row in every keyspace that it touches; a batch that is missing while a later
//! one is there is found at open. A missing *end* is no damage: the rows of the checkpoint are lost with it, and the log
//! replays from there.

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};
use openssl::sha::Sha256;

use super::spaces::{Space, Spaces, Touched};
use super::{BATCH, MARKS, engine_error};
use chassis::ports::store::StoreError;

/// Of one stream of positions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct StreamMarks {
    /// Batches applied.
    #[n(0)]
    pub count: u64,
    /// Sum modulo 2^256 (four words) of [`position_hash`] of all of them: the same in whatever order they came, so that
    /// `check` can make it again from the log.
    #[n(1)]
    pub sum: [u64; 4],
    /// Largest position applied.
    #[n(2)]
    pub last_position: u64,
}

impl StreamMarks {
    /// Counts one batch.
    pub fn add(&mut self, stream: &str, subject: &[u8], position: u64) {
        self.count += 1;
        self.last_position = self.last_position.max(position);
        let hash = position_hash(stream, subject, position);
        self.sum.iter_mut().zip(hash).for_each(|(sum, word)| *sum = sum.wrapping_add(word));
    }
}

/// SHA-256 of stream, subject and position, as four words.
pub fn position_hash(stream: &str, subject: &[u8], position: u64) -> [u64; 4] {
    let mut hash = Sha256::new();
    hash.update(&(stream.len() as u64).to_le_bytes());
    hash.update(stream.as_bytes());
    hash.update(&(subject.len() as u64).to_le_bytes());
    hash.update(subject);
    hash.update(&position.to_le_bytes());
    let bytes = hash.finish();
    std::array::from_fn(|n| u64::from_le_bytes(bytes[n * 8..n * 8 + 8].try_into().expect("8 of 32 bytes")))
}

/// Written with every batch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Marks {
    /// Write batches so far; the number of the newest.
    #[n(0)]
    pub batches: u64,
    /// The first number whose row is still kept.
    #[n(1)]
    pub kept_from: u64,
    #[n(2)]
    pub streams: BTreeMap<String, StreamMarks>,
    /// Which tables lie in which keyspace: [`LAYOUT`] of the program that wrote them.
    #[cbor(n(3), default)]
    pub layout: u16,
}

/// 0: access lists among bodies and rows. 1: in a keyspace of their own.
const LAYOUT: u16 = 1;

/// Rows kept: more than the engine's journals can hold batches that are not yet in its tables.
const KEPT: u64 = 1 << 17;
/// They are dropped in steps.
const STEP: u64 = 4096;

pub(crate) fn batch_key(number: u64) -> [u8; 9] {
    let mut key = [BATCH; 9];
    key[1..].copy_from_slice(&number.to_be_bytes());
    key
}

impl Marks {
    /// Adds to `batch` what makes its loss visible; returns the marks as they are after it.
    pub(crate) fn sign(mut self, batch: &mut fjall::OwnedWriteBatch, spaces: &Spaces, touched: Touched) -> Self {
        self.batches += 1;
        for space in Space::ALL.into_iter().filter(|space| touched.has(*space)) {
            batch.insert(spaces.get(space), batch_key(self.batches), [touched.0]);
        }
        if self.batches.is_multiple_of(STEP) && self.batches > self.kept_from + KEPT + STEP {
            let to = self.batches - KEPT;
            for number in self.kept_from..to {
                Space::ALL.into_iter().for_each(|space| batch.remove(spaces.get(space), batch_key(number)));
            }
            self.kept_from = to;
        }
        batch.insert(spaces.get(Space::Rows), [MARKS], schemas::codec::encode(&self));
        self
    }

    /// Reads the marks and checks that no batch is missing before the newest.
    pub(crate) fn load(spaces: &Spaces) -> Result<Self, StoreError> {
        let rows = spaces.get(Space::Rows);
        let marks: Self = match rows.get([MARKS]).map_err(|e| engine_error(&e))? {
            Some(bytes) => {
                schemas::codec::decode("marks", &bytes).map_err(|e| StoreError::Damaged(format!("its marks: {e}")))?
            }
            None => Self { kept_from: 1, layout: LAYOUT, ..Self::default() },
        };
        if marks.layout != LAYOUT {
            let what = format!("layout {} of another release, this one has {LAYOUT}; rebuild the tables", marks.layout);
            return Err(StoreError::Damaged(what));
        }
        let mut batches = Vec::new();
        for row in rows.prefix([BATCH]) {
            let (key, value) = row.into_inner().map_err(|e| engine_error(&e))?;
            let expected = marks.kept_from + batches.len() as u64;
            if *key != batch_key(expected) || expected > marks.batches {
                return Err(missing(expected));
            }
            batches.push(Touched(value.first().copied().unwrap_or_default()));
        }
        let next = marks.kept_from + batches.len() as u64;
        if next != marks.batches + 1 {
            return Err(missing(next));
        }
        for space in [Space::Blobs, Space::Lists] {
            let mut wanted = (marks.kept_from..).zip(&batches).filter(|(_, touched)| touched.has(space));
            for row in spaces.get(space).prefix([BATCH]) {
                let key = row.key().map_err(|e| engine_error(&e))?;
                let number = wanted.next().map_or(marks.batches + 1, |(number, _)| number);
                if *key != batch_key(number) || number > marks.batches {
                    return Err(missing(number));
                }
            }
            if let Some((number, _)) = wanted.next() {
                return Err(missing(number));
            }
        }
        Ok(marks)
    }
}

fn missing(number: u64) -> StoreError {
    StoreError::Damaged(format!("write batch {number} is missing while others around it are there; rebuild the tables"))
}
