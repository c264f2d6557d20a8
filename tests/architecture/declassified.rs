//! What shows of withheld items is what `policies/declassified.toml` says, and no more.

use anyhow::{Context, Result};

use crate::{code_of, root, sources};

/// The list at its largest, as (rule, file). It may only shrink.
const AT_MOST: [(&str, &str); 2] =
    [("R25", "services/query/src/handlers/check.rs"), ("R19", "services/query/src/handlers/notice.rs")];
/// Calls that give headers of a shelf as they lie there.
const UNFILTERED: [&str; 4] = ["newest_of_type(", "headers_of_type(", "old_versions(", "shelves.header("];
/// Shelves whose bodies the safety check opens inside, whoever may see them.
const INSIDE: &str = "safety_shelves";

fn declared() -> Result<Vec<(String, String)>> {
    let list: toml::Table = std::fs::read_to_string(root().join("policies/declassified.toml"))?.parse()?;
    let text = |entry: &toml::Value, name: &str| entry[name].as_str().map(ToOwned::to_owned).context("a text");
    let entries = list["declassified"].as_array().context("a list")?;
    entries.iter().map(|entry| Ok((text(entry, "rule")?, text(entry, "file")?))).collect()
}

#[test]
fn the_declassified_list_only_shrinks() -> Result<()> {
    for (rule, file) in declared()? {
        assert!(
            AT_MOST.contains(&(&rule, &file)),
            "{rule} in {file} is new: nothing more may show of what is withheld"
        );
        let text = std::fs::read_to_string(root().join(&file))?;
        assert!(text.contains(&rule), "{file} does not name {rule}");
    }
    Ok(())
}

#[test]
fn headers_are_read_without_the_filter_only_where_that_is_declared() -> Result<()> {
    let declared = declared()?;
    let mut found = 0;
    for (path, text) in sources(&["services/query/src"])? {
        let code = code_of(&text);
        let reads = UNFILTERED.iter().any(|call| code.contains(call));
        let filters = code.contains("admits(") || code.contains("admitted");
        // Commons are about nobody; `lib.rs` only makes the shelves.
        let shows = reads && !filters || code.contains(INSIDE);
        if shows && !path.ends_with("/commons.rs") && !path.ends_with("src/lib.rs") {
            assert!(declared.iter().any(|(_, file)| *file == path), "{path} reads headers past the filter");
            found += 1;
        }
    }
    assert_eq!(found, declared.len(), "each declared file reads past the filter, or the list can shrink");
    Ok(())
}
