//! Who may touch what: tables, tickets, receipts. By the text of the sources: a name that appears in a wrong place is found.

use anyhow::{Context, Result};

use crate::{code_of, sources};

/// Words that begin with `prefix` in a text: `Table::State` -> `State`.
fn named<'t>(text: &'t str, prefix: &str) -> Vec<&'t str> {
    let word = |rest: &'t str| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
    text.match_indices(prefix).map(|(at, _)| word(&text[at + prefix.len()..])).collect()
}

#[test]
fn the_edge_reads_no_table_but_its_two_indexes_and_the_verdicts_by_url() -> Result<()> {
    let allowed = ["PersonIndex", "CommonsIndex", "Submission", "Verdict", "Quarantine"];
    let files = sources(&["services/edge/src"])?;
    assert!(files.len() > 10);
    for (path, text) in &files {
        let code = code_of(text);
        for table in named(&code, "Table::") {
            assert!(allowed.contains(&table), "{path} reads the table `{table}`");
        }
        assert!(!code.contains("Shelves"), "{path} opens shelves");
        assert!(!code.contains("Table::{"), "{path}: name each table where it is used");
    }
    Ok(())
}

#[test]
fn the_query_role_writes_nothing_but_accesses() -> Result<()> {
    for (path, text) in sources(&["services/query/src"])? {
        let code = code_of(&text);
        for call in [".apply(", "ports::log", "dyn Log", ".once(", ".destroy("] {
            assert!(!code.contains(call), "{path} has `{call}`");
        }
    }
    Ok(())
}

#[test]
fn tickets_are_made_only_where_a_job_inside_needs_one() -> Result<()> {
    let allowed = |path: &str| {
        let places = [
            "services/projector/src/",
            "services/ledger/src/",
            "services/kiroku/src/",
            "services/query/src/lib.rs",
            "services/edge/src/handlers/submission.rs",
        ];
        places.iter().any(|place| path.starts_with(place))
    };
    let files = sources(&["services", "policies/src", "schemas/src", "loadtest/src"])?;
    let mut seen = 0;
    for (path, text) in files.iter().filter(|(path, _)| path.contains("/src/")) {
        let code = code_of(text);
        if !code.contains("Ticket::for_job")
            || path.ends_with("chassis/src/ports/keys.rs")
            || path.ends_with("tests.rs")
        {
            continue;
        }
        seen += 1;
        assert!(allowed(path), "{path} makes a ticket");
        // The safety check (R25) computes over what it opens and lets nothing of it out.
        let jobs: &[&str] = match path.as_str() {
            path if path.contains("services/query/") => &["ScanHeaders", "SafetyCheck"],
            path if path.contains("services/edge/") => &["ScanHeaders"],
            _ => continue,
        };
        for job in named(&code, "Ticket::for_job(Job::") {
            assert!(jobs.contains(&job), "{path} makes a ticket for `{job}`");
        }
    }
    assert!(seen >= 3, "{seen} places");
    Ok(())
}

#[test]
fn receipts_and_row_keys_are_made_in_one_place() -> Result<()> {
    let files = sources(&["services"])?;
    let (_, ledger) =
        files.iter().find(|(path, _)| path.ends_with("chassis/src/ledger.rs")).context("the ledger port")?;
    let code = code_of(ledger);
    for kind in ["Receipt", "RowKeys"] {
        let start = code.find(&format!("impl {kind} {{")).with_context(|| kind.to_owned())?;
        let body = &code[start..start + code[start..].find("\n}").context("an end")?];
        assert!(!body.contains("-> Self") && !body.contains(&format!("-> {kind}")), "`{kind}` has a constructor");
        let attributes =
            code.find(&format!("pub struct {kind}")).map(|at| code[..at].lines().last().unwrap_or_default());
        assert!(!attributes.unwrap_or_default().contains("Default"), "`{kind}` has a default");
    }
    let fields = code.split("pub struct Receipt {").nth(1).and_then(|rest| rest.split('}').next()).context("fields")?;
    assert!(!fields.contains("pub "), "the fields of `Receipt` are private");
    assert!(code.contains("pub struct RowKeys(Vec<"), "the field of `RowKeys` is private");
    let makers = files.iter().filter(|(path, _)| path.contains("/src/") && !path.ends_with("chassis/src/ledger.rs"));
    for (path, text) in makers {
        // What returns one is no maker.
        let code = code_of(text).replace("&Receipt {", "").replace("-> Receipt {", "");
        assert!(!code.contains("RowKeys(") && !code.contains("Receipt {"), "{path} makes a receipt or row keys");
    }
    Ok(())
}

#[test]
fn answers_about_a_person_are_built_from_a_receipt() -> Result<()> {
    let files = sources(&["services/chassis/src"])?;
    let (_, release) = files.iter().find(|(path, _)| path.ends_with("src/release.rs")).context("release.rs")?;
    let code = code_of(release);
    let makers: Vec<&str> = code.lines().filter(|line| line.contains("pub fn") && line.contains("-> Self")).collect();
    assert!(!makers.is_empty());
    for maker in makers {
        assert!(maker.contains("receipt: Receipt") || maker.contains("mut self"), "{maker}");
    }
    Ok(())
}

#[test]
fn rules_neither_read_the_clock_nor_roll_dice() -> Result<()> {
    for (path, text) in sources(&["services/domain/src", "services/fhir/src"])? {
        let code = code_of(&text);
        for call in [
            "SystemTime",
            "Instant::now",
            "Utc::now",
            "Local::now",
            "rand::",
            "rand_bytes",
            "::random(",
            "std::fs",
            "std::net",
            "async fn",
        ] {
            assert!(!code.contains(call), "{path} has `{call}`");
        }
    }
    Ok(())
}
