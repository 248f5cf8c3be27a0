//! Tokens and certificates with real processes: made as the documentation says, used, renewed, and
//! never seen again.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::killed::files_below;
use crate::processes::{PATIENCE, Process, address};
use crate::support::{Answer, Project, SHOP, binary, csv, sales};

const AS_OF: &str = "2024-06-01";

fn shop() -> Project {
    let project = Project::new(SHOP);
    project.write("sales/1.csv", csv(&sales(1, 300, 150)));
    project
}

/// Makes the certificates of `docs/security.md` in a folder; false where there is no openssl.
pub fn certificates(folder: &Path) -> bool {
    let openssl = Command::new("openssl").arg("version").output();
    if openssl.is_err() {
        eprintln!("skipped: there is no openssl");
        return false;
    }
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/security.md");
    let page = fs::read_to_string(page).unwrap();
    let blocks = page.split("```sh\n").skip(1);
    let script = blocks
        .map(|block| block.split("```").next().unwrap())
        .find(|block| block.contains("openssl req -x509"))
        .unwrap();
    fs::create_dir_all(folder).unwrap();
    let made = Command::new("sh")
        .args(["-e", "-c", script])
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&made.stderr);
    assert!(made.status.success(), "{said}");
    true
}

/// A token that the binary made, with its line in the project's `tokens.txt`.
pub fn token(project: &Project, name: &str, role: &str) -> String {
    let file = project.path("tokens.txt");
    let file = file.to_str().unwrap();
    let made = project.tenfold(&["token", "new", name, "--role", role, "--file", file]);
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    assert!(
        !fs::read_to_string(file)
            .unwrap()
            .contains(made.text().trim())
    );
    made.text().trim().to_owned()
}

fn ask(arguments: &[&str], credentials: &[(&str, &str)]) -> Answer {
    let mut command = binary();
    command.args(arguments).stdin(Stdio::null());
    command.envs(credentials.iter().copied());
    Answer::of(command.output().unwrap())
}

#[test]
fn certificates_made_as_documented_let_workers_and_operators_in() {
    let project = shop();
    let folder = project.path("certificates");
    if !certificates(&folder) {
        return;
    }
    let file = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let mut coordinator = Process::start(project.command(&[
        "coordinator",
        "--listen",
        "127.0.0.1:0",
        "--tls-cert",
        &file("coordinator.pem"),
        "--tls-key",
        &file("coordinator.key"),
        "--client-ca",
        &file("ca.pem"),
    ]));
    let address = address(&mut coordinator);
    assert!(address.starts_with("https://"), "{address}");
    let of = |role: &str| {
        [
            ("TENFOLD_ADDR", address.clone()),
            ("TENFOLD_CA", file("ca.pem")),
            ("TENFOLD_CLIENT_CERT", file(&format!("{role}.pem"))),
            ("TENFOLD_CLIENT_KEY", file(&format!("{role}.key"))),
        ]
    };
    let mut worker = project.command(&["worker", "--threads", "1"]);
    worker.envs(of("worker"));
    let _worker = Process::start(worker);
    let ask_as = |role: &str, arguments: &[&str]| {
        let credentials = of(role);
        let credentials = credentials
            .each_ref()
            .map(|(name, value)| (*name, value.as_str()));
        ask(arguments, &credentials)
    };
    let submit = ["submit", "--as-of", AS_OF, "--wait", "-o", "json"];
    let run = ask_as("operator", &submit).json();
    assert_eq!(run["state"], "succeeded");
    assert_eq!(run["submitted_by"], "certificate operator.tenfold");
    assert_eq!(ask_as("viewer", &["run", "ls"]).code, Some(0));
    let refused = ask_as("viewer", &submit);
    assert_eq!(refused.code, Some(5), "{}", refused.stderr);
    assert!(
        refused.stderr.contains("needs role operator"),
        "{}",
        refused.stderr
    );
    assert_eq!(ask_as("worker", &["run", "ls"]).code, Some(5));
    let nobody = [
        ("TENFOLD_ADDR", address.as_str()),
        ("TENFOLD_CA", &file("ca.pem")),
    ];
    let refused = ask(&["run", "ls"], &nobody);
    assert_eq!(refused.code, Some(5), "{}", refused.stderr);
    // Without the authority nothing is believed.
    let nowhere = ask(&["run", "ls"], &[("TENFOLD_ADDR", address.as_str())]);
    assert_eq!(nowhere.code, Some(6), "{}", nowhere.stderr);
}

#[test]
fn what_is_done_to_audit_records_shows() {
    let project = shop();
    for number in 0..2 {
        let mut coordinator =
            Process::start(project.command(&["coordinator", "--listen", "127.0.0.1:0"]));
        let address = address(&mut coordinator);
        for day in 1..=3 {
            let as_of = format!("2024-0{}-0{day}", 5 + number);
            let submit = ["submit", "--as-of", &as_of];
            assert_eq!(ask(&submit, &[("TENFOLD_ADDR", &address)]).code, Some(0));
        }
    }
    let listed = project.tenfold(&["audit", "ls", "-o", "json"]).json();
    assert_eq!(listed.as_array().unwrap().len(), 6);
    let verify = |more: &[&str]| {
        let arguments = [&["audit", "verify", "-o", "json"], more].concat();
        let answer = project.tenfold(&arguments);
        let verified: serde_json::Value = serde_json::from_slice(&answer.stdout).unwrap();
        let wrong = |finding: &serde_json::Value| {
            let word = |name: &str| finding[name].as_str().unwrap().to_owned();
            (word("record"), word("wrong"))
        };
        let findings: Vec<_> = verified["findings"]
            .as_array()
            .unwrap()
            .iter()
            .map(wrong)
            .collect();
        let expected = if findings.is_empty() { 0 } else { 1 };
        assert_eq!(answer.code, Some(expected), "{}", answer.stderr);
        (verified, findings)
    };
    let (whole, findings) = verify(&[]);
    assert_eq!(findings, []);
    assert_eq!(
        (&whole["records"], &whole["offices"]),
        (&6.into(), &2.into())
    );
    let head = whole["head"]["sha256"].as_str().unwrap();

    let mut records = files_below(&project.path("store/_audit"));
    let newest = records.pop().unwrap();
    let place = |record: &Path| {
        let inside = record.strip_prefix(project.path("store")).unwrap();
        inside.to_str().unwrap().to_owned()
    };
    for record in &records {
        let bytes = fs::read(record).unwrap();
        fs::remove_file(record).unwrap();
        assert_eq!(verify(&[]).1, [(place(record), "missing".to_owned())]);
        let changed = String::from_utf8(bytes.clone())
            .unwrap()
            .replace("local", "nobody");
        fs::write(record, changed).unwrap();
        assert_eq!(verify(&[]).1, [(place(record), "changed".to_owned())]);
        fs::write(record, bytes).unwrap();
    }
    let copy = newest.with_file_name("copy.json");
    fs::copy(&newest, &copy).unwrap();
    assert_eq!(verify(&[]).1, [(place(&copy), "doubled".to_owned())]);
    fs::remove_file(&copy).unwrap();
    // The newest is missed by who noted its hash.
    assert_eq!(verify(&["--noted", head]).1, []);
    fs::remove_file(&newest).unwrap();
    assert_eq!(
        verify(&["--noted", head]).1,
        [(head.to_owned(), "missing".to_owned())]
    );
}

#[test]
fn up_needs_no_credentials_for_its_own_workers() {
    let project = shop();
    let folder = project.path("certificates");
    if !certificates(&folder) {
        return;
    }
    let operator = token(&project, "me", "operator");
    let file = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let tokens = project.path("tokens.txt");
    let mut up = Process::start(project.command(&[
        "up",
        "--workers",
        "2",
        "--listen",
        "127.0.0.1:0",
        "--tls-cert",
        &file("coordinator.pem"),
        "--tls-key",
        &file("coordinator.key"),
        "--tokens",
        tokens.to_str().unwrap(),
    ]));
    let address = address(&mut up);
    let ca = file("ca.pem");
    let credentials = [
        ("TENFOLD_ADDR", address.as_str()),
        ("TENFOLD_CA", ca.as_str()),
        ("TENFOLD_TOKEN", operator.as_str()),
    ];
    let submit = ["submit", "--as-of", AS_OF, "--wait", "-o", "json"];
    let run = ask(&submit, &credentials).json();
    assert_eq!(run["state"], "succeeded");
    assert_eq!(run["submitted_by"], "me");
    up.signal("-TERM");
    assert_eq!(up.ends(), Some(0));
}

#[test]
fn tokens_are_read_again_without_a_restart() {
    let project = shop();
    let first = token(&project, "first", "viewer");
    let tokens = project.path("tokens.txt");
    let file = tokens.to_str().unwrap();
    let mut coordinator = Process::start(project.command(&[
        "coordinator",
        "--listen",
        "127.0.0.1:0",
        "--tokens",
        file,
    ]));
    let address = address(&mut coordinator);
    let code = |token: &str| {
        let credentials = [("TENFOLD_ADDR", address.as_str()), ("TENFOLD_TOKEN", token)];
        ask(&["run", "ls"], &credentials).code
    };
    assert_eq!(code(&first), Some(0));
    fs::write(&tokens, "this is no token\n").unwrap();
    coordinator.says("from before go on");
    assert_eq!(code(&first), Some(0));
    fs::remove_file(&tokens).unwrap();
    let second = token(&project, "second", "viewer");
    coordinator.says("were read again");
    assert_eq!(code(&second), Some(0));
    assert_eq!(code(&first), Some(5));
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push(path),
        }
    }
    found
}

#[test]
fn a_token_is_in_no_log_no_record_and_no_output() {
    let project = shop();
    let worker_token = token(&project, "w", "worker");
    let operator = token(&project, "o", "operator");
    let tokens = project.path("tokens.txt");
    let mut traced = project.command(&[
        "coordinator",
        "--listen",
        "127.0.0.1:0",
        "--tokens",
        tokens.to_str().unwrap(),
    ]);
    traced.env("TENFOLD_LOG", "trace");
    let mut coordinator = Process::start(traced);
    let address = address(&mut coordinator);
    let mut traced = project.command(&["worker", "--threads", "1", "--address", &address]);
    traced
        .env("TENFOLD_TOKEN", &worker_token)
        .env("TENFOLD_LOG", "trace");
    let mut worker = Process::start(traced);
    let credentials = [
        ("TENFOLD_ADDR", address.as_str()),
        ("TENFOLD_TOKEN", operator.as_str()),
        ("TENFOLD_LOG", "trace"),
    ];
    let mut said = String::new();
    let commands: [&[&str]; 4] = [
        &["submit", "--as-of", AS_OF, "--wait", "-o", "json"],
        &["cluster", "status", "-o", "json"],
        &["worker", "drain", "w"],
        &["--help"],
    ];
    for command in commands {
        let answer = ask(command, &credentials);
        said += &answer.text();
        said += &answer.stderr;
    }
    let begun = Instant::now();
    said += &worker.heard();
    said += &coordinator.heard();
    assert!(begun.elapsed() < PATIENCE);
    assert!(said.contains("cluster"), "something was said");
    for secret in [&worker_token, &operator] {
        assert!(
            !said.contains(secret.as_str()),
            "a log or output tells a token"
        );
        for file in files(&project.path("store")) {
            let bytes = fs::read(&file).unwrap();
            let text = String::from_utf8_lossy(&bytes);
            assert!(
                !text.contains(secret.as_str()),
                "{} tells a token",
                file.display()
            );
        }
    }
}
