//! What all tests share: the named cases, a shelf to look at, and the second engine.

use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use policies::{Bundle, Policies};
use schemas::header::{Header, ItemMeta};
use schemas::{Category, ClientId, ItemKey, Label, LocalId, OrganisationId, ResourceType, SubmissionId};
use serde_json::{Map, Value, json};

pub(crate) const NOW: i64 = 1_795_000_000_000;
pub(crate) const HOUR: i64 = 3_600_000;
/// The reader's facility, the author of most items, and a third.
pub(crate) const FACILITY_A: &str = "1310000001";
pub(crate) const FACILITY_B: &str = "2720000002";
pub(crate) const FACILITY_C: &str = "3420000003";

pub(crate) static POLICIES: LazyLock<Policies> = LazyLock::new(|| {
    Policies::new(Bundle::embedded().expect("the committed bundle is whole")).expect("the module starts")
});

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) input: Value,
    pub(crate) expect: Value,
}

/// All named cases with their inputs made.
pub(crate) fn cases() -> Vec<Case> {
    let bases = bases();
    let mut cases = Vec::new();
    for entry in std::fs::read_dir(root().join("cases")).expect("cases are there") {
        let file = read_json(&entry.expect("a folder can be listed").path());
        for (group, named) in file["cases"].as_object().into_iter().flatten() {
            for (name, case) in named.as_object().expect("a group holds named cases") {
                assert!(case["why"].as_str().is_some_and(|w| !w.is_empty()), "{group}/{name} gives no reason");
                let base = case["base"].as_str().expect("a case names its base");
                let mut input = bases[base].clone();
                assert!(input.is_object(), "{group}/{name}: no base `{base}`");
                apply_patch(&mut input, &case["patch"]);
                cases.push(Case { name: format!("{group}/{name}"), input, expect: case["expect"].clone() });
            }
        }
    }
    assert!(cases.len() > 200);
    cases
}

pub(crate) fn bases() -> Value {
    read_json(&root().join("cases/bases.json"))["bases"].clone()
}

fn read_json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).expect("file is readable")).expect("file is JSON")
}

/// JSON Patch (RFC 6902), the three operations that cases use.
pub(crate) fn apply_patch(target: &mut Value, patch: &Value) {
    for step in patch.as_array().expect("a patch is a list") {
        let path = step["path"].as_str().expect("a step has a path");
        let (parent, key) = path.rsplit_once('/').expect("a path has a slash");
        let parent = target.pointer_mut(parent).unwrap_or_else(|| panic!("no parent of {path}"));
        match (step["op"].as_str().expect("a step has an operation"), parent) {
            ("remove", Value::Object(map)) => drop(map.remove(key).unwrap_or_else(|| panic!("no {path}"))),
            ("add", Value::Array(list)) if key == "-" => list.push(step["value"].clone()),
            ("add", Value::Object(map)) => drop(map.insert(key.to_owned(), step["value"].clone())),
            ("replace", Value::Object(map)) => {
                drop(map.insert(key.to_owned(), step["value"].clone()).unwrap_or_else(|| panic!("no {path}")));
            }
            (op, _) => panic!("{op} at {path} is not supported"),
        }
    }
}

/// The decision of the compiled module; `None` where it was a policy error.
pub(crate) fn decide(input: &Value) -> policies::Decision {
    let json = serde_json::value::to_raw_value(input).expect("a value is JSON");
    POLICIES.decide_json(&json, input["now"].as_i64().unwrap_or(0))
}

/// The second engine.
pub(crate) struct Oracle(regorus::Engine);

impl Oracle {
    pub(crate) fn new() -> Self {
        let mut engine = regorus::Engine::new();
        // As in OPA: an error in a built-in is undefined.
        engine.set_strict_builtin_errors(false);
        let mut files: Vec<_> = std::fs::read_dir(root().join("rego/kiroku")).expect("sources are there").collect();
        files.sort_by_key(|f| f.as_ref().expect("a folder can be listed").file_name());
        for file in files {
            engine.add_policy_from_file(file.expect("a folder can be listed").path()).expect("source parses");
        }
        let data = Bundle::embedded().expect("the committed bundle is whole").data().to_string();
        engine.add_data_json(&data).expect("data is JSON");
        Self(engine)
    }

    /// The raw answer, `Null` where undefined or an error.
    pub(crate) fn decide(&mut self, input: &Value) -> Value {
        self.0.set_input_json(&input.to_string()).expect("input is JSON");
        let answer = self.0.eval_rule("data.kiroku.decide".to_owned());
        answer
            .ok()
            .and_then(|v| v.to_json_str().ok())
            .and_then(|t| serde_json::from_str(&t).ok())
            .unwrap_or(Value::Null)
    }
}

/// The raw answers of the OPA tool itself; `None` where it is not installed.
pub(crate) fn opa_decides(inputs: &[Value]) -> Option<Vec<Value>> {
    let home = std::env::var("HOME").unwrap_or_default();
    let opa = ["opa".to_owned(), format!("{home}/go/bin/opa")]
        .into_iter()
        .find(|o| Command::new(o).arg("version").output().is_ok())?;
    let file = tempfile::Builder::new().suffix(".json").tempfile().expect("a temporary file");
    std::fs::write(file.path(), json!({ "inputs": inputs }).to_string()).expect("a temporary file is writable");
    let output = Command::new(opa)
        .current_dir(root())
        .args(["eval", "-f", "json", "-d", "rego/kiroku", "-d", "data", "-d"])
        .arg(file.path())
        .arg("[d | some i in data.inputs; d := data.kiroku.decide with input as i]")
        .output()
        .expect("opa runs");
    let answer: Value = serde_json::from_slice(&output.stdout).expect("opa answers in JSON");
    Some(answer["result"][0]["expressions"][0]["value"].as_array().expect("a list of decisions").clone())
}

/// One decision as the policy wrote it, out of the host's typed form.
pub(crate) fn as_raw(decision: &policies::Decision) -> Value {
    let mut value = serde_json::to_value(decision).expect("a decision is JSON");
    let object = value.as_object_mut().expect("a decision is an object");
    object.remove("policy_revision");
    object.remove("input_hash");
    value
}

/// A raw answer of an oracle brought to the typed form, so that names of lists, defaults and orders of sets agree: the README's
/// "The answer of the policy", written a second time.
pub(crate) fn normalise(raw: &Value) -> Value {
    let mut value = raw.clone();
    if let Some(object) = value.as_object_mut() {
        let deny = object.remove("deny").unwrap_or(json!([]));
        for (from, to) in [("permit", "filter"), ("waiting", "waiting")] {
            let permit = object.remove(from).unwrap_or(json!([]));
            let mut filter = match permit.as_array().is_some_and(Vec::is_empty) {
                true => json!({"permit": [], "deny": []}),
                false => json!({"permit": permit, "deny": deny}),
            };
            write_out_names(&mut filter);
            if let Ok(filter) = serde_json::from_value::<policies::Filter>(filter) {
                object.insert(to.to_owned(), serde_json::to_value(filter).expect("a filter is JSON"));
            }
        }
        for part in ["consent", "rest"] {
            object.entry(part).or_insert(Value::Null);
        }
    }
    value
}

/// In a clause the name of a list in `data.tables` stands for the list.
fn write_out_names(filter: &mut Value) {
    static TABLES: LazyLock<Value> = LazyLock::new(|| read_json(&root().join("data/tables.json"))["tables"].clone());
    for clause in
        filter.as_object_mut().into_iter().flat_map(|f| f.values_mut()).filter_map(Value::as_array_mut).flatten()
    {
        for part in ["categories", "labels"] {
            if let Some(list) = clause[part].as_str().map(|name| TABLES[name].clone()) {
                clause[part] = list;
            }
        }
    }
}

pub(crate) fn local(letter: char) -> LocalId {
    format!("abcdefghijklmno{letter}").parse().expect("a local id")
}

struct Sketch(&'static str, ResourceType, char, Category, &'static [Label], &'static str);

/// A shelf with one item of every kind that a rule tells apart.
pub(crate) fn shelf() -> Vec<(&'static str, Header)> {
    use Category as C;
    use Label::{NotProvided, RestrictedPsy, Sealed, Untold};
    use ResourceType as T;
    let sketches = [
        Sketch("med-a", T::MedicationStatement, 'a', C::Med, &[], FACILITY_A),
        Sketch("med-a-sealed", T::MedicationStatement, 'y', C::Med, &[Sealed], FACILITY_A),
        Sketch("ehr-a-psy", T::Condition, 'c', C::Ehr, &[RestrictedPsy], FACILITY_A),
        Sketch("claims-a", T::Claim, 'a', C::Claims, &[], FACILITY_A),
        Sketch("med-b", T::MedicationStatement, 'b', C::Med, &[Label::KeepLong], FACILITY_B),
        Sketch("med-b-old", T::MedicationStatement, 'o', C::Med, &[], FACILITY_B),
        Sketch("med-b-psy", T::MedicationStatement, 'p', C::Med, &[RestrictedPsy], FACILITY_B),
        Sketch("med-b-sealed", T::MedicationStatement, 's', C::Med, &[Sealed], FACILITY_B),
        Sketch("rx-b", T::MedicationRequest, 'r', C::Med, &[], FACILITY_B),
        Sketch("ehr-b", T::Condition, 'b', C::Ehr, &[], FACILITY_B),
        Sketch("ehr-b-untold", T::Condition, 'u', C::Ehr, &[Untold], FACILITY_B),
        Sketch("ehr-b-notprov", T::Condition, 'n', C::Ehr, &[NotProvided], FACILITY_B),
        Sketch("checkup-b", T::Observation, 'k', C::Checkup, &[], FACILITY_B),
        Sketch("claims-b", T::Claim, 'b', C::Claims, &[], FACILITY_B),
        Sketch("surg-b", T::Procedure, 'g', C::Surg, &[], FACILITY_B),
        Sketch("safety-b", T::AllergyIntolerance, 'f', C::Safety, &[], FACILITY_B),
        Sketch("safety-b-sealed", T::AllergyIntolerance, 'h', C::Safety, &[Sealed], FACILITY_B),
        Sketch("vacc-b", T::Immunization, 'i', C::Vacc, &[], FACILITY_B),
        Sketch("doc-b-for-a", T::Bundle, 'd', C::Doc, &[], FACILITY_B),
        Sketch("doc-b-for-a-psy", T::Bundle, 'q', C::Doc, &[RestrictedPsy], FACILITY_B),
        Sketch("doc-b-attached", T::DocumentReference, 'j', C::Doc, &[], FACILITY_B),
        Sketch("doc-b-attached-named", T::DocumentReference, 'l', C::Doc, &[], FACILITY_B),
        Sketch("doc-b-for-c", T::Bundle, 'm', C::Doc, &[], FACILITY_B),
        Sketch("elig-b", T::Coverage, 'b', C::Elig, &[], FACILITY_B),
        Sketch("cert-b", T::Coverage, 'e', C::Cert, &[], FACILITY_B),
        Sketch("cost-b", T::Coverage, 't', C::Cost, &[], FACILITY_B),
        Sketch("consent-p", T::Consent, 'x', C::Consent, &[], "person"),
        Sketch("note-p", T::DocumentReference, 'z', C::Note, &[], "person"),
    ];
    sketches.into_iter().map(|sketch| (sketch.0, header(&sketch))).collect()
}

fn header(sketch: &Sketch) -> Header {
    let Sketch(name, resource_type, letter, category, labels, author) = *sketch;
    let period = match name {
        "med-b-old" => Some((NOW - 3000 * 24 * HOUR, NOW - 2990 * 24 * HOUR)),
        "safety-b" => None,
        _ => Some((NOW - 30 * 24 * HOUR, NOW - 29 * 24 * HOUR)),
    };
    let receivers = match name {
        "doc-b-for-a" | "doc-b-for-a-psy" | "doc-b-attached-named" => vec![FACILITY_A.into()],
        "doc-b-for-c" => vec![FACILITY_C.into()],
        _ => Vec::new(),
    };
    let document = ItemKey { resource_type: ResourceType::Bundle, local: local('d') };
    Header {
        item: ItemKey { resource_type, local: local(letter) },
        version: 1,
        deleted: false,
        position: 1,
        last_updated: NOW - 24 * HOUR,
        meta: ItemMeta {
            category,
            class: if name == "cert-b" { "welfare".to_owned() } else { String::new() },
            labels: labels.to_vec(),
            period,
            receivers,
            sent_meta: String::new(),
            part_of: name.starts_with("doc-b-attached").then_some(document),
            tables_release: "test".to_owned(),
        },
        author_organisation: OrganisationId(author.to_owned()),
        author_client: ClientId("client".to_owned()),
        author_practitioner: None,
        submission: SubmissionId([0; 16]),
        body: None,
        search: Vec::new(),
    }
}

/// Every path of the JSON, deepest last.
pub(crate) fn paths(value: &Value) -> Vec<String> {
    fn walk(value: &Value, at: &str, out: &mut Vec<String>) {
        let children: Vec<(String, &Value)> = match value {
            Value::Object(map) => map.iter().map(|(k, v)| (k.clone(), v)).collect(),
            Value::Array(list) => list.iter().enumerate().map(|(i, v)| (i.to_string(), v)).collect(),
            _ => return,
        };
        for (key, child) in children {
            let path = format!("{at}/{key}");
            out.push(path.clone());
            walk(child, &path, out);
        }
    }
    let mut out = Vec::new();
    walk(value, "", &mut out);
    out
}

pub(crate) fn remove(value: &mut Value, path: &str) {
    let (parent, key) = path.rsplit_once('/').expect("a path has a slash");
    match value.pointer_mut(parent) {
        Some(Value::Object(map)) => drop(Map::remove(map, key)),
        Some(Value::Array(list)) => {
            if let Some(at) = key.parse().ok().filter(|at: &usize| *at < list.len()) {
                list.remove(at);
            }
        }
        _ => {}
    }
}
