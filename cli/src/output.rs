//! The only way to standard output: rows and records in the format that the caller asked for.
//!
//! Data goes to standard output and everything else to standard error, so that `-o json` can
//! always be piped into another program. A reader that closes the pipe early (`| head`) ends the
//! output quietly.

mod render;
#[cfg(test)]
mod tests;

use std::io::{self, BufWriter, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use clap::ValueEnum;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use serde::Serialize;
use tenfold_core::failure::{ErrorCode, Failure, FailureClass};
use tenfold_core::project::near::did_you_mean;

use tenfold_query::rows::{Datum, csv_cell, csv_datum, each_row, json, keys, precise, record};

use self::render::{short, yaml};
use crate::terminal::view;

/// So many of something that forms its plural with an s.
pub fn counted(count: u64, one: &str) -> String {
    match count {
        1 => format!("1 {one}"),
        _ => format!("{count} {one}s"),
    }
}

/// How rows and records are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Aligned columns for people.
    Table,
    /// Aligned columns with everything there is to see: numbers with all their digits.
    Wide,
    /// One JSON document.
    Json,
    /// One JSON document per row.
    Jsonl,
    /// Comma-separated values with a header.
    Csv,
    /// YAML in block style.
    Yaml,
    /// Names alone, one per line: the first column.
    Name,
    /// A Parquet file.
    Parquet,
}

/// A table made by hand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TextTable {
    /// Names of the columns, in lower case.
    pub headers: Vec<String>,
    /// The cells, as many in each row as there are headers.
    pub rows: Vec<Vec<String>>,
    /// Which columns are numbers; columns beyond its end are not.
    pub right_aligned: Vec<bool>,
}

/// Runs `write` on standard output, buffered, and flushes it.
///
/// # Errors
/// What `write` returns, or that standard output cannot be written. A closed pipe is no error.
pub fn to_stdout(write: impl FnOnce(&mut dyn Write) -> Result<(), Failure>) -> Result<(), Failure> {
    let mut out = BufWriter::new(io::stdout().lock());
    write(&mut out)?;
    quietly(out.flush())
}

/// Prints a text.
///
/// # Errors
/// When standard output cannot be written. A closed pipe is no error.
pub fn text_to_stdout(text: &str) -> Result<(), Failure> {
    to_stdout(|out| quietly(out.write_all(text.as_bytes())))
}

/// Writes rows. JSON is an array with one object per line; NULL is `-` in tables and nothing in
/// CSV, where an empty text is `""`.
///
/// # Errors
/// When `out` cannot be written; a closed pipe is no error.
pub fn write_batches(
    out: &mut dyn Write,
    format: Format,
    schema: &SchemaRef,
    batches: &[RecordBatch],
) -> Result<(), Failure> {
    let named = !view().columns.is_empty();
    if named && matches!(format, Format::Table | Format::Wide | Format::Csv) {
        return Err(Failure::config("a query names its columns itself")
            .remedy("leave --columns out, and select them in the query"));
    }
    quietly(match format {
        Format::Table => aligned(out, schema, batches, short),
        Format::Wide => aligned(out, schema, batches, precise),
        Format::Json => json_rows(out, schema, batches, ("[\n  ", ",\n  ", "\n]\n", "[]\n")),
        Format::Jsonl => json_rows(out, schema, batches, ("", "\n", "\n", "")),
        Format::Csv => csv_rows(out, schema, batches),
        Format::Yaml => yaml_rows(out, schema, batches),
        Format::Name => names(out, batches),
        Format::Parquet => parquet_file(out, schema, batches),
    })
}

/// Writes a record, or a list of them, with its fields in their declared order: pretty JSON, one
/// line of JSON per element, or YAML.
///
/// # Errors
/// [`Failure::config`] for a format that only tables have; otherwise when `out` cannot be
/// written. A closed pipe is no error.
pub fn write_value(
    out: &mut dyn Write,
    format: Format,
    value: &impl Serialize,
) -> Result<(), Failure> {
    let text = match format {
        Format::Json => serde_json::to_string_pretty(value).map(|text| text + "\n"),
        Format::Jsonl => Datum::of(value).map(|value| match value {
            Datum::List(items) => items.iter().map(|item| json(item) + "\n").collect(),
            one => json(&one) + "\n",
        }),
        Format::Yaml => Datum::of(value).map(|value| yaml(&value)),
        _ => {
            return Err(Failure::config("this is a record, which has no columns")
                .remedy("use -o json, jsonl or yaml"));
        }
    };
    let text = text.map_err(|error| Failure::bug(format!("cannot write a record: {error}")))?;
    quietly(out.write_all(text.as_bytes()))
}

impl TextTable {
    /// Writes the table as [`Format::Csv`], as [`Format::Name`] (the first column), or aligned.
    ///
    /// # Errors
    /// When `out` cannot be written; a closed pipe is no error.
    pub fn write(&self, out: &mut dyn Write, format: Format) -> Result<(), Failure> {
        let view = view();
        let wanted = self.with_columns(&view.columns)?;
        wanted.write_whole(out, format, !view.no_headers)
    }

    fn write_whole(
        &self,
        out: &mut dyn Write,
        format: Format,
        headers: bool,
    ) -> Result<(), Failure> {
        quietly(match format {
            Format::Csv => self.write_csv(out, headers),
            Format::Name => self
                .rows
                .iter()
                .try_for_each(|row| writeln!(out, "{}", row.first().map_or("", String::as_str))),
            _ => self.write_aligned(out, headers),
        })
    }

    /// The table with these columns alone, in this order; all of them when none is named.
    fn with_columns(&self, names: &[String]) -> Result<Self, Failure> {
        if names.is_empty() {
            return Ok(self.clone());
        }
        let known = || self.headers.iter().map(String::as_str);
        let place = |name: &String| {
            let found = self
                .headers
                .iter()
                .position(|header| header.eq_ignore_ascii_case(name));
            found.ok_or_else(|| {
                Failure::config(format!("there is no column {name}"))
                    .remedy(did_you_mean(name, known().collect::<Vec<_>>()))
            })
        };
        let places: Vec<usize> = names.iter().map(place).collect::<Result<_, _>>()?;
        let pick = |row: &Vec<String>| {
            let cells = places.iter().filter_map(|&place| row.get(place).cloned());
            cells.collect::<Vec<_>>()
        };
        let right = |&place: &usize| self.right_aligned.get(place) == Some(&true);
        Ok(Self {
            headers: pick(&self.headers),
            rows: self.rows.iter().map(pick).collect(),
            right_aligned: places.iter().map(right).collect(),
        })
    }

    fn write_csv(&self, out: &mut dyn Write, headers: bool) -> io::Result<()> {
        let headers = headers.then_some(&self.headers);
        for row in headers.into_iter().chain(&self.rows) {
            let cells: Vec<_> = row.iter().map(|cell| csv_cell(cell)).collect();
            writeln!(out, "{}", cells.join(","))?;
        }
        Ok(())
    }

    /// Two spaces between columns, none at the end of a line. A cell of several lines (a query
    /// plan) goes on below itself.
    fn write_aligned(&self, out: &mut dyn Write, with_headers: bool) -> io::Result<()> {
        let headers: Vec<Vec<String>> = self
            .headers
            .iter()
            .map(|header| vec![header.to_uppercase()])
            .collect();
        let rows: Vec<Vec<Vec<String>>> = with_headers
            .then_some(headers)
            .into_iter()
            .chain(
                self.rows
                    .iter()
                    .map(|row| row.iter().map(|cell| lines(cell)).collect()),
            )
            .collect();
        let mut widths = vec![0; self.headers.len()];
        for (column, cell) in rows.iter().flat_map(|row| row.iter().enumerate()) {
            let width = cell
                .iter()
                .map(|line| line.chars().count())
                .max()
                .unwrap_or(0);
            if let Some(widest) = widths.get_mut(column) {
                *widest = width.max(*widest);
            }
        }
        for row in &rows {
            let height = row.iter().map(Vec::len).max().unwrap_or(0);
            for place in 0..height {
                writeln!(out, "{}", self.line(row, place, &widths).trim_end())?;
            }
        }
        Ok(())
    }

    fn line(&self, row: &[Vec<String>], place: usize, widths: &[usize]) -> String {
        let cells = row
            .iter()
            .zip(widths)
            .enumerate()
            .map(|(column, (cell, &width))| {
                let text = cell.get(place).map_or("", String::as_str);
                match self.right_aligned.get(column) {
                    Some(true) => format!("{text:>width$}"),
                    _ => format!("{text:<width$}"),
                }
            });
        cells.collect::<Vec<_>>().join("  ")
    }
}

/// The lines of a cell. Characters that could steer a terminal are shown, not sent.
fn lines(cell: &str) -> Vec<String> {
    let shown = |line: &str| {
        line.chars()
            .map(|c| {
                if c.is_control() {
                    c.escape_default().to_string()
                } else {
                    c.to_string()
                }
            })
            .collect()
    };
    match cell.is_empty() {
        true => vec![String::new()],
        false => cell.lines().map(shown).collect(),
    }
}

fn aligned(
    out: &mut dyn Write,
    schema: &Schema,
    batches: &[RecordBatch],
    text: fn(&Datum) -> String,
) -> io::Result<()> {
    let mut table = TextTable {
        headers: schema
            .fields()
            .iter()
            .map(|field| field.name().clone())
            .collect(),
        rows: Vec::new(),
        right_aligned: schema
            .fields()
            .iter()
            .map(|f| f.data_type().is_numeric())
            .collect(),
    };
    each_row(batches, |row| {
        table.rows.push(row.iter().map(text).collect());
        Ok(())
    })?;
    table.write_aligned(out, !view().no_headers)
}

fn json_rows(
    out: &mut dyn Write,
    schema: &Schema,
    batches: &[RecordBatch],
    (before, between, after, nothing): (&str, &str, &str, &str),
) -> io::Result<()> {
    let keys = keys(schema);
    let mut first = true;
    each_row(batches, |row| {
        let lead = if std::mem::take(&mut first) {
            before
        } else {
            between
        };
        write!(out, "{lead}{}", json(&record(&keys, row)))
    })?;
    out.write_all(if first { nothing } else { after }.as_bytes())
}

fn yaml_rows(out: &mut dyn Write, schema: &Schema, batches: &[RecordBatch]) -> io::Result<()> {
    let keys = keys(schema);
    let mut empty = true;
    each_row(batches, |row| {
        empty = false;
        out.write_all(yaml(&Datum::List(vec![record(&keys, row)])).as_bytes())
    })?;
    out.write_all(if empty { b"[]\n" } else { b"" })
}

fn csv_rows(out: &mut dyn Write, schema: &Schema, batches: &[RecordBatch]) -> io::Result<()> {
    let headers: Vec<_> = schema
        .fields()
        .iter()
        .map(|field| csv_cell(field.name()))
        .collect();
    if !view().no_headers {
        writeln!(out, "{}", headers.join(","))?;
    }
    each_row(batches, |row| {
        let cells: Vec<_> = row.iter().map(csv_datum).collect();
        writeln!(out, "{}", cells.join(","))
    })
}

fn names(out: &mut dyn Write, batches: &[RecordBatch]) -> io::Result<()> {
    each_row(batches, |row| {
        writeln!(out, "{}", row.first().map(precise).unwrap_or_default())
    })
}

fn parquet_file(
    out: &mut dyn Write,
    schema: &SchemaRef,
    batches: &[RecordBatch],
) -> io::Result<()> {
    let properties = WriterProperties::builder()
        .set_created_by("tenfold".to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .build();
    // Through memory, so that a closed pipe stays an error of writing and of nothing else.
    let encode = || {
        let mut writer = ArrowWriter::try_new(Vec::new(), schema.clone(), Some(properties))?;
        for batch in batches {
            writer.write(batch)?;
        }
        writer.into_inner()
    };
    out.write_all(&encode().map_err(io::Error::other)?)
}

/// Whether the reader of standard output has closed the pipe.
static GONE: AtomicBool = AtomicBool::new(false);

/// Whether the reader of standard output is known to have gone: what writes without end can end then.
pub fn reader_is_gone() -> bool {
    GONE.load(Ordering::Relaxed)
}

/// A reader that has seen enough closes the pipe: that ends the output and is no error.
fn quietly(result: io::Result<()>) -> Result<(), Failure> {
    match result {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
            GONE.store(true, Ordering::Relaxed);
            Ok(())
        }
        Err(error) => Err(Failure::new(
            FailureClass::Infra,
            format!("cannot write the output: {error}"),
        )
        .code(ErrorCode::NotWritten)),
    }
}
