//! Where an edge waits for the verdict on what it appended: in this process a table of waiters.

use std::collections::HashMap;

use parking_lot::Mutex;
use schemas::submission::{Outcome, Written};
use schemas::{Pid, Problem, SubmissionId};
use tokio::sync::oneshot;

/// The answer to a submission.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Of a shelf: the outcome as it stands in the log.
    Outcome(Outcome),
    /// The same key was used before for another request: 422.
    KeyReused,
    /// Of topic `identity`: the person that the identifiers belong to (born now, or known from an earlier try).
    Identity(Pid),
    /// Of topic `identity`: an identifier belongs to another person.
    IdentityRefused(Problem),
}

impl Verdict {
    /// The changes, if this is an accepted outcome.
    pub fn written(&self) -> Option<&[Written]> {
        match self {
            Self::Outcome(Outcome { result: schemas::submission::OutcomeResult::Accepted(written), .. }) => {
                Some(written)
            }
            _ => None,
        }
    }
}

/// Waiters by submission. Several may wait for one submission (a retry while the first try is still open).
#[derive(Default)]
pub struct Verdicts {
    waiting: Mutex<HashMap<SubmissionId, Vec<oneshot::Sender<Verdict>>>>,
}

impl Verdicts {
    /// Call before the append, so that no verdict is missed.
    pub fn wait_for(&self, submission: SubmissionId) -> oneshot::Receiver<Verdict> {
        let (sender, receiver) = oneshot::channel();
        self.waiting.lock().entry(submission).or_default().push(sender);
        receiver
    }

    /// Gives the verdict to all that wait for it here; those that do not are served by the verdict's row.
    pub fn give(&self, submission: SubmissionId, verdict: &Verdict) {
        let waiters = self.waiting.lock().remove(&submission).unwrap_or_default();
        for waiter in waiters {
            // A waiter that gave up (its client left) is no concern of ours.
            let _gone = waiter.send(verdict.clone());
        }
    }

    /// Forgets waiters that gave up.
    pub fn sweep(&self) {
        self.waiting.lock().retain(|_, waiters| {
            waiters.retain(|w| !w.is_closed());
            !waiters.is_empty()
        });
    }
}
