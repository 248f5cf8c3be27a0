//! What people are told, over real connections, whatever is killed meanwhile.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, mpsc};
use std::time::Instant;

use hmac::{Hmac, Mac};
use serde_json::Value;
use sha2::Sha256;

use crate::processes::{Cluster, PATIENCE, Process, address};
use crate::support::{Project, SHOP, csv, sales};

const AS_OF: &str = "2024-06-01";
const SECRET: &str = "a-planted-signing-key";

/// What a receiver was sent.
pub struct Posted {
    head: String,
    body: String,
}

impl Posted {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    fn header(&self, name: &str) -> &str {
        let line = self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        });
        line.unwrap_or_else(|| panic!("no {name} in:\n{}", self.head))
    }
}

/// An HTTP server that tells what it is sent, and answers with a status.
pub struct Inbox {
    address: String,
    status: Arc<AtomicU16>,
    posted: Receiver<Posted>,
}

impl Inbox {
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let status = Arc::new(AtomicU16::new(200));
        let answers = status.clone();
        let (tell, posted) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                // A connection that is cut in the middle was of a process that was killed.
                let _ = receive(stream, &answers, &tell);
            }
        });
        Self {
            address,
            status,
            posted,
        }
    }

    fn answers(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }

    pub fn next(&self) -> Posted {
        self.posted.recv_timeout(PATIENCE).unwrap()
    }
}

fn receive(stream: TcpStream, answers: &AtomicU16, tell: &Sender<Posted>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            return Ok(());
        }
    }
    let length = head.lines().find_map(|line| {
        let (key, value) = line.split_once(": ")?;
        key.eq_ignore_ascii_case("content-length")
            .then(|| value.parse().unwrap())
    });
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body)?;
    let status = answers.load(Ordering::SeqCst);
    let answer = format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    reader.get_mut().write_all(answer.as_bytes())?;
    let body = String::from_utf8(body).unwrap();
    // The test may be over.
    let _ = tell.send(Posted { head, body });
    Ok(())
}

/// A mail server that tells what it is sent.
fn mail_server() -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let (tell, mails) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            if let Ok(mail) = take_mail(stream) {
                let _ = tell.send(mail);
            }
        }
    });
    (port, mails)
}

fn take_mail(stream: TcpStream) -> std::io::Result<String> {
    let mut reader = BufReader::new(stream);
    let mut mail = String::new();
    reader.get_mut().write_all(b"220 test\r\n")?;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(mail);
        }
        mail += &line;
        let answer: &[u8] = match line.get(..4).unwrap_or_default() {
            "DATA" => {
                reader.get_mut().write_all(b"354 go on\r\n")?;
                let mut line = String::new();
                while line != ".\r\n" {
                    line.clear();
                    reader.read_line(&mut line)?;
                    mail += &line;
                }
                b"250 taken\r\n"
            }
            "QUIT" => {
                reader.get_mut().write_all(b"221 bye\r\n")?;
                return Ok(mail);
            }
            _ => b"250 fine\r\n",
        };
        reader.get_mut().write_all(answer)?;
    }
}

fn shop(targets: &str) -> Project {
    let project = Project::new(SHOP);
    project.write("sales/1.csv", csv(&sales(1, 300, 150)));
    project.write("notify.yaml", targets);
    project
}

pub fn webhook(inbox: &Inbox) -> String {
    format!(
        "targets:\n  - name: hook\n    webhook: {{url: \"http://{}/in\", secret: {{env: HOOK_KEY}}}}\n",
        inbox.address
    )
}

fn coordinator(project: &Project, listen: &str) -> Process {
    let mut command = project.command(&["coordinator", "--listen", listen, "--shards", "2"]);
    command
        .env("TENFOLD_NOTIFY", project.path("notify.yaml"))
        .env("HOOK_KEY", SECRET);
    Process::start(command)
}

fn cluster(project: Project) -> Cluster {
    let mut coordinator = coordinator(&project, "127.0.0.1:0");
    let address = address(&mut coordinator);
    Cluster {
        project,
        address,
        coordinator,
    }
}

fn restart(cluster: &mut Cluster) {
    let listen = cluster.address.trim_start_matches("http://");
    cluster.coordinator = coordinator(&cluster.project, listen);
    address(&mut cluster.coordinator);
}

/// A run that fails, since a file is broken.
fn failing(cluster: &Cluster, as_of: &str) -> String {
    cluster
        .project
        .write("sales/2.csv", "id,customer,day,amount\nbroken");
    let run = cluster.submit(as_of);
    assert_eq!(cluster.ask(&["run", "wait", &run]).code, Some(1));
    run
}

#[test]
fn a_signed_webhook_hears_of_failure_and_recovery() {
    let inbox = Inbox::new();
    let cluster = cluster(shop(&webhook(&inbox)));
    let _worker = cluster.worker("a");
    let run = failing(&cluster, AS_OF);
    let failed = inbox.next();
    let event = failed.json();
    assert_eq!(event["type"], "tenfold.failed");
    assert_eq!(event["specversion"], "1.0");
    assert_eq!(event["subject"], run.as_str());
    let message = event["data"]["message"].as_str().unwrap();
    assert!(message.contains("2.csv"), "{message}");
    assert!(!event["data"]["remedy"].as_str().unwrap().is_empty());
    assert_eq!(
        failed.header("content-type"),
        "application/cloudevents+json; charset=utf-8"
    );
    let signature = failed.header("tenfold-signature");
    let (seconds, signed) = signature.split_once(",v1=").unwrap();
    let seconds = seconds.strip_prefix("t=").unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(format!("{seconds}.{}", failed.body).as_bytes());
    let expected: String = mac
        .finalize()
        .into_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(signed, expected);

    cluster.project.remove("sales/2.csv");
    cluster.ask(&["run", "retry", &run]);
    cluster.succeeded(&run);
    let recovered = inbox.next().json();
    assert_eq!(recovered["type"], "tenfold.recovered");
    assert_eq!(recovered["source"], event["source"]);
    assert_ne!(recovered["id"], event["id"]);
    // The story of the run says who was told.
    let logs = cluster.ask(&["run", "logs", &run]).text();
    assert!(logs.contains("hook was told: failed"), "{logs}");
}

#[test]
fn what_was_not_told_before_a_kill_is_told_after_it_and_nothing_twice() {
    let inbox = Inbox::new();
    let mut cluster = cluster(shop(&webhook(&inbox)));
    let _worker = cluster.worker("a");
    inbox.answers(503);
    let first = failing(&cluster, AS_OF);
    let refused = inbox.next().json();
    assert_eq!(refused["subject"], first.as_str());
    // Killed between the end of the run and the delivery.
    cluster.coordinator.kill();
    inbox.answers(200);
    while inbox.posted.try_recv().is_ok() {}
    restart(&mut cluster);
    let delivered = inbox.next().json();
    assert_eq!(delivered["id"], refused["id"]);
    assert_eq!(delivered["data"], refused["data"]);
    cluster.coordinator.says("was told: failed");
    // Once that is in the ledger, a further restart tells only what is new.
    let ledger = || {
        let status = cluster.ask(&["cluster", "status", "-o", "json"]).json();
        status["ledger"].as_u64().unwrap()
    };
    let id: u64 = delivered["id"].as_str().unwrap().parse().unwrap();
    // After the notice: the office, and that it was told.
    let begun = Instant::now();
    while ledger() < id + 2 {
        assert!(
            begun.elapsed() < PATIENCE,
            "that it was told is not in the ledger"
        );
    }
    cluster.coordinator.kill();
    restart(&mut cluster);
    let second = failing(&cluster, "2024-06-02");
    let next = inbox.next().json();
    assert_eq!(next["subject"], second.as_str(), "the first was told again");
}

#[test]
fn slack_and_mail_are_told_in_words() {
    let inbox = Inbox::new();
    let (port, mails) = mail_server();
    let targets = format!(
        "targets:
  - name: channel
    on: [failed]
    slack: {{url: {{file: URL}}}}
  - name: people
    on: [failed, late]
    smtp:
      server: 127.0.0.1
      port: {port}
      tls: none
      from: Tenfold <tenfold@shop.example>
      to: [me@shop.example, you@shop.example]
"
    );
    let project = shop("");
    project.write("url", format!("http://{}/a-planted-path\n", inbox.address));
    let url = project.path("url").display().to_string();
    project.write("notify.yaml", targets.replace("URL", &url));
    let mut cluster = cluster(project);
    let _worker = cluster.worker("a");
    inbox.answers(500);
    let run = failing(&cluster, AS_OF);
    cluster.coordinator.says("channel was not told yet");
    inbox.answers(200);
    cluster.coordinator.says("channel was told");
    let posted = inbox.next();
    assert!(
        posted.head.starts_with("POST /a-planted-path "),
        "{}",
        posted.head
    );
    let text = posted.json()["text"].as_str().unwrap().to_owned();
    for words in [
        &format!("run {run} failed"),
        "2.csv",
        "tenfold run describe",
    ] {
        assert!(text.contains(words), "no {words} in:\n{text}");
    }
    let mail = mails.recv_timeout(PATIENCE).unwrap();
    for words in [
        "MAIL FROM:<tenfold@shop.example>",
        "RCPT TO:<me@shop.example>",
        "RCPT TO:<you@shop.example>",
        "Subject: Tenfold: run",
        "Message-ID: <",
        "tenfold run describe",
    ] {
        assert!(mail.contains(words), "no {words} in:\n{mail}");
    }
    let heard = cluster.coordinator.heard();
    assert!(
        !heard.contains("a-planted-path"),
        "the log tells a secret:\n{heard}"
    );
}

#[test]
fn a_target_can_be_tried() {
    let inbox = Inbox::new();
    let project = shop(&webhook(&inbox));
    let file = project.path("notify.yaml").display().to_string();
    let test = |target: &str, key: Option<&str>| {
        let mut command = project.command(&["notify", "test", target, "--notify", &file]);
        if let Some(key) = key {
            command.env("HOOK_KEY", key);
        }
        crate::support::Answer::of(command.output().unwrap())
    };
    let answer = test("hook", Some(SECRET));
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    assert_eq!(inbox.next().json()["subject"], "test");
    test("nobody", Some(SECRET)).refused(&["no target nobody", "hook"]);
    test("hook", None).refused(&["HOOK_KEY", "target hook"]);
    inbox.answers(404);
    let refused = test("hook", Some(SECRET));
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("404"), "{}", refused.stderr);
    project.write("notify.yaml", "targets:\n  - name: x\n    webhok: {}\n");
    let refused = test("x", None);
    refused.refused(&["notify.yaml", "webhok"]);
}
