//! `tenfold token new`: a token for a coordinator's callers.

use std::fs::OpenOptions;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use serde::Serialize;
use tenfold_coordinator::serve::access::{Role, new_token};
use tenfold_core::failure::Failure;
use tenfold_serve::password_line;

use super::print;
use crate::args::{Global, TokenRole};
use crate::output::{Format, TextTable, to_stdout};

#[derive(Serialize)]
struct Made<'a> {
    name: &'a str,
    role: &'static str,
    token: &'a str,
    line: &'a str,
}

/// Files that a token is added to.
pub struct Files<'a> {
    /// Those who may call, by what their tokens hash to.
    pub tokens: Option<&'a Path>,
    /// Those who may ask over PostgreSQL's protocol.
    pub passwords: Option<&'a Path>,
}

/// Makes a token, prints it, and adds its lines to the files that there are.
pub fn new(name: &str, role: TokenRole, files: &Files<'_>, global: &Global) -> Result<(), Failure> {
    let role = match role {
        TokenRole::Viewer => Role::Viewer,
        TokenRole::Operator => Role::Operator,
        TokenRole::Admin => Role::Admin,
        TokenRole::Worker => Role::Worker,
    };
    // Once it is in a file, nobody can be shown it any more.
    if global.output == Format::Parquet {
        return Err(Failure::config("a token is no table of rows")
            .remedy("leave -o out, or use -o json, jsonl, yaml or csv"));
    }
    let (token, line) = new_token(name, role)?;
    if let Some(file) = files.passwords {
        if matches!(role, Role::Worker) {
            return Err(Failure::config("a worker asks no queries")
                .remedy("give the role viewer, or no --pg-passwords"));
        }
        append(file, &password_line(name, &token)?)?;
    }
    match files.tokens {
        Some(file) => append(file, &line)?,
        None => eprintln!("add this line to the coordinator's file of tokens:\n{line}"),
    }
    if matches!(global.output, Format::Table | Format::Wide) {
        return to_stdout(|out| {
            writeln!(out, "{token}").map_err(|error| Failure::config(error.to_string()))
        });
    }
    let table = TextTable {
        headers: ["name", "role", "token"].map(str::to_owned).to_vec(),
        rows: vec![vec![name.to_owned(), role.name().to_owned(), token.clone()]],
        right_aligned: Vec::new(),
    };
    let made = Made {
        name,
        role: role.name(),
        token: &token,
        line: &line,
    };
    print(global.output, &table, &made)
}

/// Adds a line, on a line of its own even where the one before was not ended.
fn append(file: &Path, line: &str) -> Result<(), Failure> {
    let added = || {
        let mut options = OpenOptions::new();
        let mut file = options.read(true).append(true).create(true).open(file)?;
        let mut last = [b'\n'];
        if file.metadata()?.len() > 0 {
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
        }
        let lead = if last == *b"\n" { "" } else { "\n" };
        file.write_all(format!("{lead}{line}\n").as_bytes())
    };
    added().map_err(|error: io::Error| {
        Failure::config(format!("cannot write to {}: {error}", file.display()))
            .remedy("give a file that this user may read and write, with --file")
    })
}
