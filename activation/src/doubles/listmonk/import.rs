//! Imports of listmonk: a file of CSV, one at a time.

use std::collections::BTreeMap;

use hyper::header::CONTENT_TYPE;
use serde_json::{Map, Value, json};

use super::subscribers::ImportRow;
use super::{Listmonk, data, message};
use crate::doubles::http::{Answer, Asked, Handled};

/// Looks at an import that still find it running.
const RUNNING: usize = 1;

/// The one import that there may be.
#[derive(Default)]
pub(super) struct Import {
    status: Status,
    name: String,
    total: u64,
    imported: u64,
    looks: usize,
    log: String,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Status {
    #[default]
    None,
    Importing,
    Finished,
    Failed,
}

/// What is done with the rows.
pub(super) struct How {
    pub blocks: bool,
    pub status: String,
    pub lists: Vec<u64>,
    pub overwrite: bool,
    delimiter: u8,
}

impl Import {
    fn shown(&self) -> Value {
        let status = match self.status {
            Status::None => "none",
            Status::Importing => "importing",
            Status::Finished => "finished",
            Status::Failed => "failed",
        };
        json!({"name": self.name, "total": self.total, "imported": self.imported, "status": status})
    }
}

impl Listmonk {
    pub(super) fn begin_import(&mut self, asked: &Asked, failed: Option<String>) -> Handled {
        if self.import.status == Status::Importing {
            return Err(message(
                400,
                "An import is already running. Wait for it to finish or stop it before trying again.",
            ));
        }
        let parts = parts_of(asked)
            .ok_or_else(|| message(400, "Invalid `params` field: no multipart form"))?;
        let params = parts
            .get("params")
            .and_then(|body| serde_json::from_slice(body).ok());
        let how = params.as_ref().and_then(how_of);
        let how = how.ok_or_else(|| message(400, "Invalid `params` field"))?;
        let file = parts
            .get("file")
            .ok_or_else(|| message(400, "Invalid `file` field"))?;
        if file.starts_with(b"PK") {
            return Err(message(400, "The double takes CSV alone"));
        }
        let rows = rows_of(file, how.delimiter);
        let rows = rows.ok_or_else(|| message(400, "The file has no `email` column"))?;
        self.import = Import {
            status: Status::Importing,
            name: "import.csv".to_owned(),
            total: rows.len() as u64,
            ..Import::default()
        };
        if let Some(code) = failed {
            self.import.status = Status::Failed;
            self.import.log = format!("error importing: {code}\n");
            return Ok(data(&self.import.shown()));
        }
        for (number, row) in rows.iter().enumerate() {
            match self.import_row(row, &how) {
                true => self.import.imported += 1,
                false => {
                    let line = number + 2;
                    self.import.log += &format!("skipping line {line}: invalid email\n");
                }
            }
        }
        Ok(data(&self.import.shown()))
    }

    pub(super) fn look_at_import(&mut self) -> Answer {
        let shown = data(&self.import.shown());
        self.import.looks += 1;
        if self.import.status == Status::Importing && self.import.looks > RUNNING {
            self.import.status = Status::Finished;
        }
        shown
    }

    pub(super) fn import_log(&self) -> Answer {
        data(&json!(self.import.log))
    }

    pub(super) fn stop_import(&mut self) -> Answer {
        self.import = Import::default();
        data(&self.import.shown())
    }
}

fn how_of(params: &Value) -> Option<How> {
    let delimiter = params["delim"].as_str().unwrap_or(",");
    let mode = params["mode"].as_str()?;
    if !["subscribe", "blocklist"].contains(&mode) {
        return None;
    }
    let lists = params["lists"].as_array().cloned().unwrap_or_default();
    Some(How {
        blocks: mode == "blocklist",
        status: params["subscription_status"]
            .as_str()
            .unwrap_or("unconfirmed")
            .to_owned(),
        lists: lists.iter().filter_map(Value::as_u64).collect(),
        overwrite: params["overwrite"] == json!(true),
        delimiter: *delimiter.as_bytes().first()?,
    })
}

fn rows_of(file: &[u8], delimiter: u8) -> Option<Vec<ImportRow>> {
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .flexible(true)
        .from_reader(file);
    let names = reader.headers().ok()?.clone();
    let at = |name: &str| names.iter().position(|held| held.trim() == name);
    let email = at("email")?;
    let (name, attribs) = (at("name"), at("attributes"));
    let mut rows = Vec::new();
    for record in reader.records().map_while(Result::ok) {
        let value = |at: Option<usize>| at.and_then(|at| record.get(at)).unwrap_or_default();
        let attribs: Option<Map<String, Value>> = serde_json::from_str(value(attribs)).ok();
        rows.push(ImportRow {
            email: value(Some(email)).to_owned(),
            name: value(name).to_owned(),
            attribs: attribs.unwrap_or_default(),
        });
    }
    Some(rows)
}

/// The parts of a form (RFC 7578) by their names.
fn parts_of(asked: &Asked) -> Option<BTreeMap<String, Vec<u8>>> {
    let kind = asked.header(CONTENT_TYPE.as_str());
    let boundary = kind
        .split("boundary=")
        .nth(1)?
        .split(';')
        .next()?
        .trim_matches('"');
    let mark = format!("--{boundary}");
    let mut parts = BTreeMap::new();
    let mut rest = asked.body.as_ref();
    while let Some(at) = find(rest, mark.as_bytes()) {
        let part = rest.get(..at)?;
        if let Some(head_end) = find(part, b"\r\n\r\n") {
            let head = String::from_utf8_lossy(part.get(..head_end)?).into_owned();
            let body = part.get(head_end + 4..)?;
            let body = body.strip_suffix(b"\r\n").unwrap_or(body);
            if let Some(name) = head
                .split("name=\"")
                .nth(1)
                .and_then(|t| t.split('"').next())
            {
                parts.insert(name.to_owned(), body.to_vec());
            }
        }
        rest = rest.get(at + mark.len()..)?;
    }
    Some(parts)
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len().max(1))
        .position(|part| part == wanted)
}
