//! Every example made by others is accepted, or refused for a reason that stands in a golden file.

mod common;

use std::fmt::Write as _;
use std::io::Read as _;
use std::path::Path;

use fhir::check::{CheckRules, check_resource};
use schemas::Problem;
use schemas::problem::Severity;

fn describe(problems: &[Problem]) -> String {
    let mut text = String::new();
    for problem in problems.iter().filter(|problem| problem.severity == Severity::Error) {
        let rule = if problem.rule.is_empty() { "-" } else { &problem.rule };
        // The list of accepted types is long and the same each time.
        let message = problem.message.split(';').next().unwrap_or_default();
        let _ = writeln!(text, "  {} {} {rule}: {message}", problem.code, problem.path);
    }
    text
}

/// The refusals of the files in a folder, as text.
fn refusals(folder: &Path) -> String {
    let mut text = String::new();
    for file in common::json_files(folder) {
        let raw = std::fs::read(&file).expect("the file is readable");
        if let Err(problems) = check_resource(&raw, &CheckRules::default()) {
            let name = file.strip_prefix(folder).expect("the file lies in the folder");
            let _ = write!(text, "{}\n{}", name.display(), describe(&problems));
        }
    }
    text
}

fn compare(folder: &str, golden: &str) {
    let Some(data) = common::shared() else { return };
    let found = refusals(&data.join(folder));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(golden);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &found).expect("the golden file is writable");
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "the refusals changed; look at them and run with UPDATE_GOLDEN=1:\n{found}");
}

#[test]
fn each_hl7_example_is_accepted_or_refused_for_a_reason_that_was_looked_at() {
    compare("hl7-r4-spec", "hl7-refusals.txt");
}

#[test]
fn the_international_patient_summaries_are_accepted() {
    compare("ips", "ips-refusals.txt");
}

#[test]
fn of_the_jp_clins_examples_only_the_deliberate_errors_of_form_are_refused() {
    compare("jp-clins/examples", "jp-clins-refusals.txt");
}

#[test]
fn the_japanese_referral_documents_are_accepted() {
    compare("jp-example-creation", "jp-referral-refusals.txt");
}

/// Files of the Synthea archive, each `step`th.
fn synthea(data: &Path, step: usize) -> Vec<(String, Vec<u8>)> {
    let raw = std::fs::File::open(data.join("synthea-r4/synthea-r4-patients.tar.gz")).expect("the archive is there");
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(raw));
    let mut found = Vec::new();
    for (at, entry) in archive.entries().expect("the archive is a tar").enumerate() {
        let mut entry = entry.expect("the archive is whole");
        if at % step == 0 && entry.header().entry_type().is_file() {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).expect("the archive is whole");
            found.push((entry.path().expect("a file has a path").display().to_string(), bytes));
        }
    }
    found
}

#[test]
fn the_synthea_bundles_are_accepted() {
    let Some(data) = common::shared() else { return };
    let step = if cfg!(debug_assertions) { 8 } else { 1 };
    for (name, raw) in synthea(&data, step) {
        if let Err(problems) = check_resource(&raw, &CheckRules::default()) {
            panic!("{name}\n{}", describe(&problems));
        }
    }
}
