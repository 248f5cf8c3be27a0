//! Queries on the threads of queries, and their rows as they come.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;
use bytes::{BufMut, Bytes, BytesMut};
use jiff::tz::TimeZone;
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::snapshot::At;
use tenfold_query::postgres::{
    Cells, Query, Shape, Surroundings, Value, length_of, oid, put_copied, put_line, type_of,
};
use tenfold_query::rows::csv_cell;
use tenfold_query::within;
use tokio::sync::{mpsc, oneshot};

use super::wire::{Column, is_binary, put};
use crate::answer::Server;
use crate::queries::{Ticket, cancelled, too_long};
use crate::snapshots::Opened;

/// Rows that are written at one time.
const CHUNK: usize = 1024;
/// Chunks that wait for a slow reader.
const CHUNKS: usize = 2;

/// The form of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Rows of an answer.
    Rows,
    /// Rows of a cursor: whoever fetches them says which columns are binary.
    Fetched,
    /// Lines of a copy.
    Copy {
        /// Whether as CSV.
        csv: bool,
        /// Whether with the names of the columns before them.
        header: bool,
    },
}

/// A query with all that it needs.
pub struct Plan {
    /// The query.
    pub query: Arc<Query>,
    /// Its values.
    pub values: Vec<Value>,
    /// The columns that were told, when they were.
    pub told: Option<SchemaRef>,
    /// Forms of the columns, as `Bind` has them.
    pub results: Vec<i16>,
    /// The form of the rows.
    pub form: Form,
    /// What it sees of its session.
    pub surroundings: Surroundings,
    /// The zone that times are shown in.
    pub zone: TimeZone,
    /// The snapshot that it reads.
    pub read: Read,
}

/// The snapshot that a query reads.
#[derive(Clone)]
pub enum Read {
    /// The one that a name means now.
    Named(At),
    /// The one of the transaction.
    Open(Arc<Opened>),
}

/// A query whose rows come.
pub struct Running {
    /// Its identity.
    pub id: String,
    /// Its columns.
    pub columns: Vec<Column>,
    /// What it reads.
    pub opened: Arc<Opened>,
    form: Form,
    rows: mpsc::Receiver<Result<Chunk, Failure>>,
    current: Chunk,
}

/// Rows that wait to be sent.
enum Chunk {
    /// As they are sent, and where each of them ends.
    Written {
        bytes: Bytes,
        ends: Vec<usize>,
        next: usize,
    },
    /// As values.
    Values {
        cells: Arc<Vec<Cells>>,
        rows: Range<usize>,
    },
}

struct Head {
    columns: Vec<Column>,
    opened: Arc<Opened>,
}

impl Running {
    /// More rows as they are sent, so many at most: how many, and they. None when there are no more.
    /// `results` are the forms of the columns as `Bind` has them, where rows are fetched.
    pub async fn take(
        &mut self,
        most: usize,
        results: &[i16],
    ) -> Result<Option<(usize, Bytes)>, Failure> {
        while self.current.left() == 0 {
            match self.rows.recv().await {
                Some(chunk) => self.current = chunk?,
                None => return Ok(None),
            }
        }
        let count = most.min(self.current.left());
        Ok(Some((count, self.current.take(count, results))))
    }

    /// The columns of rows that are fetched in such forms.
    pub fn fetched(&self, results: &[i16]) -> Vec<Column> {
        let mut columns = self.columns.clone();
        if self.form == Form::Fetched {
            for (place, column) in columns.iter_mut().enumerate() {
                column.binary = is_binary(results, place);
            }
        }
        columns
    }
}

impl Chunk {
    fn none() -> Self {
        Self::Written {
            bytes: Bytes::new(),
            ends: Vec::new(),
            next: 0,
        }
    }

    fn left(&self) -> usize {
        match self {
            Self::Written { ends, next, .. } => ends.len() - next,
            Self::Values { rows, .. } => rows.len(),
        }
    }

    /// So many of the rows that are left, at least one.
    fn take(&mut self, count: usize, results: &[i16]) -> Bytes {
        match self {
            Self::Written { bytes, ends, next } => {
                let start = match next.checked_sub(1) {
                    Some(before) => ends[before],
                    None => 0,
                };
                *next += count;
                bytes.slice(start..ends[*next - 1])
            }
            Self::Values { cells, rows } => {
                let end = rows.start + count;
                let mut bytes = BytesMut::new();
                for row in rows.start..end {
                    put_row(cells, row, results, &mut bytes);
                }
                rows.start = end;
                bytes.freeze()
            }
        }
    }
}

impl Server {
    async fn read(&self, read: &Read) -> Result<Arc<Opened>, Failure> {
        match read {
            Read::Open(opened) => Ok(opened.clone()),
            Read::Named(at) => self.open(at).await,
        }
    }

    /// Tells what a query gives and asks for.
    ///
    /// # Errors
    /// When it cannot be planned.
    pub async fn shape(
        self: &Arc<Self>,
        query: Arc<Query>,
        declared: Vec<u32>,
        surroundings: Surroundings,
        read: Read,
    ) -> Result<(Arc<Opened>, Shape), Failure> {
        let server = self.clone();
        let limit = Some(self.limits().time);
        let work = within(limit, async move {
            let opened = server.read(&read).await?;
            let shape = opened
                .session
                .shape(&query, &declared, &surroundings)
                .await?;
            Ok((opened, shape))
        });
        let gone = || Failure::bug("a plan ended without an answer");
        let planned = self.pool().spawn(work).ok_or_else(gone)?.await;
        planned.map_err(|_| gone())?
    }

    /// Begins a query. Its work ends when what this gives is dropped.
    ///
    /// # Errors
    /// By what failed before its first row.
    pub async fn rows(
        self: &Arc<Self>,
        ticket: Ticket,
        plan: Plan,
        limit: Duration,
    ) -> Result<Running, Failure> {
        let (head, begun) = oneshot::channel();
        let (rows, receiver) = mpsc::channel(CHUNKS);
        let (server, id, form) = (self.clone(), ticket.id.clone(), plan.form);
        let gone = || Failure::bug("a query ended without an answer");
        let work = async move { server.give(ticket, plan, limit, head, rows).await };
        self.pool().spawn(work).ok_or_else(gone)?;
        let head: Head = begun.await.map_err(|_| gone())??;
        Ok(Running {
            id,
            columns: head.columns,
            opened: head.opened,
            form,
            rows: receiver,
            current: Chunk::none(),
        })
    }

    async fn give(
        &self,
        ticket: Ticket,
        plan: Plan,
        limit: Duration,
        head: oneshot::Sender<Result<Head, Failure>>,
        rows: mpsc::Sender<Result<Chunk, Failure>>,
    ) {
        let mut head = Some(head);
        let computed = self.compute_rows(&ticket, &plan, &mut head, &rows);
        let ended = ticket.work(limit, rows.closed(), computed).await;
        ticket.end(&ended);
        // Whoever waited may be gone.
        match (ended, head) {
            (Ok(()), _) => {}
            (Err(failure), Some(head)) => drop(head.send(Err(failure))),
            (Err(failure), None) => drop(rows.send(Err(failure)).await),
        }
    }

    async fn compute_rows(
        &self,
        ticket: &Ticket,
        plan: &Plan,
        head: &mut Option<oneshot::Sender<Result<Head, Failure>>>,
        rows: &mpsc::Sender<Result<Chunk, Failure>>,
    ) -> Result<(), Failure> {
        let _place = ticket.place().await?;
        let opened = self.read(&plan.read).await?;
        let prepared = opened
            .session
            .prepare_query(&plan.query, &plan.values, &plan.surroundings)
            .await?;
        let mut answer = prepared.run().await?;
        let schema = match &plan.told {
            Some(told) if !are_same(told, &answer.schema(), !plan.values.is_empty()) => {
                return Err(changed());
            }
            Some(told) => told.clone(),
            None => answer.schema(),
        };
        let columns = columns(&plan.query.names(&schema), &schema, &plan.results);
        let writer = Writer {
            columns: &columns,
            plan,
            schema: &schema,
        };
        if let Some(head) = head.take() {
            let columns = columns.clone();
            drop(head.send(Ok(Head { columns, opened })));
        }
        let mut sent = 0;
        if let Some(chunk) = writer.header() {
            rows.send(Ok(chunk)).await.map_err(|_| cancelled())?;
        }
        while let Some(batch) = answer.next().await? {
            sent += batch.num_rows() as u64;
            if sent > self.limits().rows {
                return Err(too_long(self.limits().rows));
            }
            let cells = Arc::new(writer.cells(&batch)?);
            for start in (0..batch.num_rows()).step_by(CHUNK) {
                let end = batch.num_rows().min(start + CHUNK);
                let chunk = writer.chunk(&cells, start..end);
                rows.send(Ok(chunk)).await.map_err(|_| cancelled())?;
            }
            ticket.sent(sent);
        }
        Ok(())
    }
}

/// Whether columns are those that were told. Names that were made up of an expression may be others
/// once its values are known, and a value without a type, which is a text then, may have been taken for
/// something else before.
fn are_same(told: &SchemaRef, now: &SchemaRef, has_values: bool) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let mut pairs = told.fields().iter().zip(now.fields());
    told.fields().len() == now.fields().len()
        && pairs.all(|(told, now)| {
            let named = told.name() == now.name() || !told.name().chars().all(plain);
            let types = [told, now].map(|field| type_of(field.data_type()).0);
            named && (types[0] == types[1] || has_values && types.contains(&oid::TEXT))
        })
}

/// Why a query is not answered that was prepared over a snapshot with other tables. Drivers know it by
/// these words and prepare it anew.
fn changed() -> Failure {
    Failure::config("cached plan must not change result type")
        .code(ErrorCode::WrongQuery)
        .remedy("prepare the query again: the tables have other columns now")
}

/// The columns of an answer.
pub fn columns(names: &[String], schema: &SchemaRef, results: &[i16]) -> Vec<Column> {
    let fields = schema.fields().iter().zip(names).enumerate();
    let column = |(place, (field, name)): (usize, (&arrow::datatypes::FieldRef, &String))| {
        let (oid, modifier) = type_of(field.data_type());
        Column {
            name: name.clone(),
            oid,
            modifier,
            len: length_of(oid),
            binary: is_binary(results, place),
        }
    };
    fields.map(column).collect()
}

/// Writes rows.
struct Writer<'a> {
    columns: &'a [Column],
    plan: &'a Plan,
    schema: &'a SchemaRef,
}

impl Writer<'_> {
    /// The names of the columns, where they are sent as a line.
    fn header(&self) -> Option<Chunk> {
        let Form::Copy { csv, header: true } = self.plan.form else {
            return None;
        };
        let mut bytes = BytesMut::new();
        put(&mut bytes, b'd', |out| {
            for (place, column) in self.columns.iter().enumerate() {
                if place > 0 {
                    out.put_u8(if csv { b',' } else { b'\t' });
                }
                match csv {
                    true => out.put_slice(csv_cell(&column.name).as_bytes()),
                    false => put_copied(column.name.as_bytes(), out),
                }
            }
            out.put_u8(b'\n');
        });
        Some(Chunk::Written {
            ends: vec![bytes.len()],
            bytes: bytes.freeze(),
            next: 0,
        })
    }

    fn cells(&self, batch: &RecordBatch) -> Result<Vec<Cells>, Failure> {
        let wrong = |error| Failure::config(format!("a value cannot be written: {error}"));
        let columns = batch.columns().iter().zip(self.schema.fields());
        let cells: Result<Vec<Cells>, _> = columns
            .map(|(array, field)| Cells::of(&as_told(array, field.data_type())?, &self.plan.zone))
            .collect();
        cells.map_err(wrong)
    }

    fn chunk(&self, cells: &Arc<Vec<Cells>>, rows: Range<usize>) -> Chunk {
        if self.plan.form == Form::Fetched {
            let cells = cells.clone();
            return Chunk::Values { cells, rows };
        }
        let mut bytes = BytesMut::new();
        let mut ends = Vec::with_capacity(rows.len());
        for row in rows {
            match self.plan.form {
                Form::Rows | Form::Fetched => put_row(cells, row, &self.plan.results, &mut bytes),
                Form::Copy { csv: true, .. } => put_csv(cells, row, &mut bytes),
                Form::Copy { csv: false, .. } => {
                    put(&mut bytes, b'd', |out| put_line(cells, row, out));
                }
            }
            ends.push(bytes.len());
        }
        Chunk::Written {
            bytes: bytes.freeze(),
            ends,
            next: 0,
        }
    }
}

fn put_row(cells: &[Cells], row: usize, results: &[i16], out: &mut BytesMut) {
    put(out, b'D', |out| {
        out.put_i16(cells.len() as i16);
        for (place, cell) in cells.iter().enumerate() {
            cell.put_field(row, is_binary(results, place), out);
        }
    });
}

/// A column whose values are sent as those of the type that was told: as it is, unless a text stands where
/// another type was told. What does not fit that one is an error, and no NULL.
fn as_told(array: &ArrayRef, told: &DataType) -> Result<ArrayRef, ArrowError> {
    let told = match told {
        // That of a value alone, before it was known.
        DataType::Null => &DataType::Utf8,
        told => told,
    };
    if type_of(array.data_type()).0 == type_of(told).0 {
        return Ok(array.clone());
    }
    let strict = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    cast_with_options(array, told, &strict)
}

fn put_csv(cells: &[Cells], row: usize, out: &mut BytesMut) {
    put(out, b'd', |out| {
        let mut value = BytesMut::new();
        for (place, cell) in cells.iter().enumerate() {
            if place > 0 {
                out.put_u8(b',');
            }
            value.clear();
            if cell.put(row, false, &mut value) {
                let text = String::from_utf8_lossy(&value);
                out.put_slice(csv_cell(&text).as_bytes());
            }
        }
        out.put_u8(b'\n');
    });
}

#[cfg(test)]
mod tests {
    use arrow::array::StringArray;
    use arrow::datatypes::{Field, Schema};

    use super::*;

    #[test]
    fn columns_that_took_the_place_of_others_are_noticed() {
        let schema = |names: &[&str]| -> SchemaRef {
            let field = |name: &&str| Field::new(*name, DataType::Int64, true);
            Arc::new(Schema::new(names.iter().map(field).collect::<Vec<_>>()))
        };
        let told = schema(&["customer", "events", "$1 + events"]);
        assert!(are_same(&told, &told, false));
        let named = schema(&["customer", "events", "Int64(1) + events"]);
        assert!(are_same(&told, &named, true));
        for other in [
            &["customer", "events"][..],
            &["customer", "country", "events"],
            &["customer", "country", "$1 + events"],
            &["customer", "country", "events", "$1 + events"],
        ] {
            assert!(!are_same(&told, &schema(other), true), "{other:?}");
        }
    }

    #[test]
    fn columns_that_have_another_type_now_are_noticed() {
        let schema = |data_type: DataType| -> SchemaRef {
            Arc::new(Schema::new(vec![Field::new("events", data_type, true)]))
        };
        let told = schema(DataType::Int64);
        assert!(!are_same(&told, &schema(DataType::Utf8), false));
        assert!(!are_same(&told, &schema(DataType::Float64), true));
        assert!(are_same(&told, &schema(DataType::UInt32), false));
        let decimal = |scale| schema(DataType::Decimal128(38, scale));
        assert!(are_same(&decimal(10), &decimal(2), true));
        // A text that stands for a number is one, or is refused.
        assert!(are_same(&told, &schema(DataType::Utf8), true));
        let text = |text: &str| -> ArrayRef { Arc::new(StringArray::from(vec![text])) };
        let number = as_told(&text("7"), &DataType::Int64).unwrap();
        assert_eq!(number.data_type(), &DataType::Int64);
        assert!(as_told(&text("seven"), &DataType::Int64).is_err());
        let open = as_told(&text("seven"), &DataType::Null).unwrap();
        assert_eq!(open.as_ref(), text("seven").as_ref());
    }
}
