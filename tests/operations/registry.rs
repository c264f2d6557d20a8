//! `kiroku registry`, as an operator runs it: the real program on a folder that no server uses, and a node that then obeys.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use chassis::config::Settings;
use kiroku::Node;
use kiroku::api::{Acting, Api, ClientKey};
use serde_json::{Value, json};
use tempfile::TempDir;
use tests::Harness;

const BINARY: &str = env!("CARGO_BIN_EXE_kiroku-under-test");
const HOSPITAL: &str = "1319999001";
const REGULATOR: &str = "regulator-01";
const CLIENT: &str = "hospital-system";

/// What the program said and how it ended.
#[derive(Debug)]
struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

/// An operator in front of one data folder.
struct Operator {
    folder: PathBuf,
    data: PathBuf,
}

impl Operator {
    fn at(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), data: folder.join("data") }
    }

    fn run(&self, args: &[&str]) -> Result<Ran> {
        let ran = Command::new(BINARY).arg("registry").args(args).arg("--data").arg(&self.data).output()?;
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ok(Ran { code: ran.status.code(), out: text(ran.stdout), err: text(ran.stderr) })
    }

    /// Runs what must succeed; gives stdout.
    fn did(&self, args: &[&str]) -> Result<String> {
        let ran = self.run(args)?;
        ensure!(ran.code == Some(0) && ran.err.is_empty(), "{args:?}: {ran:?}");
        Ok(ran.out)
    }

    fn json(&self, args: &[&str]) -> Result<Value> {
        let out = self.did(&[args, &["--json"]].concat())?;
        serde_json::from_str(&out).with_context(|| format!("{args:?} --json is no JSON: {out}"))
    }

    /// All that the registry holds, as it is listed.
    fn everything(&self) -> Result<Vec<Value>> {
        ["organisation", "professional", "client", "case"].iter().map(|noun| self.json(&[noun, "list"])).collect()
    }

    fn file(&self, name: &str, text: &str) -> Result<String> {
        let path = self.folder.join(name);
        std::fs::write(&path, text)?;
        Ok(path.display().to_string())
    }

    /// A fresh key in a file for `CLIENT`, and the file with its public half.
    fn new_key(&self) -> Result<(ClientKey, String)> {
        let out = self.folder.join("system.key").display().to_string();
        let said = self.json(&["client", "new-key", CLIENT, "--organisation", HOSPITAL, "--out", &out])?;
        let jwks = said["jwks_file"].as_str().context("the key set has a file")?.to_owned();
        Ok((serde_json::from_slice(&std::fs::read(out)?)?, jwks))
    }

    /// The hospital with its physician, the regulator with two officials.
    fn apply_entries(&self) -> Result<String> {
        let file = self.file("registry.json", &entries().to_string())?;
        self.did(&["apply", &file])
    }
}

fn entries() -> Value {
    let professional = |id: &str, profession: &str, at: &str| json!({"id": id, "name": format!("Name of {id}"), "profession": profession, "roles": [[at, profession]]});
    json!({
        "organisations": [
            {"id": HOSPITAL, "name": "Example Hospital", "type": "hospital"},
            {"id": REGULATOR, "name": "Regulator", "type": "regulator"},
        ],
        "professionals": [
            professional("physician-1", "physician", HOSPITAL),
            professional("official-1", "official", REGULATOR),
            professional("official-2", "official", REGULATOR),
        ],
    })
}

fn fresh() -> Result<(TempDir, Operator)> {
    let folder = tempfile::tempdir()?;
    let operator = Operator::at(folder.path());
    Ok((folder, operator))
}

#[test]
fn what_a_file_holds_is_written_listed_and_shown() -> Result<()> {
    let (_folder, operator) = fresh()?;
    let said = operator.apply_entries()?;
    assert_eq!(said.lines().count(), 5, "{said}");
    assert_eq!(said.lines().next(), Some("written: organisation 1319999001 (active)"));
    let line = operator.did(&["organisation", "list"])?;
    assert!(line.starts_with(HOSPITAL) && line.contains("active") && line.contains("Example Hospital"), "{line}");
    let shown = operator.json(&["professional", "show", "physician-1"])?;
    assert_eq!((&shown["profession"], &shown["status"]), (&json!("physician"), &json!("active")));
    assert_eq!(shown["roles"], json!([[HOSPITAL, "physician"]]));
    assert_eq!(operator.json(&["professional", "list"])?.as_array().map(Vec::len), Some(3));
    assert_eq!(operator.json(&["facility", "show", HOSPITAL])?["name"], "Example Hospital");

    let toml =
        "[[organisations]]\nid = \"1319999001\"\nname = \"Renamed\"\ntype = \"hospital\"\nstatus = \"suspended\"\n";
    let written = operator.json(&["apply", &operator.file("registry.toml", toml)?])?;
    assert_eq!(written["written"], json!(["organisation 1319999001 (suspended)"]));
    let shown = operator.json(&["organisation", "show", HOSPITAL])?;
    assert_eq!((&shown["name"], &shown["status"]), (&json!("Renamed"), &json!("suspended")), "replaced as a whole");
    Ok(())
}

#[test]
fn entries_added_by_flags_are_those_of_a_file() -> Result<()> {
    let ((_one, by_file), (_other, by_flags)) = (fresh()?, fresh()?);
    by_file.apply_entries()?;
    by_flags.did(&["organisation", "add", HOSPITAL, "--name", "Example Hospital", "--type", "hospital"])?;
    by_flags.did(&["organisation", "add", REGULATOR, "--name", "Regulator", "--type", "regulator"])?;
    for (id, profession, at) in [
        ("physician-1", "physician", HOSPITAL),
        ("official-1", "official", REGULATOR),
        ("official-2", "official", REGULATOR),
    ] {
        let (name, role) = (format!("Name of {id}"), format!("{at}={profession}"));
        by_flags.did(&["professional", "add", id, "--name", &name, "--profession", profession, "--role", &role])?;
    }
    assert_eq!(by_flags.everything()?, by_file.everything()?);
    by_flags.did(&["professional", "status", "official-2", "revoked"])?;
    assert_eq!(by_flags.json(&["professional", "show", "official-2"])?["status"], "revoked");
    Ok(())
}

#[test]
fn wrong_input_is_refused_with_its_reason_and_changes_nothing() -> Result<()> {
    let (folder, operator) = fresh()?;
    let none = operator.run(&["client", "list"])?;
    assert_eq!(none.code, Some(1), "{none:?}");
    ensure!(none.err.contains("is no data folder") && !operator.data.exists(), "{none:?}");
    operator.apply_entries()?;
    operator.did(&["professional", "status", "official-2", "suspended"])?;
    let before = operator.everything()?;
    let private = operator.file("private.jwks", r#"{"keys":[{"kty":"EC","crv":"P-384","d":"x"}]}"#)?;
    let empty = operator.file("empty.jwks", r#"{"keys":[]}"#)?;
    let mixed = json!({"organisations": [{"id": "new", "name": "New", "type": "clinic"}],
                       "professionals": [{"id": "p", "name": "P", "profession": "nurse", "roles": [["nowhere", "nurse"]]}]});
    let mixed = operator.file("mixed.json", &mixed.to_string())?;
    let misspelt = operator.file("misspelt.json", r#"{"organisation": []}"#)?;
    let no_toml = operator.file("no.toml", "[[organisations")?;
    let add = |jwks: &str| {
        ["client", "add", CLIENT, "--organisation", HOSPITAL, "--jwks-file", jwks].map(str::to_owned).to_vec()
    };
    let case = |officials: &[&str], until: &str| {
        let mut args: Vec<String> =
            ["case", "open", "--organisation", HOSPITAL, "--until", until].map(Into::into).to_vec();
        officials.iter().for_each(|id| args.extend(["--official".to_owned(), (*id).to_owned()]));
        args
    };
    let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let refused = [
        (add(&private), "private key"),
        (add(&empty), "holds no `keys`"),
        (add("/nowhere/key.jwks"), "/nowhere/key.jwks"),
        (words("professional add p --name P --profession nurse --role nowhere=nurse"), "`nowhere` is not registered"),
        (words("professional status nobody active"), "no professional `nobody`"),
        (words("client show nobody"), "no client `nobody`"),
        (vec!["apply".into(), mixed], "`nowhere` is not registered"),
        (vec!["apply".into(), misspelt], "unknown field `organisation`"),
        (vec!["apply".into(), no_toml], "is no TOML"),
        (case(&["official-1"], "2099-01-01"), "exactly two officials"),
        (case(&["official-1", "official-1"], "2099-01-01"), "different people"),
        (case(&["official-1", "official-3"], "2099-01-01"), "`official-3` is not registered"),
        (case(&["official-1", "official-2"], "2099-01-01"), "`official-2` is suspended"),
        (case(&["official-1", "physician-1"], "2099-01-01"), "`physician-1` is no official"),
    ];
    for (args, reason) in refused {
        let ran = operator.run(&args.iter().map(String::as_str).collect::<Vec<_>>())?;
        ensure!(ran.code == Some(1) && ran.err.contains(reason) && ran.out.is_empty(), "{args:?}: {ran:?}");
    }
    for wrong in
        ["professional status official-1 dismissed", "professional add p --name P --profession nurse --role nurse"]
    {
        let ran = operator.run(&wrong.split(' ').collect::<Vec<_>>())?;
        ensure!(ran.code == Some(2) && ran.err.contains("must be"), "{wrong}: {ran:?}");
    }
    operator.did(&["professional", "status", "official-2", "active"])?;
    for (until, reason) in
        [("2099-01-01", "at most 30 days"), ("2020-01-01", "end before it begins"), ("soon", "--until")]
    {
        let args = case(&["official-1", "official-2"], until);
        let ran = operator.run(&args.iter().map(String::as_str).collect::<Vec<_>>())?;
        ensure!(ran.code == Some(1) && ran.err.contains(reason), "{until}: {ran:?}");
    }
    operator.did(&["professional", "status", "official-2", "suspended"])?;
    assert_eq!(operator.everything()?, before);
    drop(folder);
    Ok(())
}

#[tokio::test]
async fn a_client_works_with_its_key_until_it_or_who_it_acts_for_is_suspended() -> Result<()> {
    let (folder, operator) = fresh()?;
    operator.apply_entries()?;
    let (key, jwks) = operator.new_key()?;
    let add =
        ["client", "add", CLIENT, "--organisation", HOSPITAL, "--jwks-file", &jwks, "--responsible", "physician-1"];
    operator.did(&[&add[..], &["--right", "records.read"]].concat())?;
    ensure!(operator.new_key().is_err_and(|e| e.to_string().contains("a key is never replaced")));
    let mut settings = Settings { data: operator.data.clone(), ..Settings::default() };
    "127.0.0.1:0".clone_into(&mut settings.http.listen);
    settings.http.workers = 1;
    let node = Node::start(settings).await?;
    // The address is part of a token: the same one for all turns.
    let (settings, api) = (node.settings.clone(), Api::new(&node.url));
    let care = Acting::professional("TREAT", "physician-1", "physician");
    let path = format!("/fhir/Observation?patient=Patient/{}", schemas::Pid::random());
    let token = api.token(&key, &care).await?;
    assert_ne!(api.get(&token, &path).await?.status, 401);
    let busy = operator.run(&["client", "list"])?;
    ensure!(busy.code == Some(1) && busy.err.contains("in use by a running server"), "{busy:?}");
    node.stop().await?;
    for (noun, id) in [("client", CLIENT), ("professional", "physician-1"), ("organisation", HOSPITAL)] {
        operator.did(&[noun, "status", id, "suspended"])?;
        let node = Node::start(settings.clone()).await?;
        let reply = api.get(&token, &path).await?;
        assert_eq!(
            reply.status, 401,
            "{noun}: a token that still lives is refused at the next request: {}",
            reply.body
        );
        ensure!(api.token(&key, &care).await.is_err(), "a suspended {noun} gets a new token");
        node.stop().await?;
        operator.did(&[noun, "status", id, "active"])?;
        let node = Node::start(settings.clone()).await?;
        assert_ne!(api.get(&token, &path).await?.status, 401, "{noun}: active again");
        node.stop().await?;
    }
    drop(folder);
    Ok(())
}

#[tokio::test]
async fn a_case_of_two_active_officials_opens_the_entries_and_closing_it_shuts_them() -> Result<()> {
    let harness = Harness::start().await?;
    let citizen = harness.bear(11).await?;
    let sent = harness.send(&harness.hospital, &harness.record(&citizen, 2)).await?;
    ensure!(sent.status == 201, "{}", sent.body);
    let Harness { node, folder, .. } = harness;
    let settings = node.settings.clone();
    node.stop().await?;
    let operator = Operator::at(folder.path());
    operator.apply_entries()?;
    let (key, jwks) = operator.new_key()?;
    let key = ClientKey { organisation: REGULATOR.to_owned(), ..key };
    operator.did(&["client", "add", CLIENT, "--organisation", REGULATOR, "--jwks-file", &jwks])?;
    let api = Api::new(&node_url(&settings)?);
    let official = Acting::professional("HCOMPL", "official-1", "official");
    let person = citizen.pid.to_string();
    let path = format!("/audit/accesses?case=case-1&person={person}&lang=en");
    let until = fhir::dates::instant(chassis::clock::Clock::now(&chassis::clock::SystemClock) + 86_400_000);
    let open = ["case", "open", "--id", "case-1", "--person", &person, "--until", &until];
    let two = ["--official", "official-1", "--official", "official-2"];
    let turns: [(&[&str], u16); 5] = [
        (&["case", "list"], 403),
        (&[&open[..], &two].concat(), 200),
        (&["professional", "status", "official-2", "suspended"], 403),
        (&["professional", "status", "official-2", "active"], 200),
        (&["case", "close", "case-1"], 403),
    ];
    for (command, status) in turns {
        operator.did(command)?;
        let node = Node::start(settings.clone()).await?;
        let token = api.token(&key, &official).await?;
        let reply = api.get(&token, &path).await?;
        assert_eq!(reply.status, status, "after {command:?}: {}", reply.body);
        if status == 200 {
            let entries = reply.body["entries"].as_array().context("a list of entries")?;
            ensure!(entries.iter().any(|entry| entry["kind"] == "write"), "{}", reply.body);
            ensure!(entries.iter().all(|entry| entry["categories"] == json!([])), "{}", reply.body);
        }
        node.stop().await?;
    }
    assert_eq!(operator.json(&["case", "show", "case-1"])?["status"], "closed");
    Ok(())
}

fn node_url(settings: &Settings) -> Result<String> {
    Ok(settings.public_url(settings.http.listen.parse()?))
}
