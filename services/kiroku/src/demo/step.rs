//! One step of the story: the requests as they were made, the answers as they came, and what the story says they must be.

use std::path::Path;

use anyhow::Result;
use reqwest::Method;
use serde::Serialize;
use serde_json::{Value, json};

use super::file::REQUESTS;
use super::world::{Citizen, Who, World};
use crate::api::Reply;

/// One request and its answer.
#[derive(Clone, Debug, Serialize)]
pub struct Exchange {
    /// Who asked, in words.
    pub who: String,
    /// The name for `kiroku demo --token`.
    pub token: String,
    pub method: String,
    pub path: String,
    /// A command that asks again.
    pub curl: String,
    pub status: u16,
    /// What matters of the answer.
    pub answer: String,
}

/// One thing that the story says of an answer.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    pub what: String,
    pub held: bool,
}

/// A step.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Step {
    pub number: usize,
    pub sentence: String,
    pub exchanges: Vec<Exchange>,
    /// Sentences out of an answer, as they came.
    pub quotes: Vec<String>,
    pub checks: Vec<Check>,
    /// Why the step could not be told to its end.
    pub trouble: Option<String>,
}

impl Step {
    /// Whether all was as the story says. A step that checked nothing did not hold.
    pub fn held(&self) -> bool {
        self.trouble.is_none() && !self.checks.is_empty() && self.checks.iter().all(|check| check.held)
    }
}

/// A request to be made.
pub(super) struct Ask<'a> {
    method: Method,
    path: String,
    body: Option<Value>,
    card: Option<&'a Citizen>,
}

impl<'a> Ask<'a> {
    pub(super) fn get(path: impl Into<String>) -> Self {
        Self { method: Method::GET, path: path.into(), body: None, card: None }
    }

    pub(super) fn post(path: impl Into<String>, body: Value) -> Self {
        Self { method: Method::POST, path: path.into(), body: Some(body), card: None }
    }

    pub(super) fn put(path: impl Into<String>, body: Value) -> Self {
        Self { method: Method::PUT, path: path.into(), body: Some(body), card: None }
    }

    /// With the proof of the person's card, taken by the desk's reader.
    pub(super) fn with_card(mut self, citizen: &'a Citizen) -> Self {
        self.card = Some(citizen);
        self
    }
}

/// Makes the requests of a story and keeps what came.
pub(super) struct Teller<'a> {
    pub(super) world: &'a World,
    listener: &'a mut (dyn FnMut(&Step) + Send),
    steps: Vec<Step>,
    step: Step,
}

impl<'a> Teller<'a> {
    pub(super) fn new(world: &'a World, listener: &'a mut (dyn FnMut(&Step) + Send)) -> Self {
        Self { world, listener, steps: Vec::new(), step: Step::default() }
    }

    pub(super) fn begin(&mut self, sentence: impl Into<String>) {
        self.step = Step { number: self.steps.len() + 1, sentence: sentence.into(), ..Step::default() };
    }

    /// Closes the step that was begun.
    pub(super) fn end(&mut self, told: Result<()>) {
        self.step.trouble = told.err().map(|error| format!("{error:#}"));
        (self.listener)(&self.step);
        self.steps.push(std::mem::take(&mut self.step));
    }

    pub(super) fn finish(self) -> Vec<Step> {
        self.steps
    }

    /// What the story says, and whether it was so.
    pub(super) fn check(&mut self, what: impl Into<String>, held: bool) {
        self.step.checks.push(Check { what: what.into(), held });
    }

    /// As [`Teller::check`], for the status of an answer.
    pub(super) fn check_status(&mut self, what: &str, reply: &Reply, wanted: &[u16]) {
        let got = reply.status;
        let held = wanted.contains(&got);
        self.check(if held { what.to_owned() } else { format!("{what} (wanted {wanted:?}, got {got})") }, held);
    }

    pub(super) fn quote(&mut self, line: impl Into<String>) {
        self.step.quotes.push(line.into());
    }

    /// Makes a request as `who`, with a token of this moment.
    pub(super) async fn ask(&mut self, who: &Who, ask: Ask<'_>) -> Result<Reply> {
        let api = &self.world.api;
        let token = who.token(api).await?;
        let proof = match ask.card {
            Some(citizen) => Some(api.card_header(&citizen.card).await?),
            None => None,
        };
        let headers: Vec<(&str, &str)> = proof.iter().map(|proof| ("kiroku-card", proof.as_str())).collect();
        let curl = self.curl(who, &ask)?;
        let reply = api.send(ask.method.clone(), &token, (&ask.path, &headers), ask.body.as_ref()).await?;
        self.step.exchanges.push(Exchange {
            who: who.said.clone(),
            token: who.name.clone(),
            method: ask.method.to_string(),
            path: ask.path,
            curl,
            status: reply.status,
            answer: gist(&reply),
        });
        Ok(reply)
    }

    fn curl(&self, who: &Who, ask: &Ask<'_>) -> Result<String> {
        let folder = self.world.folder.as_deref().unwrap_or(Path::new("DIR"));
        let (place, program) = (folder.display(), &self.world.command);
        let mut line = format!(
            "curl -s -X {} '{}{}' -H \"Authorization: Bearer $({program} demo --data {place} --token {})\"",
            ask.method, self.world.api.url, ask.path, who.name
        );
        if let Some(citizen) = ask.card {
            line.push_str(&format!(" -H \"Kiroku-Card: $({program} demo --data {place} --card {})\"", citizen.name));
        }
        if let Some(body) = &ask.body {
            let name = format!("{REQUESTS}/{:02}-{}.json", self.step.number, self.step.exchanges.len() + 1);
            if let Some(folder) = &self.world.folder {
                super::file::write_private(&folder.join(&name), serde_json::to_string_pretty(body)?.as_bytes())?;
            }
            line.push_str(&format!(" -H 'Content-Type: application/fhir+json' --data-binary @{place}/{name}"));
        }
        Ok(line)
    }
}

/// The resources of a searchset, without what was only said.
pub(super) fn entries(reply: &Reply) -> Vec<&Value> {
    let all = reply.body["entry"].as_array().into_iter().flatten().map(|entry| &entry["resource"]);
    all.filter(|resource| resource["resourceType"] != json!("OperationOutcome")).collect()
}

/// The text of a refusal.
pub(super) fn refusal_text(reply: &Reply) -> String {
    let issues = reply.body["issue"].as_array().into_iter().flatten();
    let text = |issue: &Value| {
        let said = issue["diagnostics"].as_str().unwrap_or_default();
        match issue["details"]["text"].as_str() {
            Some(rule) => format!("{said} ({rule})"),
            None => said.to_owned(),
        }
    };
    issues.map(text).collect::<Vec<_>>().join("; ")
}

/// What matters of an answer, in a line.
fn gist(reply: &Reply) -> String {
    let body = &reply.body;
    match body["resourceType"].as_str() {
        Some("OperationOutcome") => refusal_text(reply),
        Some("Bundle") if body["type"] == json!("searchset") => {
            let found = entries(reply);
            let mut types: Vec<&str> = found.iter().filter_map(|r| r["resourceType"].as_str()).collect();
            types.sort_unstable();
            types.dedup();
            match (found.len(), body["total"].as_u64()) {
                (0, Some(total)) => format!("{total} found"),
                (0, None) => "nothing found".to_owned(),
                (count, _) => format!("{count} found: {}", types.join(", ")),
            }
        }
        Some("Parameters") => shortened(&body["parameter"].to_string()),
        Some(resource_type) => {
            let id = body["id"].as_str().unwrap_or_default();
            let version = body["meta"]["versionId"].as_str().unwrap_or_default();
            format!("{resource_type}/{id}, version {version}")
        }
        None if body.is_null() => reply.header("location").to_owned(),
        None => match body["count"].as_u64() {
            Some(count) => format!("{count} entries"),
            None => shortened(&body.to_string()),
        },
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(400) {
        Some((at, _)) => format!("{} ...", &text[..at]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_checked_nothing_or_broke_off_did_not_hold() {
        let good = Check { what: "so".to_owned(), held: true };
        let step = |checks: &[Check], trouble: Option<&str>| Step {
            checks: checks.to_vec(),
            trouble: trouble.map(str::to_owned),
            ..Step::default()
        };
        assert!(step(std::slice::from_ref(&good), None).held());
        assert!(!step(&[], None).held());
        assert!(!step(std::slice::from_ref(&good), Some("the server is gone")).held());
        assert!(!step(&[good.clone(), Check { held: false, ..good }], None).held());
    }
}
