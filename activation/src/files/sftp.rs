//! A folder on a server that speaks SFTP, reached by the `sftp` program of OpenSSH.
//!
//! A file is written under a name with `.part` and then renamed, so that it appears whole. The server is
//! known by the key that is declared, and by no other; settings and keys of the user who runs this
//! play no part.

use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use async_trait::async_trait;
use tenfold_core::activation::{Sftp, SftpLogin};
use tenfold_core::project::Secret;

use super::Place;
use crate::driver::{SendError, SendErrorKind};

/// The program, which has to be installed.
const PROGRAM: &str = "sftp";

/// Variable in which a password gets to the script that the program asks.
const PASSWORD: &str = "TENFOLD_SFTP_PASSWORD";

/// The script that is asked for a password: it holds none.
const ASKED: &str = "#!/bin/sh\nprintf '%s\\n' \"$TENFOLD_SFTP_PASSWORD\"\n";

/// The name under which the server's key is declared to the program.
const ALIAS: &str = "tenfold-destination";

/// Longest part of what the program says that is told.
const LONGEST: usize = 300;

/// A folder on a server.
#[derive(Clone)]
pub struct Remote {
    declared: Sftp,
}

impl Remote {
    /// A folder as it is declared.
    pub fn new(declared: &Sftp) -> Self {
        Self {
            declared: declared.clone(),
        }
    }

    fn place(&self, name: &str) -> String {
        format!("{}/{name}", self.declared.path.trim_end_matches('/'))
    }

    /// Lets the program carry out some of its commands, given the folder of files at hand.
    async fn carried_out<T: Send + 'static>(
        &self,
        session: impl FnOnce(&Session<'_>) -> Result<T, SendError> + Send + 'static,
    ) -> Result<T, SendError> {
        let declared = self.declared.clone();
        let done = tokio::task::spawn_blocking(move || {
            // Nobody else reads what passes through it.
            let folder = tempfile::Builder::new()
                .prefix("tenfold-sftp")
                .permissions(std::fs::Permissions::from_mode(0o700))
                .tempdir();
            let folder = folder.map_err(machine)?;
            session(&Session {
                declared: &declared,
                folder: folder.path(),
            })
        });
        done.await.map_err(machine)?
    }
}

#[async_trait]
impl Place for Remote {
    async fn ready(&self) -> Result<(), SendError> {
        let path = quoted(&self.declared.path);
        self.carried_out(move |session| session.run(&format!("cd {path}\n")))
            .await
    }

    async fn put(&self, name: &str, bytes: Vec<u8>) -> Result<(), SendError> {
        let place = self.place(name);
        let root = self.declared.path.trim_end_matches('/').to_owned();
        let folders = name.match_indices('/');
        let folders = folders.filter_map(|(end, _)| name.get(..end));
        // A folder that is there already is no error.
        let folders =
            folders.map(|folder| format!("-mkdir {}\n", quoted(&format!("{root}/{folder}"))));
        let folders: String = folders.collect();
        self.carried_out(move |session| {
            let local = session.folder.join("file");
            std::fs::write(&local, bytes).map_err(machine)?;
            let part = quoted(&format!("{place}.part"));
            let local = quoted(&local.display().to_string());
            let place = quoted(&place);
            let rename = format!("rename {part} {place}\n");
            match session.run(&format!("{folders}put {local} {part}\n{rename}")) {
                // What an earlier try left there is in the way of servers that replace nothing.
                Err(error) if is_about_renaming(&error.message) => {
                    session.run(&format!("-rm {place}\n{rename}"))
                }
                done => done,
            }
        })
        .await
    }

    async fn get(&self, name: &str) -> Result<Vec<u8>, SendError> {
        let place = quoted(&self.place(name));
        self.carried_out(move |session| {
            let local = session.folder.join("file");
            session.run(&format!(
                "get {place} {}\n",
                quoted(&local.display().to_string())
            ))?;
            std::fs::read(&local).map_err(machine)
        })
        .await
    }
}

/// One conversation with a server.
struct Session<'a> {
    declared: &'a Sftp,
    /// For files that the program reads and writes; gone with the conversation.
    folder: &'a Path,
}

impl Session<'_> {
    fn run(&self, commands: &str) -> Result<(), SendError> {
        let mut command = self.command()?;
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| {
                let message = format!("cannot start the program `{PROGRAM}`: {error}");
                SendError::refused(format!("{message}; install the client of OpenSSH"))
            })?;
        if let Some(mut stdin) = child.stdin.take() {
            // One that ended early says why itself.
            let _ = stdin.write_all(commands.as_bytes());
        }
        let output = child.wait_with_output().map_err(machine)?;
        match output.status.success() {
            true => Ok(()),
            false => Err(failed(&String::from_utf8_lossy(&output.stderr))),
        }
    }

    fn command(&self) -> Result<Command, SendError> {
        let Sftp {
            host,
            port,
            user,
            login,
            host_key,
            ..
        } = self.declared;
        let known = self.private("known_hosts", &format!("{ALIAS} {host_key}\n"), 0o600)?;
        let mut command = Command::new(PROGRAM);
        let mut option = |option: &str| {
            command.arg("-o").arg(option);
        };
        option("StrictHostKeyChecking=yes");
        // Hosts are looked up with their port, but for port 22 without: a name of ours is the same for all.
        option(&format!("HostKeyAlias={ALIAS}"));
        option(&format!("UserKnownHostsFile={}", known.display()));
        option("GlobalKnownHostsFile=/dev/null");
        option("IdentitiesOnly=yes");
        option("IdentityAgent=none");
        option("LogLevel=ERROR");
        option("ConnectTimeout=20");
        option("ServerAliveInterval=15");
        option("ServerAliveCountMax=4");
        option("NumberOfPasswordPrompts=1");
        match login {
            SftpLogin::Key(secret) => {
                option("PreferredAuthentications=publickey");
                let key = read(secret)? + "\n";
                let key = self.private("key", &key, 0o600)?;
                option(&format!("IdentityFile={}", key.display()));
            }
            SftpLogin::Password(secret) => {
                option("PreferredAuthentications=password,keyboard-interactive");
                // What comes first counts: a batch would ask for nothing.
                option("BatchMode=no");
                let asked = self.private("asked", ASKED, 0o700)?;
                command
                    .env("SSH_ASKPASS", asked)
                    .env("SSH_ASKPASS_REQUIRE", "force")
                    .env(PASSWORD, read(secret)?);
            }
        }
        command
            .args(["-F", "/dev/null", "-b", "-", "-P"])
            .arg(port.to_string())
            .arg("--")
            .arg(format!("{user}@{host}"))
            .env("LC_ALL", "C");
        Ok(command)
    }

    /// A file that nobody else can read.
    fn private(&self, name: &str, content: &str, mode: u32) -> Result<PathBuf, SendError> {
        let path = self.folder.join(name);
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(mode);
        let mut file = options.open(&path).map_err(machine)?;
        file.write_all(content.as_bytes()).map_err(machine)?;
        Ok(path)
    }
}

fn read(secret: &Secret) -> Result<String, SendError> {
    let read = tenfold_store::secret::read(secret);
    read.map_err(|failure| SendError::refused(failure.to_string()))
}

fn machine(error: impl std::fmt::Display) -> SendError {
    SendError::transient(format!("this machine failed: {error}"))
}

/// What went wrong, by what the program says.
fn failed(said: &str) -> SendError {
    let lasting = [
        "Permission denied",
        "Host key verification failed",
        "No such file or directory",
        "no matching host key",
        "invalid format",
        "error in libcrypto",
        "Could not resolve hostname",
    ];
    let lines = said.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !is_about_a_folder(line));
    let lines: Vec<&str> = lines.collect();
    let telling = |line: &&&str| lasting.iter().any(|words| line.contains(words));
    // What it says of a key that changed is a page; one line of it tells.
    let (kind, told): (_, Vec<&str>) = match lines.iter().any(|line| telling(&line)) {
        true => {
            let told = lines.iter().filter(telling);
            (SendErrorKind::Refused, told.copied().collect())
        }
        false => (SendErrorKind::Transient, lines),
    };
    let said: String = told.join("; ").chars().take(LONGEST).collect();
    let said = match said.is_empty() {
        true => "the connection ended".to_owned(),
        false => said,
    };
    SendError::new(kind, said)
}

/// Whether a line says that a folder was not made, as of one that is there already.
fn is_about_a_folder(line: &str) -> bool {
    let beginnings = ["remote mkdir \"", "Couldn't create directory: "];
    beginnings.iter().any(|words| line.starts_with(words)) && line.ends_with(": Failure")
}

/// Whether the program got as far as renaming a file, and the server did not do it.
fn is_about_renaming(said: &str) -> bool {
    ["remote rename \"", "Couldn't rename file \""]
        .iter()
        .any(|words| said.contains(words))
}

/// A name as the program reads it: nothing in it means anything.
fn quoted(name: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in name.chars() {
        if matches!(letter, '"' | '\\' | '*' | '?' | '[' | ']') {
            quoted.push('\\');
        }
        quoted.push(letter);
    }
    quoted + "\""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_program_says_decides_who_has_to_act() {
        let kind = |said: &str| failed(said).kind;
        assert_eq!(
            kind("me@x: Permission denied (publickey).\n"),
            SendErrorKind::Refused
        );
        assert_eq!(
            kind("Host key verification failed.\n"),
            SendErrorKind::Refused
        );
        assert_eq!(
            kind("connect to host x port 22: Connection refused"),
            SendErrorKind::Transient
        );
        assert_eq!(failed("\n").message, "the connection ended");
        let there =
            "remote mkdir \"/in\": Failure\nremote rename \"/in/a.part\" to \"/in/a\": Failure\n";
        let there = failed(there).message;
        assert!(there.starts_with("remote rename"), "{there}");
        assert!(is_about_renaming(&there));
        assert_eq!(failed("a\n\nb\n").message, "a; b");
        let page = "@@@\nSOMEBODY COULD BE EAVESDROPPING\nHost key verification failed.\n";
        assert_eq!(failed(page).message, "Host key verification failed.");
    }

    #[test]
    fn names_are_quoted() {
        assert_eq!(quoted("in/a b*.csv"), "\"in/a b\\*.csv\"");
    }
}
