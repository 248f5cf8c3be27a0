//! Coordinators and workers as processes: started, watched, stopped and killed.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::Value;

use crate::support::{Answer, Project, binary};

/// No event of these tests takes so long; a wait that ends with it fails the test.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// A process and what it says, line by line.
pub struct Process {
    child: Child,
    lines: Receiver<String>,
    said: Vec<String>,
}

impl Process {
    pub fn start(mut command: Command) -> Self {
        let (said, says) = std::io::pipe().unwrap();
        command.stdout(says.try_clone().unwrap()).stderr(says);
        let child = command.spawn().unwrap();
        let said = BufReader::new(said);
        let (tell, lines) = channel();
        std::thread::spawn(move || {
            for line in said.lines().map_while(Result::ok) {
                // The test may be over.
                let _ = tell.send(line);
            }
        });
        Self {
            child,
            lines,
            said: Vec::new(),
        }
    }

    /// Waits for a line that has a text in it.
    pub fn says(&mut self, text: &str) -> String {
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => {
                    assert!(!line.contains("panicked"), "{line}");
                    self.said.push(line.clone());
                    if line.contains(text) {
                        return line;
                    }
                }
                Err(_) => panic!("it did not say {text:?} but:\n{}", self.said.join("\n")),
            }
        }
    }

    pub fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status().unwrap();
        assert!(sent.success(), "kill {signal} {pid}");
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Kills it; gives everything that it said.
    pub fn heard(&mut self) -> String {
        self.kill();
        self.said.extend(self.lines.iter());
        self.said.join("\n")
    }

    /// Waits for the process to end by itself.
    pub fn ends(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A project with a coordinator.
pub struct Cluster {
    pub project: Project,
    pub address: String,
    pub coordinator: Process,
}

/// A coordinator of a project; leases are short, so that lost workers are given up soon.
pub fn coordinator(project: &Project, listen: &str) -> Process {
    Process::start(project.command(&[
        "coordinator",
        "--listen",
        listen,
        "--lease-seconds",
        "1",
        "--shards",
        "8",
    ]))
}

/// The address that a coordinator says it has.
pub fn address(coordinator: &mut Process) -> String {
    // A standby speaks of the one in office too, but gives no number of its own office.
    let line = coordinator.says("epoch=");
    let after = line.split("address=").nth(1).unwrap();
    after.split(' ').next().unwrap().to_owned()
}

impl Cluster {
    pub fn new(project: Project) -> Self {
        let mut coordinator = coordinator(&project, "127.0.0.1:0");
        let address = address(&mut coordinator);
        Self {
            project,
            address,
            coordinator,
        }
    }

    /// Starts the coordinator again, where it was.
    pub fn restart(&mut self) {
        let listen = self.address.trim_start_matches("http://");
        self.coordinator = coordinator(&self.project, listen);
        assert_eq!(address(&mut self.coordinator), self.address);
    }

    pub fn worker(&self, name: &str) -> Process {
        self.worker_of(name, &self.address)
    }

    pub fn worker_of(&self, name: &str, addresses: &str) -> Process {
        let arguments = [
            "worker",
            "--name",
            name,
            "--threads",
            "1",
            "--address",
            addresses,
        ];
        Process::start(self.project.command(&arguments))
    }

    /// A command that asks the coordinator.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = binary();
        command
            .args(arguments)
            .env("TENFOLD_ADDR", &self.address)
            .stdin(Stdio::null());
        command
    }

    pub fn ask(&self, arguments: &[&str]) -> Answer {
        Answer::of(self.command(arguments).output().unwrap())
    }

    /// Submits a run and gives its identity.
    pub fn submit(&self, as_of: &str) -> String {
        let run = self.ask(&["submit", "--as-of", as_of, "-o", "json"]).json();
        run["run"].as_str().unwrap().to_owned()
    }

    /// Waits until a run has ended well.
    pub fn succeeded(&self, run: &str) -> Value {
        let run = self
            .ask(&["run", "wait", run, "--timeout", "120s", "-o", "json"])
            .json();
        assert_eq!(run["state"], "succeeded");
        run
    }

    /// A process that prints all that happens to a run, as it happens.
    pub fn events(&self, run: &str) -> Process {
        Process::start(self.command(&["run", "logs", run, "--follow"]))
    }

    /// A process that prints what happens to a run.
    pub fn following(&self, run: &str) -> Process {
        let mut command = self.command(&["run", "watch", run, "--timeout", "120s"]);
        command.env("NO_COLOR", "1");
        Process::start(command)
    }
}
