//! The log of marks: `_marks/<sequence>.json`, one record per change, each created if absent and
//! never deleted. Every record holds all that is so since, so only the newest is read.

use bytes::Bytes;
use tenfold_core::failure::Failure;
use tenfold_core::format;
use tenfold_core::snapshot::{Event, Marks, MarksRecord, Refused};

use crate::object::Store;
use crate::settle::Settled;

const ROOT: &str = "_marks";

/// How often a change is decided anew because somebody else was first.
const TRIES: u32 = 32;

/// Who changes marks, and when.
#[derive(Debug, Clone, Copy)]
pub struct Writer<'a> {
    /// A name that nobody else uses.
    pub name: &'a str,
    /// Milliseconds since 1970.
    pub at_ms: i64,
}

/// Why marks were not changed.
#[derive(Debug, Clone, PartialEq)]
pub enum NotMarked {
    /// The change contradicts what is so.
    Refused(Refused),
    /// The store failed.
    Failed(Failure),
}

impl NotMarked {
    /// The reason, in words.
    pub fn failure(self) -> Failure {
        match self {
            NotMarked::Refused(refused) => refused.failure(),
            NotMarked::Failed(failure) => failure,
        }
    }
}

impl From<Failure> for NotMarked {
    fn from(failure: Failure) -> Self {
        NotMarked::Failed(failure)
    }
}

impl From<Refused> for NotMarked {
    fn from(refused: Refused) -> Self {
        NotMarked::Refused(refused)
    }
}

/// The marks of a store.
///
/// # Errors
/// When the store does not answer or the newest record cannot be understood.
pub async fn marks(store: &Store) -> Result<Marks, Failure> {
    Ok(newest(store).await?.1)
}

/// Makes a change that is decided from the marks as they are; `None` from `decide` changes nothing.
/// Gives the marks as they are then, and the event when there was one.
///
/// # Errors
/// When the event is refused, or the store fails: then it is unknown whether the change was made.
pub async fn mark(
    store: &Store,
    writer: Writer<'_>,
    decide: impl Fn(&Marks) -> Option<Event>,
) -> Result<(Marks, Option<Event>), NotMarked> {
    for _ in 0..TRIES {
        let (sequence, now) = newest(store).await?;
        let Some(event) = decide(&now) else {
            return Ok((now, None));
        };
        let Some(next) = now.after(&event)? else {
            return Ok((now, None));
        };
        let record = MarksRecord {
            format: MarksRecord::FORMAT,
            sequence: sequence + 1,
            writer: writer.name.to_owned(),
            at_ms: writer.at_ms,
            event,
            marks: next,
        };
        let bytes = serde_json::to_vec_pretty(&record).map_err(|e| Failure::bug(e.to_string()))?;
        let path = MarksRecord::path(record.sequence);
        if store.settle(&path, Bytes::from(bytes)).await? == Settled::Ours {
            return Ok((record.marks, Some(record.event)));
        }
    }
    Err(NotMarked::Failed(
        Failure::dependency(format!(
            "the marks of {} change all the time",
            store.location()
        ))
        .remedy("try again"),
    ))
}

/// The newest record's place and what it says. A listing says where to begin; from there each next
/// place is looked up, so that a listing that lags hides nothing.
async fn newest(store: &Store) -> Result<(u64, Marks), Failure> {
    let listed = store.list(ROOT).await?;
    let number = |relative: String| -> Option<u64> {
        let name = relative.strip_prefix(ROOT)?.strip_prefix('/')?;
        name.strip_suffix(".json")?.parse().ok()
    };
    let mut sequence = listed
        .iter()
        .filter_map(|meta| number(store.relative(&meta.location)))
        .max()
        .unwrap_or(0);
    let mut found = match sequence {
        0 => Marks::default(),
        _ => read(store, sequence).await?.ok_or_else(|| {
            Failure::dependency(format!(
                "the store lists {} but cannot read it",
                store.locate(&MarksRecord::path(sequence))
            ))
            .remedy("try again")
        })?,
    };
    while let Some(next) = read(store, sequence + 1).await? {
        sequence += 1;
        found = next;
    }
    Ok((sequence, found))
}

async fn read(store: &Store, sequence: u64) -> Result<Option<Marks>, Failure> {
    let path = MarksRecord::path(sequence);
    let Some(bytes) = store.get_if_present(&path).await? else {
        return Ok(None);
    };
    let record: MarksRecord = decode(store, &path, &bytes, MarksRecord::FORMAT)?;
    Ok(Some(record.marks))
}

/// Reads a record that carries the version of its form, and refuses newer ones.
pub(crate) fn decode<T: serde::de::DeserializeOwned>(
    store: &Store,
    path: &str,
    bytes: &[u8],
    known: u32,
) -> Result<T, Failure> {
    format::read(bytes, known, &store.locate(path))
}

#[cfg(test)]
mod tests {
    use futures::future::join_all;

    use super::*;

    fn tagged(tag: &str, number: u64) -> Event {
        Event::Tagged {
            tag: tag.to_owned(),
            number,
            moved: false,
        }
    }

    #[tokio::test]
    async fn of_many_writers_none_is_lost() {
        let store = Store::in_memory();
        let names: Vec<String> = (0..20).map(|n| format!("t{n}")).collect();
        let writes = names.iter().enumerate().map(|(n, name)| {
            let writer = Writer { name, at_ms: 0 };
            mark(&store, writer, move |_| Some(tagged(name, n as u64)))
        });
        for written in join_all(writes).await {
            written.unwrap();
        }
        let marks = marks(&store).await.unwrap();
        assert_eq!(marks.tags.len(), 20);
        assert_eq!(marks.tags["t7"], 7);
        assert_eq!(store.list(ROOT).await.unwrap().len(), 20);
    }

    #[tokio::test]
    async fn what_changes_nothing_writes_nothing() {
        let store = Store::in_memory();
        let writer = Writer {
            name: "w",
            at_ms: 0,
        };
        assert!(marks(&store).await.unwrap().tags.is_empty());
        for _ in 0..2 {
            mark(&store, writer, |_| Some(tagged("a", 1)))
                .await
                .unwrap();
        }
        let refused = mark(&store, writer, |_| Some(tagged("a", 2))).await;
        assert!(matches!(
            refused,
            Err(NotMarked::Refused(Refused::Conflict(_)))
        ));
        mark(&store, writer, |_| None).await.unwrap();
        assert_eq!(store.list(ROOT).await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_newer_form_is_refused_by_name() {
        let store = Store::in_memory();
        let bytes = Bytes::from_static(b"{\"format\": 3, \"something\": \"else\"}");
        store.create(&MarksRecord::path(1), bytes).await.unwrap();
        let refused = marks(&store).await.unwrap_err();
        assert!(refused.message.contains("has format 3"), "{refused}");
    }
}
