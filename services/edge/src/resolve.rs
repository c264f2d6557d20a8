//! Whose records these are: exactly one person, found before the log from ids, identifiers and the token.

use chassis::envelope;
use chassis::http::Refusal;
use chassis::ports::store::{StoreError, Table};
use chassis::session::Session;
use fhir::json::Node;
use schemas::submission::IdentifierHash;
use schemas::{LocalId, Pid, Problem, ProblemCode, ResourceId, ResourceType};

use crate::Edge;
use crate::draft::{Draft, Entry, Wish};

/// The person that a request is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum About {
    Person(Pid),
    /// Commons alone.
    Nobody,
    /// Nobody has these identifiers.
    Unknown,
    /// Somebody known is named beside identifiers that nobody has: whether they are hers is not proven.
    Doubtful,
}

/// A row of the person index.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Indexed {
    pub(crate) pid: Pid,
    /// A Patient of this person, for references by identifier.
    pub(crate) patient: LocalId,
}

impl Edge {
    /// Finds the person of all entries; refuses a mixture, naming the entry.
    pub(crate) async fn find_person(&self, session: &Session, draft: &Draft) -> Result<About, Refusal> {
        if draft.entries.iter().all(|e| e.resource_type.is_commons()) {
            return Ok(About::Nobody);
        }
        let mut found: Option<Pid> = session.caller.person;
        let mut unknown = false;
        self.refuse_strangers(draft)?;
        for entry in draft.entries.iter().filter(|e| !e.resource_type.is_commons()) {
            for (path, named) in self.persons_of(draft, entry).await.map_err(|e| Refusal::internal(&e))? {
                match named {
                    None => unknown = true,
                    Some(pid) if found.is_some_and(|other| other != pid) => return Err(mixed(&path)),
                    Some(pid) => found = Some(pid),
                }
            }
        }
        match found {
            // A token for one person vouches for identifiers that are new.
            Some(_) if unknown && session.caller.person.is_none() => Ok(About::Doubtful),
            Some(pid) => Ok(About::Person(pid)),
            None if unknown => Ok(About::Unknown),
            None => Err(nameless(draft)),
        }
    }

    /// Patients sent together are one person's: each shares an identifier with those before it. Otherwise the identifiers of
    /// somebody who is not known yet would become this person's.
    fn refuse_strangers(&self, draft: &Draft) -> Result<(), Refusal> {
        let mut known: Vec<IdentifierHash> = Vec::new();
        let sent = |e: &&Entry| e.resource_type == ResourceType::Patient && !matches!(e.wish, Wish::Delete { .. });
        for (at, entry) in draft.entries.iter().filter(sent).enumerate() {
            let own = self.identifiers_of(&entry.node);
            if at > 0 && !own.iter().any(|hash| known.contains(hash)) {
                return Err(mixed(&join(&entry.path, "identifier")));
            }
            known.extend(own);
        }
        Ok(())
    }

    /// Every mention of a person in an entry: (path, pid; `None` for an identifier that nobody has).
    async fn persons_of(&self, draft: &Draft, entry: &Entry) -> Result<Vec<(String, Option<Pid>)>, StoreError> {
        let mut named = Vec::new();
        if let Wish::Update { id, .. } | Wish::Delete { id, .. } = entry.wish {
            named.push((entry.path.clone(), Some(id.pid)));
        }
        if entry.resource_type == ResourceType::Bundle {
            return Ok(named);
        }
        if entry.resource_type == ResourceType::Patient {
            let mut hits: Vec<Pid> = Vec::new();
            for hash in self.identifiers_of(&entry.node) {
                hits.extend(self.indexed(&hash).await?.map(|i| i.pid));
            }
            hits.dedup();
            match hits.as_slice() {
                [] if matches!(entry.wish, Wish::Update { .. }) => {}
                [] => named.push((format!("{}.identifier", entry.path), None)),
                pids => named.extend(pids.iter().map(|pid| (format!("{}.identifier", entry.path), Some(*pid)))),
            }
        }
        // Whom a record is about comes first: a difference is then said of the reference that differs.
        let mut references = fhir::bundle::references(&entry.node);
        references
            .sort_by_key(|(inner, _)| !matches!(inner.split('.').next(), Some("subject" | "patient" | "beneficiary")));
        for (inner, text) in references {
            let path = join(&entry.path, &inner);
            if let Some(person) = self.person_of_reference(draft, text).await? {
                named.push((path, person));
            }
        }
        Ok(named)
    }

    /// The person that a reference points to; `None` if it points to no person, or within the submission.
    async fn person_of_reference(&self, draft: &Draft, text: &str) -> Result<Option<Option<Pid>>, StoreError> {
        if text.starts_with('#') || draft.entries.iter().any(|e| !e.full_url.is_empty() && e.full_url == text) {
            return Ok(None);
        }
        if let Some(query) = text.strip_prefix("Patient?") {
            let pid = match self.index_query(query) {
                Some(hash) => self.indexed(&hash).await?.map(|i| i.pid),
                None => None,
            };
            return Ok(Some(pid));
        }
        let relative = text.strip_prefix(&self.deps.base_url).map_or(text, |rest| rest.trim_start_matches('/'));
        let id = relative.split_once('/').and_then(|(_, id)| id.split('/').next()?.parse::<ResourceId>().ok());
        Ok(id.filter(|id| id.pid != Pid::COMMONS).map(|id| Some(id.pid)))
    }

    /// Hashes of the identifiers of a Patient.
    pub(crate) fn identifiers_of(&self, patient: &Node) -> Vec<IdentifierHash> {
        let identifiers = patient.get("identifier").map_or(&[][..], Node::items).iter();
        let hash = |i: &Node| match (i.text("system"), i.text("value")) {
            (Some(system), Some(value)) => Some(self.hash(system, value)),
            _ => None,
        };
        let mut hashes: Vec<_> = identifiers.filter_map(hash).collect();
        hashes.sort_unstable();
        hashes.dedup();
        hashes
    }

    pub(crate) fn hash(&self, system: &str, value: &str) -> IdentifierHash {
        envelope::identifier_hash(&self.index_key, fhir::systems::canonical(system), value)
    }

    /// `identifier=system|value` of a conditional reference.
    pub(crate) fn index_query(&self, query: &str) -> Option<IdentifierHash> {
        let value = query.strip_prefix("identifier=")?;
        let value = urlencoding::decode(value).ok()?;
        let (system, value) = value.split_once('|')?;
        Some(self.hash(system, value))
    }

    pub(crate) async fn indexed(&self, hash: &IdentifierHash) -> Result<Option<Indexed>, StoreError> {
        let row = self.deps.store.get(Table::PersonIndex, &hash.0, b"").await?;
        Ok(row.and_then(|row| {
            let pid = row.get(..16)?.try_into().ok().map(Pid)?;
            let patient = row.get(32..42)?.try_into().ok().map(LocalId)?;
            Some(Indexed { pid, patient })
        }))
    }
}

pub(crate) fn join(path: &str, inner: &str) -> String {
    match (path.is_empty(), inner.is_empty()) {
        (true, _) => inner.to_owned(),
        (_, true) => path.to_owned(),
        _ => format!("{path}.{inner}"),
    }
}

fn mixed(path: &str) -> Refusal {
    let text = "a submission concerns one person; this entry names another one";
    Refusal::unprocessable(vec![Problem::new(ProblemCode::BusinessRule, path, text).with_rule("one-person")])
}

fn nameless(draft: &Draft) -> Refusal {
    let path = draft.entries.first().map_or(String::new(), |e| e.path.clone());
    let text = "the submission names no person: refer to the Patient by id or by `Patient?identifier=system|value`, send the Patient with it, or use a token for one person";
    Refusal::unprocessable(vec![Problem::new(ProblemCode::Required, path, text).with_rule("one-person")])
}
