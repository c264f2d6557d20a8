//! The second decision on a write: at log time, on what hangs on the person (R03, R46 link, R47, R48, R50, R59).

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use domain::{Current, Facts};
use policies::{
    Actor, ActorType, Decision, Input, Link, ObjectionFact, Person, Policies, Remembered, Stage, VisitFact, Wanted,
    Write, reasons,
};
use schemas::header::Header;
use schemas::shelf::PersonState;
use schemas::submission::{Change, Command, Op, OutcomeResult, Submission};
use schemas::vocab::Action;
use schemas::{ItemKey, Pid, Problem, ProblemCode, ResourceType};

use crate::ProjectorError;
use crate::records::internal;
use crate::work::Work;

/// Decisions kept.
const REMEMBERED: u64 = 20_000;

/// The policies, and what they said before on the same input but for its time.
pub(crate) struct Rules {
    policies: Arc<Policies>,
    remembered: Remembered<String>,
}

impl Rules {
    pub(crate) fn new(policies: Arc<Policies>) -> Self {
        Self { policies, remembered: Remembered::new(REMEMBERED) }
    }

    /// A decision on an input that knows no person and no objection, which begins and ends, hangs on no time.
    fn decide(&self, input: Input) -> Arc<Decision> {
        let (purpose, now) = (input.purpose, input.now);
        if !input.objections.is_empty() || input.person.as_ref().is_none_or(|person| person.pid != Pid::COMMONS) {
            return Arc::new(self.policies.decide(&input));
        }
        let timeless = Input { now: 0, ..input };
        let key = serde_json::to_string(&timeless).expect("an input is numbers, texts and lists of them");
        self.remembered.get_or(&self.policies, key, (purpose, now), || Input { now, ..timeless })
    }
}

/// Gathers the facts and decides. A panic in the rules refuses this record and no other. Of a fresh submission ([`Opened`]) no
/// new item is looked for on the shelf.
///
/// [`Opened`]: chassis::verdicts::Opened
pub(crate) async fn decide(
    rules: &Rules,
    work: &mut Work<'_>,
    (submission, is_fresh): (&Submission, bool),
    now: i64,
) -> Result<OutcomeResult, ProjectorError> {
    let pid = submission.pid;
    let state = work.state(pid).await?;
    let changes = submission.changes();
    let matches = find_matches(work, submission, changes).await?;
    let mut existing: BTreeMap<ItemKey, Header> = BTreeMap::new();
    let looked_for = changes.iter().filter(|c| !(is_fresh && matches!(c.op, Op::Create))).map(|c| c.item);
    for item in looked_for.chain(matches.iter().flatten().copied()) {
        if let Some(header) = work.header(pid, item).await? {
            existing.insert(item, header);
        }
    }
    let current = |item: &ItemKey| {
        // A person changes her own consents, at whichever desk they were given.
        let own_consent = submission.author.is_person && item.resource_type == ResourceType::Consent;
        let author = &submission.author.organisation;
        let header = existing.get(item).filter(|h| own_consent || h.author_organisation == *author)?;
        let author_organisation = header.author_organisation.clone();
        let untold = header.has_label(schemas::Label::Untold);
        Some(Current { version: header.version, deleted: header.deleted, author_organisation, untold })
    };
    let refused = match (&submission.command, &state) {
        // Births and the commons concern no person's state.
        (Command::Born { .. }, _) | (_, None) => Vec::new(),
        _ if !pid.is_person() => Vec::new(),
        (_, Some(state)) => refusals(rules, state, submission, changes, now),
    };
    let facts = Facts { state: state.as_deref(), current: &current, matches: &matches, refused: &refused };
    Ok(catch_unwind(AssertUnwindSafe(|| domain::decide(&facts, submission))).unwrap_or_else(|_| {
        tracing::error!(submission = %submission.id, "the rules failed on a record; it is refused and kept");
        internal()
    }))
}

/// For each change the writer's own live items that its query matches.
async fn find_matches(
    work: &mut Work<'_>,
    submission: &Submission,
    changes: &[Change],
) -> Result<Vec<Vec<ItemKey>>, ProjectorError> {
    let mut matches = Vec::with_capacity(changes.len());
    for change in changes {
        let (Op::CreateIfNone(query) | Op::UpdateMatch(query)) = &change.op else {
            matches.push(Vec::new());
            continue;
        };
        let own = work.own_headers(submission.pid, change.item.resource_type, &submission.author.organisation).await?;
        matches.push(fhir::search::matching(change.item.resource_type, query, &own));
    }
    Ok(matches)
}

/// One decision for each action that the submission takes.
fn refusals(rules: &Rules, state: &PersonState, submission: &Submission, changes: &[Change], now: i64) -> Vec<Problem> {
    let actions = match &submission.command {
        Command::OpenVisit { .. } => vec![(Action::OpenVisit, Vec::new())],
        Command::CloseVisit { .. } => vec![(Action::CloseVisit, Vec::new())],
        Command::Write(_) => domain::by_action(changes),
        Command::CancelCheck { .. } => vec![(Action::CancelCheck, Vec::new())],
        Command::Born { .. } | Command::SetLink { .. } | Command::Quarantine { .. } => Vec::new(),
    };
    let problem = |(action, group): (Action, Vec<&Change>)| {
        let decision = rules.decide(input(state, submission, action, &group, now));
        (!decision.is_permit()).then(|| refusal(&decision))
    };
    actions.into_iter().filter_map(problem).take(1).collect()
}

fn input(state: &PersonState, submission: &Submission, action: Action, group: &[&Change], now: i64) -> Input {
    let author = &submission.author;
    let (id, actor_type) = match &author.practitioner {
        _ if author.is_person => (submission.pid.to_string(), ActorType::Person),
        Some(practitioner) => (practitioner.to_string(), ActorType::Professional),
        None => (author.client.to_string(), ActorType::System),
    };
    let is_plain = !author.is_person && group.iter().all(|c| c.consent.is_none() && c.objection.is_none());
    let mut input =
        Input::bare(now, Stage::Log, author.purpose, action, Actor::plain(id, actor_type, author.is_person));
    input.person = Some(Person {
        link: Some(Link { state: state.link, kind: state.link_kind.clone() }),
        // Nobody in particular, where nothing of what is written is about her consents: the same decision serves all persons.
        ..Person::unknown(if is_plain { Pid::COMMONS } else { state.pid })
    });
    input.visit = state.visits.iter().rev().find(|v| v.facility == author.organisation).map(VisitFact::from);
    input.objections = state.objections.iter().map(ObjectionFact::from).collect();
    input.wanted = Wanted::categories(group.iter().filter_map(|c| c.meta.as_ref()).map(|m| m.category));
    input.write = Some(Write {
        author_organisation: author.organisation.clone(),
        existing_author_organisation: matches!(action, Action::Update | Action::Delete)
            .then(|| author.organisation.clone()),
        visit: group.iter().find_map(|c| c.visit).map(|v| v.to_string()),
        biometrics: false,
        consent: group.first().and_then(|c| c.consent.clone()),
        objection: group.first().and_then(|c| c.objection.as_ref()).map(ObjectionFact::from),
        attestation: None,
    });
    input
}

fn refusal(decision: &policies::Decision) -> Problem {
    let rule = decision.rules.first().map_or("R51", String::as_str);
    let text = match decision.reason.as_str() {
        reasons::PERSON_OBJECTS => {
            "the person objects to this visit, facility or category being recorded; nothing was stored"
        }
        reasons::LINK_STATE | reasons::QUARANTINE => {
            "the link of this person is in doubt; the record cannot be taken now"
        }
        reasons::STEP_UP => "a fresh proof of the person is needed",
        reasons::TERMS_STALE => "the terms have changed; the person must see them first",
        _ => "not permitted",
    };
    Problem::new(ProblemCode::Forbidden, "", text).with_rule(rule)
}
