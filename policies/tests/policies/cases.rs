//! The named cases, through wasm, regorus and (where installed) the OPA tool.

use serde_json::{Value, json};

use crate::support::{Oracle, as_raw, cases, decide, normalise, opa_decides, paths, remove, shelf};

#[test]
fn every_case_gives_its_outcome_rules_reason_obligations_and_items() {
    let shelf = shelf();
    let mut wrong = Vec::new();
    for case in cases() {
        let decision = decide(&case.input);
        let raw = as_raw(&decision);
        for part in ["outcome", "rules", "reason", "obligations"] {
            if raw[part] != case.expect[part] {
                wrong.push(format!("{}: {part} is {}, not {}", case.name, raw[part], case.expect[part]));
            }
        }
        if case.expect.get("rest").is_some_and(|rest| *rest != raw["rest"]) {
            wrong.push(format!("{}: rest is {}", case.name, raw["rest"]));
        }
        let seen: Vec<_> = shelf.iter().filter(|(_, h)| decision.filter.admits(h)).map(|(n, _)| *n).collect();
        let waits: Vec<_> = shelf.iter().filter(|(_, h)| decision.waits_for_consent(h)).map(|(n, _)| *n).collect();
        for (part, found) in [("sees", seen), ("waits", waits)] {
            if let Some(expected) = case.expect.get(part)
                && sorted(expected) != sorted(&json!(found))
            {
                wrong.push(format!("{}: {part} {found:?}, not {expected}", case.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn sorted(list: &Value) -> Vec<&str> {
    let mut list: Vec<_> = list.as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    list.sort_unstable();
    list
}

#[test]
fn the_three_engines_agree_on_every_case() {
    let mut oracle = Oracle::new();
    let cases = cases();
    let inputs: Vec<_> = cases.iter().map(|c| c.input.clone()).collect();
    let opa = opa_decides(&inputs);
    for (at, case) in cases.iter().enumerate() {
        let wasm = as_raw(&decide(&case.input));
        assert_eq!(wasm, normalise(&oracle.decide(&case.input)), "regorus differs on {}", case.name);
        if let Some(opa) = &opa {
            assert_eq!(wasm, normalise(&opa[at]), "opa differs on {}", case.name);
        }
    }
}

/// Removing one attribute must never open an item. Left out: what only ever limits (an end, a denial, an objection, a
/// mark of doubt); its absence means that there is no limit.
#[test]
fn an_attribute_that_is_missing_never_opens_anything() {
    let limits =
        ["/closed_at", "/objections", "/delegate_of", "/identification", "/write/visit", "/checks_cancelled_day"];
    let shelf = shelf();
    let mut wider = Vec::new();
    for case in cases() {
        let before = decide(&case.input);
        for path in paths(&case.input) {
            let in_denial = path.starts_with("/consents/")
                && case.input.pointer(path.splitn(4, '/').take(3).collect::<Vec<_>>().join("/").as_str()).is_some_and(
                    |c| c["artefact"]["type"] == "deny" || c["version"] == 2 || c["artefact"]["status"] == "inactive",
                );
            // An objection to a visit reaches a record that names none through the visit that is open.
            let objected = path.starts_with("/visit") && case.input["objections"] != json!([]);
            if in_denial || objected || limits.iter().any(|l| path.contains(l)) || path == "/consents" || narrows(&path)
            {
                continue;
            }
            let mut input = case.input.clone();
            remove(&mut input, &path);
            let after = decide(&input);
            let opened = shelf.iter().any(|(_, h)| after.filter.admits(h) && !before.filter.admits(h));
            if opened || (after.is_permit() && !before.is_permit()) {
                wider.push(format!("{} without {path}: {:?}", case.name, after.rules));
            }
        }
    }
    assert!(wider.is_empty(), "{}", wider.join("\n"));
}

/// Lists of which a member is a limit: without it the consent or case is wider by its own words.
fn narrows(path: &str) -> bool {
    let member = path.rsplit('/').next().is_some_and(|key| key.parse::<usize>().is_ok());
    member
        && ["/authors/", "/items/", "/data_period/", "/practitioners/", "/labels/", "/categories/"]
            .iter()
            .any(|l| path.contains(l))
}
