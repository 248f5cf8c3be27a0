//! Queries that are begun, and their rows as they are sent.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use bytes::{BufMut, BytesMut};
use tenfold_query::postgres::{Query, Value};
use tokio::io::{AsyncRead, AsyncWrite};
use ulid::Ulid;

use super::{Done, Session};
use crate::metrics::Way;
use crate::pg::run::{Form, Plan, Running};
use crate::pg::wire::{put, put_columns, put_done};
use crate::queries::Asker;

impl<S: AsyncRead + AsyncWrite + Unpin> Session<S> {
    pub(super) async fn begin(
        &mut self,
        query: &Arc<Query>,
        text: &str,
        form: Form,
        (values, results, told): (Vec<Value>, Vec<i16>, Option<SchemaRef>),
    ) -> Done<Running> {
        for (name, value) in query.sets() {
            self.set(&name, Some(&value))?;
        }
        let plan = Plan {
            query: query.clone(),
            values,
            told,
            results,
            form,
            surroundings: self.surroundings(),
            zone: self.settings.zone().clone(),
            read: self.read(),
        };
        let server = self.shared.server.clone();
        let asker = Asker {
            name: &self.user,
            counts_for: &self.counts_for,
            way: Way::Postgres,
        };
        let id = Ulid::new().to_string();
        let ticket = server.queries.enter(&id, asker, text)?;
        self.shared.cancels.runs(self.process, &ticket.id);
        let most = server.limits().time;
        let limit = self
            .settings
            .timeout()
            .map_or(most, |limit| limit.min(most));
        let running = self.wait(server.rows(ticket, plan, limit)).await??;
        self.has_read(&running.opened);
        Ok(running)
    }

    /// Asks a query and sends all of its answer.
    pub(super) async fn answer(&mut self, query: Arc<Query>, text: &str, form: Form) -> Done {
        let mut running = self
            .begin(&query, text, form, (Vec::new(), Vec::new(), None))
            .await?;
        match form {
            Form::Rows | Form::Fetched => put_columns(self.wire.out(), &running.columns),
            Form::Copy { .. } => put_copy(self.wire.out(), running.columns.len()),
        }
        let (rows, _) = self.send(&mut running, 0, &[]).await?;
        match form {
            Form::Rows | Form::Fetched => put_done(self.wire.out(), &format!("SELECT {rows}")),
            Form::Copy { header, .. } => {
                let rows = rows.saturating_sub(u64::from(header));
                put(self.wire.out(), b'c', |_| {});
                put_done(self.wire.out(), &format!("COPY {rows}"));
            }
        }
        Ok(())
    }

    /// Sends rows: so many at most, or all for 0. How many, and whether there may be more. `results` are
    /// the forms that rows of a cursor are fetched in.
    pub(super) async fn send(
        &mut self,
        running: &mut Running,
        most: u64,
        results: &[i16],
    ) -> Done<(u64, bool)> {
        // Others may have been asked since it began.
        self.shared.cancels.runs(self.process, &running.id);
        let mut rows = 0;
        while most == 0 || rows < most {
            let left = match most {
                0 => usize::MAX,
                most => usize::try_from(most - rows).unwrap_or(usize::MAX),
            };
            let Some((count, bytes)) = self.wait(running.take(left, results)).await?? else {
                return Ok((rows, false));
            };
            rows += count as u64;
            self.wire.out().extend_from_slice(&bytes);
            self.flush_much().await?;
        }
        Ok((rows, true))
    }
}

/// Says that lines of a copy come.
fn put_copy(out: &mut BytesMut, columns: usize) {
    put(out, b'H', |out| {
        out.put_u8(0);
        out.put_i16(columns as i16);
        (0..columns).for_each(|_| out.put_i16(0));
    });
}
