//! Seal, append, await the verdict, log the writing: in that order, and only then is anything answered.

use std::sync::Arc;

use bytes::Bytes;
use chassis::clock::year_of;
use chassis::entry::draft;
use chassis::envelope;
use chassis::http::{Refusal, traceparent_of_current_span};
use chassis::ledger::{LedgerError, PendingEntry, Receipt};
use chassis::ports::keys::KeysError;
use chassis::session::Session;
use chassis::telemetry::metrics;
use chassis::verdicts::Opened;
use policies::Decision;
use schemas::access::{Access, AccessOutcome};
use schemas::consent::{ConsentStatus, ConsentType};
use schemas::header::{Bucket, ItemVersion};
use schemas::submission::{
    Author, Change, Command, IdentityRecord, Op, Outcome, OutcomeResult, Submission, Verdict, Written,
};
use schemas::vocab::{AccessKind, Action, Label, Topic};
use schemas::{Pid, Problem, ProblemCode, SubmissionId, codec};
use tokio::sync::oneshot;

use crate::Edge;

/// Identity of a request: its submission id and the hash that tells a retry from another request.
#[derive(Clone, Copy)]
pub(crate) struct RequestId {
    pub(crate) submission: SubmissionId,
    pub(crate) hash: [u8; 32],
    /// The person whose card was proven at the desk with this request, and when.
    pub(crate) card: Option<(Pid, i64)>,
    /// The client named no key: the id is random.
    pub(crate) is_fresh: bool,
}

impl RequestId {
    /// Id of a further submission that this request leads to.
    pub(crate) fn step(&self, step: &str) -> Self {
        Self { submission: self.submission.derived(step), ..*self }
    }
}

/// What became of a submission before its answer is formed.
pub(crate) enum Submitted {
    Outcome(Outcome),
    /// No verdict in time: the client asks `GET /submissions/{id}`.
    Later(SubmissionId),
}

impl Edge {
    /// Appends a command for a shelf and waits for its verdict.
    pub(crate) async fn submit(
        &self,
        session: &Session,
        pid: Pid,
        id: RequestId,
        command: Command,
    ) -> Result<Submitted, Refusal> {
        let submission = Arc::new(self.submission(session, pid, id, command));
        self.submit_opened(session, Opened { submission, search: Vec::new(), is_fresh: false, entry: None }).await
    }

    /// A command as it is appended.
    pub(crate) fn submission(&self, session: &Session, pid: Pid, id: RequestId, command: Command) -> Submission {
        Submission {
            id: id.submission,
            pid,
            author: author(session),
            policy_revision: self.deps.policies.revision().to_string(),
            request_hash: id.hash,
            command,
            trace: traceparent_of_current_span(),
        }
    }

    /// [`Edge::submit`] with what a projector in this process need not do again.
    #[tracing::instrument(name = "submit", level = "debug", skip_all)]
    pub(crate) async fn submit_opened(&self, session: &Session, opened: Opened) -> Result<Submitted, Refusal> {
        let submission = opened.submission.clone();
        let pid = submission.pid;
        if !takes_back(&submission.command) {
            self.check_disk()?;
        }
        let bucket = match pid.is_person() {
            true => Bucket::Year(year_of(session.now)),
            false => Bucket::Long,
        };
        let key = self.deps.keys.record_key(pid, bucket).await.map_err(|e| match e {
            KeysError::NoKey => erased(),
            other => Refusal::unavailable(&other, 5),
        })?;
        let record = envelope::seal_submission(&key, bucket, &submission, self.deps.verdicts.address());
        let verdict = self.deps.verdicts.wait_for(submission.id, Some((record.value.clone(), opened)));
        // Durable with its outcome, in one commit; whoever is told of less than an outcome waits for it by itself.
        if let Err(error) = self.deps.log.append_early(record).await {
            self.deps.verdicts.not_appended(submission.id);
            return Err(Refusal::unavailable(&error, 5));
        }
        let find = async || self.outcome(pid, submission.id).await.ok().flatten().map(Verdict::Outcome);
        match verdict.within(self.deps.verdict_timeout, find).await {
            // Somebody else's, who used the same key at the same time for another request.
            Some(Verdict::Outcome(outcome)) if outcome.request_hash != submission.request_hash => Err(key_reused()),
            Some(Verdict::Outcome(outcome)) => {
                let accepted = matches!(outcome.result, OutcomeResult::Accepted(_));
                metrics::submission(if accepted { "accepted" } else { "refused" });
                Ok(Submitted::Outcome(outcome))
            }
            Some(Verdict::KeyReused) => Err(key_reused()),
            Some(Verdict::Identity(_) | Verdict::IdentityRefused(_)) | None => {
                self.deps.log.settle().await.map_err(|e| Refusal::unavailable(&e, 5))?;
                Ok(Submitted::Later(submission.id))
            }
        }
    }

    /// 429 while the disk is nearly full: what was accepted must find room for its outcome and its entry.
    fn check_disk(&self) -> Result<(), Refusal> {
        let (folder, free_min) = &self.deps.disk;
        match rustix::fs::statvfs(folder) {
            Ok(disk) if disk.f_bavail * disk.f_frsize < *free_min => Err(Refusal::too_many(60)),
            _ => Ok(()),
        }
    }

    /// Appends to topic `identity` and waits; `None` if no verdict came in time.
    pub(crate) async fn submit_identity(&self, record: IdentityRecord) -> Result<Option<Verdict>, Refusal> {
        self.check_disk()?;
        let verdict = self.deps.verdicts.wait_for(record.submission, None);
        let value = Bytes::from(codec::encode(&record));
        let append = chassis::ports::log::Append { topic: Topic::Identity, shard: 0, value };
        self.deps.log.append(append).await.map_err(|e| Refusal::unavailable(&e, 5))?;
        Ok(verdict.within(self.deps.verdict_timeout, async || None).await)
    }

    /// The entry of an outcome, written or refused: appended before the verdict is told.
    pub(crate) async fn log_write(
        &self,
        session: &Session,
        pid: Pid,
        decision: &Decision,
        outcome: &Outcome,
        (action, changes): (Action, &[Change]),
    ) -> Result<Receipt, Refusal> {
        let access = self.draft_write(session, pid, decision);
        self.append_entry(entry_of_write(access, action, outcome, changes)).await
    }

    /// The same entry, for a projector in this process to append with the outcome; and where its receipt comes.
    pub(crate) fn pending_write(
        &self,
        session: &Session,
        decision: &Decision,
        action: Action,
        submission: Arc<Submission>,
    ) -> (PendingEntry, oneshot::Receiver<Receipt>) {
        let access = self.draft_write(session, submission.pid, decision);
        let (receipt, receiver) = oneshot::channel();
        let access = Box::new(move |outcome: &Outcome| entry_of_write(access, action, outcome, submission.changes()));
        (PendingEntry { access, ledger: self.deps.ledger.clone(), receipt }, receiver)
    }

    /// What an entry of writing says before the outcome is known.
    fn draft_write(&self, session: &Session, pid: Pid, decision: &Decision) -> Access {
        let now = self.deps.clock.now();
        let mut access = draft(&session.asker(), Some(pid), AccessKind::Write, AccessOutcome::Success, now);
        decision.explain(&mut access);
        access
    }

    /// The entry of a refusal at the door: of what was tried.
    pub(crate) async fn log_refusal(
        &self,
        session: &Session,
        pid: Option<Pid>,
        decision: Option<&Decision>,
        (action, refusal): (Action, Refusal),
    ) -> Refusal {
        let mut access = draft(&session.asker(), pid, AccessKind::Denied, AccessOutcome::Denied, self.deps.clock.now());
        action.as_str().clone_into(&mut access.subject);
        if let Some(decision) = decision {
            decision.explain(&mut access);
        }
        match self.append_entry(access).await {
            Ok(receipt) => refusal.with_receipt(&receipt),
            Err(unavailable) => unavailable,
        }
    }

    async fn append_entry(&self, access: Access) -> Result<Receipt, Refusal> {
        let (receipt, _) = self.deps.ledger.append(access).await.map_err(|e| match e {
            LedgerError::Keys(KeysError::NoKey) => erased(),
            other => Refusal::unavailable(&other, 5),
        })?;
        Ok(receipt)
    }
}

/// What an entry of writing says when the outcome is known.
fn entry_of_write(mut access: Access, action: Action, outcome: &Outcome, changes: &[Change]) -> Access {
    action.as_str().clone_into(&mut access.subject);
    match &outcome.result {
        // What the person may not know yet is not betrayed by the entry of its writing either.
        OutcomeResult::Accepted(written) => {
            access.kind = kind_of(changes);
            let told = || written.iter().zip(changes).filter(|(one, _)| !one.untold);
            if let Some((_, first)) = told().next() {
                domain::action_of(first).as_str().clone_into(&mut access.subject);
            }
            access.items = told().map(|(one, _)| item_version(one)).collect();
            access.categories = told().filter_map(|(_, change)| change.meta.as_ref()).map(|m| m.category).collect();
        }
        OutcomeResult::Refused(problems) => {
            (access.kind, access.outcome) = (AccessKind::Denied, AccessOutcome::Denied);
            let told = changes.iter().filter_map(|c| c.meta.as_ref()).filter(|m| !m.labels.contains(&Label::Untold));
            access.categories = told.map(|m| m.category).collect();
            access.rules = problems.iter().map(|p| p.rule.clone()).filter(|r| !r.is_empty()).collect();
            access.reason = problems.first().map_or_else(String::new, |p| reason_of(&p.rule).to_owned());
        }
    }
    access.count = u32::try_from(access.items.len()).unwrap_or(u32::MAX);
    access.categories.sort_unstable();
    access.categories.dedup();
    access
}

/// The person was erased while the request was under way.
fn erased() -> Refusal {
    Refusal::new(410, vec![Problem::new(ProblemCode::NotFound, "", "not available")])
}

/// One consent or objection among the changes makes it an entry of consenting, wherever it stands.
fn kind_of(changes: &[Change]) -> AccessKind {
    let consents = |change: &Change| {
        matches!(domain::action_of(change), Action::GiveConsent | Action::WithdrawConsent | Action::Object)
    };
    if changes.iter().any(consents) { AccessKind::Consent } else { AccessKind::Write }
}

/// Whether a command only makes less be shared: that is taken while there is any room at all.
fn takes_back(command: &Command) -> bool {
    let shares_less = |change: &Change| match (&change.op, &change.consent) {
        (Op::Delete { .. }, _) => false,
        (_, Some(consent)) => consent.consent_type == ConsentType::Deny || consent.status == ConsentStatus::Inactive,
        (_, None) => change.objection.is_some(),
    };
    matches!(command, Command::Write(changes) if changes.iter().all(shares_less))
}

/// Items of a write are named without a bucket: nothing is opened with this entry.
fn item_version(written: &Written) -> ItemVersion {
    ItemVersion { item: written.item, version: written.version, bucket: None }
}

/// The reason that the person's list words, of a refusal that was decided at log time; an outcome keeps the rule alone.
fn reason_of(rule: &str) -> &str {
    use policies::reasons;
    match rule {
        "R03" => reasons::STEP_UP,
        "R04" => reasons::TERMS_STALE,
        "R48" => reasons::QUARANTINE,
        "R49" => reasons::BIOMETRICS,
        "R50" => reasons::LINK_STATE,
        "R51" => reasons::NOT_PERMITTED,
        "R59" => reasons::PERSON_OBJECTS,
        other => other,
    }
}

/// Who writes, as it is kept with the submission.
pub(crate) fn author(session: &Session) -> Author {
    Author {
        client: session.caller.client.clone(),
        organisation: session.caller.organisation.clone(),
        practitioner: session.caller.practitioner.clone(),
        purpose: session.caller.purpose,
        is_person: session.caller.is_person,
    }
}

pub(crate) fn key_reused() -> Refusal {
    let text = "this Idempotency-Key was used for another request; use a fresh key";
    Refusal::unprocessable(vec![Problem::new(ProblemCode::Duplicate, "", text).with_rule("idempotency-key")])
}
