use std::path::PathBuf;

use chassis::config::{ClientCertificates, ConfigError, Role, Settings, Sources, load, table_markdown};

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

/// A file with `text`, kept until the folder is dropped.
fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kiroku.toml");
    std::fs::write(&path, text).unwrap();
    (folder, path)
}

#[test]
fn without_any_source_the_defaults_hold() {
    assert_eq!(load(&Sources::default()).unwrap(), Settings::default());
}

#[test]
fn flags_win_over_the_environment_which_wins_over_the_file_which_wins_over_defaults() {
    let (_folder, path) =
        file("verdict_timeout_ms = 1\n[http]\nlisten = \"file:1\"\nworkers = 3\n[limits]\ndepth_max = 9\n");
    let environment = pairs(&[
        ("KIROKU_CONFIG", path.to_str().unwrap()),
        ("KIROKU__HTTP__LISTEN", "environment:2"),
        ("KIROKU__LIMITS__DEPTH_MAX", "10"),
        ("PATH", "/bin"),
    ]);
    let flags = pairs(&[("http.listen", "flag:3")]);
    let settings = load(&Sources { file: None, environment, flags }).unwrap();
    assert_eq!(settings.http.listen, "flag:3");
    assert_eq!(settings.limits.depth_max, 10);
    assert_eq!(settings.http.workers, 3);
    assert_eq!(settings.verdict_timeout_ms, 1);
    assert_eq!(settings.limits.submission_bytes_max, 10_485_760);
}

#[test]
fn lists_enums_and_rules_read_alike_from_file_and_environment() {
    let text = "roles = [\"edge\", \"query\"]\n[jp_rules]\nr1013 = \"error\"\n";
    let (_folder, path) = file(text);
    let from_file = load(&Sources { file: Some(path), ..Sources::default() }).unwrap();
    let environment = pairs(&[("KIROKU__ROLES", "edge, query"), ("KIROKU__JP_RULES__R1013", "error")]);
    let from_environment = load(&Sources { environment, ..Sources::default() }).unwrap();
    assert_eq!(from_file, from_environment);
    assert_eq!(from_file.jp_rules["r1013"], "error");
    assert!(from_file.has(Role::Edge) && !from_file.has(Role::Projector));
    let flags = pairs(&[
        ("tls.client_certificates", "required"),
        ("tls.certificate", "c.pem"),
        ("tls.key", "k.pem"),
        ("tls.client_ca", "a.pem"),
    ]);
    let settings = load(&Sources { flags, ..Sources::default() }).unwrap();
    assert_eq!(settings.tls.client_certificates, ClientCertificates::Required);
    assert_eq!(settings.public_url("127.0.0.1:9".parse().unwrap()), "https://127.0.0.1:9");
}

#[test]
fn an_unknown_key_is_an_error_that_says_which_and_where() {
    let (_folder, path) = file("[http]\nlisten = \"a:1\"\nlistne = \"b:2\"\n");
    let in_file = load(&Sources { file: Some(path.clone()), ..Sources::default() }).unwrap_err().to_string();
    assert!(in_file.contains("`http.listne`") && in_file.contains(path.to_str().unwrap()), "{in_file}");
    let environment = pairs(&[("KIROKU__HTTP__WORKRS", "2")]);
    let said = load(&Sources { environment, ..Sources::default() }).unwrap_err().to_string();
    assert!(said.contains("`http.workrs`") && said.contains("the environment"), "{said}");
    let flags = pairs(&[("worker", "2")]);
    let said = load(&Sources { flags, ..Sources::default() }).unwrap_err().to_string();
    assert!(said.contains("`worker`") && said.contains("the flags"), "{said}");
}

#[test]
fn values_that_make_no_sense_are_refused_with_their_key() {
    let refused = |list: &[(&str, &str)]| load(&Sources { flags: pairs(list), ..Sources::default() }).unwrap_err();
    for (key, value) in
        [("telemetry.sample_ratio", "2"), ("log.level", "loud"), ("partitions", "0"), ("http.connections_max", "0")]
    {
        assert!(matches!(refused(&[(key, value)]), ConfigError::Invalid { key: named, .. } if named == key), "{key}");
    }
    assert!(matches!(refused(&[("http.workers", "many")]), ConfigError::Value(_)));
    assert!(matches!(
        refused(&[("tls.client_certificates", "required")]),
        ConfigError::Invalid { key: "tls.certificate", .. }
    ));
    let missing = load(&Sources { file: Some("/nowhere/kiroku.toml".into()), ..Sources::default() });
    assert!(matches!(missing, Err(ConfigError::Unreadable { .. })));
}

#[test]
fn the_table_has_one_line_per_key_with_its_name_in_the_environment() {
    let table = table_markdown();
    assert_eq!(table.lines().count(), 2 + chassis::config::keys().len());
    assert!(table.contains("| `http.listen` | `127.0.0.1:8080` | `KIROKU__HTTP__LISTEN` |"), "{table}");
    assert!(table.contains("| `verdict_timeout_ms` | `10000` |"));
}
