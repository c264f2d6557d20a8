//! Count and sum over the records of a log, the same for any number of partitions: what is hashed is a record's content, its
//! time, and which one of its shard it is.

use std::collections::{BTreeMap, HashMap};

use chassis::crypto::sha256;
use schemas::vocab::Topic;

#[derive(Default)]
struct Sum {
    records: u64,
    sum: [u64; 4],
}

/// Sums of all topics, to be filled in the order of the log.
#[derive(Default)]
pub(super) struct Sums {
    topics: BTreeMap<&'static str, Sum>,
    /// Records so far, by topic and shard.
    seen: HashMap<(Topic, u16), u64>,
}

impl Sums {
    /// Adds one record. `content` is its value; of an outcome that opens, what it says beside its position.
    pub(super) fn add(&mut self, (topic, shard): (Topic, u16), time: i64, content: &[u8]) {
        let nth = self.seen.entry((topic, shard)).or_default();
        let head = [&shard.to_be_bytes()[..], &nth.to_be_bytes(), &time.to_be_bytes()].concat();
        *nth += 1;
        let hash = sha256(&[&head[..], content].concat());
        let sum = self.topics.entry(topic.as_str()).or_default();
        sum.records += 1;
        for (word, part) in sum.sum.iter_mut().zip(hash.chunks_exact(8)) {
            *word = word.wrapping_add(part.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)));
        }
    }

    /// By topic: records, and the sum modulo 2^256 in hex.
    pub(super) fn told(&self) -> BTreeMap<&'static str, (u64, String)> {
        let hex = |sum: &Sum| sum.sum.iter().map(|word| format!("{word:016x}")).collect();
        self.topics.iter().map(|(topic, sum)| (*topic, (sum.records, hex(sum)))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_a_shard_counts_and_that_between_shards_does_not() {
        let sums = |records: &[(u16, &[u8])]| {
            let mut sums = Sums::default();
            records.iter().for_each(|(shard, value)| sums.add((Topic::Person, *shard), 7, value));
            sums.told()
        };
        let (a, b, c) = ((1, &b"a"[..]), (1, &b"b"[..]), (2, &b"c"[..]));
        assert_eq!(sums(&[a, b, c]), sums(&[c, a, b]));
        assert_ne!(sums(&[a, b, c]), sums(&[b, a, c]));
        assert_ne!(sums(&[a, b, c]), sums(&[a, b]));
        assert_eq!(sums(&[a, b, c])["person"].0, 3);
    }
}
