//! One who waits for a verdict.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use schemas::SubmissionId;
use schemas::submission::Verdict;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use super::{OPEN, Verdicts, forget_if_done};

/// How often a verdict is looked for that may be lost: its projector died after the outcome, and the next owner finds an outcome and
/// decides nothing. Longer than most verdicts take.
const LOOK: Duration = Duration::from_secs(1);

/// One who waits. Dropped, it is forgotten; what its record holds is still handed over, with the entry of the writing.
pub struct Wait<'v> {
    pub(super) verdicts: &'v Verdicts,
    pub(super) submission: SubmissionId,
    pub(super) receiver: oneshot::Receiver<Verdict>,
}

impl Wait<'_> {
    /// The verdict, if there is one within `limit`. Where it comes from another process it is also looked for, every second, by `find`.
    pub async fn within(mut self, limit: Duration, find: impl AsyncFn() -> Option<Verdict>) -> Option<Verdict> {
        let end = Instant::now() + limit;
        loop {
            let alone = self.verdicts.hands_over();
            let next = if alone { end } else { end.min(Instant::now() + LOOK) };
            if let Ok(told) = timeout_at(next, &mut self).await {
                return told.ok();
            }
            let found = if alone { None } else { find().await };
            if found.is_some() || next == end {
                return found;
            }
        }
    }
}

impl Future for Wait<'_> {
    type Output = Result<Verdict, oneshot::error::RecvError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.receiver).poll(context)
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        OPEN.dec();
        self.receiver.close();
        let mut waiting = self.verdicts.waiting.lock();
        if let Some(waiters) = waiting.get_mut(&self.submission) {
            waiters.senders.retain(|sender| !sender.is_closed());
        }
        forget_if_done(waiting.entry(self.submission));
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::cell::Cell;
    use std::sync::Arc;

    use super::*;
    use crate::twins::{MemoryKeys, MemoryLog};

    const LIMIT: Duration = Duration::from_secs(10);
    const ID: SubmissionId = SubmissionId([7; 16]);

    #[tokio::test(start_paused = true)]
    async fn a_verdict_that_was_lost_on_its_way_is_found_and_one_that_does_not_exist_is_looked_for_until_the_end() {
        let verdicts = Verdicts::among_others(Arc::new(MemoryLog::default()), &MemoryKeys::default()).await.unwrap();
        let looks = Cell::new(0);
        let found_at = |at| {
            let looks = &looks;
            async move || {
                looks.set(looks.get() + 1);
                (looks.get() == at).then_some(Verdict::KeyReused)
            }
        };
        let started = Instant::now();
        assert_eq!(verdicts.wait_for(ID, None).within(LIMIT, found_at(3)).await, Some(Verdict::KeyReused));
        assert_eq!(started.elapsed().as_secs(), 3);
        assert_eq!(verdicts.wait_for(ID, None).within(LIMIT, found_at(0)).await, None);
        assert_eq!((started.elapsed().as_secs(), looks.get()), (13, 13));
        assert!(verdicts.waiting.lock().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_verdict_of_this_process_is_not_looked_for() {
        let verdicts = Verdicts::default();
        let never = async || unreachable!("it cannot get lost");
        assert_eq!(verdicts.wait_for(ID, None).within(LIMIT, never).await, None);
        let wait = verdicts.wait_for(ID, None);
        assert!(verdicts.give(ID, &Verdict::KeyReused));
        assert_eq!(wait.within(LIMIT, never).await, Some(Verdict::KeyReused));
    }
}
