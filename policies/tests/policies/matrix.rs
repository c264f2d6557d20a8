//! The golden access matrix: who, why, in which state of consent and link, and what is seen of each category and label.
//! A change of any cell is a change of who may see what: it fails here and is accepted by hand (`UPDATE_GOLDEN=1`).

use std::fmt::Write as _;

use schemas::header::Header;
use schemas::{Category, Label};
use serde_json::{Value, json};

use crate::support::{FACILITY_A, FACILITY_B, apply_patch, as_raw, bases, decide, root, shelf};

/// Every base input, crossed with purposes and states.
const STATES: [(&str, &str); 9] = [
    ("as it is", "[]"),
    ("node stale", r#"[{"op":"replace","path":"/mode","value":{"stale":true}}]"#),
    (
        "link suspect",
        r#"[{"op":"add","path":"/person","value":{"pid":"bbbbbbbbbbbbbbbbbbbbbbbbba","link":{"state":"suspect","kind":"identity"}}}]"#,
    ),
    (
        "link frozen",
        r#"[{"op":"add","path":"/person","value":{"pid":"bbbbbbbbbbbbbbbbbbbbbbbbba","link":{"state":"frozen","kind":""}}}]"#,
    ),
    (
        "link erased",
        r#"[{"op":"add","path":"/person","value":{"pid":"bbbbbbbbbbbbbbbbbbbbbbbbba","link":{"state":"erased","kind":""}}}]"#,
    ),
    (
        "deceased",
        r#"[{"op":"add","path":"/person","value":{"pid":"bbbbbbbbbbbbbbbbbbbbbbbbba","link":{"state":"deceased","kind":""}}}]"#,
    ),
    ("all blocked", r#"[{"op":"add","path":"/consents/-","value":"@denial"}]"#),
    ("MED hidden", r#"[{"op":"add","path":"/consents/-","value":"@hidden"}]"#),
    ("no visit", r#"[{"op":"add","path":"/visit","value":{}}]"#),
];

const PURPOSES: [&str; 9] = ["TREAT", "ETREAT", "BTG", "PATRQT", "ELIGVER", "HPAYMT", "HRESCH", "HCOMPL", "RECORDMGT"];

fn denial(categories: &Value) -> Value {
    json!({"id": "Consent/denial", "version": 1, "given_at": 0, "artefact": {
        "kind": "denial", "giver": "self", "type": "deny", "facilities": [], "practitioners": [], "categories": categories,
        "labels": [], "authors": [], "data_period": null, "items": [], "purposes": [], "valid_from": 0, "valid_until": null,
        "method": "app", "staff": [], "terms": "", "terms_sha256": "", "status": "active", "visit": null, "safety": null}})
}

fn inputs() -> Vec<(String, Value)> {
    let mut rows = Vec::new();
    for (name, base) in bases().as_object().expect("bases are named") {
        for purpose in PURPOSES {
            for (state, patch) in STATES {
                let mut patch: Value = serde_json::from_str(patch).expect("a patch is JSON");
                match patch[0]["value"].as_str() {
                    Some("@denial") => patch[0]["value"] = denial(&json!([])),
                    Some("@hidden") => patch[0]["value"] = denial(&json!(["MED"])),
                    _ => {}
                }
                // Elsewhere than for its own purpose a base is shown in its plain state only.
                if purpose != base["purpose"] && state != "as it is" {
                    continue;
                }
                let mut input = base.clone();
                input["purpose"] = json!(purpose);
                apply_patch(&mut input, &patch);
                rows.push((format!("{name} | {purpose} | {state}"), input));
            }
        }
    }
    rows
}

/// Which labels of another author's items are seen in each category: `.` for normal ones, then the labels.
fn seen(decision: &policies::Decision, template: &Header) -> String {
    let mut text = String::new();
    for &category in Category::ALL {
        let admits = |labels: Vec<Label>| {
            let mut header = template.clone();
            header.author_organisation = FACILITY_B.into();
            header.meta.category = category;
            header.meta.labels = labels;
            decision.filter.admits(&header)
        };
        let mut labels: Vec<&str> = Vec::new();
        if admits(vec![]) {
            labels.push(".");
        }
        labels.extend(Label::ALL.iter().filter(|l| **l != Label::KeepLong && admits(vec![**l])).map(|l| l.as_str()));
        if !labels.is_empty() {
            write!(text, " {category}({})", labels.join(",")).expect("writing to a string cannot fail");
        }
    }
    text
}

#[test]
fn the_access_matrix_is_the_one_that_was_agreed() {
    let shelf = shelf();
    let template = shelf.iter().find(|(n, _)| *n == "med-b").expect("the item is on the shelf").1.clone();
    let mut text = String::from(
        "# Golden access matrix, written by `UPDATE_GOLDEN=1 cargo test -p policies matrix`.\n\
         # base input | purpose | state => outcome rules (reason) obligations; other facilities' items: CATEGORY(labels, . = normal); own uploads; log\n",
    );
    for (row, input) in inputs() {
        let decision = decide(&input);
        let raw = as_raw(&decision);
        let list = |part: &str| {
            let items: Vec<_> = raw[part].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            items.join("+")
        };
        let own = shelf.iter().any(|(_, h)| h.author_organisation.0 == FACILITY_A && decision.filter.admits(h));
        write!(
            text,
            "{row} => {} {} ({}) {};{}",
            raw["outcome"].as_str().unwrap_or("?"),
            list("rules"),
            decision.reason,
            list("obligations"),
            seen(&decision, &template)
        )
        .expect("writing to a string cannot fail");
        writeln!(text, ";{};{:?}", if own { " own" } else { "" }, decision.filter.log_scope())
            .expect("writing to a string cannot fail");
    }
    let path = root().join("matrix.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &text).expect("the matrix can be written");
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    let drift: Vec<_> = text
        .lines()
        .zip(golden.lines())
        .filter(|(new, old)| new != old)
        .map(|(new, old)| format!("- {old}\n+ {new}"))
        .collect();
    assert!(
        drift.is_empty() && text.lines().count() == golden.lines().count(),
        "the matrix drifted:\n{}",
        drift.join("\n")
    );
}
