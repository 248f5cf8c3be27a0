//! Queries on the threads of queries, and their rows as they come.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::compute::cast;
use arrow::datatypes::SchemaRef;
use bytes::{BufMut, Bytes, BytesMut};
use jiff::tz::TimeZone;
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::snapshot::At;
use tenfold_query::postgres::{Cells, Query, Shape, Surroundings, Value, length_of, type_of};
use tenfold_query::rows::csv_cell;
use tenfold_query::within;
use tokio::sync::{mpsc, oneshot};

use super::wire::{Column, put};
use crate::answer::Server;
use crate::queries::{Ticket, cancelled};
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
    pub query: Query,
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
    /// Its columns.
    pub columns: Vec<Column>,
    /// What it reads.
    pub opened: Arc<Opened>,
    rows: mpsc::Receiver<Result<Chunk, Failure>>,
    current: Chunk,
}

/// Rows as they are sent, and where each of them ends.
#[derive(Default)]
struct Chunk {
    bytes: Bytes,
    ends: Vec<usize>,
    next: usize,
}

struct Head {
    columns: Vec<Column>,
    opened: Arc<Opened>,
}

impl Running {
    /// More rows as they are sent, so many at most: how many, and they. None when there are no more.
    pub async fn take(&mut self, most: usize) -> Result<Option<(usize, Bytes)>, Failure> {
        while self.current.next >= self.current.ends.len() {
            match self.rows.recv().await {
                Some(chunk) => self.current = chunk?,
                None => return Ok(None),
            }
        }
        let chunk = &mut self.current;
        let start = match chunk.next.checked_sub(1) {
            Some(before) => chunk.ends[before],
            None => 0,
        };
        let count = most.min(chunk.ends.len() - chunk.next);
        chunk.next += count;
        let end = chunk.ends[chunk.next - 1];
        Ok(Some((count, chunk.bytes.slice(start..end))))
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
        query: Query,
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
        let server = self.clone();
        let gone = || Failure::bug("a query ended without an answer");
        let work = async move { server.give(ticket, plan, limit, head, rows).await };
        self.pool().spawn(work).ok_or_else(gone)?;
        let head: Head = begun.await.map_err(|_| gone())??;
        Ok(Running {
            columns: head.columns,
            opened: head.opened,
            rows: receiver,
            current: Chunk::default(),
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
        let ended = tokio::select! {
            biased;
            () = ticket.stopped() => Err(cancelled()),
            () = rows.closed() => Err(cancelled()),
            ended = within(Some(limit), computed) => ended,
        };
        if let Err(failure) = &ended {
            tracing::info!(query = %ticket.id, code = failure.number(), "a query failed");
        }
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
        let schema = plan.told.clone().unwrap_or_else(|| answer.schema());
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
            for start in (0..batch.num_rows()).step_by(CHUNK) {
                let part = batch.slice(start, CHUNK.min(batch.num_rows() - start));
                let chunk = writer.chunk(&part)?;
                rows.send(Ok(chunk)).await.map_err(|_| cancelled())?;
            }
            ticket.sent(sent);
        }
        Ok(())
    }
}

fn too_long(rows: u64) -> Failure {
    Failure::config(format!("the answer has more than {rows} rows"))
        .code(ErrorCode::AnswerTooLong)
        .remedy("aggregate or use LIMIT, read the table's files themselves, or raise --sql-rows")
}

/// The columns of an answer.
pub fn columns(names: &[String], schema: &SchemaRef, results: &[i16]) -> Vec<Column> {
    let form = |place: usize| match results {
        [] => 0,
        [all] => *all,
        each => each.get(place).copied().unwrap_or_default(),
    };
    let fields = schema.fields().iter().zip(names).enumerate();
    let column = |(place, (field, name)): (usize, (&arrow::datatypes::FieldRef, &String))| {
        let (oid, modifier) = type_of(field.data_type());
        Column {
            name: name.clone(),
            oid,
            modifier,
            len: length_of(oid),
            binary: form(place) == 1,
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
        let names: Vec<String> = self
            .columns
            .iter()
            .map(|column| match csv {
                true => csv_cell(&column.name),
                false => copied(&column.name),
            })
            .collect();
        let mut bytes = BytesMut::new();
        let line = names.join(if csv { "," } else { "\t" });
        put(&mut bytes, b'd', |out| {
            out.put_slice(line.as_bytes());
            out.put_u8(b'\n');
        });
        Some(Chunk {
            ends: vec![bytes.len()],
            bytes: bytes.freeze(),
            next: 0,
        })
    }

    fn chunk(&self, batch: &RecordBatch) -> Result<Chunk, Failure> {
        let wrong = |error| Failure::config(format!("a value cannot be written: {error}"));
        let cells: Result<Vec<Cells>, _> = batch
            .columns()
            .iter()
            .zip(self.schema.fields())
            .map(
                |(array, field)| match array.data_type() == field.data_type() {
                    true => Cells::of(array, &self.plan.zone),
                    // A value made the type another one than was told before it was known.
                    false => Cells::of(&cast(array, field.data_type())?, &self.plan.zone),
                },
            )
            .collect();
        let cells = cells.map_err(wrong)?;
        let mut bytes = BytesMut::new();
        let mut ends = Vec::with_capacity(batch.num_rows());
        for row in 0..batch.num_rows() {
            match self.plan.form {
                Form::Rows => self.put_row(&cells, row, &mut bytes),
                Form::Copy { csv, .. } => put_line(&cells, row, csv, &mut bytes),
            }
            ends.push(bytes.len());
        }
        Ok(Chunk {
            bytes: bytes.freeze(),
            ends,
            next: 0,
        })
    }

    fn put_row(&self, cells: &[Cells], row: usize, out: &mut BytesMut) {
        put(out, b'D', |out| {
            out.put_i16(cells.len() as i16);
            for (cell, column) in cells.iter().zip(self.columns) {
                cell.put_field(row, column.binary, out);
            }
        });
    }
}

fn put_line(cells: &[Cells], row: usize, csv: bool, out: &mut BytesMut) {
    put(out, b'd', |out| {
        for (place, cell) in cells.iter().enumerate() {
            if place > 0 {
                out.put_u8(if csv { b',' } else { b'\t' });
            }
            let mut value = BytesMut::new();
            let there = cell.put(row, false, &mut value);
            let text = String::from_utf8_lossy(&value);
            match (there, csv) {
                (false, true) => {}
                (false, false) => out.put_slice(b"\\N"),
                (true, true) => out.put_slice(csv_cell(&text).as_bytes()),
                (true, false) => out.put_slice(copied(&text).as_bytes()),
            }
        }
        out.put_u8(b'\n');
    });
}

/// A text as lines of a copy have it.
fn copied(text: &str) -> String {
    let mut copied = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' => copied.push_str("\\\\"),
            '\n' => copied.push_str("\\n"),
            '\r' => copied.push_str("\\r"),
            '\t' => copied.push_str("\\t"),
            other => copied.push(other),
        }
    }
    copied
}
