//! `schemas <- {domain, fhir, policies, chassis} <- roles <- kiroku <- tests`, `chassis <- engines`, `loadtest <- {kiroku, tests}`.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::root;

const ROLES: [&str; 7] = ["edge", "projector", "query", "ledger", "eligibility", "portal", "witness"];
const LIBRARIES: [&str; 4] = ["domain", "fhir", "policies", "chassis"];

/// Crates of ours that each of ours may depend on (not counting dev-dependencies).
fn allowed(name: &str) -> Option<Vec<&'static str>> {
    let libraries = || [&["schemas"], &LIBRARIES[..]].concat();
    Some(match name {
        "schemas" | "servers" => vec![],
        "fhir-second" => vec!["schemas"],
        "domain" | "policies" | "chassis" => vec!["schemas"],
        "fhir" => vec!["schemas", "fhir-second"],
        "engines" => vec!["schemas", "chassis"],
        "loadtest" => vec!["schemas", "chassis"],
        "xtask" => vec!["schemas", "fhir", "policies", "chassis", "loadtest", "servers"],
        "kiroku" => [&libraries()[..], &["engines", "loadtest", "servers"], &ROLES[..]].concat(),
        "tests" => [&libraries()[..], &["engines", "loadtest", "kiroku", "servers"], &ROLES[..]].concat(),
        role if ROLES.contains(&role) => libraries(),
        "kiroku-verify" => vec![],
        _ => return None,
    })
}

/// Our crates and what they depend on among themselves, without dev-dependencies.
fn ours() -> Result<BTreeMap<String, BTreeSet<String>>> {
    let output = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".into()))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()?;
    ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    let packages = metadata["packages"].as_array().context("packages")?;
    let name = |v: &Value| v["name"].as_str().unwrap_or_default().to_owned();
    let names: BTreeSet<String> = packages.iter().map(name).collect();
    let of = |package: &Value| {
        let dependencies = package["dependencies"].as_array().into_iter().flatten();
        dependencies.filter(|d| d["kind"] != "dev").map(name).filter(|d| names.contains(d)).collect()
    };
    Ok(packages.iter().map(|package| (name(package), of(package))).collect())
}

#[test]
fn crates_depend_on_one_another_only_along_the_arrows() -> Result<()> {
    let crates = ours()?;
    ensure!(crates.len() >= 12, "{} crates were found", crates.len());
    for (name, dependencies) in &crates {
        let Some(allowed) = allowed(name) else {
            anyhow::bail!("crate `{name}` is not in the picture: add its arrows here")
        };
        for dependency in dependencies {
            assert!(allowed.contains(&dependency.as_str()), "`{name}` must not depend on `{dependency}`");
        }
    }
    Ok(())
}

#[test]
fn no_role_imports_another_not_even_for_its_tests() -> Result<()> {
    for role in ROLES {
        let folder = root().join("services").join(role);
        if !folder.exists() {
            continue;
        }
        let manifest = std::fs::read_to_string(folder.join("Cargo.toml"))?;
        for other in ROLES.iter().filter(|other| **other != role) {
            let names = |line: &str| line.split(['.', ' ', '=']).next() == Some(other);
            assert!(!manifest.lines().any(names), "`{role}` names `{other}`");
        }
    }
    Ok(())
}
