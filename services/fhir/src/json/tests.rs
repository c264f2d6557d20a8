//! What is read, and what is refused with its path.

use schemas::{Problem, ProblemCode};

use super::*;

fn read(text: &str) -> Result<Node, Problem> {
    parse(text.as_bytes(), &Limits::default())
}

#[test]
fn numbers_and_order_come_out_as_they_went_in() {
    let text = r#"{"b":1.50,"a":[1E5,-0.0,12345678901234567890123456789.0000],"c":{"d":null,"e":true,"f":false}}"#;
    assert_eq!(String::from_utf8(read(text).unwrap().to_bytes()).unwrap(), text);
}

#[test]
fn strings_survive_escaping() {
    let text = "\"\\u0001\\n\\r\\t\\\"\\\\/\\ud83d\\ude00 \u{10ffff}\u{e000}漢字\"";
    let node = read(text).unwrap();
    assert_eq!(node.as_str().unwrap(), "\u{1}\n\r\t\"\\/\u{1f600} \u{10ffff}\u{e000}漢字");
    assert_eq!(parse(&node.to_bytes(), &Limits::default()).unwrap(), node);
}

#[test]
fn what_is_not_json_is_refused() {
    for text in [
        "",
        " ",
        "nul",
        "NaN",
        "Infinity",
        "-Infinity",
        "[1,]",
        "{\"a\":1,}",
        "01",
        "1.",
        ".5",
        "+1",
        "-",
        "1e",
        "'a'",
        "\"\\ud800\"",
        "\"\\udc00\"",
        "\"\\ud800\\u0041\"",
        "\"\\x\"",
        "\"a",
        "\"\u{1}\"",
        "{} {}",
        "{a:1}",
        "[1 2]",
        "{\"a\" 1}",
        "\u{feff}{}",
        "// c\n{}",
        "{\"a\":NaN}",
        "1 2",
        "[",
        "{",
        "]",
        "\u{a0}1",
    ] {
        let problem = read(text).expect_err(text);
        assert_eq!(problem.code, ProblemCode::Structure, "{text}");
    }
    assert!(parse(b"\"\xff\"", &Limits::default()).is_err());
    assert!(parse(b"\"\xed\xa0\x80\"", &Limits::default()).is_err());
    assert!(parse(b"{\"\xc3\":1}", &Limits::default()).is_err());
}

#[test]
fn duplicate_keys_are_refused_with_their_path() {
    let problem =
        read(r#"{"resourceType":"Observation","component":[{},{"code":{"text":"x","text":"y"}}]}"#).unwrap_err();
    assert_eq!((problem.code, problem.path.as_str()), (ProblemCode::Duplicate, "Observation.component[1].code.text"));
    let many: Vec<String> = (0..100).map(|n| format!("\"k{}\":1", n % 99)).collect();
    assert_eq!(read(&format!("{{{}}}", many.join(","))).unwrap_err().path, "?");
    assert_eq!(read("{\"a\":1,\"\\u0061\":2}").unwrap_err().code, ProblemCode::Duplicate);
}

#[test]
fn depth_size_and_count_are_limited() {
    let nested = |n: usize| format!("{}1{}", "[".repeat(n), "]".repeat(n));
    assert!(read(&nested(64)).is_ok());
    assert_eq!(read(&nested(65)).unwrap_err().code, ProblemCode::TooLong);
    assert_eq!(read(&nested(1_000_000)).unwrap_err().code, ProblemCode::TooLong);
    let tight = Limits { bytes_max: 10, depth_max: 4, nodes_max: 3 };
    assert_eq!(parse(b"[1,2,3]", &tight).unwrap_err().code, ProblemCode::TooLong);
    assert_eq!(parse(b"[1,2]      ", &tight).unwrap_err().code, ProblemCode::TooLong);
}
