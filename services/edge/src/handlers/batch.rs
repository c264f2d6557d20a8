//! `POST /fhir`: transaction and batch; and the one way by which every write goes.

use std::sync::Arc;

use actix_web::{Either, HttpRequest, web};
use bytes::Bytes;
use chassis::auth::scopes::Interaction;
use chassis::http::{Negotiation, Plain, Refusal, RequestInfo, require_json};
use chassis::session::Session;
use chassis::verdicts::Opened;
use fhir::check::{Checked, check_resource};
use schemas::submission::Command;
use schemas::{ItemKey, Pid, Problem, ProblemCode, ResourceType};

use super::request_id;
use super::resource::{Written, refused};
use crate::Edge;
use crate::changes::{build_changes, items_of};
use crate::draft::{Draft, Entry, Form, Wish, of_request};
use crate::references::{Names, names_of_entries};
use crate::reply::Reply;
use crate::resolve::About;
use crate::submit::{RequestId, Submitted};

/// `POST /fhir`
pub(crate) async fn bundle(
    edge: web::Data<Edge>,
    request: HttpRequest,
    info: RequestInfo,
    form: Negotiation,
    body: Bytes,
) -> Result<Written, Refusal> {
    let session = edge.deps.gate.admit(&request, info)?;
    require_json(request.headers())?;
    let checked = check_resource(&body, &edge.deps.rules).map_err(refused)?;
    let id = request_id(&edge, &request, &session.caller.client, &body).await?;
    match (checked.resource_type, checked.node.text("type")) {
        (ResourceType::Bundle, Some("transaction")) => {
            let draft = Draft::transaction(&checked)?;
            require_scopes(&session, &draft.entries)?;
            edge.write(&session, form, id, draft, &body).await
        }
        (ResourceType::Bundle, Some("batch")) => edge.batch(&session, form, id, &checked).await.map(Either::Right),
        _ => {
            let text =
                "this door takes Bundles of type transaction and batch; send documents and collections to /fhir/Bundle";
            Err(Refusal::bad_request(vec![Problem::new(ProblemCode::Value, "Bundle.type", text)]))
        }
    }
}

fn require_scopes(session: &Session, entries: &[Entry]) -> Result<(), Refusal> {
    for entry in entries {
        let interaction = match entry.wish {
            Wish::Create | Wish::CreateIfNone(_) => Interaction::Create,
            Wish::Update { .. } | Wish::UpdateMatch(_) => Interaction::Update,
            Wish::Delete { .. } => Interaction::Delete,
        };
        session.require_scope(entry.resource_type.as_str(), interaction)?;
    }
    Ok(())
}

impl Edge {
    /// Resolve, build, decide, append, await, log, answer.
    pub(crate) async fn write(
        &self,
        session: &Session,
        form: Negotiation,
        id: RequestId,
        draft: Draft,
        raw: &[u8],
    ) -> Result<Written, Refusal> {
        let pid = match self.find_person(session, &draft).await? {
            About::Nobody => return self.write_commons(session, form, id, draft).await.map(Either::Right),
            About::Person(pid) => pid,
            About::Doubtful => return Err(self.quarantine(session, id, &draft, raw).await),
            About::Unknown => match birth_patient(&draft).filter(|_| session.standing.has_right("persons.register")) {
                Some((patient, local)) => self.bear(session, id, &patient.node, local(&id)).await?,
                None => return Err(self.quarantine(session, id, &draft, raw).await),
            },
        };
        let (draft, mut names) = self.commit_commons(session, id, draft).await?;
        let items = items_of(&draft, &id.submission);
        for (entry, item) in draft.entries.iter().zip(&items).filter(|(e, _)| e.resource_type == ResourceType::Patient)
        {
            if !self.add_identifiers(session, (id, pid), &entry.node, item.local).await? {
                return Err(self.quarantine(session, id, &draft, raw).await);
            }
        }
        let pairs: Vec<(&Entry, ItemKey)> = draft.entries.iter().zip(items.iter().copied()).collect();
        names.extend(names_of_entries(&pairs, pid));
        self.resolve_references(&draft, pid, &mut names).await?;
        let (shape, warnings) = (draft.form, draft.warnings.clone());
        let (changes, search) = build_changes(draft, &items, (&names, self.deps.verdicts.hands_over()))?;
        let submission = Arc::new(self.submission(session, pid, id, Command::Write(changes)));
        self.write_changes(
            session,
            (form, shape),
            id.card,
            Opened { submission, search, is_fresh: id.is_fresh, entry: None },
            &warnings,
        )
        .await
    }

    async fn write_changes(
        &self,
        session: &Session,
        (form, shape): (Negotiation, Form),
        card: Option<(Pid, i64)>,
        mut opened: Opened,
        warnings: &[Problem],
    ) -> Result<Written, Refusal> {
        let submission = opened.submission.clone();
        let (pid, changes) = (submission.pid, submission.changes());
        let (action, decision) = match self.decide_changes(session, (pid, card), changes) {
            Ok(permitted) => permitted,
            Err((action, decision)) => {
                let refusal = crate::policy::refusal(&decision);
                return Err(self.log_refusal(session, Some(pid), Some(&decision), (action, refusal)).await);
            }
        };
        let mut receipt = None;
        if self.deps.verdicts.hands_over() {
            let (entry, receiver) = self.pending_write(session, &decision, action, submission.clone());
            (opened.entry, receipt) = (Some(entry), Some(receiver));
        }
        let outcome = match self.submit_opened(session, opened).await? {
            Submitted::Outcome(outcome) => outcome,
            Submitted::Later(submission) => return Err(later(&submission)),
        };
        let receipt = match receipt.and_then(|mut receipt| receipt.try_recv().ok()) {
            Some(receipt) => receipt,
            // Decided elsewhere, or before.
            None => self.log_write(session, pid, &decision, &outcome, (action, changes)).await?,
        };
        let reply = Reply { base_url: &self.deps.base_url, pid, outcome: &outcome, changes, form, warnings };
        reply.answer(shape, receipt).map(Either::Left)
    }

    /// A submission of commons alone.
    async fn write_commons(
        &self,
        session: &Session,
        form: Negotiation,
        id: RequestId,
        draft: Draft,
    ) -> Result<Plain, Refusal> {
        let items = items_of(&draft, &id.submission);
        let pairs: Vec<(&Entry, ItemKey)> = draft.entries.iter().zip(items.iter().copied()).collect();
        let mut names = names_of_entries(&pairs, Pid::COMMONS);
        self.resolve_references(&draft, Pid::COMMONS, &mut names).await?;
        let (shape, warnings) = (draft.form, draft.warnings.clone());
        let (changes, _) = build_changes(draft, &items, (&names, false))?;
        session.require_right("records.write")?;
        let outcome = match self.submit(session, Pid::COMMONS, id, Command::Write(changes.clone())).await? {
            Submitted::Outcome(outcome) => outcome,
            Submitted::Later(submission) => return Err(later(&submission)),
        };
        let base_url = &self.deps.base_url;
        let reply =
            Reply { base_url, pid: Pid::COMMONS, outcome: &outcome, changes: &changes, form, warnings: &warnings };
        let (status, headers, body) = reply.parts(shape)?;
        let plain = Plain::fhir(status, form.form(body));
        Ok(headers.into_iter().fold(plain, |plain, (name, value)| plain.with_header(name, value)))
    }

    /// Commons inside a person's submission: conditional creates only, committed first; they stay if the rest is refused.
    async fn commit_commons(&self, session: &Session, id: RequestId, draft: Draft) -> Result<(Draft, Names), Refusal> {
        let (commons, entries): (Vec<Entry>, Vec<Entry>) =
            draft.entries.into_iter().partition(|e| e.resource_type.is_commons());
        let (form, warnings) = (draft.form, draft.warnings);
        let rest = Draft { entries, form, warnings: warnings.clone() };
        if commons.is_empty() {
            return Ok((rest, Names::new()));
        }
        if let Some(entry) = commons.iter().find(|e| !matches!(e.wish, Wish::CreateIfNone(_))) {
            let text = "organisations, professionals, roles and places inside a person's Bundle are conditional creates (request.ifNoneExist)";
            return Err(Refusal::unprocessable(vec![Problem::new(
                ProblemCode::BusinessRule,
                entry.path.clone(),
                text,
            )]));
        }
        let id = id.step("commons");
        let draft = Draft { entries: commons, form: Form::Transaction, warnings };
        let items = items_of(&draft, &id.submission);
        let pairs: Vec<(&Entry, ItemKey)> = draft.entries.iter().zip(items.iter().copied()).collect();
        let mut names = names_of_entries(&pairs, Pid::COMMONS);
        self.resolve_references(&draft, Pid::COMMONS, &mut names).await?;
        let entries = draft.entries.clone();
        let (changes, _) = build_changes(draft, &items, (&names, false))?;
        match self.submit(session, Pid::COMMONS, id, Command::Write(changes)).await? {
            Submitted::Later(submission) => Err(later(&submission)),
            Submitted::Outcome(outcome) => match &outcome.result {
                schemas::submission::OutcomeResult::Refused(problems) => Err(crate::reply::refusal(problems)),
                schemas::submission::OutcomeResult::Accepted(written) => {
                    let pairs: Vec<_> = entries.iter().zip(written.iter().map(|w| w.item)).collect();
                    Ok((rest, names_of_entries(&pairs, Pid::COMMONS)))
                }
            },
        }
    }

    /// Each entry by itself; one that fails says so in its own response.
    async fn batch(
        &self,
        session: &Session,
        form: Negotiation,
        id: RequestId,
        checked: &Checked,
    ) -> Result<Plain, Refusal> {
        let one = |(index, entry): (usize, fhir::bundle::BundleEntry)| {
            let id = id.step(&format!("batch {index}"));
            async move {
                let entry = of_request(entry)?;
                require_scopes(session, std::slice::from_ref(&entry))?;
                let raw = entry.node.to_bytes();
                let draft = Draft { entries: vec![entry], form: Form::Single, warnings: Vec::new() };
                self.write(session, minimal(), id, draft, &raw).await
            }
        };
        let entries = fhir::bundle::entries(&checked.node).into_iter().enumerate();
        let done = futures_util::future::join_all(entries.map(one)).await;
        let responses: Vec<_> = done.into_iter().map(batch_response).collect();
        let bundle = serde_json::json!({"resourceType": "Bundle", "type": "batch-response", "entry": responses});
        Ok(Plain::fhir(200, form.form(bundle.to_string().into_bytes())))
    }
}

/// No body in the responses of a batch.
fn minimal() -> Negotiation {
    let prefer = chassis::http::Prefer { returns: Some(chassis::http::PreferReturn::Minimal), lenient: false };
    Negotiation { pretty: false, prefer }
}

/// What the writer is told of one entry of a batch: status, place and version, nothing of any shelf.
fn batch_response(done: Result<Written, Refusal>) -> serde_json::Value {
    let of = |status: u16, headers: &[(&'static str, String)]| {
        let value = |name: &str| headers.iter().find(|(n, _)| *n == name).map(|(_, v)| v.clone());
        serde_json::json!({"response": {"status": status.to_string(), "location": value("location"), "etag": value("etag")}})
    };
    match done {
        Ok(Either::Left(answer)) => of(answer.status, &answer.headers),
        Ok(Either::Right(plain)) => of(plain.status, &plain.headers),
        Err(refusal) => serde_json::json!({"response": {
            "status": refusal.status.to_string(),
            "outcome": schemas::problem::operation_outcome(&refusal.problems),
        }}),
    }
}

/// The Patient of a registration, and how its id follows from the request's.
fn birth_patient(draft: &Draft) -> Option<(&Entry, impl Fn(&RequestId) -> schemas::LocalId)> {
    let index =
        draft.entries.iter().position(|e| e.resource_type == ResourceType::Patient && e.wish == Wish::Create)?;
    let skipped = draft.entries[..index].iter().filter(|e| e.resource_type.is_commons()).count();
    Some((&draft.entries[index], move |id: &RequestId| schemas::LocalId::of_entry(&id.submission, index - skipped)))
}

pub(crate) fn later(submission: &schemas::SubmissionId) -> Refusal {
    let mut problem = Problem::new(
        ProblemCode::Incomplete,
        "",
        "taken and durable; the verdict is not there yet, ask for it at Content-Location",
    );
    problem.severity = schemas::problem::Severity::Information;
    Refusal::new(202, vec![problem]).with_header("content-location", format!("/submissions/{submission}"))
}
