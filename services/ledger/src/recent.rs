//! Duplicates of entries: a bounded memory of the ids that the log held last.

use std::collections::{HashMap, VecDeque};

use schemas::EntryId;

/// How many records back a duplicate is found.
///
/// An entry id comes twice only where an append was not acknowledged and was made again under the same id, which happens
/// within seconds: at 2,000 entries a second in one partition this window is 8 s, at the planned rate of 500 over 8 partitions
/// 4 minutes. PROMISE: a record whose id stands among the `WINDOW` records before it in its partition gets no number. One that
/// comes later than that gets a second number, which the person sees: an entry too many, never one too few.
pub(crate) const WINDOW: usize = 16_384;

/// Ids of the last [`WINDOW`] records of one partition. What it says depends on these records only, so that a restart, a
/// rebuild and `kiroku check` give the same numbers.
pub(crate) struct Recent {
    order: VecDeque<EntryId>,
    seen: HashMap<EntryId, u32>,
}

impl Default for Recent {
    /// With room for all of them: a table that is nearly full of comings and goings is sorted anew again and again.
    fn default() -> Self {
        Self { order: VecDeque::with_capacity(WINDOW + 1), seen: HashMap::with_capacity(2 * WINDOW) }
    }
}

impl Recent {
    /// Takes the next record's id; true if it is a duplicate.
    pub(crate) fn push(&mut self, id: EntryId) -> bool {
        let count = self.seen.entry(id).or_insert(0);
        *count += 1;
        let duplicate = *count > 1;
        self.order.push_back(id);
        if self.order.len() > WINDOW
            && let Some(oldest) = self.order.pop_front()
            && let Some(count) = self.seen.get_mut(&oldest)
        {
            *count -= 1;
            if *count == 0 {
                self.seen.remove(&oldest);
            }
        }
        duplicate
    }

    /// First offset to read so that the memory is full at `next`.
    pub(crate) fn first_offset(next: u64) -> u64 {
        next.saturating_sub(WINDOW as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u64) -> EntryId {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&n.to_be_bytes());
        EntryId(bytes)
    }

    #[test]
    fn a_duplicate_is_found_within_the_window_and_the_memory_stays_bounded() {
        let mut recent = Recent::default();
        assert!(!recent.push(id(0)));
        assert!(recent.push(id(0)), "at once");
        (1..WINDOW as u64).for_each(|n| assert!(!recent.push(id(n))));
        assert!(recent.push(id(0)), "the last place of the window");
        (0..2 * WINDOW as u64).for_each(|n| assert!(!recent.push(id(1_000_000 + n))));
        assert!(!recent.push(id(0)), "long forgotten");
        assert_eq!((recent.order.len(), recent.seen.len()), (WINDOW, WINDOW));
    }
}
