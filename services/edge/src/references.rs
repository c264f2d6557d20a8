//! References become ids of ours before the log: from entries of the submission, from the two indexes, from our own URLs.

use std::collections::HashMap;

use chassis::http::Refusal;
use chassis::ports::store::Table;
use schemas::{ItemKey, LocalId, Pid, Problem, ProblemCode, ResourceId, ResourceType};

use crate::Edge;
use crate::draft::{Draft, Entry};
use crate::resolve::join;

/// What the names used in a submission stand for: full URLs of entries, and references looked up.
pub(crate) type Names = HashMap<String, String>;

impl Edge {
    /// Looks up every reference of the draft that is no name of an entry. Refuses what cannot be resolved, with its path.
    pub(crate) async fn resolve_references(&self, draft: &Draft, pid: Pid, names: &mut Names) -> Result<(), Refusal> {
        let mut problems = Vec::new();
        for entry in draft.entries.iter().filter(|e| e.resource_type != ResourceType::Bundle) {
            for (inner, text) in fhir::bundle::references(&entry.node) {
                if names.contains_key(text) || text.starts_with('#') {
                    continue;
                }
                let path = join(&entry.path, &inner);
                match self.look_up(entry, text, pid).await? {
                    Looked::Becomes(target) => {
                        names.insert(text.to_owned(), target);
                    }
                    Looked::Stays => {}
                    Looked::Wrong(text) => {
                        problems.push(Problem::new(ProblemCode::NotFound, path, text).with_rule("reference"))
                    }
                }
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(Refusal::unprocessable(problems)) }
    }

    async fn look_up(&self, entry: &Entry, text: &str, pid: Pid) -> Result<Looked, Refusal> {
        if let Some((type_name, query)) = text.split_once('?') {
            return self.look_up_query(type_name, query, pid).await;
        }
        let relative = text.strip_prefix(&self.deps.base_url).map(|rest| rest.trim_start_matches('/'));
        let ours = relative.unwrap_or(text);
        let (type_name, rest) = ours.split_once('/').unwrap_or((ours, ""));
        let id = rest.split('/').next().and_then(|id| id.parse::<ResourceId>().ok());
        let known_type = type_name.parse::<ResourceType>();
        match (known_type, id) {
            (Ok(t), Some(id)) if id.pid == Pid::COMMONS && t.is_commons() => Ok(becomes(relative, ours)),
            (Ok(t), Some(id)) if id.pid == pid && !t.is_commons() => Ok(becomes(relative, ours)),
            (_, Some(_)) => Ok(Looked::Wrong("this reference is not to a resource of this person")),
            // Documents are kept whole: what they refer to outside of themselves stays as it was written.
            _ if entry.in_document => Ok(Looked::Stays),
            _ if relative.is_some() => Ok(Looked::Wrong("no resource has this id")),
            _ if text.starts_with("urn:") => Ok(Looked::Wrong("no entry of this submission has this fullUrl")),
            _ if text.contains("://") => Ok(Looked::Stays),
            _ => Ok(Looked::Wrong(
                "no resource has this id; ids are given by the server, refer to entries by their fullUrl",
            )),
        }
    }

    /// `Type?identifier=system|value`: persons and commons, each from its index.
    async fn look_up_query(&self, type_name: &str, query: &str, pid: Pid) -> Result<Looked, Refusal> {
        let wrong = Looked::Wrong("conditional references are `Type?identifier=system|value`");
        let Ok(resource_type) = type_name.parse::<ResourceType>() else { return Ok(wrong) };
        let Some(hash) = self.index_query(query) else { return Ok(wrong) };
        if resource_type == ResourceType::Patient {
            let indexed = self.indexed(&hash).await.map_err(|e| Refusal::internal(&e))?;
            return Ok(match indexed.filter(|i| i.pid == pid) {
                Some(i) => Looked::Becomes(format!("Patient/{}", ResourceId { pid, local: i.patient })),
                None => Looked::Wrong("this reference is not to a resource of this person"),
            });
        }
        if !resource_type.is_commons() {
            return Ok(Looked::Wrong("conditional references are taken to Patient and to commons"));
        }
        let key = [&[resource_type as u8][..], &hash.0].concat();
        let row =
            self.deps.store.get(Table::CommonsIndex, b"commons", &key).await.map_err(|e| Refusal::internal(&e))?;
        Ok(match row.and_then(|row| row.as_ref().try_into().ok()).map(LocalId) {
            Some(local) => Looked::Becomes(format!("{type_name}/{}", ResourceId { pid: Pid::COMMONS, local })),
            None => Looked::Wrong("no organisation, professional, role or place has this identifier; send it first"),
        })
    }
}

enum Looked {
    Becomes(String),
    Stays,
    Wrong(&'static str),
}

fn becomes(was_absolute: Option<&str>, ours: &str) -> Looked {
    if was_absolute.is_some() { Looked::Becomes(ours.to_owned()) } else { Looked::Stays }
}

/// The names that the entries of a submission give one another.
pub(crate) fn names_of_entries(entries: &[(&Entry, ItemKey)], pid: Pid) -> Names {
    let mut names = Names::new();
    for (entry, item) in entries.iter().filter(|(entry, _)| !entry.full_url.is_empty()) {
        let target = format!("{}/{}", item.resource_type, ResourceId { pid, local: item.local });
        // A relative reference `Type/id` names the entry whose full URL ends with it.
        if let Some((_, id)) = entry.full_url.rsplit_once('/') {
            names.insert(format!("{}/{id}", item.resource_type), target.clone());
        }
        names.insert(entry.full_url.clone(), target);
    }
    names
}
