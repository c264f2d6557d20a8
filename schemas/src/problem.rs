//! What is wrong with an input, where, and what to do: becomes one `OperationOutcome.issue`.

use minicbor::{Decode, Encode};

use crate::vocab::closed_list;

closed_list!(
    /// The kinds of refusal; the text is `OperationOutcome.issue.code` (FHIR R4 issue-type).
    ProblemCode {
        Structure = 0 => "structure", Required = 1 => "required", Value = 2 => "value", Invariant = 3 => "invariant",
        TooLong = 4 => "too-long", CodeInvalid = 5 => "code-invalid", NotSupported = 6 => "not-supported",
        Duplicate = 7 => "duplicate", NotFound = 8 => "not-found", Conflict = 9 => "conflict", Forbidden = 10 => "forbidden",
        Security = 11 => "security", Login = 12 => "login", BusinessRule = 13 => "business-rule", Throttled = 14 => "throttled",
        Transient = 15 => "transient", Exception = 16 => "exception", Timeout = 17 => "timeout", Informational = 18 => "informational",
        MultipleMatches = 19 => "multiple-matches", Incomplete = 20 => "incomplete", Expired = 21 => "expired",
    }
);

closed_list!(
    /// `OperationOutcome.issue.severity`.
    Severity { Error = 0 => "error", Warning = 1 => "warning", Information = 2 => "information" }
);

/// One problem. INVARIANT: no text of it ever holds a value of the input; path, names of elements and rules only.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Problem {
    #[n(0)]
    pub code: ProblemCode,
    #[n(1)]
    pub severity: Severity,
    /// FHIRPath-like: `Bundle.entry[3].resource.valueQuantity.value`; empty where the whole input is meant.
    #[n(2)]
    pub path: String,
    /// What is wrong and what to do, lower case, no full stop.
    #[n(3)]
    pub message: String,
    /// Rule id for a program (`jp-clins-r1013`, `R49`); empty where the code says it all.
    #[n(4)]
    pub rule: String,
}

impl Problem {
    pub fn new(code: ProblemCode, path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code, severity: Severity::Error, path: path.into(), message: message.into(), rule: String::new() }
    }

    pub fn warning(code: ProblemCode, path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::new(code, path, message) }
    }

    #[must_use]
    pub fn with_rule(mut self, rule: &str) -> Self {
        rule.clone_into(&mut self.rule);
        self
    }
}

/// The FHIR OperationOutcome of `problems`.
pub fn operation_outcome(problems: &[Problem]) -> serde_json::Value {
    let issues: Vec<_> = problems
        .iter()
        .map(|p| {
            let mut issue = serde_json::json!({
                "severity": p.severity.as_str(), "code": p.code.as_str(), "diagnostics": p.message,
            });
            if !p.path.is_empty() {
                issue["expression"] = serde_json::json!([p.path]);
            }
            if !p.rule.is_empty() {
                issue["details"] = serde_json::json!({"text": p.rule});
            }
            issue
        })
        .collect();
    serde_json::json!({"resourceType": "OperationOutcome", "issue": issues})
}
