//! CSV files with a header line. Every field is text until a declared type says otherwise.

use std::collections::BTreeSet;
use std::io::{self, Read};

use arrow::array::StringBuilder;
use arrow::datatypes::{Field, SchemaRef};
use bytes::{Buf, Bytes};
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::ObjectStoreExt;
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::refresh::task::{InputUnit, SourceMapping};
use tokio::runtime::Handle;

use super::{
    BATCH_ROWS, Columns, Malformed, RowNumbers, Rows, apply_types, own_columns, text_schema,
};
use crate::TaskContext;

/// Longest record: a quote that is never closed would otherwise swallow the rest of the file.
pub const RECORD_BYTES: usize = 1 << 20;

/// Follows every file as a record of its own, unless a quotation mark is still open at its end.
const END: &str = "\n\0end of file\0\n";

type CsvReader = csv::Reader<io::Chain<ObjectRead, &'static [u8]>>;

/// Reads a CSV file.
pub struct TextReader {
    mapping: SourceMapping,
    reader: CsvReader,
    /// Names of the needed columns and their places in a record.
    columns: Vec<(String, usize)>,
    fields: usize,
    next_row: u64,
    record: csv::ByteRecord,
}

impl TextReader {
    pub fn open(
        mapping: &SourceMapping,
        unit: &InputUnit,
        keys: &[Field],
        context: &TaskContext,
        columns: Columns,
    ) -> Result<Self, Failure> {
        let input = ObjectRead::open(&unit.location, context)?;
        let mut reader = csv::ReaderBuilder::new()
            .flexible(true)
            .from_reader(input.chain(END.as_bytes()));
        let header = header(&mut reader)?;
        let schema: SchemaRef = text_schema(mapping, &header, keys);
        let needed = own_columns(mapping, &schema, keys, columns)?;
        let columns = needed
            .into_iter()
            .filter_map(|name| {
                let place = header.iter().position(|column| *column == name)?;
                Some((name, place))
            })
            .collect();
        Ok(Self {
            mapping: mapping.clone(),
            reader,
            columns,
            fields: header.len(),
            next_row: unit.first_row,
            record: csv::ByteRecord::new(),
        })
    }

    pub fn next(&mut self) -> Result<Option<Rows>, Failure> {
        let mut builders: Vec<StringBuilder> =
            self.columns.iter().map(|_| StringBuilder::new()).collect();
        let mut numbers = Vec::new();
        let mut malformed = Vec::new();
        while numbers.len() + malformed.len() < BATCH_ROWS && self.advance()? {
            match self.check() {
                Some(reason) => malformed.push(Malformed {
                    number: self.next_row,
                    reason,
                    text: self.shown(),
                }),
                None => {
                    self.append(&mut builders);
                    numbers.push(self.next_row);
                }
            }
            self.next_row += 1;
        }
        if numbers.is_empty() && malformed.is_empty() {
            return Ok(None);
        }
        let names: Vec<String> = self.columns.iter().map(|(name, _)| name.clone()).collect();
        let columns = builders.iter_mut().map(StringBuilder::finish).collect();
        let (batch, unreadable) = apply_types(&self.mapping, &names, columns)?;
        Ok(Some(Rows {
            batch,
            numbers: RowNumbers::Each(numbers),
            malformed,
            unreadable,
        }))
    }

    fn advance(&mut self) -> Result<bool, Failure> {
        self.reader.get_mut().get_mut().0.allowed = 2 * RECORD_BYTES;
        let more = match self.reader.read_byte_record(&mut self.record) {
            Ok(more) => more,
            Err(error) => return Err(self.unreadable(&error)),
        };
        if self.record.as_slice().ends_with(&END.as_bytes()[1..]) {
            return Err(self.unclosed("opens a quotation mark that is never closed"));
        }
        if self.record.as_slice().len() > RECORD_BYTES {
            return Err(self.too_long());
        }
        Ok(more && self.record.as_slice() != END.trim_ascii().as_bytes())
    }

    fn unreadable(&self, error: &csv::Error) -> Failure {
        match error.kind() {
            csv::ErrorKind::Io(error) if error.kind() == io::ErrorKind::FileTooLarge => {
                self.too_long()
            }
            _ => Failure::dependency(format!("row {}: {error}", self.next_row)),
        }
    }

    fn too_long(&self) -> Failure {
        self.unclosed(&format!("is longer than {RECORD_BYTES} bytes"))
    }

    fn unclosed(&self, what: &str) -> Failure {
        Failure::data(format!("row {} {what}", self.next_row))
            .code(ErrorCode::BrokenText)
            .remedy("close the quotation mark, or double those that are part of a value")
    }

    /// Why the current record cannot be used, if it cannot.
    fn check(&self) -> Option<String> {
        if self.record.len() != self.fields {
            return Some(format!(
                "the row has {} fields instead of {}",
                self.record.len(),
                self.fields
            ));
        }
        let utf8 = |place: usize| std::str::from_utf8(&self.record[place]).is_ok();
        let bad = self.columns.iter().find(|(_, place)| !utf8(*place))?;
        Some(format!("`{}` is not UTF-8", bad.0))
    }

    fn append(&self, builders: &mut [StringBuilder]) {
        for (builder, (_, place)) in builders.iter_mut().zip(&self.columns) {
            match std::str::from_utf8(&self.record[*place]) {
                Ok(text) if !text.is_empty() => builder.append_value(text),
                _ => builder.append_null(),
            }
        }
    }

    fn shown(&self) -> String {
        let fields = self.record.iter().map(String::from_utf8_lossy);
        let text = fields.collect::<Vec<_>>().join(",");
        text.chars().take(200).collect()
    }
}

fn header(reader: &mut CsvReader) -> Result<Vec<String>, Failure> {
    let remedy = "the first line names the columns, each with a name of its own, in UTF-8";
    let header = reader.headers().map_err(|error| {
        Failure::data(format!("cannot read the header line: {error}"))
            .code(ErrorCode::BrokenText)
            .remedy(remedy)
    })?;
    let names: Vec<String> = header
        .iter()
        .map(|name| name.trim_start_matches('\u{feff}').to_owned())
        .collect();
    if names == [END.trim_ascii()] {
        return Err(Failure::data("the file is empty: it has no header line")
            .code(ErrorCode::BrokenText)
            .remedy(remedy));
    }
    if names.last().is_some_and(|name| name.ends_with(&END[1..])) {
        return Err(
            Failure::data("the header line opens a quotation mark that is never closed")
                .code(ErrorCode::BrokenText)
                .remedy(remedy),
        );
    }
    let mut seen = BTreeSet::new();
    match names.iter().find(|name| !seen.insert(name.as_str())) {
        Some(twice) => Err(Failure::data("the header names a column twice")
            .code(ErrorCode::BrokenText)
            .remedy(remedy)
            .seen(format!("the column {twice}"))),
        None => Ok(names),
    }
}

/// An object as a stream of bytes for readers that wait.
pub struct ObjectRead {
    chunks: BoxStream<'static, object_store::Result<Bytes>>,
    current: Bytes,
    runtime: Handle,
    /// Bytes that may still be read: a record without an end must not fill the memory.
    allowed: usize,
}

impl ObjectRead {
    pub fn open(location: &str, context: &TaskContext) -> Result<Self, Failure> {
        let (objects, path) = context.inputs.resolve(location)?;
        let answer = context
            .wait(objects.get(&path))
            .map_err(|error| tenfold_store::object::failure("read", location, &error))?;
        Ok(Self {
            chunks: answer.into_stream().boxed(),
            current: Bytes::new(),
            runtime: context.runtime.clone(),
            allowed: usize::MAX,
        })
    }
}

impl Read for ObjectRead {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.runtime.block_on(self.chunks.next()) {
                Some(chunk) => self.current = chunk.map_err(io::Error::other)?,
                None => return Ok(0),
            }
        }
        let length = self.current.len().min(buffer.len());
        self.allowed = self
            .allowed
            .checked_sub(length)
            .ok_or(io::ErrorKind::FileTooLarge)?;
        self.current.copy_to_slice(&mut buffer[..length]);
        Ok(length)
    }
}
