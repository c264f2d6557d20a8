//! The one source of chance: ChaCha8 keyed by (seed, domain, index).
//!
//! Only raw words of the stream are used, never a distribution of `rand`: those may change between versions, and the
//! same seed must give the same bytes for as long as the generator lives.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// What a stream of chance is for. The number is part of the key: never reuse or renumber one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub(crate) enum Domain {
    Person = 1,
    Facility = 2,
    Insurer = 3,
    Professional = 4,
    History = 5,
    Item = 6,
    Referral = 7,
    Discharge = 8,
    Collection = 9,
    Transaction = 10,
    Caller = 11,
}

/// A deterministic stream: the same (seed, domain, index) always gives the same throws.
#[derive(Clone, Debug)]
pub struct Dice(ChaCha8Rng);

impl Dice {
    /// Opens the stream of one thing. `index` is its number within the domain, `part` a number within that thing.
    pub(crate) fn open(seed: u64, domain: Domain, index: u64, part: u64) -> Self {
        let mut key = [0_u8; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..16].copy_from_slice(&(domain as u64).to_le_bytes());
        key[16..24].copy_from_slice(&index.to_le_bytes());
        key[24..].copy_from_slice(&part.to_le_bytes());
        Self(ChaCha8Rng::from_seed(key))
    }

    /// A number in `0..bound`; 0 if `bound` is 0. By multiplication, so the bias is below 2^-32 of a throw.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.0.next_u64()) * u128::from(bound)) >> 64) as u64
    }

    /// A number in `low..=high`.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        low + self.below(high.abs_diff(low) + 1) as i64
    }

    /// True `percent` times in a hundred.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of a table that is not empty.
    pub fn pick<'t, T>(&mut self, table: &'t [T]) -> &'t T {
        &table[self.below(table.len() as u64) as usize]
    }

    /// The place in `weights` that was hit, each place as often as its weight says. The sum must not be 0.
    pub fn weighted(&mut self, weights: &[u64]) -> usize {
        let mut left = self.below(weights.iter().sum());
        weights.iter().position(|weight| left.checked_sub(*weight).map(|rest| left = rest).is_none()).unwrap_or(0)
    }

    /// About normal (sum of twelve throws) with this mean and spread, in the caller's unit.
    pub fn around(&mut self, mean: f64, deviation: f64) -> f64 {
        let sum: f64 = (0..12).map(|_| self.below(1_000_000) as f64 / 1_000_000.0).sum();
        mean + (sum - 6.0) * deviation
    }

    /// A string of `length` decimal digits.
    pub fn digits(&mut self, length: usize) -> String {
        (0..length).map(|_| char::from(b'0' + self.below(10) as u8)).collect()
    }

    /// A version 4 UUID in lower case, as `urn:uuid:` wants it.
    pub fn uuid(&mut self) -> String {
        let mut bytes = [0_u8; 16];
        self.0.fill_bytes(&mut bytes);
        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
    }
}
