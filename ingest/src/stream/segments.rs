//! The segments of a source in the store.

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use tenfold_core::failure::Failure;
use tenfold_core::ingest::Place;
use tenfold_core::stream::{Segment, seal};
use tenfold_store::ingest::Log;
use tenfold_store::object::Store;
use tenfold_store::settle::Settled;
use ulid::Ulid;

/// Segments that are read or deleted at one time.
const AT_ONCE: usize = 16;

/// Where the next segment of a source goes. Any number of processes may add segments: each place is
/// taken once, and none is left out, so that whoever reads stops at the first that is empty.
pub struct Segments {
    store: Store,
    source: String,
    log: Log,
    next: u64,
}

impl Segments {
    /// Finds the end of a source's stream.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn open(store: &Store, source: &str) -> Result<Self, Failure> {
        let log = Log::read(store, source).await?;
        // A listing says where to look. Should it lag, places that are taken are passed by.
        let listed = store.list(&Place::segments(source)).await?;
        let number = |path: String| match Place::of(&path) {
            Some((_, Place::Segment(number))) => Some(number),
            _ => None,
        };
        let numbers = listed
            .iter()
            .filter_map(|meta| number(store.relative(&meta.location)));
        let last = numbers.max().unwrap_or(0).max(log.state().gathered);
        Ok(Self {
            store: store.clone(),
            source: source.to_owned(),
            log,
            next: last + 1,
        })
    }

    /// Keeps messages. They last when this returns, and are gathered once.
    ///
    /// # Errors
    /// When the store fails: whether they are kept is unknown then, and they may be sent again.
    pub async fn append(&mut self, messages: &[Bytes]) -> Result<u64, Failure> {
        let writer = Ulid::new().to_string();
        let at_ms = Timestamp::now().as_millisecond();
        let bytes = seal(&writer, at_ms, messages.iter().map(AsRef::as_ref))?;
        let bytes = Bytes::from(bytes);
        loop {
            let path = Place::segment(&self.source, self.next);
            if self.store.settle(&path, bytes.clone()).await? != Settled::Ours {
                self.next += 1;
                continue;
            }
            // Where a segment was gathered and swept, the place is empty again, but nobody looks there:
            // a process that stood still for long finds that out here.
            self.log.catch_up().await?;
            let gathered = self.log.state().gathered;
            if self.next > gathered {
                self.next += 1;
                return Ok(self.next - 1);
            }
            self.next = gathered + 1;
        }
    }
}

/// The messages of segments that follow each other: lines, and the number of the last segment.
#[derive(Debug, Default)]
pub struct Lines {
    /// The messages, a line each.
    pub lines: Vec<u8>,
    /// How many there are.
    pub messages: u64,
    /// Number of the last segment.
    pub to: u64,
}

/// Reads segments from a number on, until the lines have so many bytes or no more segments are there;
/// nothing when the first is not there.
///
/// # Errors
/// When the store fails, or a segment is damaged.
pub async fn read(
    store: &Store,
    source: &str,
    from: u64,
    bytes: usize,
) -> Result<Option<Lines>, Failure> {
    let get = |number: u64| {
        let path = Place::segment(source, number);
        async move { Ok::<_, Failure>((number, path.clone(), store.get_if_present(&path).await?)) }
    };
    let mut found = Lines::default();
    let mut segments = std::pin::pin!(stream::iter(from..).map(get).buffered(AT_ONCE));
    while let Some((number, path, Some(segment))) = segments.try_next().await? {
        let segment = Segment::read(&segment, &store.locate(&path))?;
        found.lines.extend_from_slice(segment.lines);
        found.messages += segment.head.messages;
        found.to = number;
        if found.lines.len() >= bytes {
            break;
        }
    }
    Ok((found.to >= from).then_some(found))
}

/// Deletes segments whose messages are in a batch. What a crash leaves of them goes with a clean-up.
///
/// # Errors
/// When the store fails.
pub async fn sweep(store: &Store, source: &str, from: u64, to: u64) -> Result<(), Failure> {
    let delete = |number: u64| {
        let path = Place::segment(source, number);
        async move { store.delete(&path).await }
    };
    let deleting = stream::iter(from..=to).map(delete);
    deleting.buffer_unordered(AT_ONCE).try_collect().await
}
