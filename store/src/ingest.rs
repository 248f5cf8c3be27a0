//! Logs of sources whose files are sent to Tenfold: `_ingest/<source>/log/<n>.json`, one record per
//! change, each created if absent and never deleted; and the fold of a log beside it every so often.

use bytes::Bytes;
use serde::de::DeserializeOwned;
use tenfold_core::failure::Failure;
use tenfold_core::format;
use tenfold_core::ingest::{
    CHECKPOINT_EVERY, Checkpoint, Event, Place, Record, Refused, State, sources_in,
};

use crate::marks::Writer;
use crate::object::Store;
use crate::settle::Settled;

/// How often a change is decided anew because somebody else was first.
const TRIES: u32 = 256;

/// Why a change was not made.
#[derive(Debug, Clone, PartialEq)]
pub enum NotDone {
    /// It cannot happen.
    Refused(Refused),
    /// The store failed: it is unknown whether the change was made, and asking again tells.
    Failed(Failure),
}

impl NotDone {
    /// The reason, in words.
    pub fn failure(self) -> Failure {
        match self {
            Self::Refused(refused) => refused.failure(),
            Self::Failed(failure) => failure,
        }
    }
}

impl From<Failure> for NotDone {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<Refused> for NotDone {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

/// The log of a source, as far as it was read.
#[derive(Debug, Clone)]
pub struct Log {
    store: Store,
    source: String,
    state: State,
}

impl Log {
    /// Reads the log of a source.
    ///
    /// # Errors
    /// When the store does not answer, or a record cannot be understood.
    pub async fn read(store: &Store, source: &str) -> Result<Self, Failure> {
        let mut log = Self {
            store: store.clone(),
            source: source.to_owned(),
            state: checkpoint(store, source).await?,
        };
        log.catch_up().await?;
        Ok(log)
    }

    /// Name of the source.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The fold of what was read.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Reads what others added since.
    ///
    /// # Errors
    /// As [`Log::read`].
    pub async fn catch_up(&mut self) -> Result<(), Failure> {
        loop {
            let path = Place::record(&self.source, self.state.sequence + 1);
            let Some(bytes) = self.store.get_if_present(&path).await? else {
                return Ok(());
            };
            let record: Record = self.decode(&path, &bytes, Record::FORMAT)?;
            self.take(&record).await?;
        }
    }

    /// Lets something happen that is decided from the log as it is; `None` from `decide` changes
    /// nothing. Tells whether anything changed: what has happened before happens once.
    ///
    /// # Errors
    /// When it cannot happen, or the store fails: it is unknown then whether it did.
    pub async fn append(
        &mut self,
        writer: Writer<'_>,
        decide: impl Fn(&State) -> Result<Option<Event>, Refused>,
    ) -> Result<bool, NotDone> {
        for _ in 0..TRIES {
            self.catch_up().await?;
            let Some(event) = decide(&self.state)? else {
                return Ok(false);
            };
            if !self.state.allows(&event)? {
                return Ok(false);
            }
            let record = Record {
                format: Record::FORMAT,
                sequence: self.state.sequence + 1,
                writer: writer.name.to_owned(),
                at_ms: writer.at_ms,
                event,
            };
            let path = Place::record(&self.source, record.sequence);
            let bytes = serde_json::to_vec(&record).map_err(|e| Failure::bug(e.to_string()))?;
            if self.store.settle(&path, Bytes::from(bytes)).await? == Settled::Ours {
                self.take(&record).await?;
                return Ok(true);
            }
        }
        Err(NotDone::Failed(
            Failure::dependency(format!(
                "the batches of source {} change all the time",
                self.source
            ))
            .remedy("try again"),
        ))
    }

    /// Takes the next record in. Whoever takes one in after which there is to be a checkpoint leaves
    /// it, so that one is there even if the writer of the record died.
    async fn take(&mut self, record: &Record) -> Result<(), Failure> {
        self.state.apply(&record.event, record.at_ms);
        if !self.state.sequence.is_multiple_of(CHECKPOINT_EVERY) {
            return Ok(());
        }
        let checkpoint = Checkpoint {
            format: Checkpoint::FORMAT,
            state: self.state.clone(),
        };
        let bytes = serde_json::to_vec(&checkpoint).map_err(|e| Failure::bug(e.to_string()))?;
        let path = Place::checkpoint(&self.source, self.state.sequence);
        self.store.create(&path, Bytes::from(bytes)).await?;
        Ok(())
    }

    fn decode<T: DeserializeOwned>(
        &self,
        path: &str,
        bytes: &[u8],
        known: u32,
    ) -> Result<T, Failure> {
        format::read(bytes, known, &self.store.locate(path))
    }
}

/// The newest fold that is kept. A listing says where to look: one that lags costs reading more
/// records, and nothing else.
async fn checkpoint(store: &Store, source: &str) -> Result<State, Failure> {
    let listed = store.list(&Place::checkpoints(source)).await?;
    let number = |path: String| match Place::of(&path) {
        Some((_, Place::Checkpoint(sequence))) => Some(sequence),
        _ => None,
    };
    let numbers = listed
        .iter()
        .filter_map(|meta| number(store.relative(&meta.location)));
    let mut numbers: Vec<u64> = numbers.collect();
    numbers.sort_unstable();
    while let Some(newest) = numbers.pop() {
        let path = Place::checkpoint(source, newest);
        // One that was swept meanwhile has a newer one, or an older one tells as much.
        if let Some(bytes) = store.get_if_present(&path).await? {
            let place = store.locate(&path);
            let checkpoint: Checkpoint = format::read(&bytes, Checkpoint::FORMAT, &place)?;
            return Ok(checkpoint.state);
        }
    }
    Ok(State::default())
}

/// The sources that have anything in a store.
///
/// # Errors
/// When the store does not answer.
pub async fn sources(store: &Store) -> Result<Vec<String>, Failure> {
    let listed = store.list(Place::ROOT).await?;
    let paths: Vec<String> = listed
        .iter()
        .map(|meta| store.relative(&meta.location))
        .collect();
    let sources = sources_in(paths.iter().map(String::as_str));
    Ok(sources.into_iter().collect())
}

/// Counts open batches as abandoned that nobody went on with, in every source.
///
/// # Errors
/// When the store does not answer.
pub async fn abandon(store: &Store, writer: Writer<'_>) -> Result<(), Failure> {
    for source in sources(store).await? {
        let mut log = Log::read(store, &source).await?;
        let left = |state: &State| {
            let batch = state.left_open(writer.at_ms).next()?.to_owned();
            Some(Event::Abandoned { batch })
        };
        while log
            .append(writer, |state| Ok(left(state)))
            .await
            .map_err(NotDone::failure)?
        {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use futures::future::join_all;
    use tenfold_core::ingest::{OPEN_MS, Share, Stage};

    use super::*;

    fn opened(batch: &str) -> Event {
        Event::Opened {
            batch: batch.to_owned(),
            max_bad_rows: Share::DEFAULT,
            replaces: Vec::new(),
        }
    }

    fn writer(name: &str) -> Writer<'_> {
        Writer { name, at_ms: 1 }
    }

    #[tokio::test]
    async fn of_many_writers_none_is_lost_and_reading_begins_at_a_checkpoint() {
        let store = Store::in_memory();
        let names: Vec<String> = (0..150).map(|n| format!("b{n}")).collect();
        let writes = names.chunks(30).map(|names| {
            let store = store.clone();
            async move {
                let mut log = Log::read(&store, "s").await.unwrap();
                for name in names {
                    let event = opened(name);
                    let open = |_: &State| Ok(Some(event.clone()));
                    assert!(log.append(writer(name), open).await.unwrap());
                }
            }
        });
        join_all(writes).await;
        let log = Log::read(&store, "s").await.unwrap();
        assert_eq!(
            (log.state().sequence, log.state().batches.len()),
            (150, 150)
        );
        let kept = store.list(&Place::checkpoints("s")).await.unwrap();
        assert_eq!(kept.len(), 2);
        // Nothing before the newest checkpoint is needed to read.
        for number in 1..=128 {
            store.delete(&Place::record("s", number)).await.unwrap();
        }
        let again = Log::read(&store, "s").await.unwrap();
        assert_eq!(again.state(), log.state());
        assert_eq!(sources(&store).await.unwrap(), ["s"]);
    }

    #[tokio::test]
    async fn what_has_happened_writes_nothing_and_what_cannot_happen_is_refused() {
        let store = Store::in_memory();
        let mut log = Log::read(&store, "s").await.unwrap();
        let open = |_: &State| Ok(Some(opened("x")));
        assert!(log.append(writer("a"), open).await.unwrap());
        assert!(!log.append(writer("b"), open).await.unwrap());
        let batch = "y".to_owned();
        let seal = |_: &State| {
            let batch = batch.clone();
            Ok(Some(Event::Sealed { batch }))
        };
        let refused = log.append(writer("a"), seal).await.unwrap_err();
        assert_eq!(refused, NotDone::Refused(Refused::Unknown("y".to_owned())));
        assert_eq!(log.state().sequence, 1);
    }

    #[tokio::test]
    async fn a_newer_form_is_refused_by_name() {
        let store = Store::in_memory();
        let bytes = Bytes::from_static(b"{\"format\": 2, \"something\": \"else\"}");
        store.create(&Place::record("s", 1), bytes).await.unwrap();
        let refused = Log::read(&store, "s").await.unwrap_err();
        assert!(refused.message.contains("has format 2"), "{refused}");
    }

    #[tokio::test]
    async fn batches_left_open_are_abandoned() {
        let store = Store::in_memory();
        let mut log = Log::read(&store, "s").await.unwrap();
        for name in ["x", "y"] {
            let open = |_: &State| Ok(Some(opened(name)));
            log.append(writer("a"), open).await.unwrap();
        }
        let at_ms = OPEN_MS + 2;
        abandon(
            &store,
            Writer {
                name: "c",
                at_ms: 2,
            },
        )
        .await
        .unwrap();
        assert_eq!(Log::read(&store, "s").await.unwrap().state().sequence, 2);
        abandon(&store, Writer { name: "c", at_ms }).await.unwrap();
        let log = Log::read(&store, "s").await.unwrap();
        let stages = log.state().batches.values().map(|batch| batch.stage);
        assert_eq!(stages.collect::<Vec<_>>(), [Stage::Abandoned; 2]);
    }
}
