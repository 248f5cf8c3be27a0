//! Where settings come from, and what is refused.

use std::path::Path;

use tenfold_core::failure::Failure;

use super::file::{Section, Settings};
use super::*;

const FILE: &str = r#"
memory = "2GiB"
current-context = "prod"

[coordinator]
listen = "127.0.0.1:7411"
lease-seconds = 5

[worker]
threads = 3

[contexts.prod]
address = ["https://a:7400", "https://b:7400"]
token-file = "/etc/tenfold/token"
memory = "3GiB"

[contexts.test]
address = "http://127.0.0.1:7499"
"#;

fn read(text: &str) -> Result<Settings, Failure> {
    let folder = tempfile::TempDir::new().unwrap();
    let place = folder.path().join("config.toml");
    std::fs::write(&place, text).unwrap();
    Settings::read(Some(&place), true, &commands())
}

fn line(words: &str) -> Vec<OsString> {
    words.split(' ').map(OsString::from).collect()
}

fn with(text: &str, words: &str) -> Vec<String> {
    let settings = read(text).unwrap();
    let matches = commands().try_get_matches_from(line(words)).unwrap();
    let line = with_file(line(words), &matches, &commands(), &settings).unwrap();
    line.into_iter()
        .map(|word| word.into_string().unwrap())
        .collect()
}

fn has(words: &[String], word: &str) -> bool {
    words.iter().any(|other| other == word)
}

#[test]
fn a_process_reads_its_section_and_the_top() {
    let coordinator = with(FILE, "tenfold coordinator --lease-seconds 9");
    assert!(has(&coordinator, "--listen=127.0.0.1:7411"));
    assert!(has(&coordinator, "--memory=2GiB"));
    assert!(!has(&coordinator, "--lease-seconds=5"), "the flag wins");
    let worker = with(FILE, "tenfold worker");
    assert!(has(&worker, "--threads=3"));
    assert!(!worker.iter().any(|word| word.starts_with("--address")));
}

#[test]
fn operators_read_their_context_and_the_top() {
    let ls = with(FILE, "tenfold run ls");
    assert!(has(&ls, "--address=https://a:7400,https://b:7400"));
    assert!(has(&ls, "--token-file=/etc/tenfold/token"));
    assert!(has(&ls, "--memory=3GiB"), "the context wins over the top");
    let other = with(FILE, "tenfold run ls --context test");
    assert!(has(&other, "--address=http://127.0.0.1:7499"));
    assert!(has(&other, "--memory=2GiB"));
    let cut = with(FILE, "tenfold run get -- @latest");
    assert_eq!(cut.last().unwrap(), "@latest");
}

#[test]
fn a_context_that_is_not_there_is_refused_with_its_neighbours() {
    let settings = read(FILE).unwrap();
    let failure = settings.context(Some("prd")).unwrap_err();
    assert_eq!(failure.number(), "E2110");
    assert!(failure.remedy.contains("`prod`"), "{failure}");
}

#[test]
fn unknown_keys_are_refused_with_their_line_and_a_near_name() {
    for (text, expected) in [
        ("memry = \"1GiB\"", ["line 1", "`memory`"]),
        ("\n[coordinator]\nlisen = \"a\"", ["line 3", "`listen`"]),
        (
            "[contexts.x]\ntokenfile = \"a\"",
            ["line 2", "`token-file`"],
        ),
        ("[contexts.x]\ntoken = \"secret\"", ["line 2", "`token`"]),
        ("memory = {a = 1}", ["line 1", "`memory` is no text"]),
        ("memory = ", ["line 1", "TOML"]),
    ] {
        let failure = read(text).unwrap_err();
        assert_eq!(failure.number(), "E2109");
        for part in expected {
            assert!(failure.to_string().contains(part), "{part} in {failure}");
        }
    }
}

#[test]
fn a_file_that_nobody_named_may_be_absent() {
    let nowhere = Path::new("/nonexistent/tenfold/config.toml");
    let settings = Settings::read(Some(nowhere), false, &commands()).unwrap();
    assert_eq!(settings.get(&Section::Top, "memory"), None);
    assert!(Settings::read(Some(nowhere), true, &commands()).is_err());
}
