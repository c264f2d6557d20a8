//! What became of what was sent.

use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

/// Refusals kept with their place; more are only counted.
const KEPT: usize = 1000;

/// The report of one run.
#[derive(Debug, Default, Clone, Serialize)]
pub struct Report {
    pub files: u64,
    /// Files in folders and archives whose name ends in nothing that is read.
    pub files_passed_over: u64,
    /// Requests, groups of lines as one.
    pub documents: u64,
    /// Resources that were accepted, durable and readable.
    pub accepted: u64,
    /// Refused requests, and refused entries of batches.
    pub refused: u64,
    /// Requests kept in quarantine: the person is not known.
    pub quarantined: u64,
    pub persons_registered: u64,
    pub seconds: f64,
    pub resources_per_second: f64,
    /// The first of the refused ones.
    pub refusals: Vec<Refused>,
}

/// One refusal. Holds no value of a person: files, paths and rules.
#[derive(Debug, Clone, Serialize)]
pub struct Refused {
    pub file: String,
    /// HTTP status.
    pub status: u16,
    /// Place inside the document, as the server named it.
    pub path: String,
    /// Id of the rule, or the code of the problem where no rule is named.
    pub rule: String,
    pub message: String,
}

impl Report {
    pub fn all_accepted(&self) -> bool {
        self.refused == 0 && self.quarantined == 0
    }

    pub(super) fn refuse(&mut self, refused: Refused) {
        self.refused += 1;
        if self.refusals.len() < KEPT {
            self.refusals.push(refused);
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.documents += other.documents;
        self.accepted += other.accepted;
        self.refused += other.refused;
        self.quarantined += other.quarantined;
        self.refusals.extend(other.refusals);
        self.refusals.truncate(KEPT);
    }

    pub(super) fn finish(&mut self, took: Duration) {
        self.seconds = took.as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let accepted = self.accepted as f64;
        self.resources_per_second = accepted / self.seconds.max(0.001);
        self.refusals.sort_by(|a, b| a.file.cmp(&b.file));
    }
}

impl Refused {
    /// Out of an OperationOutcome; the first error counts.
    pub(super) fn of(file: &str, status: u16, outcome: &Value) -> Self {
        let issues = outcome["issue"].as_array().map_or(&[][..], Vec::as_slice);
        let issue = issues.iter().find(|i| i["severity"] == "error").or(issues.first()).unwrap_or(&Value::Null);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let rule = text(&issue["details"]["text"]);
        Self {
            file: file.to_owned(),
            status,
            path: text(&issue["expression"][0]),
            rule: if rule.is_empty() { text(&issue["code"]) } else { rule },
            message: text(&issue["diagnostics"]),
        }
    }
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { file, status, path, rule, message } = self;
        write!(f, "refused: {file}: {status} at `{path}` by {rule}: {message}")
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            files,
            documents,
            accepted,
            refused,
            quarantined,
            persons_registered,
            seconds,
            resources_per_second,
            ..
        } = self;
        write!(
            f,
            "{accepted} resources accepted out of {documents} requests from {files} files in {seconds:.1} s ({resources_per_second:.0}/s); {refused} refused, {quarantined} in quarantine, {persons_registered} persons registered"
        )?;
        match self.files_passed_over {
            0 => Ok(()),
            n => write!(f, "; {n} files passed over"),
        }
    }
}
