//! Sizes and leftovers.

use anyhow::Result;

use crate::{code_of, sources};

const ALL: [&str; 6] = ["services", "schemas", "policies", "infra", "loadtest", "tests"];
const LINES_MAX: usize = 600;
const LINES_SMELL: usize = 250;

#[test]
fn no_file_is_longer_than_600_lines() -> Result<()> {
    let files = sources(&ALL)?;
    assert!(files.len() > 100);
    let lengths = files.iter().map(|(path, text)| (path, text.lines().count()));
    let long: Vec<_> = lengths.clone().filter(|(_, lines)| *lines > LINES_SMELL).collect();
    eprintln!("{} of {} files have more than {LINES_SMELL} lines: {long:?}", long.len(), files.len());
    let too_long: Vec<_> = lengths.filter(|(_, lines)| *lines > LINES_MAX).collect();
    assert!(too_long.is_empty(), "{too_long:?}");
    Ok(())
}

#[test]
fn every_file_says_what_it_is() -> Result<()> {
    let files = sources(&ALL)?;
    for (path, text) in files.iter().filter(|(path, _)| path.contains("/src/") && !path.contains("tests")) {
        let begins = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        let says = begins.starts_with("//!") || begins.starts_with("// ") || begins.starts_with("#![");
        assert!(says, "{path} begins without a word on what it is");
    }
    Ok(())
}

#[test]
fn nothing_is_left_undone() -> Result<()> {
    for (path, text) in sources(&["services", "schemas", "policies", "loadtest", "tests"])? {
        let code = code_of(&text);
        if path.starts_with("tests/architecture/") {
            continue;
        }
        for word in ["todo!(", "unimplemented!(", "dbg!(", "FIXME"] {
            assert!(!code.contains(word), "{path} has `{word}`");
        }
    }
    Ok(())
}

#[test]
fn only_the_openssl_crate_does_cryptography() -> Result<()> {
    let lock = std::fs::read_to_string(crate::root().join("Cargo.lock"))?;
    for name in ["ring", "rustls", "aws-lc-rs", "jsonwebtoken"] {
        assert!(!lock.contains(&format!("name = \"{name}\"\n")), "`{name}` is in the tree");
    }
    Ok(())
}
