//! One segment for many requests: those that come while another segment is written wait for the next,
//! and are answered together once it lasts.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tenfold_core::failure::{ErrorCode, Failure, FailureClass};
use tenfold_store::object::Store;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::segments::Segments;

/// Messages are waited for so long, so that a segment holds those of several requests.
const LINGER: Duration = Duration::from_millis(5);

/// Bytes after which a segment takes no further request.
const SEGMENT_BYTES: usize = 8 << 20;

/// Bytes of messages that may wait for their segments.
const WAITING_BYTES: usize = 64 << 20;

/// Requests that may wait for their segments.
const WAITING: usize = 4096;

/// The end of a source's stream, for any number of requests.
#[derive(Clone)]
pub struct Shared {
    requests: mpsc::Sender<Request>,
    room: Arc<Semaphore>,
    source: String,
}

struct Request {
    messages: Vec<Bytes>,
    bytes: usize,
    kept: oneshot::Sender<Result<(), Failure>>,
    _room: OwnedSemaphorePermit,
}

impl Shared {
    /// Begins to write segments; it ends when all copies of this are gone, and everything that was
    /// taken is answered. Must run inside a tokio runtime.
    pub fn new(store: &Store, source: &str) -> Self {
        let (requests, incoming) = mpsc::channel(WAITING);
        tokio::spawn(write(store.clone(), source.to_owned(), incoming));
        Self {
            requests,
            room: Arc::new(Semaphore::new(WAITING_BYTES)),
            source: source.to_owned(),
        }
    }

    /// Keeps messages. They last when this returns.
    ///
    /// # Errors
    /// When more wait than may, or the store fails: whether they are kept is unknown in that case.
    pub async fn keep(&self, messages: Vec<Bytes>) -> Result<(), Failure> {
        if messages.is_empty() {
            return Ok(());
        }
        let bytes: usize = messages.iter().map(Bytes::len).sum();
        let permits = u32::try_from(bytes).unwrap_or(u32::MAX);
        let room = self.room.clone().try_acquire_many_owned(permits);
        let room = room.map_err(|_| self.busy())?;
        let (kept, answer) = oneshot::channel();
        let request = Request {
            messages,
            bytes,
            kept,
            _room: room,
        };
        self.requests.try_send(request).map_err(|_| self.busy())?;
        answer.await.unwrap_or_else(|_| {
            Err(Failure::bug(
                "messages were taken, and nobody said what became of them",
            ))
        })
    }

    fn busy(&self) -> Failure {
        let message = format!(
            "messages to source {} come faster than the store keeps them",
            self.source
        );
        Failure::new(FailureClass::RateLimit, message)
            .code(ErrorCode::TooManyMessages)
            .remedy("send them again after the time that `Retry-After` says")
    }
}

async fn write(store: Store, source: String, mut incoming: mpsc::Receiver<Request>) {
    let mut segments = None;
    while let Some(first) = incoming.recv().await {
        tokio::time::sleep(LINGER).await;
        let mut bytes = first.bytes;
        let mut requests = vec![first];
        while bytes < SEGMENT_BYTES
            && let Ok(next) = incoming.try_recv()
        {
            bytes += next.bytes;
            requests.push(next);
        }
        let messages: Vec<Bytes> = requests
            .iter()
            .flat_map(|request| request.messages.iter().cloned())
            .collect();
        let kept = append(&mut segments, &store, &source, &messages).await;
        for request in requests {
            // Whoever has gone sends its messages again.
            let _ = request.kept.send(kept.clone());
        }
    }
}

async fn append(
    segments: &mut Option<Segments>,
    store: &Store,
    source: &str,
    messages: &[Bytes],
) -> Result<(), Failure> {
    let open = match segments {
        Some(open) => open,
        None => segments.insert(Segments::open(store, source).await?),
    };
    open.append(messages).await.map(|_| ())
}
