//! One query from its request to the last byte of its answer.

use std::sync::Arc;

use bytes::Bytes;
use tenfold_core::failure::Failure;
use tenfold_core::snapshot::At;
use tenfold_query::{Answer, Parameters, SessionOptions};
use tenfold_store::object::Store;
use tokio::sync::{mpsc, oneshot};

use crate::cache::{Cache, Kept, Key};
use crate::encode::{Encoder, Format};
use crate::limits::Limits;
use crate::pool::Pool;
use crate::queries::{Queries, Ticket, cancelled, too_long};
use crate::snapshots::{About, Opened, Snapshots};

/// Bytes that are held back, so that what fails early fails before anything was sent.
const HELD: usize = 1 << 20;
/// Bytes that are sent at one time, as far as rows come in pieces.
const PIECE: usize = 64 << 10;
/// Pieces that wait for a slow reader.
const PIECES: usize = 2;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The query.
    pub sql: String,
    /// The values for it.
    pub parameters: Parameters,
    /// Over which snapshot.
    pub at: At,
    /// The form of the answer.
    pub format: Format,
}

/// Where an answer comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// It was kept.
    Kept,
    /// It was computed, and would have been kept had it been asked for before.
    Computed,
    /// It is computed each time.
    Never,
}

impl Origin {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kept => "hit",
            Self::Computed => "miss",
            Self::Never => "never",
        }
    }
}

/// What is known of an answer before its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The snapshot that it is about.
    pub about: About,
    /// Where it comes from.
    pub origin: Origin,
}

/// A part of an answer's body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// It goes on.
    Bytes(Bytes),
    /// It is whole. A body that ends without this has failed.
    End,
}

/// An answer that has begun.
pub struct Begun {
    /// What it is about.
    pub head: Head,
    /// Its body.
    pub body: mpsc::Receiver<Piece>,
}

/// Answers queries over the snapshots of a store.
pub struct Server {
    /// The snapshots.
    pub snapshots: Snapshots,
    /// The queries.
    pub queries: Arc<Queries>,
    /// Where the snapshots are.
    pub store: Store,
    pool: Pool,
    cache: Cache,
    limits: Limits,
    options: SessionOptions,
}

impl Server {
    /// Answers queries over a store.
    ///
    /// # Errors
    /// When the machine gives no threads.
    pub fn new(store: Store, limits: Limits) -> Result<Self, Failure> {
        let options = SessionOptions {
            memory_bytes: limits.memory_bytes / limits.running.max(1),
            threads: limits.threads,
        };
        Ok(Self {
            options,
            snapshots: Snapshots::new(store.clone(), options),
            queries: Arc::new(Queries::new(
                limits.running,
                limits.waiting,
                limits.per_caller,
            )),
            pool: Pool::new(limits.threads)?,
            cache: Cache::new(limits.kept_bytes),
            store,
            limits,
        })
    }

    /// The threads of queries.
    pub(crate) fn pool(&self) -> &Pool {
        &self.pool
    }

    /// What queries may use.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// What each query may use.
    pub fn options(&self) -> SessionOptions {
        self.options
    }

    /// Does a piece of work as queries are answered: in its turn, on their threads, within their time, and
    /// until it is stopped or nobody waits for it.
    ///
    /// # Errors
    /// By what the work failed by, or what ended it.
    pub async fn worked<T: Send + 'static>(
        self: &Arc<Self>,
        ticket: Ticket,
        work: impl Future<Output = Result<T, Failure>> + Send + 'static,
    ) -> Result<T, Failure> {
        let gone = || Failure::bug("a query ended without an answer");
        let (mut sender, answered) = oneshot::channel();
        let limit = self.limits.time;
        let working = async move {
            let mut found = None;
            let computed = async {
                let _place = ticket.place().await?;
                found = Some(work.await?);
                Ok::<_, Failure>(())
            };
            let ended = ticket.work(limit, sender.closed(), computed).await;
            ticket.end(&ended);
            // Whoever waited may be gone.
            let _ = sender.send(ended.and_then(|()| found.ok_or_else(gone)));
        };
        self.pool.spawn(working).ok_or_else(gone)?;
        answered.await.map_err(|_| gone())?
    }

    /// Pieces of work that have not ended.
    #[cfg(test)]
    pub fn alive(&self) -> usize {
        self.pool.alive()
    }

    /// Lets go of what is over.
    pub fn tidy(&self) {
        self.cache.tidy();
    }

    /// Opens the snapshot that a name means at this moment.
    ///
    /// # Errors
    /// When there is none, or the store does not answer.
    pub async fn open(&self, at: &At) -> Result<Arc<Opened>, Failure> {
        self.snapshots.open(at, &self.cache).await
    }

    /// Answers a query. The work ends when what this gives is dropped, before it is given too.
    ///
    /// # Errors
    /// By what failed before the first part of the answer was sent.
    pub async fn answer(self: &Arc<Self>, ticket: Ticket, asked: Asked) -> Result<Begun, Failure> {
        let (head, begun) = oneshot::channel();
        let (pieces, body) = mpsc::channel(PIECES);
        let server = self.clone();
        let work = async move { server.work(ticket, &asked, head, pieces).await };
        let gone = || Failure::bug("a query ended without an answer");
        // The task is not waited for: it ends when `body` is dropped.
        self.pool.spawn(work).ok_or_else(gone)?;
        let head = begun.await.map_err(|_| gone())??;
        Ok(Begun { head, body })
    }

    async fn work(
        &self,
        ticket: Ticket,
        asked: &Asked,
        head: oneshot::Sender<Result<Head, Failure>>,
        pieces: mpsc::Sender<Piece>,
    ) {
        let mut out = Out {
            head: Some(head),
            pieces: pieces.clone(),
            held: Vec::new(),
            kept: None,
        };
        let computed = self.compute(&ticket, asked, &mut out);
        let ended = ticket.work(self.limits.time, pieces.closed(), computed);
        let ended = ended.await;
        // Known to be over before whoever asked can see its end.
        ticket.end(&ended);
        out.finish(ended).await;
    }

    async fn compute(&self, ticket: &Ticket, asked: &Asked, out: &mut Out) -> Result<(), Failure> {
        let _place = ticket.place().await?;
        let opened = self.open(&asked.at).await?;
        let prepared = opened
            .session
            .prepare(&asked.sql, &asked.parameters)
            .await?;
        let key = prepared.is_repeatable().then(|| Key {
            snapshot: opened.identity.clone(),
            text: prepared.text().to_owned(),
            format: asked.format,
        });
        let head = |origin| Head {
            about: opened.about.clone(),
            origin,
        };
        if let Some(kept) = key.as_ref().and_then(|key| self.cache.get(key)) {
            ticket.answered(Origin::Kept);
            ticket.sent(kept.rows);
            return out.give(&head(Origin::Kept), kept.body).await;
        }
        let origin = match key {
            Some(_) => Origin::Computed,
            None => Origin::Never,
        };
        ticket.answered(origin);
        out.kept = key.as_ref().map(|_| (Vec::new(), self.cache.longest()));
        let answer = prepared.run().await?;
        let rows = self
            .write(ticket, answer, asked.format, &head(origin), out)
            .await?;
        if let Some((key, (body, _))) = key.zip(out.kept.take()) {
            let body = Bytes::from(body);
            self.cache.put(key, Kept { body, rows });
        }
        Ok(())
    }

    /// Sends the rows of an answer, and counts them.
    async fn write(
        &self,
        ticket: &Ticket,
        mut answer: Answer,
        format: Format,
        head: &Head,
        out: &mut Out,
    ) -> Result<u64, Failure> {
        let (mut encoder, begun) = Encoder::begin(format, &answer.schema(), &head.about)?;
        out.add(begun);
        let mut rows = 0;
        while let Some(batch) = answer.next().await? {
            rows += batch.num_rows() as u64;
            if rows > self.limits.rows {
                return Err(too_long(self.limits.rows));
            }
            out.add(encoder.rows(&batch)?);
            ticket.sent(rows);
            out.send_when(head).await?;
        }
        out.add(encoder.end()?);
        out.send(head).await?;
        Ok(rows)
    }
}

/// What was written of an answer.
struct Out {
    head: Option<oneshot::Sender<Result<Head, Failure>>>,
    pieces: mpsc::Sender<Piece>,
    held: Vec<u8>,
    /// The whole body so far, as long as it is short enough to be kept, and how long that is.
    kept: Option<(Vec<u8>, usize)>,
}

impl Out {
    fn add(&mut self, bytes: Vec<u8>) {
        if let Some((body, longest)) = &mut self.kept {
            match body.len() + bytes.len() <= *longest {
                true => body.extend_from_slice(&bytes),
                false => self.kept = None,
            }
        }
        match self.held.is_empty() {
            true => self.held = bytes,
            false => self.held.extend_from_slice(&bytes),
        }
    }

    /// Sends what is held once it is enough.
    async fn send_when(&mut self, head: &Head) -> Result<(), Failure> {
        let enough = if self.head.is_some() { HELD } else { PIECE };
        match self.held.len() >= enough {
            true => self.send(head).await,
            false => Ok(()),
        }
    }

    async fn send(&mut self, head: &Head) -> Result<(), Failure> {
        let held = Bytes::from(std::mem::take(&mut self.held));
        self.give(head, held).await
    }

    /// Sends a part of the body, and before the first one what is known of the answer.
    async fn give(&mut self, head: &Head, bytes: Bytes) -> Result<(), Failure> {
        if let Some(sender) = self.head.take() {
            // Whoever waited is gone: the closed channel says so next.
            let _ = sender.send(Ok(head.clone()));
        }
        let sent = self.pieces.send(Piece::Bytes(bytes)).await;
        sent.map_err(|_| cancelled())
    }

    /// Says how it ended. Without a last word the body counts as broken off.
    async fn finish(self, ended: Result<(), Failure>) {
        match (ended, self.head) {
            // Whoever waited may be gone.
            (Ok(()), _) => {
                let _ = self.pieces.send(Piece::End).await;
            }
            (Err(failure), Some(sender)) => {
                let _ = sender.send(Err(failure));
            }
            (Err(_), None) => {}
        }
    }
}
