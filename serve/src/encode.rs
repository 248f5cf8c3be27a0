//! Answers in the form that was asked for, piece by piece.

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::ipc::writer::StreamWriter;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use serde::Serialize;
use tenfold_core::failure::{Failure, FailureClass};
use tenfold_query::rows::{csv_cell, csv_datum, each_row, json, keys, record};

use crate::snapshots::About;

/// Bytes that a Parquet file collects before they are sent.
const ROW_GROUP: usize = 8 << 20;

/// The form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// One document with the snapshot, the columns and the rows as objects.
    Json,
    /// Comma-separated values with a header.
    Csv,
    /// A stream of Arrow's IPC format.
    Arrow,
    /// A Parquet file.
    Parquet,
}

impl Format {
    /// All of them, the one that is taken when none is asked for first.
    pub const ALL: [Format; 4] = [Self::Json, Self::Csv, Self::Arrow, Self::Parquet];

    /// Its name in a request.
    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Csv => "csv",
            Self::Arrow => "arrow",
            Self::Parquet => "parquet",
        }
    }

    /// Its media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Arrow => "application/vnd.apache.arrow.stream",
            Self::Parquet => "application/vnd.apache.parquet",
        }
    }

    /// The format of a name.
    ///
    /// # Errors
    /// When there is none of it.
    pub fn named(name: &str) -> Result<Self, Failure> {
        let found = Self::ALL.into_iter().find(|format| format.name() == name);
        found.ok_or_else(|| unknown(name))
    }

    /// The format that a client likes best, by its header `Accept`.
    ///
    /// # Errors
    /// When it takes none that there is.
    pub fn accepted(header: &str) -> Result<Self, Failure> {
        let mut ranges: Vec<(f32, &str)> = header.split(',').filter_map(range).collect();
        // A stable sort: what is liked alike stays in its order.
        ranges.sort_by(|a, b| b.0.total_cmp(&a.0));
        let found = ranges.iter().find_map(|(_, range)| Self::in_range(range));
        found.ok_or_else(|| unknown(header))
    }

    fn in_range(range: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| {
            let media_type = format.media_type();
            let media_type = media_type.split(';').next().unwrap_or_default();
            let of_kind = |kind: &str| media_type.split('/').next() == Some(kind);
            range == media_type || range == "*/*" || range.strip_suffix("/*").is_some_and(of_kind)
        })
    }
}

/// A media range and how much it is liked; none for one that is not liked at all.
fn range(text: &str) -> Option<(f32, &str)> {
    let mut parts = text.split(';').map(str::trim);
    let range = parts.next()?;
    let liked = parts.find_map(|part| part.strip_prefix("q="));
    let liked = liked.map_or(Some(1.0), |liked| liked.parse().ok())?;
    (liked > 0.0).then_some((liked, range))
}

fn unknown(asked: &str) -> Failure {
    let names = Format::ALL.map(Format::name).join(", ");
    Failure::config(format!("there are no answers as {asked}"))
        .remedy(format!("the formats are {names}"))
}

/// Writes an answer. What each call gives follows what the one before gave.
pub struct Encoder(Form);

enum Form {
    Json { keys: Vec<String>, rows: u64 },
    Csv,
    Arrow(Box<StreamWriter<Vec<u8>>>),
    Parquet(Box<ArrowWriter<Vec<u8>>>),
}

#[derive(Serialize)]
struct Column<'a> {
    name: &'a str,
    #[serde(rename = "type")]
    data_type: String,
}

impl Encoder {
    /// Begins an answer with its columns. That of JSON is the rest of an object that was begun.
    ///
    /// # Errors
    /// When a type has no form in the format.
    pub fn begin(
        format: Format,
        schema: &SchemaRef,
        about: &About,
    ) -> Result<(Self, Vec<u8>), Failure> {
        Ok(match format {
            Format::Json => {
                let keys = keys(schema);
                let columns = columns(&keys, schema)?;
                let begun = format!("\"columns\":{columns},\"rows\":[");
                (Self(Form::Json { keys, rows: 0 }), begun.into_bytes())
            }
            Format::Csv => {
                let header: Vec<_> = schema.fields().iter().map(|f| csv_cell(f.name())).collect();
                (
                    Self(Form::Csv),
                    format!("{}\n", header.join(",")).into_bytes(),
                )
            }
            Format::Arrow => {
                let schema = with_snapshot(schema, about);
                let mut writer = StreamWriter::try_new(Vec::new(), &schema).map_err(failed)?;
                let begun = std::mem::take(writer.get_mut());
                (Self(Form::Arrow(Box::new(writer))), begun)
            }
            Format::Parquet => {
                let properties = WriterProperties::builder()
                    .set_created_by("tenfold".to_owned())
                    .set_compression(Compression::ZSTD(ZstdLevel::default()))
                    .build();
                let schema = with_snapshot(schema, about).into();
                let mut writer =
                    ArrowWriter::try_new(Vec::new(), schema, Some(properties)).map_err(failed)?;
                let begun = std::mem::take(writer.inner_mut());
                (Self(Form::Parquet(Box::new(writer))), begun)
            }
        })
    }

    /// Goes on with rows.
    ///
    /// # Errors
    /// When a value has no form in the format.
    pub fn rows(&mut self, batch: &RecordBatch) -> Result<Vec<u8>, Failure> {
        let mut text = String::new();
        match &mut self.0 {
            Form::Json { keys, rows } => each_row(std::slice::from_ref(batch), |row| {
                text.push_str(if *rows == 0 { "\n" } else { ",\n" });
                text.push_str(&json(&record(keys, row)));
                *rows += 1;
                Ok(())
            })
            .map_err(failed)?,
            Form::Csv => each_row(std::slice::from_ref(batch), |row| {
                let cells: Vec<_> = row.iter().map(csv_datum).collect();
                text.push_str(&cells.join(","));
                text.push('\n');
                Ok(())
            })
            .map_err(failed)?,
            Form::Arrow(writer) => {
                writer.write(batch).map_err(failed)?;
                return Ok(std::mem::take(writer.get_mut()));
            }
            Form::Parquet(writer) => {
                writer.write(batch).map_err(failed)?;
                if writer.in_progress_size() >= ROW_GROUP {
                    writer.flush().map_err(failed)?;
                }
                return Ok(std::mem::take(writer.inner_mut()));
            }
        }
        Ok(text.into_bytes())
    }

    /// Ends the answer.
    ///
    /// # Errors
    /// When the last rows have no form in the format.
    pub fn end(self) -> Result<Vec<u8>, Failure> {
        match self.0 {
            Form::Json { rows, .. } => Ok(format!("\n],\"row_count\":{rows}}}\n").into_bytes()),
            Form::Csv => Ok(Vec::new()),
            Form::Arrow(mut writer) => {
                writer.finish().map_err(failed)?;
                Ok(std::mem::take(writer.get_mut()))
            }
            Form::Parquet(writer) => writer.into_inner().map_err(failed),
        }
    }
}

/// The columns as JSON.
fn columns(keys: &[String], schema: &Schema) -> Result<String, Failure> {
    let column = |(name, field): (&'_ String, &arrow::datatypes::FieldRef)| {
        serde_json::to_string(&Column {
            name,
            data_type: field.data_type().to_string(),
        })
    };
    let columns: Result<Vec<_>, _> = keys.iter().zip(schema.fields()).map(column).collect();
    Ok(format!("[{}]", columns.map_err(failed)?.join(",")))
}

/// The columns, with the snapshot in the file's own words about itself.
fn with_snapshot(schema: &Schema, about: &About) -> Schema {
    let words = [
        ("tenfold.snapshot", about.number.to_string()),
        ("tenfold.snapshot_hash", about.hash.clone()),
        ("tenfold.as_of", about.as_of.clone()),
    ];
    let mut metadata = schema.metadata().clone();
    metadata.extend(words.map(|(name, value)| (name.to_owned(), value)));
    schema.clone().with_metadata(metadata)
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::new(
        FailureClass::Infra,
        format!("the answer cannot be written: {error}"),
    )
    .remedy("ask for another format, or cast the columns that it does not have")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_what_the_client_likes_best() {
        let liked = |header: &str| Format::accepted(header).map(Format::name).ok();
        assert_eq!(liked("*/*"), Some("json"));
        assert_eq!(liked("text/csv"), Some("csv"));
        assert_eq!(liked("text/*, application/json;q=0.5"), Some("csv"));
        assert_eq!(liked("text/csv;q=0.1, application/json"), Some("json"));
        assert_eq!(
            liked("application/vnd.apache.parquet;q=0, */*"),
            Some("json")
        );
        assert_eq!(liked("text/html, */*;q=0.8"), Some("json"));
        assert_eq!(liked("text/html"), None);
        assert_eq!(liked("text/csv;q=much"), None);
    }
}
