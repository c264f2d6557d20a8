//! Bad input, as it is tried at the door: each is refused with the path and without a word of what was sent.

mod common;

use fhir::check::{CheckRules, check_resource};
use fhir::json::{Limits, Node, parse};
use schemas::{Problem, ProblemCode};

const GOOD: &str = r##"{"resourceType":"Observation","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"718-7"}],
"text":"Hb"},"subject":{"reference":"Patient/a-1"},"effectiveDateTime":"2024-02-29T10:00:00+09:00",
"valueQuantity":{"value":13.50,"unit":"g/dL","system":"http://unitsofmeasure.org","code":"g/dL"}}"##;

fn refusal(text: &str) -> Problem {
    let mut problems = check_resource(text.as_bytes(), &CheckRules::default()).expect_err(text);
    problems.sort_by_key(|problem| problem.severity as u8);
    problems.remove(0)
}

fn assert_refused(text: &str, code: ProblemCode, path: &str) {
    let problem = refusal(text);
    assert_eq!((problem.code, problem.path.as_str()), (code, path), "{text}: {}", problem.message);
}

/// The good Observation with one piece of its text replaced.
fn changed(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "the example has `{from}`");
    GOOD.replacen(from, to, 1)
}

#[test]
fn the_good_example_passes_without_a_word() {
    let checked = check_resource(GOOD.as_bytes(), &CheckRules::default()).unwrap();
    assert_eq!(checked.warnings, []);
    let text = String::from_utf8(checked.node.to_bytes()).unwrap();
    assert!(text.contains("\"value\":13.50,"), "decimals keep their text");
}

#[test]
fn what_is_not_json_is_refused() {
    assert_refused("canary", ProblemCode::Structure, "");
    assert_refused("[]", ProblemCode::Structure, "");
    assert_refused(&"[".repeat(10_000), ProblemCode::TooLong, &"[0]".repeat(64));
    assert_refused(
        &changed("\"final\"", "\"final\",\"status\":\"final\""),
        ProblemCode::Duplicate,
        "Observation.status",
    );
    assert_refused(&changed("Hb", "\\ud800"), ProblemCode::Structure, "Observation.code.text");
    assert_refused(&changed("13.50", "NaN"), ProblemCode::Structure, "Observation.valueQuantity.value");
    let huge = vec![b' '; 50 << 20];
    assert_eq!(check_resource(&huge, &CheckRules::default()).unwrap_err()[0].code, ProblemCode::TooLong);
}

#[test]
fn a_type_that_is_not_accepted_is_refused_with_the_list() {
    let problem = refusal(r#"{"resourceType":"AuditEvent"}"#);
    assert_eq!((problem.code, problem.path.as_str()), (ProblemCode::NotSupported, "resourceType"));
    assert!(problem.message.contains("SupplyDelivery") && problem.message.contains("Location"));
    let bundle = r#"{"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"Basic","code":{"text":"x"}}}]}"#;
    assert_refused(bundle, ProblemCode::NotSupported, "Bundle.entry[0].resource.resourceType");
}

#[test]
fn wrong_shapes_are_refused_at_their_place() {
    use ProblemCode::{CodeInvalid, Invariant, Required, Structure, Value};
    for (from, to, code, path) in [
        ("13.50", "\"13.50\"", Structure, "Observation.valueQuantity.value"),
        ("\"unit\"", "\"colour\"", Structure, "Observation.valueQuantity.colour"),
        ("\"unit\"", "\"Canary Taro\"", Structure, "Observation.valueQuantity.?"),
        ("\"valueQuantity\"", "\"valueString\":\"canary\",\"valueQuantity\"", Structure, "Observation.valueQuantity"),
        ("2024-02-29T", "2023-02-29T", Value, "Observation.effectiveDateTime"),
        ("T10:00:00+09:00", "T10:00:00", Value, "Observation.effectiveDateTime"),
        ("\"final\"", "\"canary\"", CodeInvalid, "Observation.status"),
        ("\"status\":\"final\",", "", Required, "Observation.status"),
        ("Patient/a-1", "Medication/a-1", Value, "Observation.subject.reference"),
        ("Patient/a-1", "Canary/a-1", Value, "Observation.subject.reference"),
        ("Patient/a-1", "canary", Value, "Observation.subject.reference"),
        ("Patient/a-1", "#canary", ProblemCode::NotFound, "Observation.subject.reference"),
        ("{\"reference\":\"Patient/a-1\"}", "{}", Structure, "Observation.subject"),
        ("{\"reference\":\"Patient/a-1\"}", "[{\"reference\":\"Patient/a-1\"}]", Structure, "Observation.subject"),
        ("\"text\":\"Hb\"", "\"text\":null", Structure, "Observation.code.text"),
        ("\"text\":\"Hb\"", "\"text\":\"\"", Value, "Observation.code.text"),
        ("\"subject\"", "\"note\":[],\"subject\"", Structure, "Observation.note"),
        ("\"subject\"", "\"extension\":[{\"url\":\"http://x\"}],\"subject\"", Invariant, "Observation.extension[0]"),
        ("\"subject\"", "\"_subject\":{\"id\":\"a\"},\"subject\"", Structure, "Observation._subject"),
    ] {
        assert_refused(&changed(from, to), code, path);
    }
}

#[test]
fn primitive_extensions_stand_beside_their_values() {
    let name = |inside: &str| format!(r#"{{"resourceType":"Patient","name":[{{{inside}}}]}}"#);
    let extension = r#"{"extension":[{"url":"http://x","valueCode":"y"}]}"#;
    for good in [
        format!(r#""given":["a",null],"_given":[null,{extension}]"#),
        format!(r#""_family":{extension}"#),
        format!(r#""_given":[{extension}]"#),
    ] {
        assert!(check_resource(name(&good).as_bytes(), &CheckRules::default()).is_ok(), "{good}");
    }
    for bad in [
        r#""given":[null]"#.to_owned(),
        format!(r#""given":["a"],"_given":[null,{extension}]"#),
        r#""given":["a",null],"_given":[null,null]"#.to_owned(),
        r#""_given":[null]"#.to_owned(),
        r#""_given":[{}]"#.to_owned(),
        r#""_family":"x""#.to_owned(),
    ] {
        assert!(check_resource(name(&bad).as_bytes(), &CheckRules::default()).is_err(), "{bad}");
    }
}

#[test]
fn a_decimal_of_29_digits_is_kept_exactly() {
    let text = changed("13.50", "12345678901234567890123456789.0");
    let checked = check_resource(text.as_bytes(), &CheckRules::default()).unwrap();
    assert!(String::from_utf8(checked.node.to_bytes()).unwrap().contains("\"value\":12345678901234567890123456789.0,"));
}

#[test]
fn a_leap_second_is_accepted() {
    let text = changed("2024-02-29T10:00:00+09:00", "2016-12-31T23:59:60Z");
    assert!(check_resource(text.as_bytes(), &CheckRules::default()).is_ok());
}

#[test]
fn narrative_with_script_is_refused() {
    let div = |inside: &str| {
        let text = format!(
            r#""text":{{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">{inside}</div>"}},"subject""#
        );
        changed("\"subject\"", &text)
    };
    assert!(check_resource(div("<p>x</p>").as_bytes(), &CheckRules::default()).is_ok());
    assert_refused(&div("<script>canary</script>"), ProblemCode::Security, "Observation.text.div");
    assert_refused(&div("<p onclick='canary()'>x</p>"), ProblemCode::Security, "Observation.text.div");
}

#[test]
fn contained_resources_are_used_and_never_in_a_loop() {
    let with = |contained: &str| {
        changed("\"subject\"", &format!(r##""contained":[{contained}],"specimen":{{"reference":"#a"}},"subject""##))
    };
    let specimen = |id: &str, rest: &str| format!(r##"{{"resourceType":"Specimen","id":"{id}"{rest}}}"##);
    let parent = |id: &str| format!(r##","parent":[{{"reference":"#{id}"}}]"##);
    let accepted = with(&[specimen("a", &parent("b")), specimen("b", "")].join(","));
    assert!(check_resource(accepted.as_bytes(), &CheckRules::default()).is_ok());
    let around = [specimen("a", &parent("b")), specimen("b", &parent("a"))].join(",");
    assert_refused(&with(&around), ProblemCode::Invariant, "Observation.contained[0]");
    assert_refused(&with(&specimen("a", &parent("a"))), ProblemCode::Invariant, "Observation.contained[0]");
    assert_refused(
        &with(&[specimen("a", ""), specimen("b", "")].join(",")),
        ProblemCode::Invariant,
        "Observation.contained[1]",
    );
    let nested = specimen("a", &format!(",\"contained\":[{}]", specimen("b", "")));
    assert_refused(&with(&nested), ProblemCode::Structure, "Observation.contained[0].contained[0]");
    assert_refused(&with(""), ProblemCode::Structure, "Observation.contained");
}

#[test]
fn an_unknown_code_system_is_accepted_and_said() {
    let text = changed("http://loinc.org", "http://example.jp/canary");
    let checked = check_resource(text.as_bytes(), &CheckRules::default()).unwrap();
    let said: Vec<&str> = checked.warnings.iter().map(|problem| problem.path.as_str()).collect();
    assert_eq!(said, ["Observation.code.coding[0].system"]);
}

#[test]
fn a_flood_of_warnings_hides_no_error() {
    let coding = r#"{"system":"http://example.jp/x","code":"y"},"#.repeat(500);
    let flooded = changed("\"coding\":[", &format!("\"coding\":[{coding}"));
    assert!(check_resource(flooded.as_bytes(), &CheckRules::default()).is_ok());
    assert_refused(&flooded.replace("13.50", "true"), ProblemCode::Structure, "Observation.valueQuantity.value");
}

#[test]
fn a_crowd_of_contained_resources_takes_no_longer_than_its_size() {
    let specimens: Vec<String> = (0..40_000).map(|n| format!(r#"{{"resourceType":"Specimen","id":"s{n}"}}"#)).collect();
    let uses: Vec<String> = (0..40_000).map(|n| format!(r##"{{"reference":"#s{n}"}}"##)).collect();
    let text = format!("\"contained\":[{}],\"focus\":[{}],\"subject\"", specimens.join(","), uses.join(","));
    let started = std::time::Instant::now();
    assert!(check_resource(changed("\"subject\"", &text).as_bytes(), &CheckRules::default()).is_ok());
    assert!(started.elapsed().as_secs() < 30, "linear, even in a debug build on a busy machine");
}

#[test]
fn the_deepest_nesting_fits_the_stack_of_a_worker() {
    let extension = |n: usize| {
        let open = r#"{"url":"http://x","extension":["#.repeat(n);
        format!("{open}{{\"url\":\"http://x\",\"valueCode\":\"y\"}}{}", "]}".repeat(n))
    };
    let bundles = |n: usize| {
        let open = r#"{"resourceType":"Bundle","type":"collection","entry":[{"resource":"#.repeat(n);
        format!("{open}{GOOD}{}", "}]}".repeat(n))
    };
    let deep = changed("\"subject\"", &format!("\"extension\":[{}],\"subject\"", extension(29)));
    let inputs = [deep, bundles(19), bundles(20)];
    let worker = std::thread::Builder::new().stack_size(2 << 20);
    let check =
        move || inputs.iter().filter(|text| check_resource(text.as_bytes(), &CheckRules::default()).is_ok()).count();
    let accepted = worker.spawn(check).expect("a thread starts").join().expect("no input overflows the stack");
    assert!(accepted >= 1, "nesting itself is no fault");
}

/// A small generator (xorshift): the seed is printed, so a failure can be repeated.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % below.max(1) as u64).unwrap_or(0)
    }
}

const CANARY: &str = "Canary-9f3a";

/// Changes one place of the tree: a value of another type, a canary, a lost or doubled member.
fn mutate(node: &mut Node, dice: &mut Dice) {
    match node {
        Node::Object(members) if !members.is_empty() && dice.roll(8) > 0 => {
            let at = dice.roll(members.len());
            match dice.roll(10) {
                0 => drop(members.remove(at)),
                1 => members.push((CANARY.into(), Node::Null)),
                2 => members.swap(0, at),
                3 => members[at].0 = "valueString".into(),
                _ => mutate(&mut members[at].1, dice),
            }
        }
        Node::Array(items) if !items.is_empty() && dice.roll(8) > 0 => {
            let at = dice.roll(items.len());
            match dice.roll(8) {
                0 => drop(items.remove(at)),
                1 => items.push(Node::Null),
                _ => mutate(&mut items[at], dice),
            }
        }
        other => {
            *other = match dice.roll(9) {
                0 => Node::Null,
                1 => Node::Bool(true),
                2 => Node::Number("1e400".into()),
                3 => Node::Number("-0.000".into()),
                4 => Node::Array(Vec::new()),
                5 => Node::Object(vec![("reference".into(), Node::String(format!("#{CANARY}").into()))]),
                6 => Node::String(format!("{CANARY}\u{0}\u{10ffff}").into()),
                7 => Node::String("2016-12-31T23:59:60Z".into()),
                _ => Node::String(CANARY.into()),
            }
        }
    }
}

#[test]
fn mutated_inputs_neither_panic_nor_show_what_they_hold() {
    let seed = std::env::var("KIROKU_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(0x9e37_79b9_7f4a_7c15);
    let count = std::env::var("KIROKU_MUTANTS").ok().and_then(|text| text.parse().ok()).unwrap_or(2_000);
    common::note(&format!("KIROKU_SEED={seed} KIROKU_MUTANTS={count}"));
    let mut sources = vec![GOOD.as_bytes().to_vec()];
    if let Some(data) = common::shared() {
        let files =
            ["jp-clins/examples", "hl7-r4-spec"].iter().flat_map(|folder| common::json_files(&data.join(folder)));
        let raws = files.filter_map(|file| std::fs::read(file).ok());
        sources.extend(raws.filter(|raw| raw.len() < 8_000 && check_resource(raw, &CheckRules::default()).is_ok()));
    }
    let trees: Vec<Node> = sources.iter().filter_map(|raw| parse(raw, &Limits::default()).ok()).collect();
    let mut dice = Dice(seed);
    let mut refused = 0;
    for _ in 0..count {
        let mut tree = trees[dice.roll(trees.len())].clone();
        for _ in 0..=dice.roll(3) {
            mutate(&mut tree, &mut dice);
        }
        let mut raw = tree.to_bytes();
        // Now and then a byte is flipped, so that the reader is tried too.
        if dice.roll(10) == 0 {
            let at = dice.roll(raw.len());
            raw[at] ^= 1 << dice.roll(8);
        }
        if let Err(problems) = check_resource(&raw, &CheckRules::default()) {
            refused += 1;
            assert!(!problems.is_empty());
            for problem in problems {
                assert!(!problem.path.contains("Canary") && !problem.message.contains("Canary"), "{problem:?}");
            }
        }
    }
    assert!(refused > count / 4, "mutants are mostly refused");
}
