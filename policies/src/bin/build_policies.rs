//! `cargo run -p policies --bin build-policies [-- --check]`: compiles `rego/` and `data/` into the committed `bundle/`.
//! Needs the OPA tool (environment variable `OPA`, else `opa` on the path or in `~/go/bin`); `--check` without it compares
//! hashes of the sources only.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use openssl::sha::sha256;
use policies::{Manifest, source_hash};

type Failure = Box<dyn std::error::Error>;

/// Relative, because the path strings stand in the module and change its bytes.
const SOURCES: &str = "rego";

#[expect(clippy::print_stdout, reason = "a command line tool answers on standard output")]
fn main() -> Result<(), Failure> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let check = std::env::args().any(|a| a == "--check");
    let committed = read_manifest(root);
    let sources = source_hash(root)?;
    if check && committed.as_ref().is_none_or(|m| m.sources_sha256 != sources) {
        return Err("the bundle is stale: run `cargo run -p policies --bin build-policies`".into());
    }
    let Some((opa, version)) = find_opa() else {
        if check {
            println!("bundle agrees with the hash of its sources; not rebuilt, `opa` is not installed");
            return Ok(());
        }
        return Err("`opa` is not installed: go install github.com/open-policy-agent/opa@v1.22.0".into());
    };
    let (wasm, data) = (compile(&opa, root)?, merge_data(root)?);
    let same = |m: &Manifest| m.wasm_sha256 == hex(&wasm) && m.data_sha256 == hex(&data);
    if check {
        if !committed.as_ref().is_some_and(same) {
            return Err("the bundle is not what its sources compile to".into());
        }
        println!("bundle rebuilt: the same bytes");
        return Ok(());
    }
    let revision = committed.map_or(1, |m| if same(&m) { m.revision } else { m.revision + 1 });
    let manifest = Manifest {
        revision,
        wasm_sha256: hex(&wasm),
        data_sha256: hex(&data),
        sources_sha256: sources,
        opa_version: version,
        host_builtins: allowed(root, "host")?,
    };
    let folder = root.join("bundle");
    std::fs::write(folder.join("policy.wasm"), &wasm)?;
    std::fs::write(folder.join("data.json"), &data)?;
    std::fs::write(folder.join("manifest.json"), serde_json::to_string_pretty(&manifest)? + "\n")?;
    println!("bundle written: revision {revision}, {} bytes of wasm", wasm.len());
    Ok(())
}

fn read_manifest(root: &Path) -> Option<Manifest> {
    serde_json::from_slice(&std::fs::read(root.join("bundle/manifest.json")).ok()?).ok()
}

fn hex(bytes: &[u8]) -> String {
    sha256(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

fn find_opa() -> Option<(PathBuf, String)> {
    let home = std::env::var("HOME").unwrap_or_default();
    let candidates = [std::env::var("OPA").unwrap_or_else(|_| "opa".to_owned()), format!("{home}/go/bin/opa")];
    candidates.into_iter().find_map(|candidate| {
        let output = Command::new(&candidate).arg("version").output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        let version = text.lines().find_map(|l| l.strip_prefix("Version: "))?.to_owned();
        Some((PathBuf::from(candidate), version))
    })
}

fn allowed(root: &Path, list: &str) -> Result<Vec<String>, Failure> {
    let lists: serde_json::Value = serde_json::from_slice(&std::fs::read(root.join("builtins.json"))?)?;
    Ok(serde_json::from_value(lists[list].clone())?)
}

/// The tool's own capabilities, cut down to the allow-list: anything else does not compile.
fn capabilities(opa: &Path, names: &[String]) -> Result<serde_json::Value, Failure> {
    let output = Command::new(opa).args(["capabilities", "--current"]).output()?;
    let mut all: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let builtins = all["builtins"].as_array_mut().ok_or("capabilities hold no builtins")?;
    builtins.retain(|b| b["name"].as_str().is_some_and(|name| names.iter().any(|n| n == name)));
    if builtins.len() != names.len() {
        return Err("the allow-list names a built-in that the tool does not know".into());
    }
    all["allow_net"] = serde_json::json!([]);
    Ok(all)
}

/// Compiles in a fresh folder with fixed relative paths, so that the same sources give the same bytes.
fn compile(opa: &Path, root: &Path) -> Result<Vec<u8>, Failure> {
    let work = std::env::temp_dir().join(format!("kiroku-policies-{}", std::process::id()));
    let sources = work.join(SOURCES).join("kiroku");
    std::fs::create_dir_all(&sources)?;
    for entry in std::fs::read_dir(root.join("rego/kiroku"))? {
        let path = entry?.path();
        std::fs::copy(&path, sources.join(path.file_name().ok_or("a source without a name")?))?;
    }
    let capabilities = capabilities(opa, &allowed(root, "policy")?)?;
    std::fs::write(work.join("allow.json"), capabilities.to_string())?;
    let arguments =
        ["build", "--capabilities", "allow.json", "-t", "wasm", "-e", "kiroku/decide", "-o", "out.tar.gz", SOURCES];
    let output = Command::new(opa).current_dir(&work).args(arguments).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(std::fs::File::open(work.join("out.tar.gz"))?));
    let mut wasm = Vec::new();
    for entry in archive.entries()? {
        let mut entry = entry?;
        if entry.path()?.ends_with("policy.wasm") {
            entry.read_to_end(&mut wasm)?;
        }
    }
    std::fs::remove_dir_all(&work)?;
    if wasm.is_empty() { Err("the tool wrote no module".into()) } else { Ok(wasm) }
}

/// The top keys of all files in `data/`, together; a key stands in one file only.
fn merge_data(root: &Path) -> Result<Vec<u8>, Failure> {
    let mut merged = serde_json::Map::new();
    for entry in std::fs::read_dir(root.join("data"))? {
        let part: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&std::fs::read(entry?.path())?)?;
        for (key, value) in part {
            if merged.insert(key, value).is_some() {
                return Err("two files of data hold the same key".into());
            }
        }
    }
    Ok((serde_json::to_string(&merged)? + "\n").into_bytes())
}
