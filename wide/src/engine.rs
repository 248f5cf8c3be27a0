//! User tables by Ballista: planned here, computed by executors, and checked when their rows come.

use std::collections::VecDeque;
use std::fmt;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use ballista_core::optimizer::with_ballista_optimizer_rules;
use ballista_core::serde::protobuf::PartitionLocation;
use ballista_core::serde::protobuf::scheduler_grpc_client::SchedulerGrpcClient;
use datafusion::error::DataFusionError;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::future::BoxFuture;
use futures::{FutureExt, Stream, StreamExt, TryStreamExt};
use tenfold_core::failure::{Failure, FailureClass};
use tenfold_query::{Answer, Engine, Session, Spread, Spreading, Totals, UserStatement};

use crate::job::{Job, Link, Sent, lost};
use crate::{FetchTls, MESSAGE_MAX, millis, now};

/// Parts that each step of a statement is cut into.
const PARTITIONS: usize = 16;

/// User tables by the executors of some scheduler.
pub struct Ballista<L> {
    /// Schedulers of the coordinators, the one in office and its standby.
    schedulers: Vec<L>,
    tls: FetchTls,
}

impl<L> fmt::Debug for Ballista<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ballista")
    }
}

impl<L: Link> Ballista<L> {
    /// By the schedulers that links lead to.
    pub fn new(schedulers: Vec<L>, tls: FetchTls) -> Self {
        Self { schedulers, tls }
    }

    async fn begin(
        &self,
        session: &Session,
        statement: UserStatement<'_>,
    ) -> Result<Answer, Failure> {
        let spreading = Spreading {
            partitions: PARTITIONS,
            rules: with_ballista_optimizer_rules(&[]),
        };
        let spread = session.spread(statement, &spreading).await?;
        let table = statement.table;
        let place =
            |failure: Failure| failure.within(format!("{}: table {}", table.place(), table.name));
        let until = u64::from(table.timeout_minutes) * 60_000 + millis(now());
        let schema = spread.schema.clone();
        let rows = self.compute(spread, until).await.map_err(place)?;
        let failed = |failure| DataFusionError::External(Box::new(failure));
        let stream = rows.stream().map_err(failed);
        let stream = RecordBatchStreamAdapter::new(schema, stream);
        Ok(session.answer(Box::pin(stream)))
    }

    /// Rows that are there to be fetched, and what they have to come to.
    async fn compute(&self, spread: Spread, until: u64) -> Result<Rows<L>, Failure> {
        let sent = |plan| Sent::new(plan, &spread.context, &self.tls, until);
        let (wanted, counted) = (sent(&spread.rows)?, sent(&spread.totals)?);
        let mut job = self.submit(wanted).await?;
        let locations = job.done().await?;
        Ok(Rows {
            locations: locations.into_iter().collect(),
            totals: Totals::new(&spread.schema),
            counted: self.counted(counted, &spread.schema).await?,
            job,
            tls: self.tls.clone(),
            schema: spread.schema,
        })
    }

    /// What a job of its own says that the rows come to.
    async fn counted(&self, plan: Sent, schema: &SchemaRef) -> Result<Totals, Failure> {
        let mut job = self.submit(plan).await?;
        let mut found = Vec::new();
        for location in job.done().await? {
            let batches = job.fetch(location, &self.tls).await?;
            let batches: Result<Vec<_>, _> = batches.try_collect().await;
            found.extend(batches.map_err(|error| interrupted(&error))?);
        }
        Totals::read(schema, &found)
    }

    /// A job of the scheduler that is in office.
    async fn submit(&self, plan: Sent) -> Result<Job<L>, Failure> {
        let mut last = lost("there is no scheduler");
        for link in &self.schedulers {
            let scheduler = SchedulerGrpcClient::new(link.clone())
                .max_decoding_message_size(MESSAGE_MAX)
                .max_encoding_message_size(MESSAGE_MAX);
            match Job::submit(scheduler, plan.clone()).await {
                Ok(job) => return Ok(job),
                Err(failure) if failure.class == FailureClass::UserConfig => return Err(failure),
                Err(failure) => last = failure,
            }
        }
        Err(last)
    }
}

/// What the engine says of it may hold values of rows.
fn interrupted(error: &DataFusionError) -> Failure {
    lost("its rows did not come to their end").seen(error.strip_backtrace())
}

impl<L: Link> Engine for Ballista<L> {
    fn rows<'a>(
        &'a self,
        session: &'a Session,
        statement: UserStatement<'a>,
    ) -> BoxFuture<'a, Result<Answer, Failure>> {
        self.begin(session, statement).boxed()
    }
}

/// Rows on their way, and what they have to come to.
struct Rows<L: Link> {
    job: Job<L>,
    locations: VecDeque<PartitionLocation>,
    totals: Totals,
    /// What a second job says that they come to.
    counted: Totals,
    tls: FetchTls,
    schema: SchemaRef,
}

impl<L: Link> Rows<L> {
    /// All rows; at their end an error when they are not those that the second job counted.
    fn stream(self) -> impl Stream<Item = Result<RecordBatch, Failure>> + Send {
        let begin = (self, None);
        futures::stream::try_unfold(Some(begin), |state| async move {
            let Some((mut rows, mut open)) = state else {
                return Ok(None);
            };
            loop {
                let mut stream: datafusion::execution::SendableRecordBatchStream = match open.take()
                {
                    Some(stream) => stream,
                    None => match rows.locations.pop_front() {
                        Some(location) => rows.job.fetch(location, &rows.tls).await?,
                        None => {
                            rows.check()?;
                            return Ok(None);
                        }
                    },
                };
                match stream.next().await {
                    Some(Ok(batch)) => {
                        let columns = batch.columns().to_vec();
                        let batch = RecordBatch::try_new(rows.schema.clone(), columns);
                        let batch = batch.map_err(|error| {
                            Failure::bug("columns came that were not planned")
                                .seen(error.to_string())
                        })?;
                        rows.totals.add(&batch)?;
                        return Ok(Some((batch, Some((rows, Some(stream))))));
                    }
                    Some(Err(error)) => return Err(interrupted(&error)),
                    None => {}
                }
            }
        })
    }

    fn check(&self) -> Result<(), Failure> {
        if self.counted == self.totals {
            return Ok(());
        }
        Err(lost(&format!(
            "{} rows came where {} were counted, or their sums differ",
            self.totals.rows(),
            self.counted.rows()
        ))
        .remedy(
            "where its SQL chooses among equal rows (`row_number`, `LIMIT`), order by the key, too; otherwise \
             look at the workers that took part in it",
        ))
    }
}
