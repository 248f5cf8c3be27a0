//! `tenfold token new`: a token for a coordinator's callers.

use std::fs::OpenOptions;
use std::io::Write;
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
    if global.output == Format::Table {
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

fn append(file: &Path, line: &str) -> Result<(), Failure> {
    let opened = OpenOptions::new().append(true).create(true).open(file);
    opened
        .and_then(|mut file| writeln!(file, "{line}"))
        .map_err(|error| {
            Failure::config(format!("cannot write to {}: {error}", file.display()))
                .remedy("give a file that this user may write, with --file")
        })
}
