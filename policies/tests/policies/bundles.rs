//! Bundles: what is committed belongs together; from outside only signed, whole and not older.

use std::path::Path;

use openssl::ec::{EcGroup, EcKey};
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private, Public};
use policies::{BUNDLE_FILES, Bundle, BundleError, Manifest, Policies, source_hash};

use crate::support::{NOW, cases, root};

fn ed25519() -> (PKey<Private>, PKey<Public>) {
    let key = PKey::generate_ed25519().expect("a key");
    let public = PKey::public_key_from_raw_bytes(&key.raw_public_key().expect("a raw key"), openssl::pkey::Id::ED25519);
    (key, public.expect("a public key"))
}

fn es256() -> (PKey<Private>, PKey<Public>) {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).expect("the curve");
    let key = PKey::from_ec_key(EcKey::generate(&group).expect("a key")).expect("a key");
    let public = PKey::public_key_from_pem(&key.public_key_to_pem().expect("PEM")).expect("a public key");
    (key, public)
}

/// The committed bundle as a signed folder, with another revision.
fn signed_folder(key: &PKey<Private>, revision: u64) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut manifest = Bundle::embedded().expect("the committed bundle is whole").manifest().clone();
    manifest.revision = revision;
    let bytes = serde_json::to_vec(&manifest).expect("a manifest is JSON");
    for name in ["policy.wasm", "data.json"] {
        std::fs::copy(root().join("bundle").join(name), folder.path().join(name)).expect("a file can be copied");
    }
    let signature = Bundle::sign_manifest(&bytes, key).expect("a signature");
    std::fs::write(folder.path().join("manifest.json"), bytes).expect("a file can be written");
    std::fs::write(folder.path().join("manifest.sig"), signature).expect("a file can be written");
    folder
}

fn flip(path: &Path) {
    let mut bytes = std::fs::read(path).expect("a file can be read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(path, bytes).expect("a file can be written");
}

#[test]
fn the_committed_bundle_is_what_its_sources_say() {
    let bundle = Bundle::embedded().expect("the committed bundle is whole");
    let sources = source_hash(root()).expect("sources are readable");
    assert_eq!(bundle.manifest().sources_sha256, sources, "stale: run `cargo run -p policies --bin build-policies`");
    assert!(bundle.manifest().host_builtins.is_empty());
    assert!(bundle.revision() >= 1);
}

#[test]
fn a_signed_bundle_is_taken_from_a_folder_and_from_a_tar() {
    for (private, public) in [ed25519(), es256()] {
        let folder = signed_folder(&private, 7);
        assert_eq!(Bundle::load(folder.path(), &public, 7).expect("a signed bundle").revision(), 7);
        let tar = tempfile::NamedTempFile::new().expect("a temporary file");
        let mut archive = tar::Builder::new(tar.reopen().expect("a file"));
        for name in BUNDLE_FILES {
            archive.append_path_with_name(folder.path().join(name), name).expect("a file can be packed");
        }
        archive.finish().expect("an archive");
        assert_eq!(Bundle::load(tar.path(), &public, 7).expect("a signed bundle").revision(), 7);
    }
}

#[test]
fn unsigned_foreign_altered_truncated_and_older_bundles_are_refused() {
    let (private, public) = ed25519();
    let folder = signed_folder(&private, 7);
    assert!(matches!(Bundle::load(folder.path(), &ed25519().1, 0), Err(BundleError::Signature)));
    assert!(matches!(Bundle::load(folder.path(), &es256().1, 0), Err(BundleError::Signature)));
    assert!(matches!(Bundle::load(folder.path(), &public, 8), Err(BundleError::Rollback { found: 7, least: 8 })));
    for (name, signature_breaks) in
        [("manifest.json", true), ("manifest.sig", true), ("policy.wasm", false), ("data.json", false)]
    {
        let folder = signed_folder(&private, 7);
        flip(&folder.path().join(name));
        let refused = Bundle::load(folder.path(), &public, 0).expect_err("an altered bundle");
        assert!(matches!(refused, BundleError::Signature) == signature_breaks, "{name}: {refused}");
        std::fs::remove_file(folder.path().join(name)).expect("a file can be removed");
        assert!(matches!(Bundle::load(folder.path(), &public, 0), Err(BundleError::File(..))), "{name} missing");
    }
    let folder = signed_folder(&private, 7);
    std::fs::File::options()
        .write(true)
        .open(folder.path().join("policy.wasm"))
        .and_then(|f| f.set_len(1000))
        .expect("a file");
    assert!(matches!(Bundle::load(folder.path(), &public, 0), Err(BundleError::Hash("policy.wasm"))));
}

#[test]
fn a_newer_bundle_takes_over_and_an_older_one_never_does() {
    let (private, public) = ed25519();
    let load = |revision| Bundle::load(signed_folder(&private, revision).path(), &public, 0).expect("a signed bundle");
    let policies = Policies::new(load(7)).expect("the module starts");
    let input = serde_json::value::to_raw_value(&cases()[0].input).expect("a value is JSON");
    assert_eq!(policies.decide_json(&input, NOW).policy_revision, 7);
    policies.swap(load(8)).expect("a newer bundle");
    assert_eq!(policies.decide_json(&input, NOW).policy_revision, 8);
    assert!(matches!(policies.swap(load(6)), Err(BundleError::Rollback { .. })));
    assert_eq!(policies.decide_json(&input, NOW).policy_revision, 8);
    assert_eq!(policies.error_count(), 0);
}

#[test]
fn a_module_that_asks_for_a_host_function_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    // The smallest module that answers `builtins()` with {"http.send": 1}.
    let wasm = openssl::base64::decode_block(HTTP_SEND_MODULE).expect("base64");
    let (private, public) = ed25519();
    let data = b"{}".to_vec();
    let hex = |bytes: &[u8]| openssl::sha::sha256(bytes).iter().map(|b| format!("{b:02x}")).collect::<String>();
    let manifest = Manifest {
        revision: 1,
        wasm_sha256: hex(&wasm),
        data_sha256: hex(&data),
        sources_sha256: String::new(),
        opa_version: String::new(),
        host_builtins: vec!["http.send".to_owned()],
    };
    let manifest = serde_json::to_vec(&manifest).expect("a manifest is JSON");
    let signature = Bundle::sign_manifest(&manifest, &private).expect("a signature");
    for (name, bytes) in BUNDLE_FILES.into_iter().zip([wasm, data, manifest, signature]) {
        std::fs::write(folder.path().join(name), bytes).expect("a file can be written");
    }
    let bundle = Bundle::load(folder.path(), &public, 0).expect("the signature is right");
    assert!(matches!(Policies::new(bundle), Err(BundleError::Builtin(name)) if name == "http.send"));
}

/// `(module (import "env" "memory" (memory 1)) (data (i32.const 8) "{\"http.send\":1}\00")
/// (func (export "builtins") (result i32) i32.const 8) (func (export "opa_json_dump") (param i32) (result i32) local.get 0))`
const HTTP_SEND_MODULE: &str = "AGFzbQEAAAABCgJgAAF/YAF/AX8CDwEDZW52Bm1lbW9yeQIAAQMDAgABBxwCCGJ1aWx0aW5zAAANb3BhX2pzb25fZHVtcAABCgsCBABBCAsEACAACwsWAQBBCAsQeyJodHRwLnNlbmQiOjF9AA==";
