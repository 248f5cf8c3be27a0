//! Messages by HTTP: the sources of a project that take them, and when what was kept is gathered.

mod mail;
mod requests;
mod signature;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::future::join_all;
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::project::{Mail, Project, Stream};
use tenfold_core::stream::Bucket;
use tenfold_ingest::Intake;
use tenfold_ingest::stream::{Shared, gather};
use tenfold_store::object::Store;
use tokio::sync::{Notify, OnceCell, watch};

pub use mail::tell;
pub use requests::{Validate, send};

/// Requests after which what they sent is gathered, however few bytes that are: segments are read one
/// by one.
const REQUESTS: u64 = 10_000;

/// Senders whose rates are remembered; those that sent nothing for a second are forgotten first.
const SENDERS: usize = 10_000;

/// The sources of a project that take messages.
pub struct Streams {
    store: Store,
    project: Result<Project, Failure>,
    sources: BTreeMap<String, Source>,
    buckets: Mutex<BTreeMap<(String, String), Bucket>>,
    begun: Instant,
}

struct Source {
    declared: Stream,
    mail: Option<Mail>,
    open: OnceCell<Open>,
    waiting_bytes: AtomicU64,
    waiting_requests: AtomicU64,
    full: Notify,
}

/// A source that messages can be sent to.
struct Open {
    intake: Intake,
    shared: Shared,
}

impl Streams {
    /// Those of a project, or why it cannot be read.
    pub fn new(store: &Store, project: Result<Project, Failure>) -> Self {
        if let Err(failure) = &project
            && failure.code != Some(ErrorCode::NoProject)
        {
            tracing::warn!("no messages are taken: {failure}");
        }
        let declared = project.iter().flat_map(|project| &project.sources);
        let taking = declared.filter_map(|(name, source)| {
            let ingest = source.ingest.as_ref()?;
            let source = Source {
                declared: ingest.stream.clone()?,
                mail: ingest.mail.clone(),
                open: OnceCell::new(),
                waiting_bytes: AtomicU64::new(0),
                waiting_requests: AtomicU64::new(0),
                full: Notify::new(),
            };
            Some((name.clone(), source))
        });
        Self {
            store: store.clone(),
            sources: taking.collect(),
            project,
            buckets: Mutex::default(),
            begun: Instant::now(),
        }
    }

    fn source(&self, name: &str) -> Result<&Source, Failure> {
        self.project.as_ref().map_err(Clone::clone)?;
        self.sources.get(name).ok_or_else(|| {
            let taking: Vec<&str> = self.sources.keys().map(String::as_str).collect();
            let remedy = match taking.is_empty() {
                true => "declare `ingest: {stream: {}}` for one, and start the server again".into(),
                false => format!("sources that take them: {}", taking.join(", ")),
            };
            Failure::config("there is no source of this name that takes messages")
                .code(ErrorCode::UnknownAddress)
                .remedy(remedy)
        })
    }

    async fn open<'a>(&'a self, name: &str, source: &'a Source) -> Result<&'a Open, Failure> {
        let open = || async {
            let project = self.project.as_ref().map_err(Clone::clone)?;
            Ok::<_, Failure>(Open {
                intake: Intake::open(&self.store, project, name).await?,
                shared: Shared::new(&self.store, name),
            })
        };
        source.open.get_or_try_init(open).await
    }

    /// Keeps messages of a sender. They last when this returns.
    async fn keep(&self, name: &str, messages: Vec<Bytes>) -> Result<(), Failure> {
        let source = self.source(name)?;
        let bytes: usize = messages.iter().map(Bytes::len).sum();
        self.open(name, source).await?.shared.keep(messages).await?;
        let bytes = bytes as u64
            + source
                .waiting_bytes
                .fetch_add(bytes as u64, Ordering::Relaxed);
        let requests = 1 + source.waiting_requests.fetch_add(1, Ordering::Relaxed);
        if bytes >= u64::from(source.declared.megabytes) << 20 || requests >= REQUESTS {
            source.full.notify_one();
        }
        Ok(())
    }

    /// Whether a sender may send so many messages now; if not, after how many milliseconds.
    fn admit(&self, name: &str, sender: &str, messages: usize) -> Result<(), u64> {
        let rate = self.sources.get(name).map(|source| source.declared.rate);
        let Some(rate) = rate else { return Ok(()) };
        let passed = self.begun.elapsed().as_millis();
        let now_ms = u64::try_from(passed).unwrap_or(u64::MAX);
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= SENDERS {
            buckets.retain(|_, bucket| !bucket.is_full(now_ms));
        }
        let key = (name.to_owned(), sender.to_owned());
        let bucket = buckets.entry(key);
        let bucket = bucket.or_insert_with(|| Bucket::full(rate, now_ms));
        bucket.take(u32::try_from(messages).unwrap_or(u32::MAX), now_ms)
    }

    /// Gathers what is kept, for each source as often as it declares, until told to stop. What is kept
    /// then is gathered by whoever gathers next.
    pub async fn gather(&self, stop: watch::Receiver<bool>) {
        let each = self.sources.iter();
        join_all(each.map(|(name, source)| self.gather_one(name, source, stop.clone()))).await;
    }

    async fn gather_one(&self, name: &str, source: &Source, mut stop: watch::Receiver<bool>) {
        let every = Duration::from_secs(source.declared.every.0);
        loop {
            source.waiting_bytes.store(0, Ordering::Relaxed);
            source.waiting_requests.store(0, Ordering::Relaxed);
            match self.gather_now(name, source).await {
                Ok(0) => {}
                Ok(rows) => tracing::info!(source = name, rows, "messages are visible"),
                Err(failure) => tracing::warn!(source = name, "messages stay kept: {failure}"),
            }
            tokio::select! {
                // Without a sender nobody can tell any more: the same as being told.
                _ = stop.wait_for(|stop| *stop) => return,
                () = source.full.notified() => {}
                () = tokio::time::sleep(every) => {}
            }
        }
    }

    async fn gather_now(&self, name: &str, source: &Source) -> Result<u64, Failure> {
        let intake = &self.open(name, source).await?.intake;
        let gathered = gather(intake, &source.declared, source.mail.as_ref()).await?;
        Ok(gathered.rows)
    }
}
