//! The compiled bundle: `policy.wasm`, `data.json`, `manifest.json`. The embedded one is part of the binary; one from outside
//! is taken only with a detached signature by the configured key and never with an older revision.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use openssl::hash::MessageDigest;
use openssl::pkey::{Id, PKey, Private, Public};
use openssl::sha::{Sha256, sha256};
use openssl::sign::{Signer, Verifier};
use serde::{Deserialize, Serialize};

/// Files of a bundle from outside: wasm, data, manifest, detached signature over the manifest's bytes.
pub const BUNDLE_FILES: [&str; 4] = ["policy.wasm", "data.json", "manifest.json", "manifest.sig"];

/// Largest file of a bundle in bytes.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Why a bundle was not taken. The one in use stays.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    #[error("bundle file `{0}` is missing or unreadable")]
    File(&'static str, #[source] std::io::Error),
    #[error("bundle file `{0}` is larger than {FILE_BYTES_MAX} bytes")]
    TooLarge(&'static str),
    #[error("manifest is not readable")]
    Manifest(#[source] serde_json::Error),
    #[error("signature of the manifest is not by the configured key")]
    Signature,
    #[error("bundle file `{0}` is not the one that the manifest names")]
    Hash(&'static str),
    #[error("revision {found} is older than {least}, the last one seen")]
    Rollback { found: u64, least: u64 },
    #[error("policy data is not a JSON object")]
    Data,
    #[error("module needs the host function `{0}`, which is not allowed")]
    Builtin(String),
    #[error("module has no entry point `{0}`")]
    EntryPoint(&'static str),
    #[error("module cannot be compiled or started")]
    Module(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// What the bundle is. Signed as its bytes stand.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Only upward.
    pub revision: u64,
    pub wasm_sha256: String,
    pub data_sha256: String,
    /// Hash over the Rego sources, data and list of built-ins ([`source_hash`]): says whether the bundle is stale.
    pub sources_sha256: String,
    pub opa_version: String,
    /// Host functions that the module asks for.
    pub host_builtins: Vec<String>,
}

/// A bundle whose hashes were checked, and whose signature was unless it is the embedded one.
pub struct Bundle {
    pub(crate) wasm: Vec<u8>,
    pub(crate) data: serde_json::Value,
    manifest: Manifest,
}

impl std::fmt::Debug for Bundle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bundle").field("manifest", &self.manifest).finish_non_exhaustive()
    }
}

impl Bundle {
    /// The bundle compiled into this binary.
    ///
    /// # Errors
    /// Where the committed files do not belong together (a test holds that they do).
    pub fn embedded() -> Result<Self, BundleError> {
        Self::checked(
            include_bytes!("../bundle/policy.wasm").to_vec(),
            include_bytes!("../bundle/data.json"),
            include_bytes!("../bundle/manifest.json"),
        )
    }

    /// A bundle from a folder, or from a tar file with the same names at its top ([`BUNDLE_FILES`]).
    ///
    /// # Errors
    /// Unsigned, signed by another key, truncated, altered, or older than `revision_min`: never taken.
    pub fn load(path: &Path, key: &PKey<Public>, revision_min: u64) -> Result<Self, BundleError> {
        let mut files = if path.is_dir() { read_folder(path)? } else { read_tar(path)? };
        let mut take =
            |name: &'static str| files.remove(name).ok_or(BundleError::File(name, std::io::ErrorKind::NotFound.into()));
        let [wasm, data, manifest, signature] = BUNDLE_FILES;
        let (wasm, data, manifest, signature) = (take(wasm)?, take(data)?, take(manifest)?, take(signature)?);
        if !verify(key, &manifest, &signature) {
            return Err(BundleError::Signature);
        }
        let bundle = Self::checked(wasm, &data, &manifest)?;
        if bundle.manifest.revision < revision_min {
            return Err(BundleError::Rollback { found: bundle.manifest.revision, least: revision_min });
        }
        Ok(bundle)
    }

    fn checked(wasm: Vec<u8>, data: &[u8], manifest: &[u8]) -> Result<Self, BundleError> {
        let manifest: Manifest = serde_json::from_slice(manifest).map_err(BundleError::Manifest)?;
        if hex(&sha256(&wasm)) != manifest.wasm_sha256 {
            return Err(BundleError::Hash("policy.wasm"));
        }
        if hex(&sha256(data)) != manifest.data_sha256 {
            return Err(BundleError::Hash("data.json"));
        }
        let data: serde_json::Value = serde_json::from_slice(data).map_err(|_| BundleError::Data)?;
        if !data.is_object() {
            return Err(BundleError::Data);
        }
        Ok(Self { wasm, data, manifest })
    }

    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    pub fn revision(&self) -> u64 {
        self.manifest.revision
    }

    /// SHA-256 of the module in hex, for the `PolicyRevision` event.
    pub fn sha256(&self) -> &str {
        &self.manifest.wasm_sha256
    }

    /// Policy data: parameters, tables, professions.
    pub fn data(&self) -> &serde_json::Value {
        &self.data
    }

    /// Detached signature over a manifest's bytes: Ed25519, or ECDSA with SHA-256 (DER).
    ///
    /// # Errors
    /// Where the key cannot sign.
    pub fn sign_manifest(manifest: &[u8], key: &PKey<Private>) -> Result<Vec<u8>, openssl::error::ErrorStack> {
        if key.id() == Id::ED25519 {
            Signer::new_without_digest(key)?.sign_oneshot_to_vec(manifest)
        } else {
            let mut signer = Signer::new(MessageDigest::sha256(), key)?;
            signer.update(manifest)?;
            signer.sign_to_vec()
        }
    }
}

fn verify(key: &PKey<Public>, manifest: &[u8], signature: &[u8]) -> bool {
    let verified = match key.id() {
        Id::ED25519 => Verifier::new_without_digest(key).and_then(|mut v| v.verify_oneshot(signature, manifest)),
        Id::EC => Verifier::new(MessageDigest::sha256(), key).and_then(|mut v| {
            v.update(manifest)?;
            v.verify(signature)
        }),
        _ => Ok(false),
    };
    // A signature that cannot even be parsed is an error of OpenSSL: not verified.
    verified.unwrap_or(false)
}

type Files = BTreeMap<String, Vec<u8>>;

fn read_folder(path: &Path) -> Result<Files, BundleError> {
    let mut files = Files::new();
    for name in BUNDLE_FILES {
        let file = std::fs::File::open(path.join(name)).map_err(|e| BundleError::File(name, e))?;
        files.insert(name.to_owned(), read_limited(name, file)?);
    }
    Ok(files)
}

fn read_tar(path: &Path) -> Result<Files, BundleError> {
    let broken = |e| BundleError::File("bundle", e);
    let mut files = Files::new();
    let mut archive = tar::Archive::new(std::fs::File::open(path).map_err(broken)?);
    for entry in archive.entries().map_err(broken)? {
        let entry = entry.map_err(broken)?;
        let name = entry.path().map_err(broken)?.to_string_lossy().trim_start_matches("./").to_owned();
        // Anything else in the archive is not read, and a second file of one name does not replace the first.
        if let Some(known) = BUNDLE_FILES.into_iter().find(|k| *k == name)
            && !files.contains_key(known)
        {
            files.insert(name, read_limited(known, entry)?);
        }
    }
    Ok(files)
}

fn read_limited(name: &'static str, source: impl Read) -> Result<Vec<u8>, BundleError> {
    let mut bytes = Vec::new();
    source.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|e| BundleError::File(name, e))?;
    if bytes.len() as u64 > FILE_BYTES_MAX { Err(BundleError::TooLarge(name)) } else { Ok(bytes) }
}

/// SHA-256 (hex) over `rego/**/*.rego`, `data/*.json` and `builtins.json` of the crate's folder, paths included, sorted.
///
/// # Errors
/// Where a file cannot be read.
pub fn source_hash(root: &Path) -> std::io::Result<String> {
    let mut hash = Sha256::new();
    for path in source_files(root)? {
        let bytes = std::fs::read(root.join(&path))?;
        hash.update(path.to_string_lossy().as_bytes());
        hash.update(&[0]);
        hash.update(&(bytes.len() as u64).to_be_bytes());
        hash.update(&bytes);
    }
    Ok(hex(&hash.finish()))
}

fn source_files(root: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = vec![PathBuf::from("builtins.json")];
    for folder in ["rego/kiroku", "data"] {
        for entry in std::fs::read_dir(root.join(folder))? {
            files.push(Path::new(folder).join(entry?.file_name()));
        }
    }
    files.sort();
    Ok(files)
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
        text
    })
}
